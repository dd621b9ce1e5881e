/**
 * What speaks for the primary being gone, from one snapshot. It only ever decides how soon something is done:
 * safety rests on taking its acknowledgers away, so a wrong guess costs availability and never data.
 */
import { LABEL } from "../../annotations/keys.ts";
import type { Termination } from "../../model/kube.ts";
import type { Position, ServerFacts, Term } from "../../model/server.ts";
import { isAcker, type MemberView, type Situation, silence, sinceMs } from "../situation.ts";

export type Evidence =
  | { readonly kind: "none" }
  /** Its volume, or part of what it had committed, is gone; it will not come back as what it was. */
  | { readonly kind: "lost"; readonly text: string }
  /**
   * Its process has ended. `orderly`: by a graceful stop, which answers OK to commits that nobody has
   * acknowledged (measured, 10 of 10), so that it may hold acknowledged commits alone.
   */
  | { readonly kind: "ended"; readonly orderly: boolean; readonly text: string }
  /** Nobody answers, us or its replicas. */
  | { readonly kind: "silent"; readonly text: string }
  /** Nobody answers us, but a replica receives from it: what is cut is our own way. */
  | { readonly kind: "cut-off"; readonly text: string };

/** Four heartbeats of a source. */
const HEARS_MS = 2_000;

/** It receives from the server that is recorded as the primary, and hears from it. */
function receives({ facts }: MemberView, serverUuid: string): boolean {
  const channel = facts?.channel ?? null;
  return channel?.receiver === "on" && channel.sourceUuid === serverUuid && channel.silentMs < HEARS_MS;
}

interface End {
  readonly orderly: boolean;
  readonly text: string;
}

/** Clocks of one node, of which one counts whole seconds. */
const SLACK_MS = 1_500;

/** The kubelet tells of the very process that was the primary, and not of one that was started after it. */
function isOfPrimary(ended: Termination, primaryStartedAtMs: number | null): boolean {
  return (
    primaryStartedAtMs !== null &&
    ended.startedAtMs <= primaryStartedAtMs + SLACK_MS &&
    ended.finishedAtMs >= primaryStartedAtMs - SLACK_MS
  );
}

/**
 * Its replicas know how the stream ended: a server that is being stopped tells them so as one of the last things
 * that it does (measured), one that was killed does not.
 */
function toldByReplicas({ members, config }: Situation): "orderly" | "cut" | null {
  const told = members.filter(({ facts }) => facts?.channel?.sourceUuid === config.primary.serverUuid);
  if (told.some(({ facts }) => facts?.channel?.sourceLeft === "orderly")) return "orderly";
  // Whoever is being kept out lost its stream before, and knows nothing of the end.
  const ackers = told.filter((view) => isAcker(config, view));
  return ackers.length > 0 && ackers.every(({ facts }) => facts?.channel?.sourceLeft === "cut")
    ? "cut"
    : null;
}

/** Null while its process may be running. Where nothing is known of how it ended, it may have been in good order. */
function endOf(situation: Situation): End | null {
  const { primary, state } = situation;
  const { pod, server } = primary.member;
  if (pod === null) return { text: "its pod is gone", orderly: true };
  if (pod.deleting) return { text: "its pod is being deleted", orderly: true };
  const known = pod.containers
    .map(({ ended }) => ended)
    .find((ended) => ended !== null && isOfPrimary(ended, state.primaryStartedAtMs));
  if (known !== undefined && known !== null)
    return { text: `container terminated, exit code ${known.exitCode}`, orderly: known.exitCode === 0 };
  const closed = server.kind === "unreachable" && server.closed;
  if (closed && toldByReplicas(situation) === "cut")
    return { text: "its process ended, and its replicas lost it at once", orderly: false };
  if (closed) return { text: "nothing listens in its pod, and it is not known how it ended", orderly: true };
  const stopped = pod.phase !== "Running" || pod.containers.some((container) => !container.running);
  return stopped ? { text: `its pod is not running (${silence(primary.member)})`, orderly: true } : null;
}

