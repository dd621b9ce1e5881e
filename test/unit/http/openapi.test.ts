/** The document is complete, resolves, and says what is checked; docs/http.md lists every route and status. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { openApi } from "../../../shared/hosts/http/openapi.ts";
import { ROUTES, type RouteName } from "../../../shared/hosts/http/routes.ts";
import { recordedSchema } from "../../../shared/model/answers.ts";
import { scaleWishSchema } from "../../../shared/model/request.ts";

const names = Object.keys(ROUTES) as RouteName[];
const document: unknown = JSON.parse(JSON.stringify(openApi(names)));

const responseSchema = z.strictObject({
  description: z.string().min(1),
  content: z.record(z.string(), z.strictObject({ schema: z.looseObject({}) })),
});
const operationSchema = z.strictObject({
  operationId: z.string(),
  summary: z.string().min(1),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(
    z.strictObject({
      name: z.string(),
      in: z.enum(["path", "query", "header"]),
      required: z.boolean().optional(),
      schema: z.looseObject({}),
    }),
  ),
  requestBody: z
    .strictObject({ required: z.literal(true), content: responseSchema.shape.content })
    .optional(),
  responses: z.record(z.string().regex(/^[2-5]\d\d$/), responseSchema),
});
const documentSchema = z.strictObject({
  openapi: z.literal("3.1.0"),
  info: z.strictObject({ title: z.string(), version: z.string() }),
  paths: z.record(z.string().regex(/^\//), z.record(z.enum(["get", "post"]), operationSchema.optional())),
  components: z.strictObject({
    schemas: z.record(z.string(), z.looseObject({})),
    securitySchemes: z.strictObject({ bearer: z.looseObject({ type: z.literal("http") }) }),
  }),
});

const { paths } = documentSchema.parse(document);
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.values(item).flatMap((operation) => (operation === undefined ? [] : [{ path, ...operation }])),
);

test("every operation of the table is there once, with all its statuses, and with responses", () => {
  expect(operations.map(({ operationId }) => operationId).sort()).toEqual(names.toSorted());
  for (const { operationId, path, responses } of operations) {
    const route = ROUTES[operationId as RouteName];
    expect(path).toBe(route.path);
    const statuses = [...Object.keys(route.answers), ...route.refusals.map(String)];
    expect(Object.keys(responses)).toEqual(statuses.toSorted());
    expect(statuses.length).toBeGreaterThan(0);
  }
});

test("every reference resolves", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, to = ""]) => to);
  expect(references.length).toBeGreaterThan(0);
  for (const reference of new Set(references)) {
    const found = reference
      .replace(/^#\//, "")
      .split("/")
      .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>>)[key], document);
    expect(found, reference).toBeDefined();
  }
});

test("every part of a path is a parameter, and whoever needs a right needs a token", () => {
  for (const { operationId, path, parameters, security } of operations) {
    const inPath = parameters.filter((one) => one.in === "path").map(({ name }) => name);
    expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    expect(security.length > 0).toBe(ROUTES[operationId as RouteName].right !== null);
  }
});

test("bodies are the schemas that are checked", () => {
  const scale = operations.find(({ operationId }) => operationId === "scale");
  const { $schema: _, ...wanted } = z.toJSONSchema(scaleWishSchema);
  expect(scale?.requestBody?.content["application/json"]?.schema).toEqual(wanted);
});

test("docs/http.md has a row for each route, with its right and all its statuses", () => {
  const page = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");
  const rows = page.split("\n").map((line) => line.replaceAll(/ +/g, " "));
  for (const { method, path, right, answers, refusals } of Object.values(ROUTES)) {
    const of = `statefulsets${right?.subresource === undefined ? "" : `/${right.subresource}`}`;
    const needs = right === null ? "–" : `\`${right.verb}\` \`${of}\``;
    const statuses = [...Object.keys(answers).map(Number), ...refusals].toSorted((a, b) => a - b).join(", ");
    expect(rows).toContain(`| \`${method} ${path}\` | ${needs} | ${statuses} |`);
  }
});

test("a plan is described down to its statements, and the example of docs/http.md is one", () => {
  const answered = operations.find(({ operationId }) => operationId === "switchover")?.responses["202"];
  const schema = JSON.stringify(answered?.content["application/json"]?.schema);
  for (const field of ["stages", "statements", "sql", "changes", "fields", "hindered", "complete"])
    expect(schema).toContain(`"${field}"`);
  const page = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
  expect(examples.map((text) => recordedSchema.safeParse(JSON.parse(text)).error)).toEqual([undefined]);
});
