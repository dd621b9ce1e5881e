/**
 * Which rights an account really used, from the API server's audit log, and which the shipped Role gives it.
 * The two must be the same: one that is missing stops Ordinal, one that is never used is one too many.
 */
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";
import { z } from "zod";

const ROLE = join(import.meta.dirname, "../../infra/kustomize/role.yaml");

const roleSchema = z.object({
  rules: z.array(
    z.object({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
    }),
  ),
});

const lineSchema = z.looseObject({
  verb: z.string(),
  user: z.looseObject({ username: z.string() }),
  objectRef: z
    .looseObject({
      apiGroup: z.string().default(""),
      resource: z.string(),
      namespace: z.string().default(""),
    })
    .optional(),
  responseStatus: z.looseObject({ code: z.number() }).optional(),
});

const named = (group: string, resource: string, verb: string) => `${verb} ${resource}${group && `.${group}`}`;

/** As `verb resource.group`, in order. */
export function grantedRights(): readonly string[] {
  const documents = parseAllDocuments(readFileSync(ROLE, "utf8")).map((each) => each.toJS() as unknown);
  const { rules } = roleSchema.parse(documents[0]);
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => named(group, resource, verb))),
      ),
    )
    .toSorted();
}

export interface RightsSeen {
  readonly used: readonly string[];
  /** Asked for and forbidden. */
  readonly refused: readonly string[];
}

export async function rightsSeen(auditLog: string, namespace: string): Promise<RightsSeen> {
  const account = `system:serviceaccount:${namespace}:ordinal`;
  const [used, refused] = [new Set<string>(), new Set<string>()];
  for await (const text of createInterface({ input: createReadStream(auditLog) })) {
    if (!text.includes(account)) continue;
    const { verb, user, objectRef, responseStatus } = lineSchema.parse(JSON.parse(text));
    if (user.username !== account || objectRef === undefined) continue;
    const right = named(objectRef.apiGroup, objectRef.resource, verb);
    (responseStatus?.code === 403 ? refused : used).add(right);
  }
  return { used: [...used].toSorted(), refused: [...refused].toSorted() };
}
