/** The rights that Ordinal needs in a namespace: those of infra/kustomize/role.yaml, with which a test compares them. */
import type { ResourceRight } from "../ports/examiner.ts";

type Rule = readonly [group: string, resource: string, verbs: readonly string[]];

const RULES: readonly Rule[] = [
  ["apps", "statefulsets", ["get", "list", "watch", "patch"]],
  ["", "pods", ["list", "watch", "patch", "delete"]],
  ["", "persistentvolumeclaims", ["list", "patch"]],
  ["", "services", ["get", "list", "watch", "create", "patch", "delete"]],
  ["", "secrets", ["get", "create", "patch"]],
  ["events.k8s.io", "events", ["create"]],
];

/** Of infra/kustomize/backups, for who makes backups. */
const BACKUP_RULES: readonly Rule[] = [["batch", "jobs", ["get", "list", "watch", "create"]]];

const rightsOf = (rules: readonly Rule[]): readonly ResourceRight[] =>
  rules.flatMap(([group, resource, verbs]) => verbs.map((verb) => ({ group, resource, verb })));

export const RIGHTS: readonly ResourceRight[] = rightsOf(RULES);
export const BACKUP_RIGHTS: readonly ResourceRight[] = rightsOf(BACKUP_RULES);

/** As a Role has it: `patch statefulsets.apps`, with the object's name where it is about one. */
export function rightText({ group, resource, verb, name }: ResourceRight): string {
  return `${verb} ${resource}${group && `.${group}`}${name === undefined ? "" : ` ${name}`}`;
}

interface SecretNames {
  readonly read: readonly string[];
  readonly changed: readonly string[];
}

/** Rights to Secrets may have been given by name: they are asked for by the names that a cluster needs. */
export function secretsByName(
  rights: readonly ResourceRight[],
  { read, changed }: SecretNames,
): readonly ResourceRight[] {
  return rights.flatMap((right): readonly ResourceRight[] => {
    if (right.resource !== "secrets" || right.verb === "create") return [right];
    const names = right.verb === "get" ? [...read, ...changed] : changed;
    return names.map((name) => ({ ...right, name }));
  });
}
