/**
 * A change thought through to its end: decided, carried out on nothing, and decided again on what would have come of
 * it. Only ever shown: what is really done is decided afresh at each look.
 */

import { afterStep } from "../decide/after-step.ts";
import { decide } from "../decide/index.ts";
import { type DryRun, dryRun } from "../execute/dry-run.ts";
import { type Decision, stepsOf } from "../model/decision.ts";
import type { Observed } from "../model/observed.ts";
import type { Step } from "../model/step.ts";
import type { Engine } from "../ports/engine.ts";

const TURNS_MAX = 40;
/** The server is another one afterwards: what it holds, and when it is back, nobody can say before. */
const UNFORESEEABLE: ReadonlySet<Step["kind"]> = new Set(["Seed", "Restart"]);

export interface Rehearsed {
  /** Also where there is nothing to do. */
  readonly first: Decision;
  readonly turns: readonly { readonly decision: Decision; readonly steps: DryRun["steps"] }[];
  /** Nothing is left to do or to be waited for. */
  readonly complete: boolean;
}

/** Members that were asked for and are not there yet are somebody to be waited for. */
function isOver({ members, set }: Observed, { lookAgainMs }: Decision): boolean {
  return lookAgainMs === null && members.length >= set.replicas;
}

/** Longer than anything is put off that nothing else is in the way of. */
const PATIENCE_MS = 60_000;

/** What is decided once some time has gone by; null when that alone changes nothing. Only of scaling: whether a silent server stays silent nobody can say before. */
function laterOn(observed: Observed, { rules }: Engine, before: Decision, startMs: number) {
  let [decision, nowMs] = [before, startMs];
  while (decision.phase === "Scaling" && decision.lookAgainMs !== null && nowMs < startMs + PATIENCE_MS) {
    nowMs += Math.max(1, decision.lookAgainMs);
    decision = decide(observed, rules, nowMs);
    if (stepsOf(decision).length > 0) return { decision, nowMs };
  }
  return null;
}

export async function rehearse(
  engine: Engine,
  start: Observed,
  { nowMs: startMs, component }: { readonly nowMs: number; readonly component: string },
): Promise<Rehearsed> {
  const { rules } = engine;
  const after = (observed: Observed, step: Step) => afterStep(observed, step, rules);
  const turns: Rehearsed["turns"][number][] = [];
  const first = decide(start, rules, startMs);
  let [observed, decision, nowMs] = [start, first, startMs];
  let last = "";
  while (turns.length < TURNS_MAX) {
    const text = JSON.stringify(decision.tracks);
    // What is decided again at once has effects that only a server knows.
    if (text === last && text !== "[]") return { first, turns, complete: false };
    if (stepsOf(decision).length === 0) {
      const later = laterOn(observed, engine, decision, nowMs);
      if (later === null) return { first, turns, complete: isOver(observed, decision) };
      ({ decision, nowMs } = later);
    }
    const run = await dryRun(engine, observed, decision, { nowMs, component, after });
    turns.push({ decision, steps: run.steps });
    if (run.halted || stepsOf(decision).some(({ kind }) => UNFORESEEABLE.has(kind)))
      return { first, turns, complete: false };
    observed = run.observed;
    last = text;
    decision = decide(observed, rules, nowMs);
  }
  return { first, turns, complete: false };
}
