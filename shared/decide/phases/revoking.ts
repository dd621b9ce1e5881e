/**
 * An epoch is claimed and nobody is its primary yet: the acknowledgers are taken from the old one, or it hands
 * over, until it is certain who holds everything; that one is recorded, and only then is anything opened.
 */
import type { Ready } from "../../annotations/conditions.ts";
import type { Phase, Problem } from "../../model/condition.ts";
import type { Decision } from "../../model/decision.ts";
import type { State } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import { afterStep } from "../after-step.ts";
import { compose } from "../compose.ts";
import { type Election, elect, isReceiving, type Quorum, quorumOf } from "../plan/elect.ts";
import { beginEstablishing, openOnceHeld } from "../plan/establish.ts";
import { revokeTracks } from "../plan/failover.ts";
import { deposedSteps } from "../plan/rejoin.ts";
import { abandonState, demoteTracks, isOverdue, type Operation } from "../plan/switchover.ts";
import type { Happening } from "../report.ts";
import { isAcker, type ReadView, type Situation, seenFrom } from "../situation.ts";

/** A statement that stops a receiver takes some milliseconds. */
const AT_ONCE_MS = 20;

interface Base {
  readonly phase: Phase;
  readonly problems: readonly Problem[];
  readonly ready: Ready;
}

export function phaseOf({ op }: State): Phase {
  if (op?.kind === "failover" || op?.kind === "reconstruct") return "FailingOver";
  return op?.kind === "switchover" ? "SwitchingOver" : "Reopening";
}

function baseOf(situation: Situation, problems: readonly Problem[]): Base {
  const { state, primary, observed } = situation;
  const phase = phaseOf(state);
  const doing = phase === "SwitchingOver" ? "handing over" : "being replaced";
  const message = `${primary.member.podName} is ${doing}; ${observed.set.name} takes no writes until epoch ${state.epoch} is established.`;
  return { phase, problems, ready: { status: "False", reason: phase, message } };
}

type Elected = Extract<Election, { kind: "elected" }>;

/** Recorded only while everything that the election rests on still holds. */
function electedState(
  { state }: Situation,
  { candidate, config, held }: Elected,
): State & { readonly pending: NonNullable<State["pending"]> } {
  return {
    ...state,
    phase: "Establishing",
    pending: { ...config, open: held },
    primaryStartedAtMs: candidate.facts.startedAtMs,
    op: state.op === null ? null : { ...state.op, step: "Promote" },
  };
}

function elected(situation: Situation, base: Base, election: Elected): Decision {
  const { observed, nowMs, state } = situation;
  const { candidate, confirmations, considered, why } = election;
  const message = `${candidate.member.podName} becomes the primary in epoch ${state.epoch}: ${why}.`;
  const { ordinal } = candidate;
  const open = situation.members
    .filter((view) => isAcker(situation.config, view))
    .find((view) => !view.facts.readOnly);
  if (open !== undefined) return closing(situation, base, open);
  // In a hand-over. A recorded primary that still received could acknowledge to whoever comes after it, unrecorded.
  const stop: Step = { kind: "StopReceiving", ordinal };
  const receiving = isReceiving(candidate);
  const next = electedState(situation, election);
  const stopped = receiving ? afterStep(observed, stop, situation.rules) : observed;
  const established = seenFrom({ ...situation, state: next, observed: stopped }, next.pending);
  return compose(observed, nowMs, {
    ...base,
    why: message,
    state: next,
    tracks: established === null ? [] : beginEstablishing(established),
    next: established === null ? null : openOnceHeld(established),
    happenings: [{ reason: "PrimaryElected", message, considered }],
    before: [...(receiving ? [stop] : []), { kind: "Confirm", members: confirmations, timeoutMs: 0 }],
    lookAgainMs: 0,
  });
}

/**
 * Nobody but the old primary takes writes while nobody is elected: whoever does was opened by hand, or by a plan of this
 * very epoch whose record was undone since. It is closed, and the next epoch is claimed, so that none is opened twice.
 */
function closing({ observed, nowMs, state }: Situation, base: Base, view: ReadView): Decision {
  const { facts, ordinal, member } = view;
  const why = `${member.podName} takes writes although nobody is elected, and is closed first`;
  const { waiters } = facts.acks;
  // What waits for acknowledgers that are no longer there ends with its process only, which begins with this.
  if (waiters > 0 && !facts.offline) {
    const tracks = [deposedSteps(view, waiters)];
    return compose(observed, nowMs, { ...base, why, tracks, urgent: true, lookAgainMs: AT_ONCE_MS });
  }
  const epoch = state.epoch + 1;
  return compose(observed, nowMs, {
    ...base,
    why,
    state: {
      ...state,
      epoch,
      op: state.op === null ? null : { ...state.op, id: `${state.op.kind}-${epoch}` },
    },
    tracks: [waiters > 0 ? deposedSteps(view, waiters) : [{ kind: "Demote", ordinal }]],
    lookAgainMs: 0,
  });
}

