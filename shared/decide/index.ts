/**
 * The brain: from one snapshot to one decision. Synchronous, total, engine-neutral, without clock, chance
 * or I/O. At most one change of topology per decision; whatever it returns may be run twice, half-way or not
 * at all, since the next pass looks again and decides afresh.
 */
import type { Ready } from "../annotations/conditions.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { MAX_LAG_DEFAULT_MS } from "../annotations/wish.ts";
import type { Phase, Problem } from "../model/condition.ts";
import type { Decision } from "../model/decision.ts";
import type { EngineRules } from "../model/engine.ts";
import type { Observed } from "../model/observed.ts";
import type { State } from "../model/state.ts";
import type { Track } from "../model/step.ts";
import { blocked, compose, forget, patience, SOON_MS } from "./compose.ts";
import { adoptionState, choosePrimary, continueAdoption } from "./plan/adopt.ts";
import { establish } from "./plan/establish.ts";
import { releasedState, releaseSteps, releasingState, unreachedMembers } from "./plan/release.ts";
import { isCatchingUp } from "./plan/routing.ts";
import { maintenance, needsReopening, nextChange, reopeningState } from "./plan/steady.ts";
import { inputProblems } from "./problems/input.ts";
import { memberProblems } from "./problems/members.ts";
import { serverProblems, waitingForMembers } from "./problems/servers.ts";
import type { Happening } from "./report.ts";
import { ackCountFor, isAcker, type Situation, viewMembers } from "./situation.ts";

/** Nothing is recorded yet: look at every member once, choose, record the intent. */
function beginAdoption(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  previous: State | null,
  known: readonly Problem[],
): Decision {
  const problems = [...known, ...serverProblems(observed.members, rules)];
  if (problems.some((problem) => problem.blocks)) return blocked(observed, nowMs, problems, null);
  const waiting = waitingForMembers(observed.members);
  if (waiting.length > 0)
    return blocked(observed, nowMs, [...problems, ...waiting], patience(observed, nowMs, "Ready"));
  const choice = choosePrimary(observed.members, rules);
  if (choice.kind === "ambiguous") return blocked(observed, nowMs, [...problems, choice.problem], null);
  const at = new Date(nowMs).toISOString();
  const { member, facts, rule, considered } = choice;
  const state = adoptionState(observed, previous, facts, member.ordinal, at);
  const message = `${member.podName} is the primary of ${observed.set.replicas} members: ${rule}.`;
  return compose(observed, nowMs, {
    phase: "Adopting",
    problems,
    ready: { status: "False", reason: "Adopting", message },
    why: message,
    state,
    happenings: [{ reason: "AdoptionStarted", message, considered }],
    lookAgainMs: 0,
  });
}

/** A replica that is behind gains on its primary by seconds, not by milliseconds. */
const CATCH_UP_MS = 1_000;

function situationOf(observed: Observed, rules: EngineRules, nowMs: number, state: State): Situation | null {
  const config = state.pending ?? state.established;
  if (config === null) return null;
  // Without a wish it is being let go, and the default is as good as any limit.
  const spec = observed.wish.spec ?? { maxLagMs: MAX_LAG_DEFAULT_MS };
  const members = viewMembers(rules, observed.members, config);
  const primary = members.find((view) => view.ordinal === config.primary.ordinal);
  if (primary === undefined) return null;
  return {
    observed,
    rules,
    nowMs,
    spec,
    state,
    config,
    primary,
    members,
    ackCountWanted: ackCountFor(observed.set.replicas),
  };
}

function summary({ members, config, primary, state }: Situation): string {
  const placed = members.filter(
    (view) => view.standing.kind === "primary" || view.standing.kind === "following",
  ).length;
  const acking = members.filter((view) => isAcker(config, view) && view.facts?.acks.active === true).length;
  const waits =
    config.ackCount === 0
      ? "no replica to wait for"
      : `a commit waits for ${config.ackCount} of ${acking} acknowledging replicas`;
  return `${placed} of ${members.length} members in place, primary ${primary.member.podName}, epoch ${state.epoch}, ${waits}.`;
}

