/**
 * The brain: from one snapshot to one decision. Synchronous, total, engine-neutral, without clock, chance
 * or I/O. At most one change of topology per decision; whatever it returns may be run twice, half-way or not
 * at all, since the next pass looks again and decides afresh.
 */
import type { Ready } from "../annotations/conditions.ts";
import type { Problem } from "../model/condition.ts";
import type { Decision } from "../model/decision.ts";
import type { EngineRules } from "../model/engine.ts";
import type { Observed } from "../model/observed.ts";
import { SPEC_DEFAULTS } from "../model/spec.ts";
import type { State } from "../model/state.ts";
import { planBackups } from "./backup/plan.ts";
import { blocked, compose, forget } from "./compose.ts";
import { adopting, beginAdoption } from "./phases/adopting.ts";
import { establishing } from "./phases/establishing.ts";
import { isOutdated, reconstructing, witnessOf } from "./phases/reconstructing.ts";
import { releasing, unreleasing } from "./phases/releasing.ts";
import { revoking } from "./phases/revoking.ts";
import { givingUp, steady } from "./phases/steady.ts";
import { isFresh } from "./plan/release.ts";
import { revive } from "./plan/rollout.ts";
import { isContested } from "./plan/scale.ts";
import { needsReopening } from "./plan/steady.ts";
import { inputProblems } from "./problems/input.ts";
import { memberProblems } from "./problems/members.ts";
import { serverProblems } from "./problems/servers.ts";
import { planRestore } from "./restore/begin.ts";
import { ackCountFor, type Situation, seenFrom } from "./situation.ts";

function situationOf(observed: Observed, rules: EngineRules, nowMs: number, state: State): Situation | null {
  const config = state.pending ?? state.established;
  if (config === null) return null;
  // Without a wish it is being let go, and the defaults are as good as any limits.
  const spec = observed.wish.spec ?? SPEC_DEFAULTS;
  const { set } = observed;
  const wanted = isContested(set, spec.replicas, state) ? null : spec.replicas;
  // More members than there are leave nobody out; fewer are those that stay.
  const size = Math.max(1, Math.min(wanted ?? set.replicas, set.replicas));
  return seenFrom({ observed, rules, nowMs, spec, state, size, ackCountWanted: ackCountFor(size) }, config);
}

/** Whatever else is done: a member that cannot run may be the one that everything waits for. */
function decideIn(situation: Situation, others: readonly Problem[]): Decision {
  const decision = decideTopology(situation, others);
  const revived = situation.observed.refusal === null ? revive(situation) : [];
  return revived.length === 0 ? decision : { ...decision, tracks: [...decision.tracks, ...revived] };
}

/** Where the cluster stands, and the one thing that is done about it now. */
function decideTopology(situation: Situation, others: readonly Problem[]): Decision {
  const backup = planBackups(situation);
  const problems = [...others, ...backup.problems];
  const { state } = situation;
  if (state.pending === null && state.phase !== "Revoking") return steady(situation, problems, backup);
  if (state.established === null) return adopting(situation, problems);
  // Until the acknowledgers are being taken from it, the primary of the day can be given up like any other.
  const handsOver = state.phase === "Revoking" && state.op?.kind === "switchover";
  if (state.phase !== "Revoking" || handsOver) {
    const given = givingUp(situation, problems);
    if (given !== null) return given;
  }
  return state.phase === "Revoking" ? revoking(situation, problems) : establishing(situation, problems);
}

/** A primary that came back read-only is opened first: after the release nobody else would do it. */
function openBeforeRelease(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  state: State,
): Decision | null {
  const situation = situationOf(observed, rules, nowMs, state);
  if (situation === null) return null;
  // What was begun after the adoption has to come to its end: until then it is open who the primary is.
  const changing = state.established !== null && (state.pending !== null || state.phase === "Revoking");
  if (changing) return decideIn(situation, []);
  const unfinished = state.pending !== null;
  if (!unfinished) return needsReopening(situation) ? steady(situation, []) : null;
  if (situation.primary.facts?.readOnly !== true) return null;
  return decideIn(situation, []);
}

