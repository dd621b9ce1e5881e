/**
 * CloudEvents at the border: what arrives is parsed and validated here, and what the local host emits is
 * built here, both in the shape of Knative's ApiServerSource. An event is a wake-up call: of its body only
 * the kind, the name and the cluster of one object are kept, so a forged body can at most cause a look that
 * finds nothing to do. Requests (`dev.ordinal.request.*`) are no wakes: they go the way of every HTTP request. It must
 * never throw on what a stranger sent; the answer to garbage is a value.
 */
import * as z from "zod/mini";
import { oneLine } from "../annotations/text.ts";
import type { ObjectMeta } from "../model/kube.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import { REQUEST_KINDS, type RequestKind } from "../model/request-kind.ts";
import { readOrigin, type TraceOrigin } from "../model/trace-origin.ts";
import { type CloudEvent, type HttpMessage, plainHeaders, readCloudEvent } from "./cloud-event.ts";

export const CHANGES = ["add", "update", "delete"] as const;
export type Change = (typeof CHANGES)[number];

/** Something happened to one object of the API server. */
export interface ChangeEvent {
  readonly kind: "change";
  readonly id: string;
  readonly change: Change;
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** As the labels of an object of ours name it; null where the body has none, and in Reference mode. */
  readonly cluster: string | null;
  /** The body shows a failed container or a Pod that is not ready. It may only ever raise a priority. */
  readonly failing: boolean;
  /** The trace in which it was made, or else sent; absent = in none. */
  readonly origin?: TraceOrigin;
}

/** A schedule fired. */
export interface TickEvent {
  readonly kind: "tick";
  readonly id: string;
  readonly type: string;
}

/** A wish of somebody who has to be known and allowed first: the one kind of event whose data counts. */
export interface RequestEvent {
  readonly kind: "request";
  readonly id: string;
  readonly request: RequestKind;
  readonly data: unknown;
}

export type IncomingEvent =
  | ChangeEvent
  | TickEvent
  | RequestEvent
  | { readonly kind: "unknown"; readonly id: string; readonly type: string };

export const PING_TYPE = "dev.knative.sources.ping";
export const SWEEP_TYPE = "dev.ordinal.sweep";
export const BACKUP_CRON_TYPE = "dev.ordinal.backup-cron";
const TICK_TYPES: readonly string[] = [PING_TYPE, SWEEP_TYPE, BACKUP_CRON_TYPE];
const REQUEST_TYPES: ReadonlyMap<string, RequestKind> = new Map(
  REQUEST_KINDS.map((kind) => [`dev.ordinal.request.${kind}`, kind]),
);
const CHANGE_TYPE = /^dev\.knative\.apiserver\.(ref|resource)\.(add|update|delete)$/;