/** Too few copies, and a person has said, before or after the claim, that what only the others hold may be lost. */
function acceptsLoss({ spec, state }: Situation): boolean {
  const named = spec.lossAcceptedEpoch;
  return named === state.epoch || named === state.epoch - 1;
}

function withoutQuorum(situation: Situation, base: Base, quorum: Quorum): Decision {
  const { observed, nowMs, state, primary } = situation;
  const { revoked, missing } = quorum;
  const away = [primary.member.podName, ...missing].join(", ");
  const message = `${revoked.length} of the ${quorum.needed} copies that hold every acknowledged write are reached; bring back ${away}, or accept the loss with ordinal.dev/accept-data-loss=e${state.epoch}.`;
  // While those that are there have yet to be stopped, nothing is missing.
  const short = revoked.length + stopping(situation, quorum) < quorum.needed;
  const problems: readonly Problem[] = short
    ? [...base.problems, { code: "NoQuorum", message, blocks: false }]
    : base.problems;
  return compose(observed, nowMs, {
    ...base,
    problems,
    why: short ? message : "taking the acknowledging replicas from the old primary",
    tracks: revokeTracks(situation, quorum),
    urgent: !short,
    // Who is missing comes back with an event, or is found by the next sweep.
    lookAgainMs: short ? null : AT_ONCE_MS,
  });
}

function stopping(situation: Situation, quorum: Quorum): number {
  return revokeTracks(situation, quorum)
    .flat()
    .filter((step) => step.kind === "StopReceiving").length;
}

/** What could not be reached keeps its own transactions: they are not thrown away without a person. */
function lossy(situation: Situation, election: Elected, base: Base): Decision {
  const { observed, nowMs, state, config } = situation;
  const known = new Set(situation.members.flatMap((view) => view.facts?.serverUuid ?? []));
  const away = [config.primary, ...config.ackers]
    .map((one) => one.serverUuid)
    .filter((uuid) => !known.has(uuid));
  const message = `A person accepted in epoch ${state.epoch} that acknowledged writes may be lost: ${election.why}.`;
  const next: State = {
    ...electedState(situation, election),
    unproven: [...new Set([...state.unproven, ...away])].slice(-8),
  };
  const happenings: readonly Happening[] = [
    { reason: "DataLossAccepted", message, considered: election.considered },
  ];
  const before: Track = [{ kind: "Confirm", members: election.confirmations, timeoutMs: 0 }];
  return compose(observed, nowMs, { ...base, why: message, state: next, happenings, before, lookAgainMs: 0 });
}

function electing(situation: Situation, base: Base, quorum: Quorum): Decision {
  const { observed, nowMs } = situation;
  const election = elect(situation, quorum, null);
  if (election.kind === "elected") return elected(situation, base, election);
  const message = `Nobody can be the primary: ${election.why}; compare the members and remove what does not belong.`;
  return compose(observed, nowMs, {
    ...base,
    problems: [...base.problems, { code: "MembersDiverged", message, blocks: false }],
    why: message,
    lookAgainMs: null,
  });
}

/** The wanted member must hold everything; the pause of writes must not last. */
function handingOver(situation: Situation, base: Base, quorum: Quorum, op: Operation): Decision {
  const { observed, nowMs, state, primary } = situation;
  const { target } = op;
  if (quorum.settled !== null) {
    const election = elect(situation, quorum, target);
    if (election.kind === "elected" && election.candidate.ordinal === target)
      return elected(situation, base, election);
  }
  if (isOverdue(situation, op)) {
    const message = `${primary.member.podName} could not hand over in time and stays the primary, in epoch ${state.epoch}.`;
    return compose(observed, nowMs, {
      ...base,
      why: message,
      state: abandonState(situation, op),
      happenings: [{ reason: "SwitchoverAbandoned", message }],
      lookAgainMs: 0,
    });
  }
  return compose(observed, nowMs, {
    ...base,
    why:
      quorum.settled === null ? "the primary ends its writes" : "the next primary receives the last of them",
    tracks: demoteTracks(situation),
    urgent: true,
    lookAgainMs: AT_ONCE_MS,
  });
}

export function revoking(situation: Situation, problems: readonly Problem[]): Decision {
  const base = baseOf(situation, problems);
  const quorum = quorumOf(situation);
  const { op } = situation.state;
  if (op?.kind === "switchover") return handingOver(situation, base, quorum, op);
  if (quorum.reached) return electing(situation, base, quorum);
  if (!acceptsLoss(situation)) return withoutQuorum(situation, base, quorum);
  const election = elect(situation, quorum, null);
  return election.kind === "elected"
    ? lossy(situation, election, base)
    : withoutQuorum(situation, base, quorum);
}
