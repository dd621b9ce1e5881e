/**
 * An established cluster: kept as it is, changed one thing at a time, and watched for the end of its primary.
 */
import type { Ready } from "../../annotations/conditions.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import type { Phase, Problem } from "../../model/condition.ts";
import type { Decision } from "../../model/decision.ts";
import type { Observed } from "../../model/observed.ts";
import type { State } from "../../model/state.ts";
import { type BackupMove, NO_BACKUP } from "../backup/plan.ts";
import { compose, type Outline, patience } from "../compose.ts";
import { claimState, revokeTracks, type Suspicion, suspect } from "../plan/failover.ts";
import { type RolloutMove, rollOut } from "../plan/rollout.ts";
import { isCatchingUp } from "../plan/routing.ts";
import { grow, isShrinking, NO_SCALING, type Scaling, shrink } from "../plan/scale.ts";
import { hasNoRoom, maintenance, needsReopening, nextChange, reopeningState } from "../plan/steady.ts";
import { demoteTracks, type Request, requested, switchoverState } from "../plan/switchover.ts";
import type { Happening } from "../report.ts";
import { type Situation, summary } from "../situation.ts";

const MILD: ReadonlySet<Problem["code"]> = new Set([
  "NoSpareCopy",
  "SwitchoverRefused",
  "ScaleRefused",
  "ReplicasContested",
  "RolloutRefused",
  "RolloutHeldBack",
  "BackupFailed",
  "BackupOverdue",
  "BackupHeldBack",
  "ProofFailed",
  "StoreUnconditional",
  "NeverProven",
  "ArchiveFailed",
  "ArchiveLagging",
  "ArchiveExpiring",
  "RestoreRefused",
  "RestoreFailed",
]);
/** In the order in which they are looked for. */
const UNSETTLED = [
  "Adopting",
  "Reopening",
  "FailingOver",
  "SwitchingOver",
  "Scaling",
  "RollingOut",
  "Degraded",
] as const;
/** A replica that is behind gains on its primary by seconds, not by milliseconds. */
const CATCH_UP_MS = 1_000;

/** Whoever waits for Healthy may rely on all of it: ackers, labels and Services included. */
function healthyOnceSettled({ set }: Observed, settled: boolean): Phase {
  const before = UNSETTLED.find((phase) => phase === set.annotations[ANNOTATION.phase]);
  return settled ? "Healthy" : (before ?? "Healthy");
}

function readiness(situation: Situation, first: Problem | undefined): Ready {
  const { primary } = situation;
  if (primary.standing.kind === "primary" && primary.facts?.readOnly === false && !hasNoRoom(primary))
    return { status: "True", reason: first?.code ?? "Healthy", message: summary(situation) };
  return {
    status: "False",
    reason: first?.code ?? "PrimaryReadOnly",
    message: first?.message ?? summary(situation),
  };
}

/** The epoch is claimed, and the first steps follow in the same breath. */
export function claiming(
  situation: Situation,
  problems: readonly Problem[],
  suspicion: Extract<Suspicion, { kind: "claim" }>,
): Decision {
  const { observed, nowMs, primary } = situation;
  const state = claimState(situation, suspicion);
  const gap = suspicion.unproven
    ? " It may hold acknowledged writes alone; what it has of its own is kept."
    : "";
  const message = `${primary.member.podName} is given up in epoch ${state.epoch}: ${suspicion.why}.${gap}`;
  const next: Situation = { ...situation, state };
  return compose(observed, nowMs, {
    phase: "FailingOver",
    problems,
    ready: { status: "False", reason: "FailingOver", message },
    why: message,
    state,
    happenings: [{ reason: "FailoverStarted", message }],
    tracks: revokeTracks(next, { revoked: [], needed: 0 }),
    lookAgainMs: 0,
  });
}

function reopen(situation: Situation, problems: readonly Problem[]): Decision {
  const { observed, nowMs, primary } = situation;
  const next = reopeningState(situation);
  const message = `${primary.member.podName} is read-only after a restart; establishing it again in epoch ${next.epoch}.`;
  return compose(observed, nowMs, {
    phase: "Reopening",
    problems,
    ready: readiness(situation, problems[0]),
    why: message,
    state: next,
    happenings: [{ reason: "PrimaryReopening", message }],
    lookAgainMs: 0,
  });
}

