/**
 * A restore under way, one recorded phase after the other. Whoever is killed anywhere comes back to the phase that is
 * recorded, whose work can all be done again. A cluster that is in service stays so until the new data is complete. Until
 * `Exchanging` is recorded the old data is what it comes back with, whatever fails; from then on it goes forward only, as
 * often as it takes.
 */
import { ANNOTATION } from "../../annotations/keys.ts";
import { isProblemCode, PHASES, type Problem } from "../../model/condition.ts";
import type { Decision } from "../../model/decision.ts";
import { restoreJobs } from "../../model/job-name.ts";
import type { JobObservation, Observed } from "../../model/observed.ts";
import {
  RESTORE_ATTEMPTS_MAX,
  type RestoreMemory,
  type RestoreTask,
  type RunningRestore,
} from "../../model/restore.ts";
import type { State } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import { compose, type Outline } from "../compose.ts";
import { releasedState } from "../plan/release.ts";
import { seenOf } from "../plan/routing.ts";
import type { Happening } from "../report.ts";

/** What every decision about it is made of. */
export interface Scene {
  readonly observed: Observed;
  readonly nowMs: number;
  readonly state: State | null;
  readonly memory: RestoreMemory;
  readonly running: RunningRestore;
}

const LOOK_MS = 1_000;
const KEPT_DAYS = 7;
const PAUSE_MAX_MS = 5 * 60_000;

const instantOf = (ms: number): string => new Date(ms).toISOString();

interface Move {
  readonly message: string;
  readonly running?: RunningRestore;
  readonly state?: State | null;
  readonly replicas?: number;
  readonly happenings?: readonly Happening[];
  readonly problems?: readonly Problem[];
  readonly tracks?: readonly Track[];
  readonly lookAgainMs: number | null;
}

function decision({ observed, nowMs, memory }: Scene, move: Move): Decision {
  const { message, running, replicas, problems = [], ...rest } = move;
  return compose(observed, nowMs, {
    ...rest,
    ...outOfService(message),
    problems,
    why: message,
    ...(running !== undefined && { restore: { ...memory, running } }),
    ...(replicas !== undefined && { replicas }),
  });
}

function happening(reason: Happening["reason"], message: string, { running }: Scene): Happening {
  return { reason, message, key: `${reason}|${running.wish.id}|${running.begunAt}` };
}

/** Into another phase, with a first attempt of its own. */
function into({ nowMs, running }: Scene, phase: RunningRestore["phase"]): RunningRestore {
  return { ...running, phase, attempt: 1, phaseAt: instantOf(nowMs) };
}

function taskOf({ wish, direction, phase, begunAt }: RunningRestore, ordinal: number): RestoreTask {
  const { id, store, from, target } = wish;
  const source = { id, store, from, target, begunAt };
  if (phase === "Checking") return { kind: "restore-check", ...source };
  if (phase === "Filling") return { kind: "restore-fill", ordinal, ...source };
  return { kind: "restore-exchange", id, ordinal, direction };
}

/** Jobs that are there stay; the others are begun. */
function jobTracks({ observed, memory, running }: Scene): readonly Track[] {
  const names = restoreJobs(observed.set.name, memory);
  return names.flatMap((name, ordinal): readonly Track[] =>
    observed.jobs.restore[ordinal]?.kind === "absent"
      ? [[{ kind: "StartJob", name, task: taskOf(running, ordinal) }]]
      : [],
  );
}

type Outcome = "under way" | "succeeded" | { readonly fault: string };

function outcomeOf(job: JobObservation): Outcome {
  if (job.kind === "taken") return { fault: "its Job has a name that an object of somebody else has" };
  if (job.kind !== "found" || job.job.result === "active") return "under way";
  return job.job.result === "succeeded" ? "succeeded" : { fault: job.job.failure || "its Job failed" };
}

