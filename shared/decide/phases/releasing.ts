/** The wish is gone: the cluster is handed over, working, to whoever looks after it from now on. */
import type { Ready } from "../../annotations/conditions.ts";
import type { Decision } from "../../model/decision.ts";
import type { Observed } from "../../model/observed.ts";
import type { State } from "../../model/state.ts";
import { compose } from "../compose.ts";
import { releasedState, releaseSteps, releasingState, unreachedMembers } from "../plan/release.ts";
import { letRoll } from "../plan/rollout.ts";
import type { Happening } from "../report.ts";

export function releasing(observed: Observed, nowMs: number, state: State): Decision {
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
    ...letRoll(observed),
    state: releasedState(state),
    happenings: [{ reason: "Released", message }],
    managedLabel: false,
  });
}

/** Managed again before the release was finished: back to where it was begun. */
export function unreleasing(
  observed: Observed,
  nowMs: number,
  state: State,
  problems: Decision["problems"],
): Decision {
  const back: State = { ...state, phase: phaseBefore(state), op: null };
  const ready: Ready = {
    status: "Unknown",
    reason: "Adopting",
    message: "Managed again before the release was finished.",
  };
  return compose(observed, nowMs, {
    phase: "Degraded",
    problems,
    ready,
    why: ready.message,
    state: back,
    lookAgainMs: 0,
  });
}

function phaseBefore({ established, pending }: State): State["phase"] {
  if (established === null) return "Adopting";
  return pending === null ? "Steady" : "Establishing";
}
