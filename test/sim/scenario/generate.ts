/**
 * One scenario from one seed. Most faults come in short bursts around one instant, or just when the protocol
 * is in the middle of something: a fault by itself is survived by almost any protocol.
 */
import { createChance } from "../clock.ts";
import type { End, Fault, HostPart, Moment, PlannedFault, Scenario, Target } from "./model.ts";

type Draw = ReturnType<typeof draws>;

function draws(seed: number) {
  const chance = createChance(Math.imul(seed + 1, 0x9e3779b1));
  const below = (limit: number): number => Math.floor(chance() * limit);
  return {
    chance,
    below,
    pick: <T>(list: readonly [T, ...T[]]): T => list[below(list.length)] ?? list[0],
    /** Spread evenly over the orders of magnitude. */
    spread: (least: number, most: number): number => Math.round(least * (most / least) ** chance()),
  };
}

function targetOf(draw: Draw, members: number, primaryShare: number): Target {
  if (members === 1 || draw.chance() < primaryShare) return "primary";
  return `replica-${draw.below(Math.min(3, members - 1)) as 0 | 1 | 2}`;
}

const PRIMARY_MOSTLY = 0.7;
const EVENLY = 0.4;

/** By weight; each makes one fault. */
function makers(draw: Draw, members: number): readonly (readonly [weight: number, make: () => Fault])[] {
  const primary = (): Target => targetOf(draw, members, PRIMARY_MOSTLY);
  const any = (): Target => targetOf(draw, members, EVENLY);
  const replica = (): Target => targetOf(draw, members, 0);
  const shortly = (): number => draw.spread(500, 30_000);
  const graceMs = (): number => draw.pick([0, 1_000, 30_000]);
  return [
    [9, () => ({ kind: "kill", target: primary() })],
    [3, () => ({ kind: "terminate", target: primary() })],
    [7, () => ({ kind: "stop", target: primary(), forMs: draw.spread(500, 90_000) })],
    [3, () => ({ kind: "deletePod", target: primary(), graceMs: graceMs(), hook: draw.chance() < 0.5 })],
    [4, () => ({ kind: "nodeGone", target: primary(), forMs: draw.spread(5_000, 90_000) })],
    [1, () => ({ kind: "loseVolume", target: any() })],
    [3, () => ({ kind: "purgeLogs", target: primary() })],
    [1, () => ({ kind: "diskFull", target: any(), forMs: shortly() })],
    [
      2,
      () => ({ kind: "slowApplier", target: replica(), applyMs: draw.spread(50, 3_000), forMs: shortly() }),
    ],
    [
      2,
      () => ({ kind: "applier", target: replica(), error: draw.pick(["blocked", "1062"]), forMs: shortly() }),
    ],
    [2, () => ({ kind: "loseAcks", target: replica(), count: 1 + draw.below(3) })],
    [8, () => cutFault(draw, members)],
    [4, () => apiFault(draw)],
    [2, () => ({ kind: "watch", how: draw.pick(["drop", "twice", "late"]), forMs: shortly() })],
    [2, () => annotationFault(draw)],
    [3, () => driftFault(draw, members)],
    [members > 1 ? 6 : 0, () => ({ kind: "switchover", target: replica() })],
    [8, () => functionFault(draw)],
    [
      2,
      () => ({
        kind: "clock",
        host: draw.below(2),
        jumpMs: draw.pick([-1, 1]) * draw.spread(1_000, 3_600_000),
      }),
    ],
  ];
}

function cutFault(draw: Draw, members: number): Fault {
  const server = (): End => targetOf(draw, members, EVENLY);
  const from = draw.chance() < 0.6 ? server() : draw.pick<End>(["function", "client"]);
  let to: End = server();
  if (to === from) to = "function";
  const both = draw.chance() < 0.5;
  const turned = draw.chance() < 0.5;
  const forMs = draw.spread(1_000, 60_000);
  return turned ? { kind: "cut", from: to, to: from, both, forMs } : { kind: "cut", from, to, both, forMs };
}

