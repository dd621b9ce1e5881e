/**
 * The course of restores and of undoing them, with everything that can happen in random order: passes killed after each
 * step, Jobs that fail, are deleted or were half way, somebody who scales, clocks that jump. The volumes are kept beside it:
 * whatever happens, servers only ever run over volumes that all hold the old or all hold the new data.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { afterStep } from "../../shared/decide/after-step.ts";
import { decide } from "../../shared/decide/index.ts";
import { stepsOf } from "../../shared/model/decision.ts";
import { isOfRestore } from "../../shared/model/job-order.ts";
import type { Observed } from "../../shared/model/observed.ts";
import type { RestoreTask } from "../../shared/model/restore.ts";
import { settled } from "../support/carry-out.ts";
import { propertyRuns } from "../support/property-runs.ts";
import {
  podsFollow,
  readBack,
  restoreJobEnds,
  restoreJobGone,
  restoreOf,
  restoring,
} from "../support/restores.ts";
import { NOW_MS, placed, RULES, set, spec } from "../support/situation.ts";

const RUNS = { numRuns: propertyRuns(300, 5_000) };
const MEMBERS = 3;
const START = settled(placed(MEMBERS));

const event = fc.constantFrom(
  ...([
    "job",
    "job",
    "job",
    "fails",
    "half",
    "deleted",
    "pods",
    "pods",
    "scaled",
    "replaced",
    "nothing",
  ] as const),
);
const happening = fc.record({
  event,
  which: fc.nat(MEMBERS - 1),
  afterMs: fc.nat(20_000),
  /** Steps of the pass that are carried out before it is killed. */
  steps: fc.oneof(fc.constant(99), fc.nat(4)),
});

interface World {
  of: Observed;
  nowMs: number;
  /** What is on the volume of each member. */
  readonly top: ("old" | "new")[];
  filled: boolean;
  /** Of member 0, counted up with each new one. */
  volume: number;
  /** And on which volume of member 0. */
  readonly begun: Map<string, { readonly task: RestoreTask; readonly volume: number }>;
  /** Names of Jobs that have not ended. */
  readonly active: Set<string>;
}

/** What a Job has done to the volumes when it has ended well, or half way through when it has not. */
function works(world: World, { task, volume }: { task: RestoreTask; volume: number }): void {
  if (task.kind === "restore-fill" && volume === world.volume) world.filled = true;
  if (task.kind === "restore-exchange") world.top[task.ordinal] = task.direction === "in" ? "new" : "old";
}

function ends(world: World, at: number, how: "succeeded" | "failed" | "half"): void {
  const job = world.of.jobs.restore[at];
  if (job?.kind !== "found" || job.job.result !== "active") return;
  const begun = world.begun.get(job.job.name);
  world.active.delete(job.job.name);
  if (begun !== undefined && how !== "failed") works(world, begun);
  const end = how === "succeeded" ? how : { failed: "as a test" };
  world.of = restoreJobEnds(world.of, at, end, world.nowMs);
}

function deleted(world: World, at: number): void {
  const job = world.of.jobs.restore[at];
  if (job?.kind !== "found") return;
  world.active.delete(job.job.name);
  world.of = restoreJobGone(world.of, at);
}

function volumeOf(task: RestoreTask | undefined): number | null {
  return task === undefined || task.kind === "restore-check" ? null : task.ordinal;
}

function happens(world: World, { event: what, which }: { event: string; which: number }): void {
  switch (what) {
    case "job":
      ends(world, which, "succeeded");
      return;
    case "fails":
      ends(world, which, "failed");
      return;
    case "half":
      ends(world, which, "half");
      return;
    case "deleted":
      deleted(world, which);
      return;
    case "pods":
      world.of = podsFollow(world.of);
      return;
    case "scaled":
      if (restoreOf(world.of)?.running != null) world.of = set({ replicas: MEMBERS })(world.of);
      return;
    case "replaced":
      replaced(world);
      return;
    default:
  }
}

/** Member 0 is made anew by somebody, on another volume, which holds what the cluster has. */
function replaced(world: World): void {
  const { members, set: of } = world.of;
  if (of.replicas === 0 || podsOf(world.of) < MEMBERS) return;
  const again = members.map((member) =>
    member.ordinal === 0 && member.claim !== null
      ? { ...member, claim: { ...member.claim, uid: `${member.claim.uid}+` } }
      : member,
  );
  world.of = { ...world.of, members: again };
  world.filled = false;
  world.volume += 1;
}

