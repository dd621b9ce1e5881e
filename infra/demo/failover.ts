/**
 * The demo's hardest minute: the primary is killed under load, another server takes its place, and the old one
 * comes back as a replica; then it is asked back by an annotation. The pauses are those of the writer.
 */
import { inject } from "../../test/support/faults.ts";
import { longestPause } from "../../test/support/figures.ts";
import { withServer } from "../../test/support/servers.ts";
import { expectThat, waitFor } from "../../test/support/wait.ts";
import { type Ack, writtenIds } from "../../test/support/workload.ts";
import { serving, waitHealthy, waitReplicated } from "./adopt.ts";
import type { Writer } from "./prepare.ts";
import { addressOf, annotate, PLACE, type Stage } from "./stage.ts";
import { seconds } from "./tale.ts";

type Found = (sentence: string) => void;

/** Until somebody else than before has acknowledged writes: the annotations may still tell of the time before. */
async function waitTakeover({ signal }: Stage, { acks }: Writer, sinceMs: number): Promise<void> {
  const before = acks.at(-1)?.server;
  await waitFor("another server to take writes", { timeoutMs: 90_000, everyMs: 50, signal }, async () => {
    const taken = acks.some(({ atMs, server }) => atMs > sinceMs && server !== before);
    return taken ? { ok: true, value: null } : { ok: false, saw: "none does" };
  });
}

export function pauseSince(acks: readonly Ack[], sinceMs: number): string {
  const instants = acks.map(({ atMs }) => atMs);
  return seconds(longestPause(instants, sinceMs)?.ms ?? 0);
}

/** Everything that was acknowledged until now, looked for on the primary of now. */
export async function expectNothingLost(stage: Stage, { acks }: Writer): Promise<string> {
  const acked = acks.map(({ id }) => id);
  const { primary } = await serving(stage);
  const present = await withServer(addressOf(stage, primary), (_server, connection) =>
    writtenIds(connection),
  );
  const lost = acked.filter((id) => !present.has(id)).length;
  const verdict = `${lost} of ${acked.length.toLocaleString("en")} acknowledged writes lost`;
  expectThat(lost === 0, verdict);
  return verdict;
}

export interface Killing {
  /** False where the servers run on machines that we cannot reach into: the Pod is deleted then. */
  readonly local: boolean;
}

/** Returns the name of the Pod that was the primary before. */
export async function losePrimary(
  stage: Stage,
  writer: Writer,
  { local }: Killing,
  found: Found,
): Promise<string> {
  const { cluster, tale } = stage;
  const { name, uid } = (await serving(stage)).primary;
  tale.say("demo", local ? `kill -9 of the server in ${name}` : `kubectl delete pod ${name}`);
  const sinceMs = Date.now();
  const target = { namespace: PLACE.namespace, pod: name, uid, claim: `data-${name}` };
  await inject(cluster, local ? "kill" : "delete-pod", target);
  await waitTakeover(stage, writer, sinceMs);
  await waitHealthy(stage, 120_000);
  await waitReplicated(stage, 60_000);
  const wholeMs = Date.now() - sinceMs;
  const { primary } = await serving(stage);
  expectThat(primary.name !== name, `${name} is the primary again`);
  const verdict = await expectNothingLost(stage, writer);
  found(
    `${primary.name} took over from ${name}; no write for ${pauseSince(writer.acks, sinceMs)}, ` +
      `${name} is a replica after ${seconds(wholeMs)}; ${verdict}`,
  );
  return name;
}

export async function handBack(stage: Stage, writer: Writer, target: string, found: Found): Promise<void> {
  const { signal } = stage;
  const sinceMs = Date.now();
  await annotate(stage, [`ordinal.dev/switchover-to=${target}`]);
  await waitTakeover(stage, writer, sinceMs);
  await waitHealthy(stage, 60_000);
  await waitReplicated(stage, 30_000);
  await waitFor(`${target} to be the primary`, { timeoutMs: 30_000, signal }, async () => {
    const { primary } = await serving(stage);
    return primary.name === target ? { ok: true, value: null } : { ok: false, saw: primary.name };
  });
  const verdict = await expectNothingLost(stage, writer);
  found(`${target} is the primary again; no write for ${pauseSince(writer.acks, sinceMs)}; ${verdict}`);
}
