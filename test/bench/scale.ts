/**
 * Three members become five and three again, under writes on two paths, with the primary on the last of those that
 * leave. What is counted: the longest pause that clients saw, and how often writes stood still while members were added.
 */
import { loadavg } from "node:os";
import { longestPause, pausesOver, spreadOf } from "../support/figures.ts";
import { checkBooks, dualAcks } from "../support/traffic.ts";
import { waitFor } from "../support/wait.ts";
import type { Ack } from "../support/workload.ts";
import { readWorld } from "../support/world.ts";
import type { Bench } from "./place.ts";
import { brokenBooks, say } from "./report.ts";
import {
  addressOf,
  beginTraffic,
  closeTrial,
  openTrial,
  primaryPod,
  switchOver,
  type Trial,
  waitWhole,
} from "./trial.ts";

/** A writer that hears nothing for as long as this stands still: its turn comes every 80 ms. */
const STALL_MS = 500;
const TOP = "mysql-4";

interface Run {
  readonly upMs: number;
  readonly downMs: number;
  readonly gapDirectMs: number;
  readonly gapServiceMs: number;
  readonly stalls: number;
  readonly acked: number;
  readonly lost: number;
  readonly ghosts: number;
  readonly dual: number;
}

async function wish({ cluster, ref }: Trial, replicas: number): Promise<void> {
  const wanted = `ordinal.dev/replicas=${replicas}`;
  await cluster.kubectl([
    ...["--namespace", ref.namespace, "annotate", "--overwrite"],
    ...["statefulset", ref.name, wanted],
  ]);
}

/** All of so many are in their places. */
async function waitMembers(trial: Trial, count: number): Promise<void> {
  const { cluster, ref } = trial;
  await waitFor(`${count} members`, { timeoutMs: 120_000, everyMs: 50 }, async () => {
    const { replicas } = await readWorld(cluster, ref);
    return replicas === count ? { ok: true, value: null } : { ok: false, saw: `replicas ${replicas}` };
  });
  await waitWhole(trial);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = Date.now();
  await work();
  return Date.now() - startedAtMs;
}

async function runOnce(trial: Trial): Promise<Run> {
  const traffic = await beginTraffic(trial);
  const instants = (acks: readonly Ack[]) => acks.map(({ atMs }) => atMs);
  try {
    const startedAtMs = Date.now();
    const upMs = await timed(async () => {
      await wish(trial, 5);
      await waitMembers(trial, 5);
    });
    const grownAtMs = Date.now();
    await switchOver(trial, TOP);
    await waitMembers(trial, 5);
    const downMs = await timed(async () => {
      await wish(trial, 3);
      await waitMembers(trial, 3);
    });
    await traffic.waitAcks({ sinceMs: Date.now(), count: 40, timeoutMs: 60_000 });
    const books = await traffic.stop();
    const verdict = await checkBooks(books, addressOf(trial, await primaryPod(trial)));
    const { direct, service } = traffic.acks;
    const before = (acks: readonly Ack[]) => instants(acks).filter((at) => at < grownAtMs);
    return {
      ...{ upMs, downMs },
      gapDirectMs: longestPause(instants(direct), startedAtMs)?.ms ?? 0,
      gapServiceMs: longestPause(instants(service), startedAtMs)?.ms ?? 0,
      stalls:
        pausesOver(before(direct), startedAtMs, STALL_MS) +
        pausesOver(before(service), startedAtMs, STALL_MS),
      ...{ acked: verdict.acked, lost: verdict.lost.length, ghosts: verdict.ghosts.length },
      dual: dualAcks(traffic.acks),
    };
  } finally {
    await traffic.stop();
  }
}

export const scale: Bench = async (place) => {
  const trial = await openTrial(place, { namespace: "bench-scale", sensor: place.sensor });
  try {
    const runs: Run[] = [];
    while (runs.length < place.runs) {
      const run = await runOnce(trial);
      runs.push(run);
      say(`run ${runs.length} of ${place.runs}: ${JSON.stringify(run)}; load ${loadavg()[0]?.toFixed(1)}`);
    }
    const sum = (pick: (run: Run) => number) => runs.reduce((total, run) => total + pick(run), 0);
    const [lost, dual, stalls] = [sum((run) => run.lost), sum((run) => run.dual), sum((run) => run.stalls)];
    const broken = [
      ...brokenBooks({ lost, dual, ghosts: sum((run) => run.ghosts) }),
      ...(stalls > 0 ? [`writes stood still ${stalls} times while members were added`] : []),
    ];
    const fields = {
      ...{ runs: runs.length, acked: sum((run) => run.acked), lost, dual, stalls },
      gapMs: spreadOf(runs.map(({ gapDirectMs }) => gapDirectMs)),
      gapServiceMs: spreadOf(runs.map(({ gapServiceMs }) => gapServiceMs)),
      upMs: spreadOf(runs.map(({ upMs }) => upMs)),
      downMs: spreadOf(runs.map(({ downMs }) => downMs)),
      load: loadavg()[0],
    };
    return { ok: broken.length === 0, broken, fields };
  } finally {
    await closeTrial(trial);
  }
};