function adopting(situation: Situation, problems: readonly Problem[]): Decision {
  const { observed, nowMs, primary } = situation;
  const next = continueAdoption(situation);
  const ready: Ready = { status: "False", reason: "Adopting", message: summary(situation) };
  const base = { phase: "Adopting" as const, problems, ready };
  if (next.kind === "tracks") {
    const why = next.waitingFor === null ? "adoption goes on" : `adoption waits for ${next.waitingFor}`;
    return compose(observed, nowMs, {
      ...base,
      why,
      tracks: next.tracks,
      lookAgainMs: patience(observed, nowMs, "Ready"),
    });
  }
  if (!next.completed) {
    return compose(observed, nowMs, {
      ...base,
      why: "members are in place; arming the primary",
      state: next.state,
      lookAgainMs: 0,
    });
  }
  const established: Situation = {
    ...situation,
    state: next.state,
    config: next.state.established ?? situation.config,
  };
  const message = `${primary.member.podName} takes writes in epoch ${next.state.epoch}; ${established.config.ackCount} acknowledgements per commit.`;
  return compose(observed, nowMs, {
    ...base,
    why: message,
    state: next.state,
    happenings: [{ reason: "AdoptionCompleted", message }],
    lookAgainMs: 0,
  });
}

function reopening(situation: Situation, problems: readonly Problem[]): Decision {
  const { observed, nowMs, primary } = situation;
  const ready: Ready = {
    status: "False",
    reason: "Reopening",
    message: `${primary.member.podName} restarted and is being established again.`,
  };
  const base = { phase: "Reopening" as const, problems, ready };
  const next = establish(situation);
  switch (next.kind) {
    case "record":
      return compose(observed, nowMs, {
        ...base,
        why: "opening the primary",
        state: next.state,
        lookAgainMs: 0,
      });
    case "done": {
      const message = `${primary.member.podName} takes writes again in epoch ${next.state.epoch}.`;
      return compose(observed, nowMs, {
        ...base,
        why: message,
        state: next.state,
        happenings: [{ reason: "PrimaryReopened", message }],
        lookAgainMs: 0,
      });
    }
    case "waiting": {
      const why = `waiting for ${next.needed} acknowledging replicas (${next.connected} now)`;
      // Replicas reconnect by themselves; those whose threads stopped are started again.
      return compose(observed, nowMs, {
        ...base,
        why,
        tracks: maintenanceOfReplicas(situation),
        lookAgainMs: patience(observed, nowMs, "Ready"),
      });
    }
    case "steps":
      return compose(observed, nowMs, {
        ...base,
        why: "establishing the primary",
        tracks: [next.steps],
        lookAgainMs: SOON_MS,
      });
  }
}

function maintenanceOfReplicas(situation: Situation): readonly Track[] {
  return maintenance({ ...situation, state: { ...situation.state, established: null } });
}

const MILD: ReadonlySet<Problem["code"]> = new Set(["NoSpareCopy", "Paused"]);

/** Whoever waits for Healthy may rely on all of it: ackers, labels and Services included. */
function healthyOnceSettled({ set }: Observed, settled: boolean): Phase {
  const before = (["Adopting", "Reopening", "Degraded"] as const).find(
    (phase) => phase === set.annotations[ANNOTATION.phase],
  );
  return settled ? "Healthy" : (before ?? "Healthy");
}

function established(situation: Situation, problems: readonly Problem[]): Decision {
  const { observed, nowMs, state, primary } = situation;
  const serious = problems.filter((problem) => !MILD.has(problem.code));
  const [first] = serious;
  const ready: Ready =
    primary.standing.kind === "primary" && primary.facts?.readOnly === false
      ? { status: "True", reason: first?.code ?? "Healthy", message: summary(situation) }
      : {
          status: "False",
          reason: first?.code ?? "PrimaryReadOnly",
          message: first?.message ?? summary(situation),
        };
  const change = nextChange(situation);
  const tracks = maintenance(situation);
  const catchingUp = isCatchingUp(situation);
  const settled = change === null && tracks.length === 0 && !catchingUp;
  const phase = first === undefined ? healthyOnceSettled(observed, settled) : ("Degraded" as const);
  const base = { phase, problems, ready };

  if (needsReopening(situation)) {
    const next = reopeningState(state, new Date(nowMs).toISOString());
    const message = `${primary.member.podName} is read-only after a restart; establishing it again in epoch ${next.epoch}.`;
    return compose(observed, nowMs, {
      ...base,
      phase: "Reopening",
      why: message,
      state: next,
      happenings: [{ reason: "PrimaryReopening", message }],
      lookAgainMs: 0,
    });
  }
  if (change !== null) {
    const { reason, message, before } = change;
    const next: State = { ...state, established: change.established };
    const happenings = [{ reason, message }];
    return compose(observed, nowMs, {
      ...base,
      why: message,
      state: next,
      happenings,
      before,
      lookAgainMs: 0,
    });
  }
  const awaited = problems.some((problem) => problem.code === "WaitingForMembers");
  return compose(observed, nowMs, {
    ...base,
    why: summary(situation),
    tracks,
    lookAgainMs: awaited ? patience(observed, nowMs, "WaitingForMembers") : catchingUp ? CATCH_UP_MS : null,
  });
}

