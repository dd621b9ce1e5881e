/**
 * One fault after another on the primary of real servers, under writes on two paths: how long nobody could
 * write, and whether anything that was acknowledged is missing. A run that loses a write fails the command.
 */
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { spreadOf } from "../support/figures.ts";
import { type Books, checkBooks, dualAcks, type Traffic } from "../support/traffic.ts";
import { Unmet, waitFor } from "../support/wait.ts";
import { FAULTS, type FaultName, type Injured, injure } from "./inject.ts";
import type { Bench, BenchPlace } from "./place.ts";
import { brokenBooks, type Result, say } from "./report.ts";
import { mountSmallVolumes, unmountSmallVolumes } from "./small-volumes.ts";
import { firstAfter, type Timeline, tellLines, timelineOf } from "./timeline.ts";
import {
  addressOf,
  beginTraffic,
  closeTrial,
  decidedSince,
  freshen,
  isTold,
  openTrial,
  primaryPod,
  type Trial,
  uuidOf,
  waitWhole,
} from "./trial.ts";

/** A fault that lasts is undone after this long, whether writes go on again or not. */
const LASTS_MS_MAX = 40_000;
/** A full disk is for a person to see to, so it does not stay so for longer than it takes to see that. */
const FULL_MS_MAX = 5_000;
const TOLD_MS_MAX = 60_000;
/** A graceful stop may be waited for by a minute, and a container's restart may be delayed. */
const RECOVERS_MS_MAX = 180_000;
/** The new primary is alone for a while, so that what the old one might do shows. */
const DWELL_MS = 2_000;
const PASS_MS = 30_000;
const WRITES_AFTER = 40;

export interface Run {
  readonly timeline: Timeline;
  /** Until the cluster said so, of a fault that only a person can end, milliseconds. */
  readonly toldMs: number | null;
  readonly recoveredByItself: boolean;
  readonly rejoinMs: number;
  readonly acked: number;
  readonly lost: number;
  readonly ghosts: number;
  readonly unknownThere: number;
  readonly dual: number;
  readonly failovers: number;
}

interface Course {
  readonly traffic: Traffic;
  readonly before: string;
  readonly injured: Injured;
}

function resumed({ traffic, before, injured }: Course): number | null {
  const firsts = [traffic.acks.direct, traffic.acks.service].map((acks) =>
    firstAfter(acks, injured.atMs, before),
  );
  return firsts.some((first) => first === null) ? null : Math.max(...firsts.map(Number));
}

async function waitResumed(course: Course, timeoutMs: number): Promise<void> {
  const untilMs = Date.now() + timeoutMs;
  const resumedAtMs = await waitFor("writes to go on", { timeoutMs, everyMs: 20 }, async () => {
    const at = resumed(course);
    return at === null ? { ok: false, saw: "no write on one of the paths" } : { ok: true, value: at };
  });
  // A server that has met a full disk looks again only after 60 s (my_write with MY_WAIT_IF_FULL), and what was
  // acknowledged just before the disk was full may look like the end of a pause.
  const leftMs = Math.max(0, untilMs - Date.now());
  await course.traffic.waitAcks({ sinceMs: resumedAtMs, count: WRITES_AFTER, timeoutMs: leftMs });
}

/** Waits for writes; a fault that lasts is undone after them, or when its time is over. Returns when it ended. */
async function letItPass(
  course: Course,
  name: FaultName,
): Promise<{ readonly endedAtMs: number; readonly byItself: boolean }> {
  const { outage, atMs } = course.injured;
  if (outage === null) {
    await waitResumed(course, RECOVERS_MS_MAX);
    return { endedAtMs: atMs, byItself: true };
  }
  const patienceMs = name === "disk-full" ? FULL_MS_MAX : LASTS_MS_MAX;
  const byItself = await waitResumed(course, patienceMs).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Unmet) return false;
      throw error;
    },
  );
  if (byItself) await sleep(DWELL_MS);
  const endedAtMs = Date.now();
  await outage.undo();
  if (!byItself) await waitResumed(course, RECOVERS_MS_MAX);
  return { endedAtMs, byItself };
}

/** What only a person can end, a person must be told. */
async function waitTold(trial: Trial, { atMs }: Injured): Promise<number> {
  return waitFor("DiskFull to be told", { timeoutMs: TOLD_MS_MAX, everyMs: 200 }, async () => {
    const told = await isTold(trial, "DiskFull");
    return told ? { ok: true, value: Date.now() - atMs } : { ok: false, saw: "no such condition" };
  });
}

async function judgeBooks(trial: Trial, traffic: Traffic, books: Books) {
  const verdict = await checkBooks(books, addressOf(trial, await primaryPod(trial)));
  return {
    acked: verdict.acked,
    lost: verdict.lost.length,
    ghosts: verdict.ghosts.length,
    unknownThere: verdict.unknownThere,
    dual: dualAcks(traffic.acks),
  };
}

