/**
 * The one table of what is served: the router, the right that is asked for, the bodies that are taken and the OpenAPI
 * document all come from it, and docs/http.md is compared with it by a test.
 */
import * as z from "zod";
import {
  operationSchema,
  plannedSchema,
  recordedSchema,
  shownClusterSchema,
  storedBackupsSchema,
  writtenSchema,
} from "../../model/answers.ts";
import { clusterListSchema } from "../../model/documents.ts";
import { OBJECT_NAME } from "../../model/kube.ts";
import {
  approveBodySchema,
  backupWishSchema,
  emptyBodySchema,
  OPERATION_ID,
  restoreBodySchema,
  scaleWishSchema,
  switchoverWishSchema,
} from "../../model/request.ts";
import type { Right } from "../../ports/reviewer.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** Parts in braces are parameters. */
  readonly path: string;
  readonly summary: string;
  /** Asked for on the StatefulSet of the path; null = anybody may. */
  readonly right: Right | null;
  readonly body: z.ZodType | null;
  /** Of what is answered when all is well; absent = JSON. */
  readonly contentType?: string;
  /** What is answered when all is well, by status. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Statuses of refusals. */
  readonly refusals: readonly number[];
}

const okSchema = z.strictObject({ status: z.literal("ok") });
const receptionSchema = z.strictObject({ status: z.enum(["accepted", "ignored"]) });

const CLUSTERS = "/clusters";
const CLUSTER = "/clusters/{namespace}/{name}";
const GET: Right = { verb: "get" };
const UPDATE: Right = { verb: "update" };
const LOOKING = { method: "GET", right: GET, body: null, refusals: [400, 401, 403, 404, 429, 503] } as const;
const ASKING = {
  method: "POST",
  answers: { 200: z.union([recordedSchema, plannedSchema]), 202: recordedSchema },
  refusals: [400, 401, 403, 404, 409, 413, 415, 422, 429, 503],
} as const;

const SETTING = {
  method: "POST",
  right: UPDATE,
  answers: { 200: z.union([writtenSchema, plannedSchema]) },
  refusals: [400, 401, 403, 404, 413, 415, 422, 429, 503],
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
  pause: {
    ...SETTING,
    path: `${CLUSTER}/pause`,
    summary: "Ordinal looks and changes nothing, failovers included.",
    body: emptyBodySchema,
  },
  resume: {
    ...SETTING,
    path: `${CLUSTER}/resume`,
    summary: "Ordinal goes on.",
    body: emptyBodySchema,
  },
  approve: {
    ...SETTING,
    path: `${CLUSTER}/approve`,
    summary: "Approve the failover that waits for a person.",
    body: approveBodySchema,
  },
  status: {
    ...LOOKING,
    path: CLUSTER,
    summary: "How the cluster is, as the last pass saw it.",
    answers: { 200: shownClusterSchema },
  },
  backups: {
    ...LOOKING,
    path: `${CLUSTER}/backups`,
    summary: "What its store holds, and to which instants it can be recovered.",
    answers: { 200: storedBackupsSchema },
  },
  operation: {
    ...LOOKING,
    path: `${CLUSTER}/operations/{id}`,
    summary: "How a request stands.",
    answers: { 200: operationSchema },
  },
} as const satisfies Readonly<Record<string, Route>>;

/** Answered by a function, after it is known who asks: of no single cluster. */
export const FLEET_ROUTES = {
  clusters: {
    ...LOOKING,
    path: CLUSTERS,
    summary: "All clusters of the namespaces in which whoever asks may list StatefulSets.",
    right: { verb: "list" },
    answers: { 200: clusterListSchema, 304: z.literal("") },
    refusals: [400, 401, 429, 503],
  },
  metrics: {
    ...LOOKING,
    path: "/metrics",
    summary: "How all clusters are, for Prometheus.",
    right: { verb: "list" },
    contentType: "text/plain",
    answers: { 200: z.string() },
    refusals: [400, 401, 403, 429, 503],
  },
} as const satisfies Readonly<Record<string, Route>>;

const textSchema = z.string();
const PAGE = {
  method: "GET",
  right: null,
  body: null,
  answers: { 200: textSchema, 304: z.literal("") },
  refusals: [],
} as const;

/** Files that anybody may have: the dashboard, which holds nothing of a cluster until somebody gives it a token. */
export const PAGE_ROUTES = {
  home: {
    ...PAGE,
    path: "/",
    summary: "Leads to the dashboard.",
    contentType: "text/plain",
    answers: { 302: textSchema },
  },
  dashboard: { ...PAGE, path: "/dashboard", summary: "The dashboard.", contentType: "text/html" },
  dashboardScript: {
    ...PAGE,
    path: "/dashboard.js",
    summary: "The dashboard's program.",
    contentType: "text/javascript",
  },
  dashboardStyle: {
    ...PAGE,
    path: "/dashboard.css",
    summary: "The dashboard's looks.",
    contentType: "text/css",
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
export type FleetRoute = keyof typeof FLEET_ROUTES;
export type PageRoute = keyof typeof PAGE_ROUTES;
export type HostRoute = keyof typeof HOST_ROUTES;
export type RouteName = ClusterRoute | FleetRoute | PageRoute | HostRoute;

export const ROUTES: Readonly<Record<RouteName, Route>> = {
  ...CLUSTER_ROUTES,
  ...FLEET_ROUTES,
  ...PAGE_ROUTES,
  ...HOST_ROUTES,
};

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
