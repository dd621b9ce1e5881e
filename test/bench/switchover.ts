/**
 * Switchovers by annotation under writes on two paths: how long nobody could write, and what clients got to
 * see. Errors after which any client tries again are counted apart from all others, of which there must be none.
 */
import { loadavg } from "node:os";
import { longestPause, spreadOf } from "../support/figures.ts";
import { added, checkBooks, dualAcks } from "../support/traffic.ts";
import type { Ack } from "../support/workload.ts";
import type { Bench } from "./place.ts";
import { brokenBooks, say } from "./report.ts";
import {
  addressOf,
  beginTraffic,
  closeTrial,
  openTrial,
  primaryPod,
  replicaPods,
  switchOver,
  type Trial,
  waitWhole,
} from "./trial.ts";

/** The connection was lost or not to be had, or the server said read-only or offline before it did anything. */
const RETRYABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "PROTOCOL_CONNECTION_LOST",
  "ER_OPTION_PREVENTS_STATEMENT",
  "ER_SERVER_OFFLINE_MODE",
]);

interface Run {
  readonly directMs: number;
  readonly serviceMs: number;
  readonly wholeMs: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly acked: number;
  readonly lost: number;
  readonly ghosts: number;
  readonly dual: number;
}

/** Those since the annotation: a Service that was only just made leads nowhere until its rules are written. */
function since(before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>) {
  const more = Object.entries(now).map(([kind, count]) => [kind, count - (before[kind] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

async function runOnce(trial: Trial, index: number): Promise<Run> {
  const replicas = await replicaPods(trial);
  const target = replicas[index % replicas.length];
  const traffic = await beginTraffic(trial);
  try {
    const before = traffic.failures();
    const startedAtMs = Date.now();
    await switchOver(trial, target?.name ?? "");
    await traffic.waitAcks({ sinceMs: Date.now(), count: 40, timeoutMs: 60_000 });
    await waitWhole(trial);
    const wholeMs = Date.now() - startedAtMs;
    const books = await traffic.stop();
    const errors = since(before, traffic.failures());
    const verdict = await checkBooks(books, addressOf(trial, await primaryPod(trial)));
    const { direct, service } = traffic.acks;
    const pauseOf = (acks: readonly Ack[]) =>
      longestPause(
        acks.map(({ atMs }) => atMs),
        startedAtMs,
      )?.ms ?? 0;
    return {
      directMs: pauseOf(direct),
      serviceMs: pauseOf(service),
      wholeMs,
      errors,
      ...{ acked: verdict.acked, lost: verdict.lost.length, ghosts: verdict.ghosts.length },
      dual: dualAcks(traffic.acks),
    };
  } finally {
    await traffic.stop();
  }
}

export const switchover: Bench = async (place) => {
  const trial = await openTrial(place, { namespace: "bench-switchover", sensor: place.sensor });
  try {
    const runs: Run[] = [];
    while (runs.length < place.runs) {
      const run = await runOnce(trial, runs.length);
      runs.push(run);
      say(`run ${runs.length} of ${place.runs}: ${JSON.stringify(run)}; load ${loadavg()[0]?.toFixed(1)}`);
    }
    const sum = (pick: (run: Run) => number) => runs.reduce((total, run) => total + pick(run), 0);
    const seen = added(runs.map(({ errors }) => errors));
    const others = Object.entries(seen).filter(([kind]) => !RETRYABLE.has(kind));
    const errors = others.reduce((total, [, count]) => total + count, 0);
    const [lost, dual] = [sum((run) => run.lost), sum((run) => run.dual)];
    const broken = [
      ...brokenBooks({ lost, dual, ghosts: sum((run) => run.ghosts) }),
      ...(errors > 0
        ? [`clients saw errors that are no reason to try again: ${JSON.stringify(others)}`]
        : []),
    ];
    const fields = {
      ...{ runs: runs.length, acked: sum((run) => run.acked), lost, dual, errors },
      retryable: Object.fromEntries(Object.entries(seen).filter(([kind]) => RETRYABLE.has(kind))),
      gapDirectMs: spreadOf(runs.map(({ directMs }) => directMs)),
      gapServiceMs: spreadOf(runs.map(({ serviceMs }) => serviceMs)),
      wholeMs: spreadOf(runs.map(({ wholeMs }) => wholeMs)),
      load: loadavg()[0],
    };
    return { ok: broken.length === 0, broken, fields };
  } finally {
    await closeTrial(trial);
  }
};