/** Of all Jobs of the phase: a failure counts once none is under way any more, else they could meet on a volume. */
function outcomeOfAll(jobs: readonly JobObservation[]): Outcome {
  const outcomes = jobs.map(outcomeOf);
  if (outcomes.length === 0 || outcomes.includes("under way")) return "under way";
  return outcomes.find((outcome) => outcome !== "succeeded") ?? "succeeded";
}

/** Whose data is to be in service, for a sentence. */
function what({ wish, direction }: RunningRestore): string {
  return direction === "in" ? `Restore ${wish.id}` : `The undoing of restore ${wish.id}`;
}

/** The end, whatever it is: members come back, and what is remembered of them says how. */
function ended(scene: Scene, state: State | null, fault: string | null): Decision {
  const { observed, nowMs, memory, running } = scene;
  const { wish, direction, replicas, before, begunAt } = running;
  const carriedOut = fault === null;
  const until = instantOf(nowMs + KEPT_DAYS * 86_400_000);
  const kept =
    carriedOut && direction === "in" ? { id: wish.id, replicas, until, forgetting: 0 } : memory.kept;
  const message =
    fault !== null
      ? `${what(running)} was given up, and the data is as it was: ${fault}.`
      : `${what(running)} is done; ${observed.set.name} comes back with ${replicas} members.`;
  const reason =
    fault !== null ? "RestoreGivenUp" : direction === "in" ? "RestoreCompleted" : "RestoreUndone";
  return compose(observed, nowMs, {
    ...(staysInService(scene) ? asTold(observed) : outOfService(message)),
    why: message,
    ...(state !== null && { state }),
    restore: {
      ...memory,
      running: null,
      last: { wish, direction, replicas, before, begunAt, endedAt: instantOf(nowMs), fault },
      kept,
    },
    ...(hasStopped(scene) && { replicas }),
    happenings: [happening(reason, message, scene)],
    before: carriedOut ? strangers(observed) : [],
    lookAgainMs: 0,
  });
}

/** Other servers are on the volumes than before: what was pinned of those means nothing any more. */
function strangers({ members }: Observed): Track {
  const keys = [ANNOTATION.serverUuid, ANNOTATION.serverAuthority, ANNOTATION.seededBy];
  return members.flatMap(({ claim }): Track => {
    if (claim === null || keys.every((key) => claim.annotations[key] === undefined)) return [];
    const annotations = Object.fromEntries(keys.map((key) => [key, null]));
    return [{ kind: "AnnotateClaim", claim: claim.name, seen: seenOf(claim), annotations }];
  });
}

/**
 * The new data belongs to no epoch yet: it is adopted like any other. The old data is what it was, so what was remembered
 * of it is true again, above all epochs since.
 */
function stateAfter({ state, running }: Scene): State | null {
  if (state === null) return null;
  if (running.direction === "in" || running.before === null) return releasedState(state);
  return { ...running.before, epoch: Math.max(running.before.epoch, state.epoch) };
}

/** Whether its members are to be away in this phase. */
function hasStopped(scene: Scene): boolean {
  const { phase } = scene.running;
  return phase !== "Checking" && (phase !== "Filling" || !fillsBeside(scene));
}

/** Members go on while the data is made, if there is something to serve and a second pod may have their volume. */
function fillsBeside({ observed, running }: Pick<Scene, "observed" | "running">): boolean {
  return running.served && !observed.set.hasExclusiveVolumes;
}

/** Also where what was remembered of it is lost meanwhile: servers that run are no less in service. */
const staysInService = (scene: Scene) => scene.running.served && !hasStopped(scene);

/** One that was never adopted is not adopted either while it is open what data it is to have. */
export function isInService(state: State | null): boolean {
  return state !== null && state.established !== null;
}

export function outOfService(message: string): Pick<Outline, "phase" | "problems" | "ready"> {
  return { phase: "Restoring", problems: [], ready: { status: "False", reason: "Restoring", message } };
}

