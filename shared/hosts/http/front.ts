/**
 * One request in, one answer out, on every host. The order is fixed: size, token, how often, whose token, form, right;
 * only after all of these is anything looked at that tells whether an object exists. It never throws on what a
 * stranger sent.
 */
import * as z from "zod";
import { oneLine } from "../../annotations/text.ts";
import { clusterKey } from "../../model/cluster.ts";
import { assert } from "../../model/outcome.ts";
import { type HttpMessage, plainHeaders } from "../cloud-event.ts";
import type { RequestEvent } from "../events.ts";
import { type EventFunction, type Reaction, receive } from "../functions.ts";
import {
  end,
  type HttpAnswer,
  json,
  type Passed,
  pass,
  problem,
  retryAfter,
  unlessKnown,
} from "./answers.ts";
import { BODY_BYTES_MAX, check, readJson, textOf, tooLarge } from "./body.ts";
import type { Asked, RequestFunction, Tools } from "./function.ts";
import type { Caller } from "./guard.ts";
import { openApi } from "./openapi.ts";
import { digestOf } from "./requests.ts";
import {
  CLUSTER_ROUTES,
  type ClusterRoute,
  DRY_RUN,
  FLEET_ROUTES,
  type FleetRoute,
  findRoute,
  HOST_ROUTES,
  type HostRoute,
  IDEMPOTENCY_KEY,
  PAGE_ROUTES,
  PARAMETERS,
  type PageRoute,
  type Route,
  type RouteName,
} from "./routes.ts";

/** A request as every host can give it. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: HttpMessage["headers"];
  /** Where it comes from; for limits only. */
  readonly address: string;
  /** The whole body; null when it is longer, and then the rest of it is not read. */
  readonly read: (bytesMax: number) => Promise<Uint8Array | null>;
}

export interface FrontOptions extends Tools {
  readonly events: readonly EventFunction[];
  readonly requests: readonly RequestFunction[];
  /** False when the host has no room for it now. */
  readonly take: (reaction: Reaction) => boolean;
  /** Who may send events that are no requests; absent = anybody. */
  readonly admitSender?: (authorization: string | undefined) => Promise<Passed<null>>;
}

export type Front = (request: HttpRequest) => Promise<HttpAnswer>;

/** The form of a body is that of its route, which the types of a table cannot say once the name is not known. */
type Answers = Partial<Record<ClusterRoute, (asked: Asked, tools: Tools) => Promise<HttpAnswer>>>;

type Fleet = NonNullable<RequestFunction["fleet"]>;
type Pages = NonNullable<RequestFunction["pages"]>;

/** Somewhat above what etcd accepts for one object, which is the most that ApiServerSource ever sends. */
const EVENT_BYTES_MAX = 2 * 1024 * 1024;

/** What a caller asks for, before its form is checked. */
interface Sent {
  readonly parts: unknown;
  readonly body: unknown;
  readonly dryRun: boolean;
  /** Null = none was given: the same token with the same request is the same request. */
  readonly key: string | null;
  readonly fingerprint: readonly string[];
}

const partsSchema = z.strictObject({ ...PARAMETERS, id: PARAMETERS.id.optional() });
const dataSchema = z.looseObject({ namespace: PARAMETERS.namespace, name: PARAMETERS.name });

function askedOf(sent: Sent, route: Route, { user, token }: Caller): Passed<Asked> {
  const parts = check(partsSchema, sent.parts, "path");
  if (!parts.ok) return parts;
  const body = route.body === null ? pass(null) : check(route.body, sent.body, "body");
  if (!body.ok) return body;
  const { namespace, name, id = "" } = parts.value;
  const key = sent.key ?? digestOf(token, ...sent.fingerprint);
  return pass({
    ref: { namespace, name },
    id,
    user,
    body: body.value,
    key: digestOf(user.name, key).slice(0, 16),
    dryRun: sent.dryRun,
  });
}

function dryRunOf({ method }: Route, query: string): Passed<boolean> {
  const given = new URLSearchParams(query);
  const value = DRY_RUN.safeParse(given.get("dryRun") ?? "false");
  const known = given.size === 0 || (method === "POST" && given.size === 1 && given.has("dryRun"));
  if (known && value.success) return pass(value.data === "true");
  return end(problem(400, "The query cannot be used: a POST takes dryRun=true, and nothing else is taken."));
}

interface HttpParts {
  readonly route: Route;
  readonly parts: unknown;
  readonly path: string;
  readonly query: string;
  readonly body: Uint8Array | null;
}

function sentByHttp({ headers }: HttpRequest, { route, parts, path, query, body }: HttpParts): Passed<Sent> {
  const dryRun = dryRunOf(route, query);
  if (!dryRun.ok) return dryRun;
  const base = { parts, dryRun: dryRun.value, fingerprint: [] };
  if (body === null) return pass({ ...base, body: null, key: null });
  const { "content-type": type, "idempotency-key": given } = plainHeaders(headers);
  if (type !== "application/json") {
    return end(problem(415, "The body must be JSON: send it with Content-Type: application/json."));
  }
  const value = readJson(body);
  if (!value.ok) return value;
  const key = check(IDEMPOTENCY_KEY.optional(), given, "Idempotency-Key");
  if (!key.ok) return key;
  const fingerprint = [route.method, path, Buffer.from(body).toString("utf8")];
  return pass({ ...base, body: value.value, key: key.value ?? null, fingerprint });
}