function switchingOver(
  situation: Situation,
  problems: readonly Problem[],
  { target, why }: Extract<Request, { kind: "accepted" }>,
): Decision {
  const { observed, nowMs, primary, spec } = situation;
  const state = switchoverState(situation, target);
  const message = `${primary.member.podName} hands over to ${target.member.podName} in epoch ${state.epoch}, ${why}.`;
  const answers = spec.switchoverTo === target.member.podName;
  return compose(observed, nowMs, {
    phase: "SwitchingOver",
    problems,
    ready: { status: "False", reason: "SwitchingOver", message },
    why: message,
    state,
    happenings: [{ reason: "SwitchoverStarted", message }],
    tracks: demoteTracks({ ...situation, state }),
    answered: answers ? [ANNOTATION.switchoverTo] : [],
    lookAgainMs: 0,
  });
}

/** Members that were asked for are on their way, or one that is to go has yet to. */
function phaseOf(situation: Situation, [first]: readonly Problem[], settled: boolean): Phase {
  const { observed } = situation;
  const scaling = observed.set.annotations[ANNOTATION.phase] === "Scaling";
  if (isShrinking(situation) || (scaling && first?.code === "WaitingForMembers")) return "Scaling";
  return first === undefined ? healthyOnceSettled(observed, settled) : "Degraded";
}

/** One compare-and-swap writes both the number and what is told of it. */
function resizing(
  situation: Situation,
  problems: readonly Problem[],
  { replicas, reason, message, before }: Extract<Scaling, { kind: "resize" }>,
): Decision {
  const { observed, nowMs, state } = situation;
  return compose(observed, nowMs, {
    phase: "Scaling",
    problems,
    ready: readiness(situation, problems[0]),
    why: message,
    state: { ...state, scaledTo: replicas },
    replicas,
    happenings: [{ reason, message }],
    before,
    lookAgainMs: 0,
  });
}

function forgetting(situation: Situation, problems: readonly Problem[]): Decision {
  const { observed, nowMs, state } = situation;
  return compose(observed, nowMs, {
    phase: phaseOf(situation, problems, false),
    problems,
    ready: readiness(situation, problems[0]),
    why: summary(situation),
    state: { ...state, scaledTo: null },
    lookAgainMs: 0,
  });
}

function isRolling({ kind }: RolloutMove): boolean {
  return kind === "waits" || kind === "replaces" || kind === "hands over";
}

type Turn = Extract<RolloutMove, { kind: "replaces" }>;

/** A partition that lets Kubernetes begin with the next one is written only when it is its turn. */
function rolledFurther(rollout: RolloutMove, turn: Turn | null): Pick<Outline, "partition"> {
  const { partition } = rollout.kind === "replaces" ? (turn ?? { partition: null }) : rollout;
  return partition === null ? {} : { partition };
}

function waitsFor(rollout: RolloutMove): string | null {
  return rollout.kind === "waits" ? `The rollout waits: ${rollout.why}.` : null;
}

/** With `OnDelete` nothing else is recorded of it, and what is told is told beside a record. */
function replacing(
  turn: Turn | null,
  state: State,
): { readonly state?: State; readonly happenings: readonly Happening[] } {
  if (turn === null || turn.told) return { happenings: [] };
  const { message, key } = turn;
  return { state, happenings: [{ reason: "MemberReplaced", message, key }] };
}