function release(observed: Observed, nowMs: number, state: State): Decision {
  const at = new Date(nowMs).toISOString();
  const ready: Ready = {
    status: "Unknown",
    reason: "Releasing",
    message: "ordinal.dev/engine was removed; handing the cluster over.",
  };
  const base = { problems: [], ready, why: ready.message };
  if (state.phase !== "Releasing" || observed.refusal !== null) {
    const happenings: readonly Happening[] = [{ reason: "ReleaseStarted", message: ready.message }];
    return compose(observed, nowMs, {
      ...base,
      phase: "Releasing",
      state: releasingState(state, at),
      happenings,
      lookAgainMs: 0,
    });
  }
  const missed = unreachedMembers(observed);
  const kept =
    observed.wish.servicesOnRelease === "keep"
      ? "Services and labels stay"
      : "Services and labels are removed";
  const without =
    missed.length === 0
      ? ""
      : ` Not reached: ${missed.join(", ")}, whose persisted settings stay as they were.`;
  const message = `Ordinal no longer manages ${observed.set.name}; replication goes on, ${kept}.${without}`;
  return compose(observed, nowMs, {
    ...base,
    phase: "Released",
    ready: { status: "Unknown", reason: "Released", message },
    before: releaseSteps(observed, state),
    state: releasedState(state),
    happenings: [{ reason: "Released", message }],
    managedLabel: false,
  });
}

/** A primary that came back read-only is opened first: after the release nobody else would do it. */
function openBeforeRelease(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  state: State,
): Decision | null {
  const situation = situationOf(observed, rules, nowMs, state);
  if (situation === null || situation.primary.facts?.readOnly !== true) return null;
  if (state.pending === null) return needsReopening(situation) ? established(situation, []) : null;
  return state.established === null ? adopting(situation, []) : reopening(situation, []);
}

/** What to do about a cluster, and why. `nowMs`: milliseconds since 1970. */
export function decide(observed: Observed, rules: EngineRules, nowMs: number): Decision {
  const { wish } = observed;
  const state = observed.state.kind === "valid" ? observed.state.state : null;
  if (!wish.managed) {
    if (state === null || state.phase === "Released") return forget(observed, nowMs);
    // A mistyped key next to a missing engine is a slip and no goodbye.
    const slips = wish.problems.filter((problem) => problem.blocks);
    if (slips.length > 0) return blocked(observed, nowMs, slips, null);
    return openBeforeRelease(observed, rules, nowMs, state) ?? release(observed, nowMs, state);
  }

  const input = inputProblems(observed);
  const unreadable = observed.state.kind !== "none" && observed.state.kind !== "valid";
  const fresh = state === null || state.phase === "Released";
  const stops =
    input.some((problem) => problem.blocks) && (fresh || unreadable || state.established === null);
  if (stops || wish.spec === null) return blocked(observed, nowMs, input, null);
  if (wish.spec.paused) return pausedDecision(observed, nowMs, input);
  if (fresh) return beginAdoption(observed, rules, nowMs, state, input);
  if (state.phase === "Releasing") {
    const back: State = { ...state, phase: phaseBefore(state), op: null };
    const ready: Ready = {
      status: "Unknown",
      reason: "Adopting",
      message: "Managed again before the release was finished.",
    };
    return compose(observed, nowMs, {
      phase: "Degraded",
      problems: input,
      ready,
      why: ready.message,
      state: back,
      lookAgainMs: 0,
    });
  }
  const situation = situationOf(observed, rules, nowMs, state);
  if (situation === null) return blocked(observed, nowMs, [...input, outOfRange(observed, state)], null);
  const servers = serverProblems(observed.members, rules).map((problem) => ({ ...problem, blocks: false }));
  const problems = [...input, ...servers, ...memberProblems(situation)];
  if (state.pending === null) return established(situation, problems);
  return state.established === null ? adopting(situation, problems) : reopening(situation, problems);
}

/** Where a cluster was when its release was begun. */
function phaseBefore({ established, pending }: State): State["phase"] {
  if (established === null) return "Adopting";
  return pending === null ? "Steady" : "Establishing";
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
