/** The front on a simulated API server, with people whose rights a test chooses, and everything it said or logged. */

import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import type { Reaction } from "../../../shared/hosts/functions.ts";
import { createFront, type FrontOptions } from "../../../shared/hosts/http/front.ts";
import type { RequestFunction } from "../../../shared/hosts/http/function.ts";
import { createGuard } from "../../../shared/hosts/http/guard.ts";
import { type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Plan, Preview } from "../../../shared/model/plan.ts";
import type { LogFields } from "../../../shared/ports/host.ts";
import type { Reviewer, User } from "../../../shared/ports/reviewer.ts";
import { createSimKube, type SimKube } from "../../sim/kube/api-server.ts";
import { type Json, part } from "../../sim/kube/store.ts";
import { state } from "../annotations/support.ts";
import { EVENT_FUNCTIONS, REQUEST_FUNCTIONS } from "../hosts/functions.ts";

export const NOW_MS: number = Date.parse("2026-11-23T10:00:00.000Z");
export const REF = { namespace: "shop", name: "mysql" } as const;
export const CLUSTER = "/clusters/shop/mysql";

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** As an API server makes them, but for the signature. */
export function tokenOf(name: string, lifetimeSeconds = 3600, atMs = NOW_MS): string {
  const iat = Math.floor(atMs / 1000);
  return `${encoded({ alg: "none" })}.${encoded({ sub: name, iat, exp: iat + lifetimeSeconds })}.c2lnbmVk`;
}

/** By the name of whoever has them: verbs on the StatefulSet, or on a part of it. */
const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  admin: ["get", "update", "patch/scale"],
  scaler: ["patch/scale"],
  switcher: ["update"],
  reader: ["get"],
  nobody: [],
};

/** What is shown of a request before it is carried out. */
export const PLAN: Plan = {
  stages: [
    {
      why: "it was asked for",
      steps: [
        {
          what: "ending writes on member 0",
          where: ["mysql-0"],
          statements: [{ server: "mysql-0", sql: "SET GLOBAL super_read_only = ON" }],
          changes: [],
          hindered: null,
        },
      ],
    },
  ],
  complete: true,
};

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Sending {
  /** Null = none; absent = that of `admin`. */
  readonly token?: string | null;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is. */
  readonly body?: unknown;
  readonly address?: string;
}

export interface Place {
  readonly sim: SimKube;
  readonly reactions: Reaction[];
  /** Lines of the log and texts of answers. */
  readonly said: string[];
  readonly slept: number[];
  nowMs: number;
  preview: Outcome<Preview>;
  previews: number;
  /** What the API server answers to a review, in place of what it knows. */
  tokenReview: Outcome<never> | null;
  accessReview: Outcome<never> | null;
  room: boolean;
  send(method: string, target: string, sending?: Sending): Promise<Reply>;
  set(): Json;
  annotation(key: string): string | undefined;
  annotate(annotations: Readonly<Record<string, string | null>>): void;
}

const POD = { metadata: { labels: { app: "mysql" } } };

function populate(sim: SimKube): void {
  const set = sim.put("StatefulSet", REF, {
    metadata: {
      annotations: {
        [ANNOTATION.engine]: "mysql",
        [ANNOTATION.credentials]: "mysql-root",
        [ANNOTATION.phase]: "Healthy",
      },
    },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "mysql" } },
      serviceName: "mysql",
      template: { spec: { containers: [] } },
    },
  });
  const settled = encodeState({ ...state, clusterUid: set.uid });
  sim.put("StatefulSet", REF, { metadata: { annotations: { [ANNOTATION.state]: settled } } });
  sim.put(
    "Pod",
    { ...REF, name: "mysql-0" },
    { metadata: { ...POD.metadata, ownerReferences: [{ uid: set.uid }] } },
  );
  sim.put("StatefulSet", { ...REF, name: "plain" }, { spec: { selector: {}, template: { spec: {} } } });
}

function reviewerOf(place: Place): Reviewer {
  return {
    authenticate: (token) => {
      if (place.tokenReview !== null) return Promise.resolve(place.tokenReview);
      const [, payload = ""] = /^[\w-]+\.([\w-]+)\.c2lnbmVk$/.exec(token) ?? [];
      const text = Buffer.from(payload, "base64url").toString("utf8") || "{}";
      const { sub = "", exp } = JSON.parse(text) as { readonly sub?: string; readonly exp?: number };
      const user: User = { name: sub, uid: "u", groups: ["people"], extra: {} };
      const isDead = typeof exp === "number" && exp * 1000 < place.nowMs;
      return Promise.resolve(succeed(sub in RIGHTS && !isDead ? user : null));
    },
    authorise: (user, { verb, subresource }) => {
      if (place.accessReview !== null) return Promise.resolve(place.accessReview);
      const right = `${verb}${subresource === undefined ? "" : `/${subresource}`}`;
      return Promise.resolve(succeed(RIGHTS[user.name]?.includes(right) ?? false));
    },
  };
}

export function openPlace(
  requests: readonly RequestFunction[] = REQUEST_FUNCTIONS,
  more: Partial<FrontOptions> = {},
): Place {
  const clock = {
    now: () => place.nowMs,
    sleep: (ms: number) => {
      place.slept.push(ms);
      return Promise.resolve();
    },
  };
  const note = (message: string, fields: LogFields = {}) =>
    void place.said.push(`${message} ${JSON.stringify(fields)}`);
  const sim = createSimKube(clock);
  const place: Place = {
    sim,
    reactions: [],
    said: [],
    slept: [],
    nowMs: NOW_MS,
    preview: succeed({ plan: PLAN, refused: null, why: "it was asked for" }),
    previews: 0,
    tokenReview: null,
    accessReview: null,
    room: true,
    send: (method, target, sending) => send(method, target, sending),
    set: () => sim.raw("StatefulSet", REF) ?? {},
    annotation: (key) => part(part(place.set(), "metadata"), "annotations")[key] as string | undefined,
    annotate: (annotations) => void sim.put("StatefulSet", REF, { metadata: { annotations } }),
  };
  populate(sim);
  const log = { info: note, warn: note };
  const options: FrontOptions = {
    kube: sim.kube,
    guard: createGuard(reviewerOf(place), { clock, log }),
    preview: () => {
      place.previews += 1;
      return Promise.resolve(place.preview);
    },
    clock,
    ids: { password: () => "", fraction: () => 0.5 },
    log,
    events: EVENT_FUNCTIONS,
    requests,
    take: (reaction) => {
      place.reactions.push(reaction);
      return place.room;
    },
    ...more,
  };
  const front = createFront(options);

  async function send(method: string, target: string, sending: Sending = {}): Promise<Reply> {
    const {
      token = tokenOf("admin", 3600, place.nowMs),
      key,
      headers = {},
      body = null,
      address = "192.0.2.1",
    } = sending;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(text);
    const answer = await front({
      method,
      target,
      address,
      headers: {
        "content-type": "application/json",
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(key !== undefined && { "idempotency-key": key }),
        ...headers,
      },
      read: (bytesMax) => Promise.resolve(bytes.length > bytesMax ? null : bytes),
    });
    place.said.push(JSON.stringify(answer));
    return {
      status: answer.status,
      headers: answer.headers,
      text: answer.body,
      body: JSON.parse(answer.body),
    };
  }
  return place;
}
