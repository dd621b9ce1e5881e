/**
 * What would follow from a snapshot if every step succeeded, for plans that are shown to people before anything is
 * done. Only ever shown: what is really done is decided afresh at each look.
 */
import { type Decision, stepsOf } from "../model/decision.ts";
import type { EngineRules } from "../model/engine.ts";
import type { Observed } from "../model/observed.ts";
import { afterStep } from "./after-step.ts";
import { decide } from "./index.ts";

const TURNS_MAX = 40;

/** Decisions one after the other, until nothing is left or what follows cannot be foreseen. */
export function rehearse(start: Observed, rules: EngineRules, nowMs: number): readonly Decision[] {
  const decisions: Decision[] = [];
  let observed = start;
  let last = "";
  while (decisions.length < TURNS_MAX) {
    const decision = decide(observed, rules, nowMs);
    const steps = stepsOf(decision);
    const text = JSON.stringify(decision.tracks);
    // What is decided again at once has effects that only a server knows.
    if (steps.length === 0 || (text === last && text !== "[]")) break;
    decisions.push(decision);
    observed = steps.reduce((so, step) => afterStep(so, step, rules), observed);
    last = text;
  }
  return decisions;
}
