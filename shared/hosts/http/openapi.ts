/**
 * The table of routes as an OpenAPI 3.1 document. Its schemas are those that check the requests, so that the document
 * cannot say anything else than what is done.
 */
import { STATUS_CODES } from "node:http";
import * as z from "zod";
import { problemSchema } from "./answers.ts";
import { DRY_RUN, IDEMPOTENCY_KEY, PARAMETERS, ROUTES, type Route, type RouteName } from "./routes.ts";

function schemaOf(schema: z.core.$ZodType): object {
  // OpenAPI 3.1 means this dialect wherever a schema names none.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}

const PROBLEM = {
  "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
} as const;

function parametersOf({ path, method, right }: Route): readonly object[] {
  const inPath = Object.entries(PARAMETERS)
    .filter(([name]) => path.includes(`{${name}}`))
    .map(([name, schema]) => ({ name, in: "path", required: true, schema: schemaOf(schema) }));
  if (method === "GET" || right === null) return inPath;
  return [
    ...inPath,
    { name: "dryRun", in: "query", schema: schemaOf(DRY_RUN) },
    { name: "Idempotency-Key", in: "header", schema: schemaOf(IDEMPOTENCY_KEY) },
  ];
}

function responsesOf({ answers, refusals, contentType = "application/json" }: Route): object {
  const good = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: STATUS_CODES[status], content: { [contentType]: { schema: schemaOf(schema) } } },
  ]);
  const bad = refusals.map((status) => [status, { description: STATUS_CODES[status], content: PROBLEM }]);
  return Object.fromEntries([...good, ...bad]);
}

function operationOf(name: RouteName, route: Route): object {
  const content = route.body && { "application/json": { schema: schemaOf(route.body) } };
  return {
    operationId: name,
    summary: route.summary,
    security: route.right === null ? [] : [{ bearer: [] }],
    parameters: parametersOf(route),
    ...(content && { requestBody: { required: true, content } }),
    responses: responsesOf(route),
  };
}

export function openApi(served: readonly RouteName[]): object {
  const paths: Record<string, object> = {};
  for (const name of served) {
    const route = ROUTES[name];
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(name, route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Ordinal", version: "1" },
    paths,
    components: {
      schemas: { Problem: schemaOf(problemSchema) },
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}