/** What is told stays as it is: the next look looks again. */
export function asTold({ conditions, set }: Observed): Pick<Outline, "phase" | "problems" | "ready"> {
  const ready = conditions.find(({ type }) => type === "Ready");
  const phase = PHASES.find((one) => one === set.annotations[ANNOTATION.phase]) ?? "Degraded";
  return {
    phase,
    problems: conditions.flatMap(({ type, message }) =>
      isProblemCode(type) ? [{ code: type, message, blocks: false }] : [],
    ),
    ready: {
      status: ready?.status ?? "Unknown",
      reason: ready?.reason ?? "Restoring",
      message: ready?.message ?? "",
    },
  };
}

/** While its Job works; null = nothing is to be done about it. */
function underWay(scene: Scene, message: string): Decision | null {
  const tracks = jobTracks(scene);
  if (!staysInService(scene)) return decision(scene, { message, tracks, lookAgainMs: LOOK_MS });
  return tracks.length === 0 ? null : beside(scene, { message, tracks });
}

/** A step of it, of which applications notice nothing. */
function beside(
  { observed, nowMs, memory }: Scene,
  move: Pick<Move, "message" | "running" | "tracks">,
): Decision {
  const { message, running, tracks = [] } = move;
  return compose(observed, nowMs, {
    ...asTold(observed),
    why: message,
    tracks,
    ...(running !== undefined && { restore: { ...memory, running } }),
    lookAgainMs: 0,
  });
}

function checking(scene: Scene): Decision | null {
  const { observed, running } = scene;
  const outcome = outcomeOfAll(observed.jobs.restore);
  if (outcome === "under way")
    return underWay(scene, `${what(running)} is being checked before anything is changed.`);
  if (outcome !== "succeeded") return ended(scene, null, outcome.fault);
  const volume = volumeOf(observed);
  const next = { ...into(scene, "Filling"), volume };
  if (!fillsBeside(scene)) return takenAway(scene, next);
  const message = `The data of restore ${running.wish.id} is made on the volume of ${observed.set.name}-0, beside the old.`;
  return beside(scene, { message, running: next });
}

/** The volume that is filled, by the claim of member 0. */
function volumeOf({ members }: Observed): string | null {
  return members.find(({ ordinal }) => ordinal === 0)?.claim?.uid ?? null;
}

/** Members are ended from here on. */
function takenAway(scene: Scene, next: RunningRestore): Decision {
  const { observed, running, state } = scene;
  const message = `${observed.set.name} is taken out of service for restore ${running.wish.id}.`;
  return decision(scene, {
    message,
    // As it is now: it went on until this moment.
    running: { ...next, replicas: observed.set.replicas || running.replicas, before: state },
    // Another version of it: no step of an earlier intent is carried out any more.
    state,
    replicas: 0,
    happenings: [happening("RestoreStopping", message, scene)],
    lookAgainMs: 0,
  });
}

function isEmpty({ members, surplus }: Observed): boolean {
  return surplus.length === 0 && members.every(({ pod }) => pod === null);
}

/** Null = nobody was scaled up. */
function scaledUp(scene: Scene): Decision | null {
  const { set } = scene.observed;
  if (set.replicas === 0) return null;
  const by = set.replicasBy ?? "somebody";
  const message = `${set.name} was scaled to ${set.replicas} by ${by} in the middle of restore ${scene.running.wish.id}, and is scaled to 0 again.`;
  const problem: Problem = { code: "RestoreHeldBack", message, blocks: true };
  return decision(scene, { message, replicas: 0, state: scene.state, problems: [problem], lookAgainMs: 0 });
}

/** Nobody may exchange what is on a volume that a server runs on; null = nobody does. */
function ending(scene: Scene): Decision | null {
  const { observed, running } = scene;
  if (isEmpty(observed)) return null;
  const left = [...observed.members.map(({ pod }) => pod), ...observed.surplus].flatMap(
    (pod) => pod?.name ?? [],
  );
  const message = `${what(running)} waits for the end of ${left.join(", ")}.`;
  return decision(scene, { message, lookAgainMs: LOOK_MS });
}