/** What to do about a cluster, and why. `nowMs`: milliseconds since 1970. */
export function decide(observed: Observed, rules: EngineRules, nowMs: number): Decision {
  const { wish } = observed;
  const state = observed.state.kind === "valid" ? observed.state.state : null;
  if (!wish.managed) {
    if (isFresh(state)) return forget(observed, nowMs);
    // A mistyped key next to a missing engine is a slip and no goodbye.
    const slips = wish.problems.filter((problem) => problem.blocks);
    if (slips.length > 0) return blocked(observed, nowMs, slips, null);
    const witness = witnessOf(observed);
    // By an older record that was put back somebody could be opened, or handed over, beside the primary that there is.
    if (witness !== null && isOutdated(observed, state)) {
      const { gracefulWaitMs: waitMs } = SPEC_DEFAULTS;
      return reconstructing(observed, rules, nowMs, { witness, known: [], waitMs });
    }
    return openBeforeRelease(observed, rules, nowMs, state) ?? releasing(observed, nowMs, state);
  }
  return decideManaged(observed, rules, nowMs, state);
}

function decideManaged(observed: Observed, rules: EngineRules, nowMs: number, state: State | null): Decision {
  const { wish } = observed;
  const witness = witnessOf(observed);
  const lost =
    witness !== null &&
    observed.state.kind !== "newer" &&
    (state === null || (state.phase !== "Released" && isOutdated(observed, state)));
  // What cannot be read is no obstacle where the servers themselves remember.
  const found = inputProblems(observed).filter(
    ({ code }) => !lost || (code !== "StateForeign" && code !== "StateInvalid"),
  );
  if (wish.spec === null) return blocked(observed, nowMs, found, null);
  if (wish.spec.paused) return pausedDecision(observed, nowMs, found);
  const restore = planRestore(observed, rules, nowMs, state);
  if (restore.decision !== null) return restore.decision;
  const input = [...found, ...restore.problems];
  const fresh = isFresh(state);
  const unreadable = observed.state.kind !== "none" && observed.state.kind !== "valid" && !lost;
  const stops =
    input.some((problem) => problem.blocks) && (fresh || unreadable || state.established === null);
  if (stops) return blocked(observed, nowMs, input, null);
  const { gracefulWaitMs: waitMs } = wish.spec;
  if (lost) return reconstructing(observed, rules, nowMs, { witness, known: input, waitMs });
  if (fresh) return beginAdoption(observed, rules, nowMs, { previous: state, known: input });
  if (state.phase === "Releasing") return unreleasing(observed, nowMs, state, input);
  const situation = situationOf(observed, rules, nowMs, state);
  if (situation === null) return blocked(observed, nowMs, [...input, outOfRange(observed, state)], null);
  const servers = serverProblems(observed.members, rules).map((problem) => ({ ...problem, blocks: false }));
  return decideIn(situation, [...input, ...servers, ...memberProblems(situation)]);
}

function outOfRange(observed: Observed, state: State): Problem {
  const ordinal = (state.pending ?? state.established)?.primary.ordinal ?? 0;
  const message = `The primary ${observed.set.name}-${ordinal} is beyond replicas: ${observed.set.replicas}; set replicas to at least ${ordinal + 1}.`;
  return { code: "PrimaryUnreachable", message, blocks: true };
}

function pausedDecision(observed: Observed, nowMs: number, input: readonly Problem[]): Decision {
  const message = "ordinal.dev/pause is true: Ordinal looks and changes nothing; remove it to go on.";
  const paused: Problem = { code: "Paused", message, blocks: true };
  const ready: Ready = { status: "Unknown", reason: "Paused", message };
  return compose(observed, nowMs, { phase: "Paused", problems: [...input, paused], ready, why: message });
}