/** Somewhat above what etcd accepts for one object, which is the most that ApiServerSource ever sends. */
const BODY_CHARS_MAX = 2 * 1024 * 1024;
const label = z.string().check(z.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/));
const objectName = z.string().check(z.regex(/^(?=.{1,253}$)[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/));
const kindName = z.string().check(z.regex(/^[A-Z][A-Za-z]{0,62}$/));

const referenceSchema = z.object({ kind: kindName, namespace: label, name: objectName });
const resourceSchema = z.object({
  kind: kindName,
  metadata: z.object({ namespace: label, name: objectName, labels: z.optional(z.unknown()) }),
  status: z.optional(z.unknown()),
});

/** What Ordinal makes has these; labels of another form are no reason to refuse the event. */
const ownLabelsSchema = z.object({
  "app.kubernetes.io/managed-by": z.literal("ordinal"),
  "app.kubernetes.io/instance": objectName,
});

function clusterOfLabels(labels: unknown): string | null {
  const own = ownLabelsSchema.safeParse(labels);
  return own.success ? own.data["app.kubernetes.io/instance"] : null;
}

/** Only what raises the priority; a status of another form is no reason to refuse the event. */
const podStatusSchema = z.object({
  phase: z.optional(z.string()),
  conditions: z._default(z.array(z.object({ type: z.string(), status: z.string() })), []),
  containerStatuses: z._default(
    z.array(z.object({ state: z.optional(z.object({ terminated: z.optional(z.unknown()) })) })),
    [],
  ),
});

function showsFailure(kind: string, status: unknown): boolean {
  const parsed = kind === "Pod" ? podStatusSchema.safeParse(status) : null;
  if (parsed === null || !parsed.success) return false;
  const { phase, conditions, containerStatuses } = parsed.data;
  return (
    phase === "Failed" ||
    conditions.some(({ type, status: state }) => type === "Ready" && state === "False") ||
    containerStatuses.some(({ state }) => state?.terminated !== undefined)
  );
}

/** 400 is the only answer to garbage: Knative repeats 404, 413, 429 and 5xx, and garbage stays garbage. */
function refuse(reason: string): Outcome<never> {
  return fail("refused", oneLine(reason, 200), { code: 400 });
}

function firstIssue(error: z.core.$ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "invalid" : `${issue.path.join(".") || "value"}: ${issue.message}`;
}

/** The event of one HTTP request, or `refused` with code 400 and the reason. */
export function readMessage(message: HttpMessage): Outcome<IncomingEvent> {
  if (message.body.length > BODY_CHARS_MAX)
    return refuse(`the body is longer than ${BODY_CHARS_MAX} characters`);
  const event = readCloudEvent(message);
  if (!event.ok) return refuse(`not a CloudEvent: ${event.failure.message}`);
  const read = readEvent(event.value);
  if (!read.ok || read.value.kind !== "change" || read.value.origin !== undefined) return read;
  const { traceparent, tracestate } = plainHeaders(message.headers);
  return succeed({ ...read.value, ...tracedBy(traceparent, tracestate) });
}

function tracedBy(parent: unknown, state: unknown): Pick<ChangeEvent, "origin"> {
  const origin = readOrigin(parent, state);
  return origin === null ? {} : { origin };
}

/** A CloudEvent that was validated as one. `refused` when a known type carries something else than it says. */
export function readEvent(event: CloudEvent): Outcome<IncomingEvent> {
  const { id, type, data } = event;
  if (TICK_TYPES.includes(type)) return succeed({ kind: "tick", id, type });
  const request = REQUEST_TYPES.get(type);
  if (request !== undefined) return succeed({ kind: "request", id, request, data });
  const [, mode, change] = CHANGE_TYPE.exec(type) ?? [];
  if (mode === undefined) return succeed({ kind: "unknown", id, type });
  const traced = tracedBy(event["traceparent"], event["tracestate"]);
  const base = { kind: "change", id, change: change as Change, ...traced } as const;
  if (mode === "ref") {
    const reference = referenceSchema.safeParse(data);
    if (!reference.success) return refuse(`${type}: ${firstIssue(reference.error)}`);
    return succeed({ ...base, object: reference.data, cluster: null, failing: false });
  }
  const resource = resourceSchema.safeParse(data);
  if (!resource.success) return refuse(`${type}: ${firstIssue(resource.error)}`);
  const { kind, metadata, status } = resource.data;
  const { namespace, name, labels } = metadata;
  const seen = { cluster: clusterOfLabels(labels), failing: showsFailure(kind, status) };
  return succeed({ ...base, object: { kind, namespace, name }, ...seen });
}

const SERVED_KINDS = {
  Pod: { apiVersion: "v1", plural: "pods" },
  Service: { apiVersion: "v1", plural: "services" },
  StatefulSet: { apiVersion: "apps/v1", plural: "statefulsets" },
  Job: { apiVersion: "batch/v1", plural: "jobs" },
} as const;
export type ServedKind = keyof typeof SERVED_KINDS;

/**
 * What ApiServerSource would send for this change: in Reference mode, and of a Job as much of Resource mode as tells its
 * cluster, since a long cluster's name is not whole in that of its Jobs. `atMs` as milliseconds since 1970.
 */
export function changeEvent(
  change: Change,
  kind: ServedKind,
  object: Pick<ObjectMeta, "namespace" | "name" | "uid" | "resourceVersion" | "labels">,
  atMs: number,
): CloudEvent {
  const { apiVersion, plural } = SERVED_KINDS[kind];
  const { namespace, name, uid, resourceVersion, labels } = object;
  const whole = kind === "Job";
  return {
    specversion: "1.0",
    type: `dev.knative.apiserver.${whole ? "resource" : "ref"}.${change}`,
    source: "/ordinal/local/watch",
    // The same change has the same id however often it is reported.
    id: `${uid}.${resourceVersion}.${change}`,
    subject: `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`,
    time: new Date(atMs).toISOString(),
    datacontenttype: "application/json",
    apiversion: apiVersion,
    kind,
    name,
    namespace,
    data: whole
      ? { apiVersion, kind, metadata: { namespace, name, labels } }
      : { kind, namespace, name, apiVersion },
  };
}

function tickEvent(type: string, atMs: number): CloudEvent {
  const time = new Date(atMs).toISOString();
  return { specversion: "1.0", type, source: "/ordinal/local/ticker", id: time, time };
}

export function sweepEvent(atMs: number): CloudEvent {
  return tickEvent(SWEEP_TYPE, atMs);
}

export function backupCronEvent(atMs: number): CloudEvent {
  return tickEvent(BACKUP_CRON_TYPE, atMs);
}
