/**
 * What the steps on Kubernetes objects make of a snapshot, as if they had been run and looked at again. Steps
 * on servers are left out: what they do to a server is the simulation's business.
 */

import { afterStep } from "../../shared/decide/after-step.ts";
import { decide } from "../../shared/decide/index.ts";
import { type Decision, stepsOf } from "../../shared/model/decision.ts";
import type { EngineRules } from "../../shared/model/engine.ts";
import type { Observed } from "../../shared/model/observed.ts";
import type { Step } from "../../shared/model/step.ts";
import { NOW_MS, RULES } from "./situation.ts";

export { stepsOf };

const ON_OBJECTS: ReadonlySet<Step["kind"]> = new Set([
  "Record",
  "EnsureAccounts",
  "LabelPod",
  "AnnotateClaim",
  "EnsureService",
  "StartJob",
]);

export function isOfKind<K extends Step["kind"]>(
  step: Step,
  kind: K,
): step is Extract<Step, { readonly kind: K }> {
  return step.kind === kind;
}

export function stepsOfKind<K extends Step["kind"]>(
  decision: Decision,
  kind: K,
): readonly Extract<Step, { readonly kind: K }>[] {
  return stepsOf(decision).filter((step) => isOfKind(step, kind));
}

export function carryOut(observed: Observed, decision: Decision): Observed {
  return stepsOf(decision)
    .filter(({ kind }) => ON_OBJECTS.has(kind))
    .reduce((so, step) => afterStep(so, step, RULES), observed);
}

/** Decides and carries out until nothing is left; throws when that takes more than a few turns. */
export function settled(start: Observed, rules: EngineRules = RULES): Observed {
  let observed = start;
  for (let turn = 0; turn < 10; turn += 1) {
    const decision = decide(observed, rules, NOW_MS);
    if (stepsOf(decision).length === 0) return observed;
    observed = carryOut(observed, decision);
  }
  throw new Error(`not settled: ${JSON.stringify(stepsOf(decide(observed, rules, NOW_MS)))}`);
}
