/**
 * Making a primary the acknowledged one: arm it, wait for its ackers, commit the term row. The same steps
 * serve adoption and a primary that came back read-only after a restart.
 *
 * INV-2: `pending.open` is recorded before the primary is made writable, so an older executor that wakes up
 * late fails its epoch check. INV-7: nobody is routed here before the term row was acknowledged.
 */

import type { Position, ServerFacts } from "../../model/server.ts";
import type { Config, State } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import type { NextRecord } from "../compose.ts";
import { isAcker, type MemberView, type Situation } from "../situation.ts";
import { placeMembers } from "./members.ts";
import { prepareSteps } from "./prepare.ts";
import { routeWrites } from "./routing.ts";

const HOLDERS_TIMEOUT_MS = 10_000;
/** Acknowledgers connect within some milliseconds, or another look has to find out why they do not. */
const OPEN_TIMEOUT_MS = 3_000;
/** What a replica lacks it has within some milliseconds, or another look has to find out why not. */
const RECEIVE_TIMEOUT_MS = 500;
const TERM_STALL_MS = 2_000;
const PROMOTE_TIMEOUT_MS = 2_500;

/** With the configuration that stands. */
export type Established = State & { readonly established: Config };

export type Establishing =
  /** The next steps on the primary. */
  | { readonly kind: "steps"; readonly steps: readonly Step[] }
  /** Ackers have yet to connect. */
  | { readonly kind: "waiting"; readonly connected: number; readonly needed: number }
  | ({ readonly kind: "record" } & NextRecord)
  /** The term row stands: record this as established. */
  | { readonly kind: "done"; readonly state: Established };

/** True when the witness table of the primary holds this epoch with this server. */
function termStands({ state, config }: Situation, { terms }: ServerFacts): boolean {
  return terms.some(
    (term) =>
      term.epoch === state.epoch &&
      term.clusterUid === state.clusterUid &&
      term.serverUuid === config.primary.serverUuid,
  );
}

function established(state: State, pending: NonNullable<State["pending"]>): Established {
  const { open: _open, ...config } = pending;
  return { ...state, phase: "Steady", established: config, pending: null, op: null };
}

/**
 * A commit waits until the acker has received everything before it, so arming a primary whose ackers lag
 * stalls its writers (measured: 0.8 to 1.2 s at 200 inserts/s, against 34 ms after waiting here).
 */
function arming({ members, config, primary }: Situation, ackCount: number): readonly Step[] {
  const holders = members.filter((view) => isAcker(config, view)).map((view) => view.ordinal);
  const wait: Step = {
    kind: "AwaitHolders",
    primary: primary.ordinal,
    holders,
    need: ackCount,
    timeoutMs: HOLDERS_TIMEOUT_MS,
  };
  return [wait, { kind: "Arm", ordinal: primary.ordinal, ackCount }];
}

/** It followed the primary before it: it executes what it received, and is armed while it is still closed. */
function promotion(situation: Situation, facts: ServerFacts, ackCount: number): readonly Step[] {
  const { primary, state } = situation;
  const { ordinal } = primary;
  // At adoption a source outside of the cluster is not ours to drop.
  if (facts.channel === null || state.established === null) return [];
  const receiving: readonly Step[] =
    facts.channel.receiver === "off" ? [] : [{ kind: "StopReceiving", ordinal }];
  // Opened by hand; what was written there is the new primary's own from now on.
  const closing: readonly Step[] = facts.readOnly ? [] : [{ kind: "Demote", ordinal }];
  return [
    ...receiving,
    ...closing,
    { kind: "Promote", ordinal, timeoutMs: PROMOTE_TIMEOUT_MS },
    { kind: "Arm", ordinal, ackCount },
    ...(state.pending?.open === true && !facts.offline ? opening(situation, ackCount) : []),
  ];
}

/**
 * Opened, and routed to by the same plan: its term row was acknowledged when the step succeeded (INV-7). It does not
 * wait for acknowledgers that are connecting meanwhile; its commit does.
 */
function opening(situation: Situation, ackCount: number): Track {
  const { state, primary } = situation;
  const { ordinal } = primary;
  const open: Step = { kind: "Open", ordinal, epoch: state.epoch, ackCount, timeoutMs: OPEN_TIMEOUT_MS };
  return [open, ...routeWrites(situation)];
}

/**
 * Recorded ackers that have received all that the closed primary has. With enough of them before it is opened,
 * the ackers of this configuration alone hold every acknowledged commit, those of earlier epochs included, so
 * an election after it needs no second quorum (INV-1, decision 11).
 */
function holders({ members, config, rules }: Situation, { executed }: ServerFacts): readonly MemberView[] {
  return members.filter(
    (view) =>
      isAcker(config, view) &&
      view.facts.acks.active &&
      rules.positions.contains(view.facts.received, executed),
  );
}

/** Asked once more in fenced sessions, so that nobody who was frozen takes it away behind our back. */
function confirmHolders(
  holding: readonly MemberView[],
  { ordinal }: MemberView,
  position: Position,
  timeoutMs: number,
): Step {
  const nothing = { closed: false, stopped: false, atMost: null, atLeast: null };
  return {
    kind: "Confirm",
    members: [
      { ...nothing, ordinal, closed: true, stopped: true, atMost: position },
      ...holding.map((view) => ({ ...nothing, ordinal: view.ordinal, atLeast: position })),
    ],
    timeoutMs,
  };
}

