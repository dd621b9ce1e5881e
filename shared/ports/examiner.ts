/**
 * What the examination of a cluster asks the API server beside the port Kube: the parts of objects that a person should
 * look at once and that no pass needs, and what an account may do. Reads only.
 */
import type { ObjectRef } from "../model/kube.ts";
import type { Outcome } from "../model/outcome.ts";

export interface ResourceRight {
  /** Empty = the core group. */
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  /** Absent = every object of the namespace. */
  readonly name?: string;
}

/** Of a StatefulSet's pod template. */
export interface TemplateTraits {
  readonly labels: Readonly<Record<string, string>>;
  /** Names of the containers that do something before they are stopped. */
  readonly hooked: readonly string[];
  /** It says that its pods should not share a node, or a zone. */
  readonly spreads: boolean;
}

/** `refused` with the code 403 where whoever asks may not ask. */
export interface Examiner {
  /** `account`: `namespace:name` of a service account. */
  may(account: string, right: ResourceRight, namespace: string): Promise<Outcome<boolean>>;
  template(set: ObjectRef): Promise<Outcome<TemplateTraits>>;
  /** `gone` when there is no such Service. */
  isHeadless(service: ObjectRef): Promise<Outcome<boolean>>;
  /** Of each PodDisruptionBudget the labels by which it selects pods; none = it selects all. */
  budgets(namespace: string): Promise<Outcome<readonly Readonly<Record<string, string>>[]>>;
}