/** Backups are begun where nothing else is to be changed: what is copied is a cluster at rest. */
function keeping(
  situation: Situation,
  known: readonly Problem[],
  { backup, rollout }: { readonly backup: BackupMove; readonly rollout: RolloutMove },
): Decision {
  const { observed, nowMs, state } = situation;
  const change = nextChange(situation);
  // Once the wish is another one, what was written for the one before it says nothing any more.
  if (state.scaledTo !== null && state.scaledTo !== situation.spec.replicas)
    return forgetting(situation, known);
  const scale = change === null ? shrink(situation) : NO_SCALING;
  if (scale.kind === "resize") return resizing(situation, known, scale);
  const refused = [scale, rollout].flatMap((one) => ("problem" in one ? [one.problem] : []));
  const problems = [...known, ...refused];
  const serious = problems.filter((problem) => !MILD.has(problem.code));
  const [first] = serious;
  const tracks = maintenance(situation);
  const catchingUp = isCatchingUp(situation);
  const settled = change === null && tracks.length === 0 && !catchingUp;
  const phase = isRolling(rollout) ? "RollingOut" : phaseOf(situation, serious, settled);
  const base = { phase, problems, ready: readiness(situation, first) };
  if (change !== null) {
    const { reason, message, before, established, after, lastly } = change;
    const happenings = [{ reason, message }];
    return compose(observed, nowMs, {
      ...base,
      why: message,
      state: { ...state, established },
      // Told when it is done.
      happenings: lastly === null ? happenings : [],
      before,
      tracks: after.length === 0 ? [] : [after],
      next:
        lastly === null
          ? null
          : { before: [], state: { ...state, established: lastly }, happenings, after: [] },
      lookAgainMs: 0,
    });
  }
  const { memory, happenings, answered } = backup;
  const awaited = problems.some((problem) => problem.code === "WaitingForMembers");
  const looks = [
    ...(scale.kind === "later" ? [scale.lookAgainMs] : []),
    ...(awaited ? [patience(observed, nowMs, "WaitingForMembers")] : []),
    ...(catchingUp || isRolling(rollout) ? [CATCH_UP_MS] : []),
  ];
  const turn = settled && memory === null && rollout.kind === "replaces" ? rollout : null;
  const told = replacing(turn, state);
  return compose(observed, nowMs, {
    ...base,
    ...told,
    why: turn?.message ?? waitsFor(rollout) ?? summary(situation),
    ...{ backups: memory, answered },
    ...rolledFurther(rollout, turn),
    happenings: [...happenings, ...told.happenings],
    tracks: [...tracks, ...backup.tracks, ...(turn === null || turn.track.length === 0 ? [] : [turn.track])],
    lookAgainMs: looks.length === 0 ? null : Math.min(...looks),
  });
}

/** Known and not to be acted on yet; replicas are kept in their places meanwhile. */
export function waiting(
  situation: Situation,
  problems: readonly Problem[],
  { problem, lookAgainMs }: Extract<Suspicion, { kind: "wait" }>,
): Decision {
  const { observed, nowMs, state } = situation;
  const all = problem === null ? problems : [problem, ...problems];
  const [first] = all;
  const ready = readiness(situation, first);
  return compose(observed, nowMs, {
    phase: "Degraded",
    problems: all,
    ready,
    why: first?.message ?? ready.message,
    // While another configuration is being built nobody is placed or routed by the old one.
    tracks: state.phase === "Steady" ? maintenance(situation) : [],
    lookAgainMs,
  });
}

/** Null when nothing speaks against the primary, or nobody else could be one. */
export function givingUp(situation: Situation, problems: readonly Problem[]): Decision | null {
  const suspicion = suspect(situation);
  switch (suspicion.kind) {
    case "none":
      return null;
    case "wait":
      return waiting(situation, problems, suspicion);
    case "claim":
      return claiming(situation, problems, suspicion);
  }
}

export function steady(
  situation: Situation,
  problems: readonly Problem[],
  backup: BackupMove = NO_BACKUP,
): Decision {
  // Members that were taken away may hold what a failover needs, so they are brought back before anything else.
  const growth = grow(situation);
  if (growth.kind === "resize") return resizing(situation, problems, growth);
  const rollout = rollOut(situation);
  const request = requested(situation, rollout);
  const refused = [growth, request].flatMap((one) => (one.kind === "refused" ? [one.problem] : []));
  const known = [...problems, ...refused];
  const given = givingUp(situation, known);
  if (given !== null) return given;
  if (needsReopening(situation)) return reopen(situation, known);
  if (request.kind === "accepted") return switchingOver(situation, known, request);
  return keeping(situation, known, { backup, rollout });
}
