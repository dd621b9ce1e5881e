/**
 * When the primary is given up, and how its acknowledgers are taken from it. Nothing is changed before the
 * claim: a suspicion that comes to nothing leaves nothing stopped. From the claim on every executor of the
 * epoch before fails its check (INV-10), and until the quorum is reached writes at worst stall.
 */
import { LABEL } from "../../annotations/keys.ts";
import type { Problem } from "../../model/condition.ts";
import type { Config, State } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import {
  ackCountOfElected,
  isAcker,
  type MemberView,
  type Situation,
  seenFrom,
  sinceMs,
} from "../situation.ts";
import { needed, type Quorum } from "./elect.ts";
import { type Evidence, evidence, isServed, wasCutOffForLong } from "./evidence.ts";
import { deposedSteps } from "./rejoin.ts";
import { seenOf } from "./routing.ts";

/** Two probes this far apart before silence is taken for death. */
const SILENCE_MS = 2_000;
const DAY_MS = 86_400_000;
/** After so many failovers within a day a person has to look. */
const FAILOVERS_PER_DAY = 3;

export type Suspicion =
  | { readonly kind: "none" }
  /** It is not time to act, or not for us to; `problem` says what stands in the way, beside what is known. */
  | { readonly kind: "wait"; readonly problem: Problem | null; readonly lookAgainMs: number | null }
  | { readonly kind: "claim"; readonly why: string; readonly unproven: boolean };

function problem(situation: Situation, code: Problem["code"], message: string): Problem {
  return { code, message, ordinal: situation.primary.ordinal, blocks: false };
}

/** How long it has been known that the primary does not answer us; a clock that ran ahead counts as long ago. */
function knownForMs({ observed, nowMs }: Situation): number {
  const since = sinceMs(observed, "PrimaryUnreachable");
  if (since === null) return 0;
  const ms = nowMs - since;
  return ms < -SILENCE_MS ? Number.MAX_SAFE_INTEGER : Math.max(0, ms);
}

/** Replicas notice a source that falls silent some seconds after us (they hang up after 5 s). */
const REPLICAS_NOTICE_MS = 5_000;

/** It was never opened, so nobody has written to it, and its end can hide nothing. */
function isUnopened({ state }: Situation): boolean {
  return state.pending !== null && !state.pending.open;
}

/** How long this evidence has to stand before anything is done. */
function patienceMs(situation: Situation, found: Evidence): number {
  const { spec } = situation;
  if (isUnopened(situation)) return found.kind === "lost" ? 0 : SILENCE_MS;
  switch (found.kind) {
    case "cut-off":
    case "silent":
      return SILENCE_MS;
    case "ended":
      return found.orderly ? spec.gracefulWaitMs : 0;
    default:
      return 0;
  }
}

/** Why a failover would not come to its end: too few hold what was acknowledged, or too few would acknowledge. */
export function obstacle(situation: Situation): Problem | null {
  const { config, members, primary, state } = situation;
  const acks = ackCountOfElected(situation);
  // The configuration that counts is the last one that was opened.
  if (isUnopened(situation) && state.established !== null) {
    const before = seenFrom({ ...situation, state: { ...state, pending: null } }, state.established);
    return before === null ? null : obstacle(before);
  }
  const ackers = members.filter((view) => view !== primary && isAcker(config, view));
  const enough = ackers.length >= needed(situation);
  if (!enough && primary.facts === null) {
    const away = config.ackers
      .filter((acker) => !ackers.some((view) => view.facts?.serverUuid === acker.serverUuid))
      .map((acker) => `${situation.observed.set.name}-${acker.ordinal}`);
    const message = `${ackers.length} of the ${needed(situation)} copies that together hold every acknowledged write are reached; bring back ${[primary.member.podName, ...away].join(" or ")}, or accept the loss with ordinal.dev/accept-data-loss=e${state.epoch}.`;
    return problem(situation, "NoQuorum", message);
  }
  // An empty server in the primary's place counts: it is seeded and acknowledges then.
  const present = members.filter((view) => view.member.server.kind === "read").length;
  if (present > acks) return null;
  const message = `${present} members are reached, and a new primary would need ${acks} beside it to acknowledge its writes; bring back ${primary.member.podName}.`;
  return problem(situation, "NoQuorum", message);
}

/** The pause since the last failover: doubled by each within a day, and endless after the third. */
function cooldown({ state, spec, nowMs, observed }: Situation): Problem | null {
  const recent = state.failovers.map(Date.parse).filter((at) => nowMs - at < DAY_MS);
  const last = Math.max(...recent);
  if (spec.failoverCooldownMs === 0 || recent.length === 0) return null;
  const approve = `annotate ordinal.dev/approve=e${state.epoch + 1} to fail over at once`;
  const told = (message: string): Problem => ({ code: "FailoverHeldBack", message, blocks: false });
  if (recent.length >= FAILOVERS_PER_DAY)
    return told(
      `${recent.length} failovers of ${observed.set.name} within a day: find out why, or ${approve}.`,
    );
  const untilMs = last + spec.failoverCooldownMs * 2 ** (recent.length - 1);
  if (nowMs >= untilMs) return null;
  return told(
    `The last failover was at ${new Date(last).toISOString()}; the next may begin at ${new Date(untilMs).toISOString()}, or ${approve}.`,
  );
}

