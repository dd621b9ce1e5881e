/**
 * The demo's backup: by the clock, from a replica into the local cluster's own store, and restored at once into a server
 * that is thrown away, to see that it can be. All of it under the application's writes.
 */
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import { expectThat, waitFor } from "../../test/support/wait.ts";
import type { ClusterStatus } from "../local/index.ts";
import { storeFields, storeSecret } from "../local/store-secret.ts";
import { expectNothingLost, pauseSince } from "./failover.ts";
import type { Writer } from "./prepare.ts";
import { annotate, look, PLACE, type Stage } from "./stage.ts";
import { seconds } from "./tale.ts";

type Found = (sentence: string) => void;

export const STORE_SECRET = "backups";
/** The next full minute, a copy, and a server that is started over it. */
const PATIENCE_MS = 240_000;

async function createStore({ cluster }: Stage, s3: NonNullable<ClusterStatus["s3"]>): Promise<void> {
  const secret = storeSecret(STORE_SECRET, storeFields(s3, PLACE.namespace));
  await cluster.kubectl(["--namespace", PLACE.namespace, "apply", "--filename=-"], secret);
}

/** What the annotation says once it says something. */
function said(stage: Stage, what: string, annotation: string): Promise<string> {
  return waitFor(what, { timeoutMs: PATIENCE_MS, signal: stage.signal }, async () => {
    const { annotations, readiness } = await look(stage);
    const value = annotations[annotation];
    return value === undefined ? { ok: false, saw: readiness } : { ok: true, value };
  });
}

/** `s3`: undefined where no store is known, as of a cluster that is not ours. */
export async function backUp(
  stage: Stage,
  writer: Writer,
  s3: ClusterStatus["s3"],
  found: Found,
): Promise<void> {
  if (s3 === undefined) {
    found("left out: this cluster has no store that the demo knows");
    return;
  }
  const sinceMs = Date.now();
  await createStore(stage, s3);
  await annotate(stage, [
    `${ANNOTATION.backupStore}=${STORE_SECRET}`,
    `${ANNOTATION.backupSchedule}=* * * * *`,
    `${ANNOTATION.archive}=true`,
  ]);
  const slot = await said(stage, "a backup", ANNOTATION.lastBackup);
  const madeMs = Date.now() - sinceMs;
  stage.tale.say("demo", `the backup of ${slot} has arrived; it is being restored to see whether it can be`);
  const proven = await said(stage, "a proof", ANNOTATION.lastProven);
  await annotate(stage, [`${ANNOTATION.backupSchedule}-`]);
  expectThat(Date.parse(proven) >= Date.parse(slot), `the proof is of ${proven}, and the backup of ${slot}`);
  const verdict = await expectNothingLost(stage, writer);
  found(
    `the backup of ${slot} was there after ${seconds(madeMs)} and restored and found whole after ${seconds(Date.now() - sinceMs)}; ` +
      `no write for ${pauseSince(writer.acks, sinceMs)}; ${verdict}`,
  );
}
