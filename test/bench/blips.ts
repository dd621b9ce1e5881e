/**
 * Short disturbances in an order from a seed: none of them is a reason for a failover, and none may cost an
 * acknowledged write.
 */
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outage } from "../support/outages.ts";
import { checkBooks, dualAcks } from "../support/traffic.ts";
import { Unmet } from "../support/wait.ts";
import type { Bench, BenchPlace } from "./place.ts";
import { brokenBooks, say } from "./report.ts";
import {
  addressOf,
  beginTraffic,
  closeTrial,
  decidedSince,
  openTrial,
  primaryPod,
  replicaPods,
  type Trial,
  waitWhole,
} from "./trial.ts";

const KINDS = ["primary cut", "primary stopped", "replica cut", "API server stopped"] as const;
type Kind = (typeof KINDS)[number];

interface Blip {
  readonly kind: Kind;
  readonly lastsMs: number;
  /** Which of the replicas, where it is one. */
  readonly which: number;
}

/** A linear congruential generator with the constants of Numerical Recipes: numbers in [0, 1). */
function chanceFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Shortest and longest, milliseconds. */
const LASTS: Readonly<Record<Kind, readonly [number, number]>> = {
  "primary cut": [200, 1_500],
  "primary stopped": [500, 1_500],
  "replica cut": [5_000, 5_000],
  "API server stopped": [10_000, 10_000],
};

export function blipsOf(seed: number, count: number): readonly Blip[] {
  const chance = chanceFrom(seed);
  return Array.from({ length: count }, () => {
    const kind = KINDS[Math.floor(chance() * KINDS.length)] ?? "primary cut";
    const [least, most] = LASTS[kind];
    return { kind, lastsMs: Math.round(least + chance() * (most - least)), which: Math.floor(chance() * 2) };
  });
}

async function begin(place: BenchPlace, trial: Trial, { kind, which }: Blip): Promise<Outage> {
  const { outages, status } = place;
  switch (kind) {
    case "primary cut":
      return await outages.cut((await primaryPod(trial)).uid);
    case "primary stopped":
      return await outages.stopServer((await primaryPod(trial)).uid);
    case "replica cut":
      return await outages.cut((await replicaPods(trial))[which]?.uid ?? "");
    case "API server stopped": {
      const pid = status.components?.["kube-apiserver"] ?? 0;
      if (pid === 0) throw new Unmet("the API server of this cluster is not known");
      return await outages.stopPart(pid);
    }
  }
}

/** Until everything is in its place again, so that each blip is one of its own. */
async function runOne(place: BenchPlace, trial: Trial, blip: Blip): Promise<number> {
  const startedAtMs = Date.now();
  const outage = await begin(place, trial, blip);
  await sleep(blip.lastsMs);
  await outage.undo();
  await sleep(1_000);
  await waitWhole(trial);
  const failovers = (await decidedSince(trial, startedAtMs)).filter((one) => one === "FailoverStarted");
  return failovers.length;
}

export const blips: Bench = async (place) => {
  const trial = await openTrial(place, { namespace: "bench-blips", sensor: place.sensor });
  const traffic = await beginTraffic(trial);
  try {
    const guilty: Blip[] = [];
    const all = blipsOf(place.seed, place.runs);
    for (const [index, blip] of all.entries()) {
      const failovers = await runOne(place, trial, blip);
      say(`${index + 1} of ${all.length}: ${blip.kind} for ${blip.lastsMs} ms, ${failovers} failovers`);
      if (failovers > 0) guilty.push(blip);
    }
    const verdict = await checkBooks(await traffic.stop(), addressOf(trial, await primaryPod(trial)));
    const [lost, dual] = [verdict.lost.length, dualAcks(traffic.acks)];
    const broken = [
      ...(guilty.length > 0 ? [`${guilty.length} blips led to a failover: ${JSON.stringify(guilty)}`] : []),
      ...brokenBooks({ lost, dual, ghosts: verdict.ghosts.length }),
    ];
    const fields = {
      ...{ fault: "blips", seed: place.seed, sensor: place.sensor, runs: all.length },
      ...{
        acked: verdict.acked,
        lost,
        dual,
        falseFailovers: guilty.length,
        resurrected: verdict.ghosts.length,
      },
      load: loadavg()[0],
    };
    return { ok: broken.length === 0, broken, fields };
  } finally {
    await traffic.stop();
    await place.outages.undoAll();
    await closeTrial(trial);
  }
};
