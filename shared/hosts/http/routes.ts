/**
 * The one table of what is served: the router, the right that is asked for, the bodies that are taken and the OpenAPI
 * document all come from it, and docs/http.md is compared with it by a test.
 */
import * as z from "zod";
import { clusterSchema } from "../../cli/documents.ts";
import { OBJECT_NAME } from "../../model/kube.ts";
import { planSchema } from "../../model/plan.ts";
import {
  backupWishSchema,
  OPERATION_ID,
  REQUEST_STATUSES,
  restoreBodySchema,
  scaleWishSchema,
  switchoverWishSchema,
} from "../../model/request.ts";
import { REQUEST_KINDS } from "../../model/request-kind.ts";
import type { Right } from "../../ports/reviewer.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** Parts in braces are parameters. */
  readonly path: string;
  readonly summary: string;
  /** Asked for on the StatefulSet of the path; null = anybody may. */
  readonly right: Right | null;
  readonly body: z.ZodType | null;
  /** What is answered when all is well, by status. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Statuses of refusals. */
  readonly refusals: readonly number[];
}

const status = z.enum(REQUEST_STATUSES);
const message = z.string().nullable();

export const recordedSchema = z.strictObject({
  id: z.string(),
  status,
  message,
  /** Where to look. */
  operation: z.string(),
  /** Null when the operation was recorded by an earlier request. */
  plan: planSchema.nullable(),
});
export const plannedSchema = z.strictObject({ plan: planSchema });
export const operationSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(REQUEST_KINDS),
  wish: z.union([scaleWishSchema, switchoverWishSchema, backupWishSchema]),
  status,
  message,
  by: z.string(),
  at: z.iso.datetime(),
});
const okSchema = z.strictObject({ status: z.literal("ok") });
const receptionSchema = z.strictObject({ status: z.enum(["accepted", "ignored"]) });

const CLUSTER = "/clusters/{namespace}/{name}";
const GET: Right = { verb: "get" };
const UPDATE: Right = { verb: "update" };
const LOOKING = { method: "GET", right: GET, body: null, refusals: [400, 401, 403, 404, 429, 503] } as const;
const ASKING = {
  method: "POST",
  answers: { 200: z.union([recordedSchema, plannedSchema]), 202: recordedSchema },
  refusals: [400, 401, 403, 404, 409, 413, 415, 422, 429, 503],
} as const;

/** Answered by functions, after it is known who asks and that they may. */
export const CLUSTER_ROUTES = {
  scale: {
    ...ASKING,
    path: `${CLUSTER}/scale`,
    summary: "Ask for another number of members.",
    right: { verb: "patch", subresource: "scale" },
    body: scaleWishSchema,
  },
  switchover: {
    ...ASKING,
    path: `${CLUSTER}/switchover`,
    summary: "Ask for another primary.",
    right: UPDATE,
    body: switchoverWishSchema,
  },
  backup: {
    ...ASKING,
    path: `${CLUSTER}/backup`,
    summary: "Ask for a backup now.",
    right: UPDATE,
    body: backupWishSchema,
  },
  restore: {
    ...ASKING,
    path: `${CLUSTER}/restore`,
    summary: "Ask for a restore.",
    right: UPDATE,
    body: restoreBodySchema,
  },
  status: {
    ...LOOKING,
    path: CLUSTER,
    summary: "How the cluster is, as the last pass saw it.",
    answers: { 200: clusterSchema },
  },
  operation: {
    ...LOOKING,
    path: `${CLUSTER}/operations/{id}`,
    summary: "How a request stands.",
    answers: { 200: operationSchema },
  },
} as const satisfies Readonly<Record<string, Route>>;

const EVENTS = {
  method: "POST",
  summary:
    "A CloudEvent: a wake, or with a token a request (dev.ordinal.request.scale, …switchover, …backup, …restore).",
  right: null,
  body: null,
  answers: { 200: recordedSchema, 202: z.union([receptionSchema, recordedSchema]) },
  refusals: [400, 401, 403, 404, 409, 413, 422, 429, 503],
} as const;
const OPEN = { method: "GET", right: null, body: null, refusals: [] } as const;

/** Answered by every host itself. */
export const HOST_ROUTES = {
  event: { ...EVENTS, path: "/" },
  events: { ...EVENTS, path: "/events" },
  openapi: {
    ...OPEN,
    path: "/openapi.json",
    summary: "This interface as an OpenAPI 3.1 document.",
    answers: { 200: z.looseObject({ openapi: z.string() }) },
  },
  healthz: {
    ...OPEN,
    path: "/healthz",
    summary: "Whether this host serves.",
    answers: { 200: okSchema },
  },
} as const satisfies Readonly<Record<string, Route>>;

export type ClusterRoute = keyof typeof CLUSTER_ROUTES;
export type HostRoute = keyof typeof HOST_ROUTES;
export type RouteName = ClusterRoute | HostRoute;

export const ROUTES: Readonly<Record<RouteName, Route>> = { ...CLUSTER_ROUTES, ...HOST_ROUTES };

export type BodyOf<Name extends ClusterRoute> = (typeof CLUSTER_ROUTES)[Name]["body"] extends z.ZodType
  ? z.output<(typeof CLUSTER_ROUTES)[Name]["body"]>
  : null;

/** The parts of a path that are in braces in the table. */
export const PARAMETERS = {
  namespace: z
    .string()
    .max(63, { abort: true })
    .regex(/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/, "must be the name of a namespace"),
  name: z.string().max(253, { abort: true }).regex(OBJECT_NAME, "must be the name of a StatefulSet"),
  id: z.string().max(64, { abort: true }).regex(OPERATION_ID, "must be the id of an operation"),
} as const;

export const DRY_RUN = z.enum(["true", "false"]);
export const IDEMPOTENCY_KEY = z
  .string()
  .regex(/^[\x20-\x7e]{1,128}$/, "must be 1 to 128 printable characters of ASCII");

export type Found =
  | { readonly kind: "found"; readonly name: RouteName; readonly parts: Readonly<Record<string, string>> }
  /** The path is served, for these methods. */
  | { readonly kind: "otherMethod"; readonly allowed: readonly string[] }
  | { readonly kind: "missing" };

function partsOf(template: string, path: string): Readonly<Record<string, string>> | null {
  const [wanted, given] = [template.split("/"), path.split("/")];
  if (wanted.length !== given.length) return null;
  const parts: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const [, parameter] = /^\{(\w+)\}$/.exec(part) ?? [];
    if (parameter !== undefined) parts[parameter] = given[at] ?? "";
    else if (part !== given[at]) return null;
  }
  return parts;
}

/** Parts are taken as they were sent: no name needs an escape, so that one that holds any is refused later. */
export function findRoute(served: readonly RouteName[], method: string, path: string): Found {
  const allowed: string[] = [];
  for (const name of served) {
    const parts = partsOf(ROUTES[name].path, path);
    if (parts === null) continue;
    if (ROUTES[name].method === method) return { kind: "found", name, parts };
    allowed.push(ROUTES[name].method);
  }
  return allowed.length === 0 ? { kind: "missing" } : { kind: "otherMethod", allowed };
}
