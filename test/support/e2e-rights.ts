/**
 * Which rights an account really used, from the API server's audit log, and which the shipped Roles give it.
 * The two must be the same: one that is missing stops Ordinal, one that is never used is one too many.
 */
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import type { Scene } from "./e2e.ts";

const FOLDER = join(import.meta.dirname, "../../infra/kustomize");

const documentSchema = z.object({
  rules: z
    .array(
      z.object({
        apiGroups: z.array(z.string()),
        resources: z.array(z.string()),
        verbs: z.array(z.string()),
      }),
    )
    .default([]),
});

const lineSchema = z.looseObject({
  verb: z.string(),
  requestReceivedTimestamp: z.coerce.date(),
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

/** Of all Roles in these files of infra/kustomize, as `verb resource.group`, in order. */
export function grantedRights(...files: readonly string[]): readonly string[] {
  return files
    .flatMap((file) => parseAllDocuments(readFileSync(join(FOLDER, file), "utf8")))
    .flatMap((document) => documentSchema.parse(document.toJS()).rules)
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

/** Of an account in the namespace of the scene, and for what belongs to none. */
export async function rightsSeen(
  auditLog: string,
  { ref: { namespace }, openedAt }: Pick<Scene, "ref" | "openedAt">,
  name: string,
): Promise<RightsSeen> {
  const account = `system:serviceaccount:${namespace}:${name}`;
  const [used, refused] = [new Set<string>(), new Set<string>()];
  for await (const text of createInterface({ input: createReadStream(auditLog) })) {
    if (!text.includes(account)) continue;
    const { verb, user, objectRef, responseStatus, ...line } = lineSchema.parse(JSON.parse(text));
    // An earlier namespace of that name had an account of that name.
    if (line.requestReceivedTimestamp < openedAt) continue;
    if (user.username !== account || objectRef === undefined) continue;
    if (![namespace, ""].includes(objectRef.namespace)) continue;
    const right = named(objectRef.apiGroup, objectRef.resource, verb);
    (responseStatus?.code === 403 ? refused : used).add(right);
  }
  return { used: [...used].toSorted(), refused: [...refused].toSorted() };
}