function apiFault(draw: Draw): Fault {
  const how = draw.pick(["conflict", "gone", "throttle", "error", "lateTimeout", "down", "stale"] as const);
  const share = how === "down" ? 1 : draw.pick([0.1, 0.3, 0.6]);
  return { kind: "api", how, share, forMs: draw.spread(300, 20_000) };
}

function annotationFault(draw: Draw): Fault {
  return { kind: "annotation", how: draw.pick(["wipe", "restore", "garble"]), back: draw.spread(1, 20) };
}

function driftFault(draw: Draw, members: number): Fault {
  const what = draw.pick(["semiSyncOff", "ownWrite", "stopReplica", "relaxed"] as const);
  return { kind: "drift", target: what === "semiSyncOff" ? "primary" : targetOf(draw, members, 0), what };
}

function functionFault(draw: Draw): Fault {
  return {
    kind: "functions",
    killShare: draw.pick([0, 0.3, 0.8]),
    freezeShare: draw.pick([0, 0.2, 0.5]),
    freezeMs: draw.spread(200, draw.chance() < 0.05 ? 3_600_000 : 120_000),
    slowMs: draw.pick([0, 5, 100, 1_500]),
    copies: draw.pick([1, 2, 3, 8]),
    forMs: draw.spread(2_000, 30_000),
  };
}

function faultOf(draw: Draw, members: number): Fault {
  const all = makers(draw, members);
  const total = all.reduce((sum, [weight]) => sum + weight, 0);
  let left = draw.chance() * total;
  for (const [weight, make] of all) {
    left -= weight;
    if (left < 0) return make();
  }
  return { kind: "kill", target: "primary" };
}

const WARM_UP_MS = 1_000;

function planned(draw: Draw, members: number, endMs: number): readonly PlannedFault[] {
  const bursts = 1 + draw.below(3);
  const faults: PlannedFault[] = [];
  let volumesLost = 0;
  for (let burst = 0; burst < bursts; burst += 1) {
    const beginMs = WARM_UP_MS + draw.below(endMs - WARM_UP_MS);
    const count = 1 + draw.below(4);
    for (let number = 0; number < count; number += 1) {
      const fault = faultOf(draw, members);
      // More than one lost disk may be a lost quorum.
      if (fault.kind === "loseVolume") volumesLost += 1;
      if (fault.kind === "loseVolume" && volumesLost > 1) continue;
      faults.push({ moment: momentOf(draw, { beginMs, number, endMs }), fault });
    }
  }
  // Then nothing is left that could tell whose the cluster was.
  const forgotten = members === 1 && faults.some(({ fault }) => fault.kind === "annotation");
  return forgotten ? faults.filter(({ fault }) => fault.kind !== "loseVolume") : faults;
}

function momentOf(
  draw: Draw,
  { beginMs, number, endMs }: { readonly beginMs: number; readonly number: number; readonly endMs: number },
): Moment {
  if (number > 0 && draw.chance() < 0.5) {
    const phase = draw.pick(["Revoking", "Establishing", "Opened", "Steady"] as const);
    return { phase, plusMs: draw.chance() < 0.3 ? 0 : draw.spread(1, 1_000) };
  }
  return { atMs: Math.min(endMs, beginMs + (number === 0 ? 0 : draw.spread(1, 8_000))) };
}

function hostOf(draw: Draw, number: number): HostPart {
  const skewed = draw.chance() < 0.2;
  return {
    resident: draw.chance() < 0.5,
    watches: draw.chance() < 0.8,
    sweepMs: draw.pick([1_000, 2_000, 5_000]),
    skewMs: skewed && number > 0 ? draw.pick([-1, 1]) * draw.spread(100, 3_600_000) : 0,
  };
}

export function generate(seed: number): Scenario {
  const draw = draws(seed);
  const members = draw.pick([3, 3, 3, 3, 3, 3, 2, 5, 1]);
  const endMs = draw.spread(5_000, 20_000);
  const hosts = Array.from({ length: draw.pick([1, 1, 1, 2]) }, (_, number) => hostOf(draw, number));
  return {
    seed,
    members,
    onRestart: draw.chance() < 0.8 ? "wait" : "resume",
    hosts,
    clients: 1 + draw.below(3),
    sticky: draw.chance() < 0.5,
    faults: [...planned(draw, members, endMs)],
    endMs,
  };
}
