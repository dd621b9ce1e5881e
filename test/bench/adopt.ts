/**
 * From two annotations to "3 of 3, semi-sync armed" on plain servers, while an application inserts 200 rows a
 * second into the first. Each run has servers of its own, since a container's restarts are delayed more each time.
 */
import { startLocalHost } from "../../shared/hosts/local/start.ts";
import { spreadOf } from "../support/figures.ts";
import { checkLedger } from "../support/ledger.ts";
import { withServer } from "../support/servers.ts";
import { failedWrites, prepareTable, startWorkload } from "../support/workload.ts";
import { readLogin, readWorld, type SetRef } from "../support/world.ts";
import {
  annotate,
  type Bench,
  type BenchPlace,
  createPlain,
  removeNamespace,
  waitReady,
  waitReplicated,
} from "./place.ts";
import { say } from "./report.ts";

const READY_MS_MAX = 15_000;

interface Run {
  readonly readyMs: number;
  readonly failedWrites: number;
  readonly acked: number;
  readonly lost: number;
  readonly restarts: number;
  readonly templateChanged: boolean;
}

async function runOnce({ cluster, status }: BenchPlace, ref: SetRef): Promise<Run> {
  await createPlain(cluster, ref, { replicas: 3, args: [] });
  const before = await waitReady(cluster, ref, 180_000);
  const login = await readLogin(cluster, { ...ref, name: "mysql-root" });
  const primary = { ...login, host: before.pods[0]?.ip ?? "" };
  await withServer(primary, (_server, connection) => prepareTable(connection));
  const locate = async () => primary.host;
  const workload = startWorkload({
    ...login,
    locate,
    writers: 4,
    perSecond: 200,
    secondsMax: 120,
    timeoutMs: 10_000,
  });
  const lines: string[] = [];
  const note = (message: string, fields: object = {}) =>
    void lines.push(`${new Date().toISOString()} ${message} ${JSON.stringify(fields)}`);
  const host = await startLocalHost({
    namespaces: [ref.namespace],
    kubeconfig: status.kubeconfig,
    log: { info: note, warn: note },
  });
  try {
    const startedAt = performance.now();
    await annotate(cluster, ref);
    await waitReplicated(cluster, ref, 120_000);
    const readyMs = performance.now() - startedAt;
    // A slow run has to be explained, not averaged away.
    if (readyMs > READY_MS_MAX) for (const line of lines) say(line);
    const ledger = await workload.stop();
    const verdict = await checkLedger(ledger, primary);
    const after = await readWorld(cluster, ref);
    return {
      readyMs,
      failedWrites: failedWrites(ledger),
      acked: ledger.acked.length,
      lost: verdict.lost.length,
      restarts: (after.pods[0]?.restarts ?? 0) - (before.pods[0]?.restarts ?? 0),
      templateChanged: after.templateHash !== before.templateHash || after.specHash !== before.specHash,
    };
  } finally {
    await workload.stop();
    await host.stop();
  }
}

export const adopt: Bench = async (place) => {
  const runs: Run[] = [];
  for (let index = 0; index < place.runs; index += 1) {
    const ref = { namespace: `bench-adopt-${index}`, name: "mysql" };
    await removeNamespace(place.cluster, ref.namespace);
    const run = await runOnce(place, ref);
    say(
      `run ${index + 1} of ${place.runs}: ready after ${Math.round(run.readyMs)} ms, ${run.failedWrites} writes failed`,
    );
    runs.push(run);
    await removeNamespace(place.cluster, ref.namespace);
  }
  const sum = (pick: (run: Run) => number) => runs.reduce((total, run) => total + pick(run), 0);
  const readyMs = spreadOf(runs.map((run) => run.readyMs));
  const broken = [
    ...(sum((run) => run.failedWrites) > 0 ? ["writes failed during adoption"] : []),
    ...(sum((run) => run.lost) > 0 ? ["acknowledged writes were lost"] : []),
    ...(sum((run) => run.restarts) > 0 ? ["the primary was restarted"] : []),
    ...(runs.some((run) => run.templateChanged) ? ["the pod template was changed"] : []),
    ...((readyMs?.worst ?? Number.POSITIVE_INFINITY) > READY_MS_MAX
      ? ["an adoption took more than 15 s"]
      : []),
  ];
  const fields = {
    runs: runs.length,
    acked: sum((run) => run.acked),
    lostWrites: sum((run) => run.lost),
    failedWrites: sum((run) => run.failedWrites),
    primaryRestarts: sum((run) => run.restarts),
    templateChanged: runs.some((run) => run.templateChanged),
    readyMs,
  };
  return { ok: broken.length === 0, broken, fields };
};