/** The host tells a pass when it ends, which may be after all is whole. */
async function passTold({ host }: Trial, sinceMs: number): Promise<void> {
  await waitFor("the pass to end", { timeoutMs: PASS_MS }, async () => {
    const told = host.lines.some(({ message, at }) => message === "pass" && Date.parse(at) >= sinceMs);
    return told ? { ok: true, value: null } : { ok: false, saw: "no line of a pass" };
  });
}

async function runOnce(place: BenchPlace, trial: Trial, name: FaultName): Promise<Run> {
  const before = await uuidOf(trial, await primaryPod(trial));
  const traffic = await beginTraffic(trial);
  try {
    const injured = await injure(place, trial, name);
    const course: Course = { traffic, before, injured };
    const toldMs = name === "disk-full" ? await waitTold(trial, injured) : null;
    const { endedAtMs, byItself } = await letItPass(course, name);
    await waitWhole(trial);
    const rejoinMs = Date.now() - endedAtMs;
    await passTold(trial, injured.atMs);
    const failovers = (await decidedSince(trial, injured.atMs)).filter((one) => one === "FailoverStarted");
    const books = await traffic.stop();
    for (const line of tellLines(trial.host.lines, injured.atMs)) say(line);
    return {
      timeline: timelineOf(trial.host.lines, traffic.acks, { faultAtMs: injured.atMs, before }),
      ...{ toldMs, recoveredByItself: byItself, rejoinMs, failovers: failovers.length },
      ...(await judgeBooks(trial, traffic, books)),
    };
  } finally {
    await traffic.stop();
    await place.outages.undoAll();
  }
}

function tellRun(run: Run): string {
  const { timeline, toldMs, rejoinMs, acked, lost, dual } = run;
  const { detectionMs, decisionMs, promotionMs, firstMs, openedMs, oursMs } = timeline;
  const times = { detectionMs, decisionMs, promotionMs, direct: firstMs.direct, service: firstMs.service };
  return `${JSON.stringify({ ...times, openedMs, oursMs, toldMs, rejoinMs, acked, lost, dual })}; load ${loadavg()[0]?.toFixed(1)}`;
}

const present = (values: readonly (number | null)[]) => values.filter((one) => one !== null);

export function summarize(runs: readonly Run[], fields: Readonly<Record<string, unknown>>): Result {
  const sum = (pick: (run: Run) => number) => runs.reduce((total, run) => total + pick(run), 0);
  const spread = (pick: (timeline: Timeline) => number | null) =>
    spreadOf(present(runs.map(({ timeline }) => pick(timeline))));
  const [lost, dual, resurrected] = [
    sum((run) => run.lost),
    sum((run) => run.dual),
    sum((run) => run.ghosts),
  ];
  const broken = brokenBooks({ lost, dual, ghosts: resurrected });
  return {
    ok: broken.length === 0,
    broken,
    fields: {
      ...fields,
      runs: runs.length,
      acked: sum((run) => run.acked),
      ...{ lost, dual, resurrected },
      unknownThere: sum((run) => run.unknownThere),
      failovers: sum((run) => run.failovers),
      // One fault is reason for one failover.
      falseFailovers: sum((run) => Math.max(0, run.failovers - 1)),
      undoneFirst: runs.filter((run) => !run.recoveredByItself).length,
      directMs: spread(({ firstMs }) => firstMs.direct),
      serviceMs: spread(({ firstMs }) => firstMs.service),
      openedMs: spread((timeline) => timeline.openedMs),
      oursMs: spread((timeline) => timeline.oursMs),
      detectionMs: spread((timeline) => timeline.detectionMs),
      decisionMs: spread((timeline) => timeline.decisionMs),
      promotionMs: spread((timeline) => timeline.promotionMs),
      toldMs: spreadOf(present(runs.map(({ toldMs }) => toldMs))),
      rejoinMs: spreadOf(runs.map((run) => run.rejoinMs)),
      load: loadavg()[0],
    },
  };
}

export function isFault(name: string | undefined): name is FaultName {
  return FAULTS.some((fault) => fault === name);
}

export const failover: Bench = async (place) => {
  const { fault, sensor } = place;
  if (!isFault(fault)) throw new Unmet(`--fault is one of ${FAULTS.join(", ")}`);
  const ref = { namespace: `bench-${fault}`, name: "mysql" };
  const bounded = fault === "disk-full";
  const prepare = bounded ? { prepare: () => mountSmallVolumes(place, ref) } : {};
  const trial = await openTrial(place, { namespace: ref.namespace, sensor, ...prepare });
  try {
    const runs: Run[] = [];
    while (runs.length < place.runs) {
      const run = await runOnce(place, trial, fault);
      runs.push(run);
      say(`run ${runs.length} of ${place.runs}: ${tellRun(run)}`);
      if (runs.length < place.runs) await freshen(trial);
    }
    return summarize(runs, { fault, sensor });
  } finally {
    await closeTrial(trial);
    if (bounded) await unmountSmallVolumes(place, ref);
  }
};
