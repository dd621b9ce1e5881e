/** What machines read: it fits its schema, YAML says the same as JSON, and docs/cli.md names every field. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type * as z from "zod";
import { ADVICE } from "../../../shared/model/advice.ts";
import {
  backupListSchema,
  clusterListSchema,
  clusterSchema,
  examinationSchema,
  historySchema,
  planDocumentSchema,
  pruningSchema,
  recoveryWindowsSchema,
} from "../../../shared/model/documents.ts";
import { ordinal } from "./support.ts";

function page(name: string): string {
  return readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");
}

const documents: readonly [string, z.ZodType][] = [
  ["status -A", clusterListSchema],
  ["status mysql", clusterSchema],
  ["status lab/crm", clusterSchema],
  ["status orders", clusterSchema],
  ["why mysql", historySchema],
  ["why orders", historySchema],
];

test.each(documents)("%s", async (line, schema) => {
  const json: unknown = JSON.parse((await ordinal(`${line} -o json`)).out);
  expect(schema.safeParse(json).error).toBeUndefined();
  expect(parse((await ordinal(`${line} -o yaml`)).out)).toEqual(json);
});

test("the whole of one document, so that no field changes unnoticed", async () => {
  expect(JSON.parse((await ordinal("status lab/crm -o json")).out)).toMatchObject({
    apiVersion: "ordinal.dev/cli/v1",
    kind: "Cluster",
    namespace: "lab",
    name: "crm",
    phase: "Adopting",
    primary: "crm-0",
    epoch: 1,
    replicas: 3,
    readyPods: 1,
    lagMs: null,
    ackCount: null,
    ackers: [],
    operation: { kind: "adopt", step: "Prepare", startedAt: "2026-11-23T10:04:18.000Z" },
    problems: [
      {
        code: "MemberUnreachable",
        message: "crm-2 does not answer: no pod.",
        since: "2026-11-23T09:05:00.000Z",
      },
      { code: "NoSpareCopy", since: "2026-11-23T10:04:50.000Z" },
    ],
    members: [
      {
        name: "crm-0",
        ordinal: 0,
        role: "primary",
        pod: "Ready",
        version: "9.7.4",
        serverUuid: "uuid-0",
        lagMs: null,
        acks: null,
        note: "",
        seenAt: "2026-11-23T10:00:00.000Z",
      },
      { name: "crm-1", role: null, pod: "CrashLoopBackOff", version: null, acks: null, seenAt: null },
      { name: "crm-2", pod: "Missing" },
    ],
  });
});

test("YAML is in block style", async () => {
  expect((await ordinal("why orders -o yaml")).out).toBe(
    "apiVersion: ordinal.dev/cli/v1\nkind: History\nnamespace: shop\nname: orders\nentries: []\n",
  );
});

/** Every field name at any depth of a schema. */
function fields(schema: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof schema !== "object" || schema === null) return found;
  if ("shape" in schema && typeof schema.shape === "object" && schema.shape !== null) {
    for (const [name, inner] of Object.entries(schema.shape)) {
      found.add(name);
      fields(inner, found);
    }
  }
  if ("element" in schema) fields(schema.element, found);
  if ("unwrap" in schema && typeof schema.unwrap === "function") fields(schema.unwrap(), found);
  return found;
}

test("docs/cli.md describes every field, and no other", () => {
  const text = page("cli.md").split("\n## Schema\n")[1]?.split("\n## ")[0] ?? "";
  const described = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name = ""]) => name);
  const known = new Set(
    [
      ...[clusterListSchema, clusterSchema, historySchema, planDocumentSchema],
      ...[backupListSchema, pruningSchema, recoveryWindowsSchema, examinationSchema],
    ].flatMap((schema) => [...fields(schema)]),
  );
  expect(new Set(described)).toEqual(known);
});

test("what the plugin advises is what docs/conditions.md says", () => {
  const sections =
    page("conditions.md").split("\n## Problems\n")[1]?.split("\n## ")[0]?.split("\n### ").slice(1) ?? [];
  const advised = sections.map((section) => [section.split("\n")[0], /^- You: (.+)$/m.exec(section)?.[1]]);
  expect(Object.fromEntries(advised)).toEqual(ADVICE);
});
