/** What the component for HTTP grants is what the two reviews need, and nothing else goes beyond a namespace. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { REQUEST_FUNCTIONS } from "../hosts/functions.ts";

const folder = join(import.meta.dirname, "../../../infra/kustomize");
const ruleSchema = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
const documentSchema = z.looseObject({ kind: z.string(), rules: z.array(ruleSchema).optional() });

function grants(path: string): readonly unknown[] {
  return parseAllDocuments(readFileSync(path, "utf8"))
    .map((each) => documentSchema.parse(each.toJS()))
    .flatMap(({ kind, rules = [] }) => rules.map((rule) => ({ kind, ...rule })));
}

test("two rights, one of them of the whole cluster", () => {
  const files = readdirSync(join(folder, "http")).map((name) => join(folder, "http", name));
  expect(files.flatMap(grants)).toEqual([
    {
      kind: "Role",
      apiGroups: ["authorization.k8s.io"],
      resources: ["localsubjectaccessreviews"],
      verbs: ["create"],
    },
    {
      kind: "ClusterRole",
      apiGroups: ["authentication.k8s.io"],
      resources: ["tokenreviews"],
      verbs: ["create"],
    },
  ]);
  expect(readFileSync(join(folder, "role.yaml"), "utf8")).not.toContain("ClusterRole");
});

test("each function of requests has an account of its own, which may ask whose a token is", () => {
  const names = REQUEST_FUNCTIONS.map(({ name }) => name).toSorted();
  const text = (file: string) => readFileSync(join(folder, "functions", file), "utf8");
  const [binding] = parseAllDocuments(text("token-reviews.yaml")).map((each) => each.toJS());
  expect(binding.subjects.map(({ name }: { name: string }) => name)).toEqual(
    names.map((name) => `ordinal-${name}`),
  );
  const [{ resources }] = parseAllDocuments(text("kustomization.yaml")).map((each) => each.toJS());
  expect(resources).toEqual([...names, "token-reviews"].toSorted().map((name) => `${name}.yaml`));
  for (const name of names) {
    const roles = grants(join(folder, "functions", `${name}.yaml`));
    expect([name, roles.length > 0, roles.every((rule) => !JSON.stringify(rule).includes("*"))]).toEqual([
      name,
      true,
      true,
    ]);
  }
});
