/**
 * The demo's accident: a table is dropped, and the data as of the second before is restored, into a new cluster first, to
 * look at it, and then in place of what is there; which is undone at last, as somebody may wish who was mistaken.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import { checksumsOf, withServer } from "../../test/support/servers.ts";
import { SHOP_SCHEMA } from "../../test/support/shop.ts";
import { expectThat, Unmet, waitFor } from "../../test/support/wait.ts";
import { readWorld, type SetRef, type World } from "../../test/support/world.ts";
import type { ClusterStatus } from "../local/index.ts";
import { storeFields, storeSecret } from "../local/store-secret.ts";
import { ANNOTATIONS, serving, waitReplicated } from "./adopt.ts";
import { STORE_SECRET } from "./backups.ts";
import { addressOf, annotate, PLACE, RESTORED, type Stage } from "./stage.ts";
import { seconds } from "./tale.ts";

type Found = (sentence: string) => void;

const LOST_TABLE = `${SHOP_SCHEMA}.order_lines`;
/** Terms and tails are of each cluster alone. */
const OURS = ["ordinal"];
const ARCHIVED_MS = 5_000;
const BEGIN_MS = 60_000;
const PATIENCE_MS = 300_000;
const EXAMPLE = join(import.meta.dirname, "../examples/mysql.yaml");

type Checksums = ReadonlyMap<string, string>;

async function primaryOf(stage: Stage) {
  return addressOf(stage, (await serving(stage)).primary);
}

function expectSame(found: Checksums, wanted: Checksums, where: string): void {
  const differs = [...new Set([...wanted.keys(), ...found.keys()])].find(
    (table) => found.get(table) !== wanted.get(table),
  );
  if (differs === undefined) return;
  throw new Unmet(
    `${differs} in ${where}: ${found.get(differs) ?? "missing"}, ${wanted.get(differs) ?? "none"} before`,
  );
}

export interface Accident {
  /** The second before, RFC 3339, by the server's clock. */
  readonly before: string;
  readonly checksums: Checksums;
}

export async function dropTable(stage: Stage, found: Found): Promise<Accident> {
  const address = await primaryOf(stage);
  const checksums = await checksumsOf(address, OURS);
  const before = await withServer(address, async ({ ask }) => {
    const [row] = await ask("SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ') AS now");
    return String(row?.["now"]);
  });
  await sleep(1_000, undefined, { signal: stage.signal });
  await withServer(address, async ({ ask }) => void (await ask(`DROP TABLE ${LOST_TABLE}`)));
  expectThat(!(await checksumsOf(address, OURS)).has(LOST_TABLE), `${LOST_TABLE} is still there`);
  // The log is archived as it is written, which takes the time of one upload.
  await sleep(ARCHIVED_MS, undefined, { signal: stage.signal });
  found(`DROP TABLE ${LOST_TABLE} (${checksums.get(LOST_TABLE)}), a second after ${before}`);
  return { before, checksums };
}

/** One member is enough to look at; it has an account and a name of its own and nothing of the other. */
async function deployEmptySet({ cluster, tale }: Stage, ref: SetRef, s3: NonNullable<ClusterStatus["s3"]>) {
  const apply = (text: string) =>
    cluster.kubectl(["--namespace", ref.namespace, "apply", "--filename=-"], text);
  await apply(readFileSync(EXAMPLE, "utf8").replace("replicas: 3", "replicas: 1"));
  await apply(storeSecret(STORE_SECRET, storeFields(s3, PLACE.namespace)));
  tale.say("demo", `applied the same example to the namespace ${ref.namespace}, with one member`);
}

/** Until what the cluster says of itself holds. */
async function until(
  { cluster, signal }: Stage,
  ref: SetRef,
  what: string,
  holds: (world: World) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<void> {
  await waitFor(what, { timeoutMs, signal }, async () => {
    const world = await readWorld(cluster, ref);
    const saw = `phase ${world.phase ?? "none"}; ${world.readiness}`;
    return holds(world) ? { ok: true, value: null } : { ok: false, saw };
  });
}

/** In service with the data that it is to have. */
async function untilRestored(stage: Stage, ref: SetRef): Promise<void> {
  await until(stage, ref, "the end of the restore", ({ phase, annotations }) => {
    const isOver = annotations[ANNOTATION.restore]?.includes('"running":null') === true;
    return isOver && phase === "Healthy";
  });
}

export async function restoreElsewhere(
  stage: Stage,
  { before, checksums }: Accident,
  s3: NonNullable<ClusterStatus["s3"]>,
  found: Found,
): Promise<void> {
  const sinceMs = Date.now();
  await deployEmptySet(stage, RESTORED, s3);
  const wish = JSON.stringify({ cluster: `${PLACE.namespace}/${PLACE.name}`, time: before });
  const wishes = [`${ANNOTATION.backupStore}=${STORE_SECRET}`, `${ANNOTATION.restoreFrom}=${wish}`];
  await annotate(stage, [...ANNOTATIONS, ...wishes], RESTORED);
  await untilRestored(stage, RESTORED);
  const { pods } = await readWorld(stage.cluster, RESTORED);
  expectSame(await checksumsOf(addressOf(stage, pods[0]), OURS), checksums, RESTORED.namespace);
  found(
    `a new cluster with the data as of ${before} after ${seconds(Date.now() - sinceMs)}, ` +
      `${checksums.size} tables equal to those before the accident`,
  );
}

async function untilRestoredInPlace(stage: Stage): Promise<void> {
  await untilRestored(stage, PLACE);
  await waitReplicated(stage, 60_000);
}

export async function restoreInPlace(
  stage: Stage,
  { before, checksums }: Accident,
  found: Found,
): Promise<void> {
  const id = "demo-accident";
  const sinceMs = Date.now();
  const wish = JSON.stringify({ id, time: before, inPlace: true });
  await annotate(stage, [`${ANNOTATION.restoreFrom}=${wish}`]);
  const isBegun = ({ annotations }: World) => annotations[ANNOTATION.restore]?.includes(id) === true;
  await until(stage, PLACE, "the restore to begin", isBegun, BEGIN_MS);
  await untilRestoredInPlace(stage);
  const tookMs = Date.now() - sinceMs;
  expectSame(await checksumsOf(await primaryOf(stage), OURS), checksums, PLACE.namespace);
  const undoMs = Date.now();
  await annotate(stage, [`${ANNOTATION.restoreUndo}=${id}`]);
  const isTaken = ({ annotations }: World) => annotations[ANNOTATION.restoreUndo] === undefined;
  await until(stage, PLACE, "the undoing to begin", isTaken, BEGIN_MS);
  await untilRestoredInPlace(stage);
  const undone = await checksumsOf(await primaryOf(stage), OURS);
  expectThat(!undone.has(LOST_TABLE), `${LOST_TABLE} is there after the restore was undone`);
  found(
    `in place after ${seconds(tookMs)}, ${checksums.size} tables equal to those before the accident; ` +
      `undone after ${seconds(Date.now() - undoMs)}, and the cluster is as it was, without the table`,
  );
}
