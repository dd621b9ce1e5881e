/** A plain StatefulSet is being taken over: nothing is established yet, and its primary takes writes all the time. */
import type { Ready } from "../../annotations/conditions.ts";
import type { Problem } from "../../model/condition.ts";
import type { Decision } from "../../model/decision.ts";
import type { EngineRules } from "../../model/engine.ts";
import type { Observed } from "../../model/observed.ts";
import type { State } from "../../model/state.ts";
import { blocked, compose, patience } from "../compose.ts";
import { adoptionState, choosePrimary, continueAdoption } from "../plan/adopt.ts";
import { serverProblems, waitingForMembers } from "../problems/servers.ts";
import { type Situation, summary } from "../situation.ts";

/** Nothing is recorded yet: look at every member once, choose, record the intent. */
export function beginAdoption(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  { previous, known }: { readonly previous: State | null; readonly known: readonly Problem[] },
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

export function adopting(situation: Situation, problems: readonly Problem[]): Decision {
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
  if (next.kind === "record") {
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
    config: next.state.established,
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
