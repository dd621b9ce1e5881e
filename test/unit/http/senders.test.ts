/** Whose events are taken where sources have an identity, and what that costs the API server. */
import { beforeEach, describe, expect, test } from "vitest";
import { createSenders } from "../../../shared/hosts/http/senders.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { User } from "../../../shared/ports/reviewer.ts";
import { openPlace } from "./support.ts";

const TOKEN = "Bearer abc.def.ghi";
const SOURCE = "system:serviceaccount:shop:ordinal-oidc-apiserversource";

let nowMs: number;
let known: Outcome<User | null>;
let asked: string[][];
let said: string[];

beforeEach(() => {
  [nowMs, asked, said] = [1_000_000, [], []];
  known = succeed(userOf(SOURCE));
});

const userOf = (name: string): User => ({ name, uid: "7", groups: ["system:serviceaccounts"], extra: {} });

function senders(namespaces: readonly string[] = ["shop"]) {
  const note = (message: string, fields: object = {}) => void said.push(message + JSON.stringify(fields));
  const reviewer = {
    authenticate: (token: string, audience: string) => {
      asked.push([token, audience]);
      return Promise.resolve(known);
    },
    authorise: () => Promise.resolve(succeed(false)),
  };
  const clock = { now: () => nowMs, sleep: () => Promise.resolve() };
  const admit = createSenders(reviewer, {
    audience: "events",
    namespaces,
    clock,
    log: { info: note, warn: note },
  });
  return async (authorization: string | undefined) => {
    const passed = await admit(authorization);
    if (!passed.ok) said.push(JSON.stringify(passed.answer));
    return passed.ok ? null : passed.answer.status;
  };
}

test("a service account of the namespace is admitted, and asked about once a minute", async () => {
  const admit = senders();
  for (let at = 0; at < 66; at += 1) expect(await admit(TOKEN)).toBeNull();
  expect(asked).toEqual([["abc.def.ghi", "events"]]);
  nowMs += 60_000;
  expect(await admit(TOKEN)).toBeNull();
  expect(asked).toHaveLength(2);
});

describe("nobody else is", () => {
  test.each<[string, string | undefined, User | null]>([
    ["without a token", undefined, userOf(SOURCE)],
    ["with something else than a token", "Basic YTpi", userOf(SOURCE)],
    ["with a token of another audience", TOKEN, null],
    ["of another namespace", TOKEN, userOf("system:serviceaccount:lab:ordinal")],
    ["who is a person", TOKEN, userOf("ann")],
    ["who is named like one", TOKEN, userOf("x:system:serviceaccount:shop:y")],
  ])("%s", async (_, authorization, user) => {
    known = succeed(user);
    expect(await senders()(authorization)).toBe(401);
    expect(said.join("")).not.toContain("def");
  });

  test("and is not remembered as one who was", async () => {
    known = succeed(null);
    const admit = senders();
    expect(await admit(TOKEN)).toBe(401);
    known = succeed(userOf(SOURCE));
    expect(await admit(TOKEN)).toBeNull();
  });
});

test("a host of all namespaces takes events of any service account", async () => {
  known = succeed(userOf("system:serviceaccount:lab:x"));
  expect(await senders([])(TOKEN)).toBeNull();
});

test("while the API server does not answer, the event is to be sent again", async () => {
  known = fail("transient", "no answer");
  expect(await senders()(TOKEN)).toBe(503);
});

test("an event of somebody unknown wakes nobody, and a request is not asked for it", async () => {
  const admit = senders();
  const place = openPlace(undefined, { admitSender: () => admit(undefined).then(() => refusal) });
  const refusal = { ok: false, answer: { status: 401, headers: {}, body: "{}" } } as const;
  const event = (type: string, data: object) => ({
    headers: { "content-type": "application/cloudevents+json" },
    body: { specversion: "1.0", id: "1", source: "/s", type, data },
  });
  const gone = event("dev.knative.apiserver.ref.delete", { kind: "Pod", namespace: "shop", name: "mysql-0" });
  expect((await place.send("POST", "/", gone)).status).toBe(401);
  expect(place.reactions).toEqual([]);
  const wish = event("dev.ordinal.request.scale", { namespace: "shop", name: "mysql", replicas: 5 });
  expect((await place.send("POST", "/", wish)).status).toBe(202);
});