function heldBack(situation: Situation, why: string): Problem | null {
  const { spec, state, primary } = situation;
  // One that is under way already, for whatever reason, goes on to its end.
  if (state.phase !== "Steady" || spec.approvedEpoch === state.epoch + 1) return null;
  if (spec.failover === "auto") return cooldown(situation);
  const approve = `ordinal.dev/approve=e${state.epoch + 1}`;
  return problem(
    situation,
    "FailoverAwaitsApproval",
    `${primary.member.podName} would be failed over (${why}); annotate ${approve} to let it happen.`,
  );
}

/** While only time is waited for. What waits for a pod or a person is looked at by every sweep and event. */
const WATCH_MS = 1_000;
const SOON_MS = 50;
const LOOK_MS = 250;

/** Whether the primary of an established cluster is to be given up now. */
export function suspect(situation: Situation): Suspicion {
  const found = evidence(situation);
  if (found.kind === "none") return { kind: "none" };
  if (found.kind === "cut-off" && isServed(situation)) {
    const lookAgainMs = knownForMs(situation) < REPLICAS_NOTICE_MS ? LOOK_MS : null;
    return { kind: "wait", problem: null, lookAgainMs };
  }
  if (found.kind === "silent" && wasCutOffForLong(situation))
    return { kind: "wait", problem: null, lookAgainMs: LOOK_MS };
  const leftMs = patienceMs(situation, found) - knownForMs(situation);
  // Within a second or two it is known from the kubelet or its replicas how it ended.
  const soon = knownForMs(situation) < SILENCE_MS ? SOON_MS : WATCH_MS;
  if (leftMs > 0) return { kind: "wait", problem: null, lookAgainMs: Math.min(leftMs, soon) };
  const accepted = situation.spec.lossAcceptedEpoch === situation.state.epoch;
  const stands = (accepted ? null : obstacle(situation)) ?? heldBack(situation, found.text);
  if (stands !== null) return { kind: "wait", problem: stands, lookAgainMs: null };
  return {
    kind: "claim",
    why: found.text,
    unproven: found.kind === "ended" && found.orderly && !isUnopened(situation),
  };
}

/** The newest that still fit; the oldest no longer matter within a day. */
function appended<T>(list: readonly T[], more: readonly T[]): T[] {
  return [...new Set([...list, ...more])].slice(-8);
}

/**
 * The configuration whose ackers count: one that was opened takes the place of the one before it, since before it
 * was opened its ackers held all that there was; one that was not is forgotten (decision 10).
 */
function lastOpened({ established, pending }: State): Config | null {
  if (pending?.open !== true) return established;
  const { open: _, ...opened } = pending;
  return opened;
}

/** One compare-and-swap makes the epoch ours. */
export function claimState(situation: Situation, suspicion: Extract<Suspicion, { kind: "claim" }>): State {
  const { state, config, nowMs } = situation;
  const epoch = state.epoch + 1;
  const at = new Date(nowMs).toISOString();
  return {
    ...state,
    epoch,
    phase: "Revoking",
    established: lastOpened(state),
    pending: null,
    op: { id: `failover-${epoch}`, kind: "failover", step: "Revoke", startedAt: at, target: null },
    failovers: appended(state.failovers, state.phase === "Steady" ? [at] : []),
    unproven: appended(state.unproven, suspicion.unproven ? [config.primary.serverUuid] : []),
  };
}

/** Nobody new comes to the old primary by name. */
function withdrawRoute({ observed }: Situation): Track {
  const { primary } = observed.services;
  if (primary.kind !== "found" || primary.service.selector[LABEL.epoch] === NO_EPOCH) return [];
  const { service } = primary;
  const selector = { ...observed.set.matchLabels, [LABEL.role]: "primary", [LABEL.epoch]: NO_EPOCH };
  return [{ kind: "EnsureService", role: "primary", name: service.name, seen: seenOf(service), selector }];
}

/** Of no pod: epochs are numbers. */
const NO_EPOCH = "none";

function isSettled({ facts }: MemberView): boolean {
  return facts?.readOnly === true && facts.acks.waiters === 0;
}

/** The old primary is put out of service as well as it goes, and its acknowledgers stop receiving from anybody. */
export function revokeTracks(
  situation: Situation,
  { revoked, needed: count }: Pick<Quorum, "revoked" | "needed">,
): readonly Track[] {
  const { members, config, primary } = situation;
  const receiving = members.filter(
    (view) => view !== primary && isAcker(config, view) && !revoked.includes(view),
  );
  const stops = receiving.map((view): Track => [{ kind: "StopReceiving", ordinal: view.ordinal }]);
  const alone = revoked.length + stops.length < count;
  // Each change of a Service holds up the next one on every node (kube-proxy's `minSyncPeriod`, 1 s), and where nobody
  // listens nobody is reached. One that comes back before it is replaced is withdrawn then.
  const withdrawn = isListening(primary) ? withdrawRoute(situation) : [];
  return [withdrawn, closing(primary, alone), ...stops].filter((track) => track.length > 0);
}

function isListening({ member: { server } }: MemberView): boolean {
  return server.kind !== "absent" && !(server.kind === "unreachable" && server.closed);
}

/** `alone`: without the old primary there are too few copies, so that commits nobody acknowledges may not stay. */
function closing(primary: MemberView, alone: boolean): Track {
  const { facts, ordinal } = primary;
  if (facts === null || isSettled(primary)) return [];
  return alone ? deposedSteps(primary, facts.acks.waiters) : [{ kind: "Fence", ordinal }];
}