function stopping(scene: Scene): Decision {
  const { observed, running, state } = scene;
  const waits = ending(scene);
  if (waits !== null) return waits;
  // While the cluster went on, somebody may have made the member anew.
  const isThere = running.direction === "back" || volumeOf(observed) === running.volume;
  return isThere
    ? exchange(scene)
    : ended(scene, state, `the volume of ${observed.set.name}-0 was replaced while it was filled`);
}

function exchange(scene: Scene): Decision {
  const { running } = scene;
  const message =
    running.direction === "in"
      ? `The data of restore ${running.wish.id} is complete, and is put in the place of the old on the volumes of all members.`
      : `The data from before restore ${running.wish.id} is put back on the volumes of all members.`;
  return decision(scene, {
    message,
    running: into(scene, "Exchanging"),
    happenings: [happening("RestoreExchanging", message, scene)],
    lookAgainMs: 0,
  });
}

/** How long to wait before the Jobs are begun again. */
function pauseMs({ attempt, phaseAt }: RunningRestore, nowMs: number): number {
  const wholeMs = Math.min(PAUSE_MAX_MS, 5_000 * 2 ** Math.min(attempt - 1, 10));
  return Math.max(0, Date.parse(phaseAt) + wholeMs - nowMs);
}

function again(scene: Scene, fault: string, doing: string): Decision | null {
  const { running, nowMs } = scene;
  const message = `${doing} failed and is tried again: ${fault}.`;
  const problem: Problem = { code: "RestoreHeldBack", message, blocks: true };
  const leftMs = pauseMs(running, nowMs);
  const isBeside = staysInService(scene);
  if (leftMs > 0 && isBeside) return null;
  if (leftMs > 0) return decision(scene, { message, problems: [problem], lookAgainMs: leftMs });
  const next = { ...running, attempt: running.attempt + 1, phaseAt: instantOf(nowMs) };
  if (isBeside) return beside(scene, { message, running: next });
  return decision(scene, { message, running: next, problems: [problem], lookAgainMs: 0 });
}

function filling(scene: Scene): Decision | null {
  const { observed, running, state } = scene;
  const outcome = outcomeOfAll(observed.jobs.restore);
  const stays = staysInService(scene);
  if (outcome === "succeeded") {
    const next = into(scene, "Stopping");
    return stays
      ? takenAway(scene, next)
      : decision(scene, { message: `${what(running)}: the data is made.`, running: next, lookAgainMs: 0 });
  }
  if (outcome === "under way")
    return underWay(scene, `${what(running)}: the new data is being made; the old is untouched.`);
  if (running.attempt >= RESTORE_ATTEMPTS_MAX) return ended(scene, stays ? null : state, outcome.fault);
  const doing = `Attempt ${running.attempt} at making the data of restore ${running.wish.id}`;
  return again(scene, outcome.fault, doing);
}

function exchanging(scene: Scene): Decision | null {
  const { observed, running } = scene;
  const waits = ending(scene);
  if (waits !== null) return waits;
  const outcome = outcomeOfAll(observed.jobs.restore);
  if (outcome === "succeeded") return ended(scene, stateAfter(scene), null);
  if (outcome === "under way")
    return decision(scene, {
      message: `${what(running)}: what is on the volumes is being exchanged.`,
      tracks: jobTracks(scene),
      lookAgainMs: LOOK_MS,
    });
  return again(scene, outcome.fault, `Exchanging what is on the volumes of ${observed.set.name}`);
}

/** What is done about it now; null = the cluster is in service, and is looked after as ever while its Job works. */
export function goOn(scene: Scene): Decision | null {
  const up = hasStopped(scene) ? scaledUp(scene) : null;
  if (up !== null) return up;
  switch (scene.running.phase) {
    case "Checking":
      return checking(scene);
    case "Filling":
      return filling(scene);
    case "Stopping":
      return stopping(scene);
    case "Exchanging":
      return exchanging(scene);
  }
}