function sentAsEvent({ id, data }: RequestEvent, body: Uint8Array): Passed<Sent> {
  // The SDK has parsed it already; this refuses what it lets through.
  const strict = readJson(body);
  if (!strict.ok) return strict;
  const read = check(dataSchema, data, "data of the event");
  if (!read.ok) return read;
  const { namespace, name, ...rest } = read.value;
  return pass({ parts: { namespace, name }, body: rest, dryRun: false, key: id, fingerprint: [] });
}

export function createFront(options: FrontOptions): Front {
  const { guard, log } = options;
  const answers = Object.assign({}, ...options.requests.map((fn) => fn.answers)) as Answers;
  const fleet: Fleet = Object.assign({}, ...options.requests.map((fn) => fn.fleet));
  const pages: Pages = Object.assign({}, ...options.requests.map((fn) => fn.pages));
  const isServed = (name: string): name is ClusterRoute => name in answers;
  const served: readonly RouteName[] = [
    ...Object.keys(CLUSTER_ROUTES).filter(isServed),
    ...(Object.keys(FLEET_ROUTES) as FleetRoute[]).filter((name) => name in fleet),
    ...(Object.keys(PAGE_ROUTES) as PageRoute[]).filter((name) => name in pages),
    ...(Object.keys(HOST_ROUTES) as HostRoute[]),
  ];
  const document = json(200, openApi(served));

  async function ask(
    name: ClusterRoute,
    request: HttpRequest,
    read: () => Passed<Sent>,
  ): Promise<HttpAnswer> {
    const route = CLUSTER_ROUTES[name];
    const caller = await guard.admit(plainHeaders(request.headers)["authorization"], request.address);
    if (!caller.ok) return caller.answer;
    const sent = read();
    const asked = sent.ok ? askedOf(sent.value, route, caller.value) : sent;
    if (!asked.ok) return asked.answer;
    const { user, ref } = asked.value;
    const may = await guard.may(user, route.right, ref);
    const handler = answers[name];
    assert(handler !== undefined, `${name} is not served`);
    const answer = may.ok ? await handler(asked.value, options) : may.answer;
    const { status } = answer;
    log.info("request", { route: name, cluster: clusterKey(ref), user: oneLine(user.name, 64), status });
    return answer;
  }

  async function askFleet(name: FleetRoute, request: HttpRequest, query: string): Promise<HttpAnswer> {
    const headers = plainHeaders(request.headers);
    const caller = await guard.admit(headers["authorization"], request.address);
    if (!caller.ok) return caller.answer;
    const dryRun = dryRunOf(FLEET_ROUTES[name], query);
    const handler = fleet[name];
    assert(handler !== undefined, `${name} is not served`);
    const { user } = caller.value;
    const answer = dryRun.ok ? await handler(user, options, headers) : dryRun.answer;
    log.info("request", { route: name, user: oneLine(user.name, 64), status: answer.status });
    return answer;
  }

  function showPage(name: PageRoute, request: HttpRequest): HttpAnswer {
    const page = pages[name];
    assert(page !== undefined, `${name} is not served`);
    return unlessKnown(page, plainHeaders(request.headers)["if-none-match"]);
  }

  async function takeEvents(request: HttpRequest): Promise<HttpAnswer> {
    const bytes = await request.read(EVENT_BYTES_MAX);
    const text = bytes === null ? null : textOf(bytes);
    if (bytes === null || text === null) {
      const detail = `not a CloudEvent: its body is no text in UTF-8 of at most ${EVENT_BYTES_MAX} bytes.`;
      return problem(400, detail, { headers: { connection: "close" } });
    }
    const { status, message, reaction, requests } = receive(options.events, {
      headers: request.headers,
      body: text,
    });
    if (status === 400) return problem(400, message);
    const event = requests.find(({ request: kind }) => isServed(kind));
    if (event !== undefined) {
      if (bytes.length > BODY_BYTES_MAX) return tooLarge();
      return ask(event.request, request, () => sentAsEvent(event, bytes));
    }
    const sender = await options.admitSender?.(plainHeaders(request.headers)["authorization"]);
    if (sender?.ok === false) return sender.answer;
    if (options.take(reaction)) return json(202, { status: message });
    return problem(503, "Too many clusters wait for a pass: repeat the event.", {
      headers: retryAfter(1_000),
    });
  }

  return async (request) => {
    const [path = "", query = ""] = request.target.split(/\?(.*)/s, 2);
    const found = findRoute(served, request.method, path);
    if (found.kind === "missing") return problem(404, "There is no such path: see /openapi.json.");
    if (found.kind === "otherMethod") {
      const allow = found.allowed.join(", ");
      return problem(405, `This path takes ${allow}.`, { headers: { allow } });
    }
    const { name, parts } = found;
    switch (name) {
      case "healthz":
        return json(200, { status: "ok" });
      case "openapi":
        return document;
      case "event":
      case "events":
        return takeEvents(request);
      case "clusters":
      case "metrics":
        return askFleet(name, request, query);
      case "home":
      case "dashboard":
      case "dashboardScript":
      case "dashboardStyle":
        return showPage(name, request);
      default: {
        const route: Route = CLUSTER_ROUTES[name];
        const body = route.body === null ? null : await request.read(BODY_BYTES_MAX);
        if (route.body !== null && body === null) return tooLarge();
        return ask(name, request, () => sentByHttp(request, { route, parts, path, query, body }));
      }
    }
  };
}
