/**
 * Whether a restore is begun. One wish is carried out once, however often its manifest is applied; data that is in service
 * is taken out of it only where the wish says so; and nothing is begun that could not be undone.
 */
import { ANNOTATION } from "../../annotations/keys.ts";
import type { Problem } from "../../model/condition.ts";
import { dataVolumeOf } from "../../model/data-volume.ts";
import type { Decision } from "../../model/decision.ts";
import type { EngineRules } from "../../model/engine.ts";
import { restoreJobs } from "../../model/job-name.ts";
import type { Observed } from "../../model/observed.ts";
import {
  RESTORE_VERSION,
  type RestoreMemory,
  type RestoreWish,
  type RunningRestore,
  WISHES_MAX,
} from "../../model/restore.ts";
import type { State } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import { compose, patience } from "../compose.ts";
import { isFresh } from "../plan/release.ts";
import { factsOf } from "../situation.ts";
import { asTold, goOn, isInService, outOfService } from "./course.ts";

export interface RestoreMove {
  /** Null = the rest of the cluster is looked after as ever. */
  readonly decision: Decision | null;
  /** Stands beside everything else. */
  readonly problems: readonly Problem[];
}

const NOTHING: RestoreMove = { decision: null, problems: [] };

/**
 * What was to be made of a backup is not adopted without it: it would serve empty, nobody could tell it from a restored
 * cluster, and the wish that mends it would then be refused for the data that it holds.
 */
function refused({ state }: Ground, message: string): RestoreMove {
  return { decision: null, problems: [{ code: "RestoreRefused", message, blocks: isFresh(state) }] };
}

function memoryOf({ restore, set }: Observed): RestoreMemory {
  if (restore.kind === "valid") return restore.memory;
  return { v: RESTORE_VERSION, clusterUid: set.uid, running: null, last: null, kept: null, ids: [] };
}

/** Why nothing of the kind can be done with this StatefulSet, as a sentence; null = it can. */
function hindrance({ set }: Observed, rules: EngineRules): string | null {
  const { name } = set;
  const volume = dataVolumeOf(set, rules);
  if (!volume.ok) return volume.failure.message;
  if (!set.keepsClaims)
    return `${name} deletes volumes when it is scaled down; set persistentVolumeClaimRetentionPolicy.whenScaled to Retain.`;
  return set.replicas === 0
    ? `${name} has no members; set replicas to how many there are to be, and it is restored.`
    : null;
}

/** Of a cluster that was never adopted: whether all its servers are as their image made them. */
function blank({ members }: Observed, rules: EngineRules): "yes" | "no" | "unknown" {
  const facts = members.map(factsOf);
  if (facts.some((one) => one !== null && !rules.initialOnly(one))) return "no";
  return facts.includes(null) ? "unknown" : "yes";
}

interface Ground {
  readonly observed: Observed;
  readonly nowMs: number;
  readonly state: State | null;
  readonly memory: RestoreMemory;
}

function begin(
  { observed, nowMs, state, memory }: Ground,
  start: Pick<RunningRestore, "wish" | "direction" | "phase" | "replicas" | "before">,
  message: string,
  answered: readonly string[],
): RestoreMove {
  const at = new Date(nowMs).toISOString();
  const served = isInService(state);
  const running: RunningRestore = { ...start, attempt: 1, begunAt: at, phaseAt: at, served, volume: null };
  const { id } = start.wish;
  const ids = [...memory.ids.filter((known) => known !== id), id].slice(-WISHES_MAX);
  const stops = start.phase === "Stopping";
  const decision = compose(observed, nowMs, {
    ...(stops || !served ? outOfService(message) : asTold(observed)),
    why: message,
    ...(stops && { state, replicas: 0 }),
    restore: { ...memory, running, ids },
    happenings: [{ reason: "RestoreStarted", message, key: `RestoreStarted|${id}|${at}` }],
    answered,
    lookAgainMs: 0,
  });
  return { decision, problems: [] };
}

function wanted({ from, target }: RestoreWish): string {
  const whose = from === null ? "" : ` of ${from}`;
  if (target.kind === "time") return `the data${whose} as of ${target.at}`;
  if (target.kind === "gtid") return `the data${whose} at a GTID set`;
  return target.slot === null ? `the newest backup${whose}` : `the backup${whose} of ${target.slot}`;
}

function beginRestore(ground: Ground, wish: RestoreWish, rules: EngineRules): RestoreMove {
  const { observed, nowMs, state, memory } = ground;
  const { set } = observed;
  const hindered = hindrance(observed, rules);
  if (hindered !== null) return refused(ground, hindered);
  if (memory.kept !== null) {
    const { id } = memory.kept;
    return refused(
      ground,
      `Restore ${wish.id} waits: ${set.name} still keeps the data from before restore ${id}; annotate ${ANNOTATION.restoreForget}=${id} to delete it.`,
    );
  }
  const isBlank = isFresh(state) ? blank(observed, rules) : "no";
  if (!wish.inPlace && isBlank === "no")
    return refused(
      ground,
      `${set.name} holds data already; add "inPlace":true to ${ANNOTATION.restoreFrom} to have it set aside.`,
    );
  if (!wish.inPlace && isBlank === "unknown") {
    const message = `Restore ${wish.id} waits until every member of ${set.name} was seen to be empty.`;
    const problem: Problem = { code: "WaitingForMembers", message, blocks: true };
    const ready = { status: "False", reason: "WaitingForMembers", message } as const;
    const lookAgainMs = patience(observed, nowMs, "Ready");
    const outline = { phase: "Restoring", problems: [problem], ready, why: message, lookAgainMs } as const;
    return { decision: compose(observed, nowMs, outline), problems: [] };
  }
  const message = `Restore ${wish.id} of ${set.name} to ${wanted(wish)} was begun.`;
  const start = { wish, direction: "in", phase: "Checking", replicas: set.replicas, before: state } as const;
  return begin(ground, start, message, []);
}