/**
 * For the plan of an election whose ackers have yet to receive the last of it: opened once enough of those that begin
 * to follow hold everything, as another look would (ADR 10). Null where that cannot be expected at once.
 */
export function openOnceHeld(situation: Situation): NextRecord | null {
  const { state, config, members, primary, rules } = situation;
  const { pending } = state;
  const { facts } = primary;
  if (pending === null || pending.open || facts === null) return null;
  // One that did not follow the primary before it needs more than to be promoted.
  if (facts.channel === null || !facts.readOnly || facts.offline) return null;
  const following = placeQuickly(situation).flatMap((track) =>
    track.flatMap((step) => (step.kind === "Follow" ? [step.ordinal] : [])),
  );
  const holds = ({ facts: of }: MemberView) => rules.positions.contains(of?.received ?? "", facts.received);
  const ackers = members.filter((view) => isAcker(config, view));
  const sure = ackers.filter(holds);
  const coming = ackers.filter((view) => !holds(view) && following.includes(view.ordinal));
  const holding = [...sure, ...coming].slice(0, pending.ackCount);
  if (holding.length < pending.ackCount) return null;
  return {
    before: [confirmHolders(holding, primary, facts.received, RECEIVE_TIMEOUT_MS)],
    state: opened(state, pending),
    after: opening(situation, pending.ackCount),
  };
}

function opened(state: State, pending: NonNullable<State["pending"]>): State {
  return { ...state, pending: { ...pending, open: true } };
}

/**
 * The row may have come back with a restart, unacknowledged: so many recorded ackers have received all that the
 * primary has, or have the very row. At adoption the primary is written to all the time, and nothing was
 * acknowledged before.
 */
function termIsHeld(situation: Situation, facts: ServerFacts): boolean {
  const { state, members, config, primary } = situation;
  if (state.established === null) return true;
  const opened = openedOf(primary, state.epoch);
  const having = members.filter((view) => isAcker(config, view) && openedOf(view, state.epoch) >= opened);
  return Math.max(having.length, holders(situation, facts).length) >= config.ackCount;
}

/** How often the row of this epoch was committed, as far as this member has executed it. */
function openedOf({ facts }: MemberView, epoch: number): number {
  return facts?.terms.find((term) => term.epoch === epoch)?.opened ?? 0;
}

export function establish(situation: Situation): Establishing {
  const { state, primary } = situation;
  const { pending } = state;
  const { facts } = primary;
  if (pending === null || facts === null) return { kind: "waiting", connected: 0, needed: 0 };
  const needed = pending.ackCount;
  const promoting = promotion(situation, facts, needed);
  if (promoting.length > 0) return { kind: "steps", steps: promoting };
  // The old primary, put out of service and then elected itself, lets nobody in, its ackers least of all.
  // As a replica: one that resumes writing after a restart has to have been opened before.
  if (facts.offline) return { kind: "steps", steps: prepareSteps(situation, primary, facts, "replica") };
  const armed = needed === 0 || (facts.acks.required && facts.acks.count >= needed);
  if (
    pending.open &&
    armed &&
    !facts.readOnly &&
    termStands(situation, facts) &&
    termIsHeld(situation, facts)
  )
    return { kind: "done", state: established(state, pending) };
  const ordinal = primary.ordinal;
  // Closed, nobody waits; open, its writers would wait for every acker that is not there.
  if (!armed && facts.readOnly) return { kind: "steps", steps: [{ kind: "Arm", ordinal, ackCount: needed }] };
  if (facts.acks.clients < needed) return { kind: "waiting", connected: facts.acks.clients, needed };
  if (!armed) return { kind: "steps", steps: arming(situation, needed) };
  const holding = holders(situation, facts);
  if (facts.readOnly && !pending.open && holding.length < needed)
    return { kind: "waiting", connected: holding.length, needed };
  // The acknowledgement of the term row was lost on its way: that of a later commit makes up for it.
  if (pending.open && facts.acks.waitingMs >= TERM_STALL_MS)
    return { kind: "steps", steps: [{ kind: "Nudge", ordinal }] };
  const after = opening(situation, needed);
  if (pending.open) return { kind: "steps", steps: after };
  const before = facts.readOnly ? [confirmHolders(holding, primary, facts.executed, 0)] : [];
  return { kind: "record", state: opened(state, pending), before, after };
}

/** What can be done at once when it is recorded who is to be the primary; nothing that has to be looked at first. */
export function beginEstablishing(situation: Situation): readonly Track[] {
  const first = establish(situation);
  return [...(first.kind === "steps" ? [first.steps] : []), ...placeQuickly(situation)];
}

/** A copy takes long, and while writes wait nobody is waited for. */
export function placeQuickly(situation: Situation): readonly Track[] {
  return placeMembers(situation).filter((track) => !track.some(({ kind }) => kind === "Seed"));
}
