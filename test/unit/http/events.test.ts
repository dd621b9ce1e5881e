/** CloudEvents by HTTP: wakes as ever, without a token; requests only from somebody who is known and may. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { decodeRequests } from "../../../shared/annotations/requests.ts";
import { CLUSTER, openPlace, PLAN, type Place, type Reply, type Sending, tokenOf } from "./support.ts";

const STRUCTURED = { "content-type": "application/cloudevents+json; charset=utf-8" };
const BATCHED = { "content-type": "application/cloudevents-batch+json" };
const TYPE = "dev.ordinal.request.scale";

function event(type: string, data: unknown, id = "e-1"): object {
  return { specversion: "1.0", id, source: "/ci", type, datacontenttype: "application/json", data };
}

const wish = { namespace: "shop", name: "mysql", replicas: 5 };
const podGone = event("dev.knative.apiserver.ref.delete", {
  kind: "Pod",
  namespace: "shop",
  name: "mysql-0",
});

function post(place: Place, body: unknown, more: Sending = {}): Promise<Reply> {
  return place.send("POST", "/events", { headers: STRUCTURED, body, ...more });
}

describe("a wake", () => {
  test.each(["/", "/events"])("needs no token at %s", async (target) => {
    const place = openPlace();
    const reply = await place.send("POST", target, { token: null, headers: STRUCTURED, body: podGone });
    expect(reply).toMatchObject({ status: 202, body: { status: "accepted" } });
    const ref = { namespace: "shop", name: "mysql" };
    expect(place.reactions).toMatchObject([{ wakes: [{ ref, priority: "high" }], sweep: false }]);
    expect(place.sim.calls).toEqual([]);
  });

  test("that nobody takes is ignored, garbage is 400, and no room is 503", async () => {
    const place = openPlace();
    expect(await post(place, event("x.y", {}))).toMatchObject({ status: 202, body: { status: "ignored" } });
    expect((await post(place, "{")).status).toBe(400);
    expect((await post(place, new Uint8Array([0xff]))).status).toBe(400);
    expect((await post(place, " ".repeat(2 * 1024 * 1024 + 1))).status).toBe(400);
    place.room = false;
    expect(await post(place, podGone)).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
  });
});

describe("a request", () => {
  test("in structured mode is recorded like any other", async () => {
    const place = openPlace();
    const reply = await post(place, event(TYPE, wish));
    expect(reply).toMatchObject({ status: 202, body: { status: "accepted", plan: PLAN } });
    expect(place.annotation(ANNOTATION.replicas)).toBe("5");
    expect(place.reactions).toEqual([]);
  });

  test("in binary mode too", async () => {
    const place = openPlace();
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": "e-2",
      "ce-source": "/ci",
      "ce-type": "dev.ordinal.request.switchover",
      "content-type": "application/json",
    };
    const body = { namespace: "shop", name: "mysql", to: "mysql-2" };
    expect((await place.send("POST", "/", { headers, body })).status).toBe(202);
    expect(place.annotation(ANNOTATION.switchoverTo)).toBe("mysql-2");
  });

  test("that comes again is known by its id", async () => {
    const place = openPlace();
    const first = await post(place, event(TYPE, wish));
    const before = place.set();
    expect(await post(place, event(TYPE, wish))).toMatchObject({
      status: 202,
      body: { id: first.body["id"] },
    });
    expect((await post(place, event(TYPE, { ...wish, replicas: 4 }))).status).toBe(422);
    expect(place.set()).toBe(before);
    expect(decodeRequests(place.annotation(ANNOTATION.requests))).toHaveLength(1);
  });

  test.each<[string, number, unknown, Sending]>([
    ["without a token", 401, event(TYPE, wish), { token: null }],
    ["with a token of another audience", 401, event(TYPE, wish), { token: "x.y.z" }],
    ["without the right", 403, event(TYPE, wish), { token: tokenOf("reader") }],
    ["without a name", 400, event(TYPE, { namespace: "shop", replicas: 5 }), {}],
    ["with a path for a name", 400, event(TYPE, { ...wish, name: "../mysql" }), {}],
    ["with a field more", 400, event(TYPE, { ...wish, force: true }), {}],
    ["with a dry run", 400, event(TYPE, { ...wish, dryRun: true }), {}],
    ["without data", 400, event(TYPE, undefined), {}],
    ["with data as text", 400, event(TYPE, JSON.stringify(wish)), {}],
    ["for what is not there", 404, event(TYPE, { ...wish, name: "missing" }), {}],
    ["of 65 KiB", 413, event(TYPE, { ...wish, pad: "x".repeat(65_536) }), {}],
    ["with a key twice", 400, JSON.stringify(event(TYPE, wish)).replace(/}}$/, ',"replicas":9}}'), {}],
    ["with a prototype", 400, JSON.stringify(event(TYPE, wish)).replace(/}}$/, ',"__proto__":{}}}'), {}],
    ["in a batch", 400, [event(TYPE, wish)], { headers: BATCHED }],
  ])("%s: %i, and nothing is recorded", async (_, status, body, sending) => {
    const place = openPlace();
    const before = place.set();
    expect((await post(place, body, sending)).status).toBe(status);
    expect(place.set()).toBe(before);
    expect(place.reactions).toEqual([]);
  });

  test("counts for the limits", async () => {
    const place = openPlace();
    for (let at = 0; at < 10; at += 1) await post(place, event(TYPE, wish), { token: null });
    expect((await post(place, event(TYPE, wish))).status).toBe(429);
    expect((await post(place, podGone)).status).toBe(202);
  });

  test("that this host has no function for is ignored", async () => {
    const place = openPlace([]);
    expect(await post(place, event(TYPE, wish))).toMatchObject({ status: 202, body: { status: "ignored" } });
    expect((await place.send("POST", `${CLUSTER}/scale`, { body: { replicas: 5 } })).status).toBe(404);
    expect((await place.send("GET", "/openapi.json")).text).not.toContain("/scale");
  });

  test("shares the ring with requests by path", async () => {
    const place = openPlace();
    const first = await place.send("POST", `${CLUSTER}/scale`, { body: { replicas: 5 }, key: "e-1" });
    expect(await post(place, event(TYPE, wish))).toMatchObject({ body: { id: first.body["id"] } });
  });
});