function beginUndo(ground: Ground, id: string, rules: EngineRules): RestoreMove {
  const { observed, memory } = ground;
  const { last, kept } = memory;
  if (kept?.id !== id || kept.forgetting > 0 || last?.wish.id !== id || last.direction !== "in")
    return refused(
      ground,
      `There is nothing to undo of restore ${id}: its old data is not kept; remove ${ANNOTATION.restoreUndo}.`,
    );
  const hindered = hindrance(observed, rules);
  if (hindered !== null) return refused(ground, hindered);
  const message = `Restore ${id} is undone: ${observed.set.name} is taken out of service.`;
  const { wish, replicas, before } = last;
  const start = { wish, direction: "back", phase: "Stopping", replicas, before } as const;
  return begin(ground, start, message, [ANNOTATION.restoreUndo]);
}

/** Deleted beside the running servers, by Jobs that nobody waits for. */
function forget({ observed, nowMs, memory }: Ground, asked: string | null): Decision | null {
  const { kept } = memory;
  if (kept === null) return null;
  const phase = observed.set.annotations[ANNOTATION.phase];
  if (phase !== "Healthy" && phase !== "Degraded") return null;
  const outline = { ...asTold(observed), lookAgainMs: 0 };
  const { jobs } = observed;
  if (kept.forgetting === 0) {
    if (nowMs < Date.parse(kept.until) && asked !== kept.id) return null;
    const why = `What restore ${kept.id} has set aside is deleted.`;
    const restore = { ...memory, kept: { ...kept, forgetting: 1 } };
    return compose(observed, nowMs, { ...outline, why, restore });
  }
  const tracks = restoreJobs(observed.set.name, memory).flatMap((name, ordinal): readonly Track[] =>
    jobs.restore[ordinal]?.kind === "absent"
      ? [[{ kind: "StartJob", name, task: { kind: "restore-forget", id: kept.id, ordinal } }]]
      : [],
  );
  if (tracks.length > 0)
    return compose(observed, nowMs, { ...outline, why: "deleting what was set aside", tracks });
  const results = jobs.restore.map((job) => (job.kind === "found" ? job.job.result : "active"));
  if (results.includes("active")) return null;
  if (results.includes("failed")) {
    const restore = { ...memory, kept: { ...kept, forgetting: kept.forgetting + 1 } };
    return compose(observed, nowMs, {
      ...outline,
      why: "deleting what was set aside is tried again",
      restore,
    });
  }
  const message = `The data from before restore ${kept.id} is deleted; the restore cannot be undone any more.`;
  return compose(observed, nowMs, {
    ...outline,
    why: message,
    restore: { ...memory, kept: null },
    happenings: [{ reason: "RestoreForgotten", message, key: `RestoreForgotten|${kept.id}` }],
    answered: asked === kept.id ? [ANNOTATION.restoreForget] : [],
  });
}

/** Of the last one, as long as the wish that asked for it stands. */
function failure({ memory, state }: Ground, wish: RestoreWish | null): readonly Problem[] {
  const { last } = memory;
  if (last === null || last.fault === null || last.wish.id !== wish?.id) return [];
  const message = `Restore ${last.wish.id} was given up: ${last.fault}; write another ${ANNOTATION.restoreFrom} or remove it.`;
  return [{ code: "RestoreFailed", message, blocks: isFresh(state) }];
}

/** What is to be done about restores before anything else, and what is wrong with them. */
export function planRestore(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  state: State | null,
): RestoreMove {
  const { spec } = observed.wish;
  if (spec === null || observed.restore.kind === "newer") return NOTHING;
  const memory = memoryOf(observed);
  const ground: Ground = { observed, nowMs, state, memory };
  if (memory.running !== null)
    return { decision: goOn({ ...ground, running: memory.running }), problems: [] };
  if (spec.restoreUndo !== null) return beginUndo(ground, spec.restoreUndo, rules);
  const { restore: wish, restoreForget } = spec;
  const forgotten = forget(ground, restoreForget);
  if (forgotten !== null) return { decision: forgotten, problems: [] };
  // A record of somebody else's cluster is looked into before anything is restored over it.
  const readable = observed.state.kind === "none" || observed.state.kind === "valid";
  if (wish !== null && readable && !memory.ids.includes(wish.id)) return beginRestore(ground, wish, rules);
  return { decision: null, problems: failure(ground, wish) };
}