const podsOf = ({ members }: Observed) => members.filter(({ pod }) => pod !== null).length;

/** One look, of which so many steps are carried out. */
function pass(world: World, steps: number): void {
  const before = world.of;
  const decision = decide(before, RULES, world.nowMs);
  const kinds = new Set(["Record", "AnnotateClaim", "StartJob", "LabelPod", "EnsureService"]);
  const carried = stepsOf(decision)
    .filter(({ kind }) => kinds.has(kind))
    .slice(0, steps);
  for (const step of carried) {
    if (step.kind !== "StartJob" || !isOfRestore(step.task)) continue;
    const { name, task } = step;
    if (task.kind === "restore-exchange") expect([before.set.replicas, podsOf(before)]).toEqual([0, 0]);
    if (before.set.hasExclusiveVolumes && task.kind === "restore-fill") expect(before.set.replicas).toBe(0);
    if (task.kind === "restore-exchange" && task.direction === "in") expect(world.filled).toBe(true);
    const onVolume = [...world.active].filter(
      (other) => other.includes("-fill-") || other.includes("-exchange-"),
    );
    if (task.kind === "restore-fill") expect(onVolume).toEqual([]);
    if (task.kind === "restore-exchange")
      expect(onVolume.filter((other) => volumeOf(world.begun.get(other)?.task) === task.ordinal)).toEqual([]);
    world.begun.set(name, { task, volume: world.volume });
    world.active.add(name);
  }
  world.of = readBack(carried.reduce((so, step) => afterStep(so, step, RULES), before));
}

/** Whoever may be started now finds the same on all volumes. */
function check(world: World): void {
  const running = restoreOf(world.of)?.running ?? null;
  if (running !== null && running.phase === "Exchanging") return;
  expect(new Set(world.top).size).toBe(1);
  const serves = running === null || running.phase === "Checking";
  if (serves || (running.phase === "Filling" && !world.of.set.hasExclusiveVolumes))
    expect(world.of.set.replicas).toBe(MEMBERS);
}

/** Nothing goes wrong any more: it comes to its end. */
function comesToAnEnd(world: World): void {
  for (let turn = 0; turn < 60; turn += 1) {
    world.nowMs += 400_000;
    for (let at = 0; at < MEMBERS; at += 1) ends(world, at, "succeeded");
    world.of = podsFollow(world.of);
    pass(world, 99);
    check(world);
    if (restoreOf(world.of)?.running === null) return;
  }
  throw new Error(`it does not end: ${JSON.stringify(restoreOf(world.of)?.running)}`);
}

function began(of: Observed): World {
  return {
    of,
    nowMs: NOW_MS,
    top: Array.from({ length: MEMBERS }, () => "old" as const),
    filled: false,
    volume: 0,
    begun: new Map(),
    active: new Set(),
  };
}

test("whatever happens, the cluster comes back with the old data or with the new, and undoing brings back the old", () => {
  fc.assert(
    fc.property(
      fc.array(happening, { maxLength: 40 }),
      fc.array(happening, { maxLength: 20 }),
      fc.boolean(),
      (course, back, hasExclusiveVolumes) => {
        const world = began(set({ hasExclusiveVolumes })(restoring()(START)));
        const before = world.of.state;
        for (const one of course) {
          world.nowMs += one.afterMs;
          happens(world, one);
          pass(world, one.steps);
          check(world);
        }
        if (restoreOf(world.of)?.running !== null) comesToAnEnd(world);
        const last = restoreOf(world.of)?.last;
        expect(world.top[0]).toBe(last?.fault === null ? "new" : "old");
        if (last?.fault !== null) return;
        // Whatever was made of it since, it is undone.
        world.of = spec({ restoreUndo: "wish-1" })(world.of);
        for (const one of back) {
          world.nowMs += one.afterMs;
          happens(world, one);
          pass(world, one.steps);
          check(world);
        }
        pass(world, 99);
        if (restoreOf(world.of)?.running !== null) comesToAnEnd(world);
        expect(world.top).toEqual(["old", "old", "old"]);
        if (before.kind !== "valid" || world.of.state.kind !== "valid") throw new Error("the state is gone");
        const { established, phase } = world.of.state.state;
        expect([phase, established]).toEqual([before.state.phase, before.state.established]);
      },
    ),
    RUNS,
  );
});
