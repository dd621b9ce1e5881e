/**
 * What the steps on Kubernetes objects make of a snapshot, as if they had been run and looked at again. Steps
 * on servers are left out: what they do to a server is the simulation's business.
 */
import { decodeConditions, encodeConditions } from "../../shared/annotations/conditions.ts";
import { ANNOTATION, LABEL } from "../../shared/annotations/keys.ts";
import { decide } from "../../shared/decide/index.ts";
import type { Decision } from "../../shared/model/decision.ts";
import type { EngineRules } from "../../shared/model/engine.ts";
import type { ObjectMeta } from "../../shared/model/kube.ts";
import type { Member, Observed } from "../../shared/model/observed.ts";
import type { Step } from "../../shared/model/step.ts";
import { NOW_MS, RULES } from "./situation.ts";

type Texts = Readonly<Record<string, string>>;
type Changes = Readonly<Record<string, string | null>>;

export function stepsOf(decision: Decision): readonly Step[] {
  return [...decision.prelude, ...decision.tracks.flat(), ...decision.finale];
}

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

function merged(before: Texts, changes: Changes): Texts {
  const after: Record<string, string> = { ...before };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete after[key];
    else after[key] = value;
  }
  return after;
}

function changed<T extends ObjectMeta>(before: T, labels: Changes, annotations: Changes): T {
  return {
    ...before,
    labels: merged(before.labels, labels),
    annotations: merged(before.annotations, annotations),
  };
}

function onMembers(observed: Observed, change: (member: Member) => Member): Observed {
  return { ...observed, members: observed.members.map(change) };
}

function carryOutStep(observed: Observed, step: Step): Observed {
  switch (step.kind) {
    case "Record": {
      const labels = { [LABEL.managed]: step.managedLabel ? "true" : null };
      return {
        ...observed,
        set: changed(observed.set, labels, { [ANNOTATION.phase]: step.phase }),
        state: step.state === null ? observed.state : { kind: "valid", state: step.state },
        conditions: decodeConditions(encodeConditions(step.conditions)),
        history: step.history,
      };
    }
    case "EnsureAccounts": {
      const keys = ["control", ...step.ordinals.map((ordinal) => `replication-${ordinal}`)];
      return { ...observed, accounts: { kind: "found", uid: "uid-accounts", keys } };
    }
    case "LabelPod":
      return onMembers(observed, (member) =>
        member.pod?.name === step.pod
          ? { ...member, pod: changed(member.pod, step.labels, step.annotations) }
          : member,
      );
    case "AnnotateClaim":
      return onMembers(observed, (member) =>
        member.claim?.name === step.claim
          ? { ...member, claim: changed(member.claim, {}, step.annotations) }
          : member,
      );
    case "EnsureService": {
      const { name, selector } = step;
      const { ownerUid: _, ...meta } = observed.set;
      const service = { ...meta, name, ownerUid: observed.set.uid, selector };
      const services = { ...observed.services };
      services[step.role === "primary" ? "primary" : "replicas"] = { kind: "found", service };
      return { ...observed, services };
    }
    default:
      return observed;
  }
}

export function carryOut(observed: Observed, decision: Decision): Observed {
  return stepsOf(decision).reduce(carryOutStep, observed);
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