/**
 * An acker that has received what the primary no longer has. While the primary takes writes, or commits wait
 * on it, its newest commits are on the replicas first and prove nothing. What another primary began before its term
 * row, it never had: an acker that was away at its election may have kept more than was acknowledged then.
 */
export function holderOfLost(situation: Situation): MemberView | null {
  const { primary, members, config, rules, state } = situation;
  const { facts } = primary;
  if (facts === null || !facts.readOnly || facts.acks.waiters > 0 || state.established === null) return null;
  const holder = members.find(
    (view) =>
      isAcker(config, view) &&
      lostOf(situation, facts, rules.positions.subtract(view.facts.received, facts.received)) !== "",
  );
  return holder ?? null;
}

/** What is lost of a log is its end, so with its own term row a server has all that came before it. */
function lostOf(situation: Situation, { serverUuid, terms }: ServerFacts, surplus: Position): Position {
  const { positions } = situation.rules;
  if (newestTerm(terms)?.serverUuid !== serverUuid) return begunByPrimaries(situation, surplus);
  return positions.subtract(surplus, positions.without(surplus, serverUuid));
}

export function newestTerm(terms: readonly Term[]): Term | undefined {
  return terms.toSorted((a, b) => b.epoch - a.epoch)[0];
}

/** Servers that are or were the primary, as far as anybody here remembers. */
export function primariesOf({ members, config }: Situation): ReadonlySet<string> {
  const remembered = members.flatMap(({ facts }) => facts?.terms.map((term) => term.serverUuid) ?? []);
  return new Set([config.primary.serverUuid, ...remembered]);
}

/** Without what somebody wrote by hand on a server that never was the primary. */
function begunByPrimaries(situation: Situation, position: Position): Position {
  const { positions } = situation.rules;
  const byHand = [...primariesOf(situation)].reduce(positions.without, position);
  return positions.subtract(position, byHand);
}

/**
 * Whether anybody is led to the primary: one that is still being established may be opened, but is routed to only
 * after its term row was acknowledged (INV-7).
 */
export function isServed({ state, primary, observed }: Situation): boolean {
  if (state.pending === null) return true;
  const { primary: route } = observed.services;
  const epochs = [
    primary.member.pod?.labels[LABEL.epoch],
    route.kind === "found" ? route.service.selector[LABEL.epoch] : undefined,
  ];
  return state.pending.open && epochs.includes(String(state.epoch));
}

const CUT_OFF_LONG_MS = 30_000;

/**
 * That we could not ask it for long says nothing of the moment at which its replicas lose it too: the clock of the
 * silence then begins anew.
 */
export function wasCutOffForLong({ observed, nowMs }: Situation): boolean {
  const unreachableAt = sinceMs(observed, "PrimaryUnreachable");
  if (unreachableAt === null || sinceMs(observed, "PrimaryCutOff") === null) return false;
  return nowMs - unreachableAt > CUT_OFF_LONG_MS;
}

export function evidence(situation: Situation): Evidence {
  const { primary, members, config } = situation;
  const { member, facts } = primary;
  if (member.server.kind === "read" && facts === null)
    return { kind: "lost", text: "its volume was replaced" };
  if (facts !== null) {
    const holder = holderOfLost(situation);
    if (holder === null) return { kind: "none" };
    return { kind: "lost", text: `${holder.member.podName} holds transactions that it lost` };
  }
  if (member.server.kind === "denied")
    return { kind: "cut-off", text: `it refuses account ${member.server.account}` };
  const ended = endOf(situation);
  if (ended !== null) return { kind: "ended", ...ended };
  const witness = members.find((view) => receives(view, config.primary.serverUuid));
  if (witness !== undefined)
    return { kind: "cut-off", text: `${witness.member.podName} still receives from it` };
  return { kind: "silent", text: silence(member) };
}
