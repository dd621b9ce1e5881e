/** Who is let in, how often, in which order, and that no token is ever said again. */
import { describe, expect, test } from "vitest";
import { createLimit } from "../../../shared/hosts/http/limits.ts";
import { CLUSTER, openPlace, type Place, type Reply, tokenOf } from "./support.ts";

const GARBAGE = { body: "{" };
const look = (place: Place, who: string, address = "192.0.2.1"): Promise<Reply> =>
  place.send("GET", CLUSTER, { token: tokenOf(who), address });

describe("the order", () => {
  test.each<[string, number, Parameters<Place["send"]>[2]]>([
    ["the size comes before the token", 413, { token: null, body: " ".repeat(70_000) }],
    ["the token comes before the form", 401, { ...GARBAGE, token: null }],
    ["the form comes before the right", 400, { ...GARBAGE, token: tokenOf("nobody") }],
    ["the right comes before the object", 403, { body: { replicas: 5 }, token: tokenOf("nobody") }],
  ])("%s", async (_, status, sending) => {
    const place = openPlace();
    const reply = await place.send("POST", "/clusters/shop/missing/scale", sending);
    expect(reply.status).toBe(status);
    expect(place.sim.calls).toEqual([]);
  });
});

describe("how often", () => {
  test("an address may fail 10 times a minute, and then is not even asked who it is", async () => {
    const place = openPlace();
    for (let at = 0; at < 10; at += 1) expect((await look(place, "stranger")).status).toBe(401);
    expect(await look(place, "admin")).toMatchObject({ status: 429, headers: { "retry-after": "6" } });
    expect((await look(place, "admin", "192.0.2.2")).status).toBe(200);
    place.nowMs += 6_000;
    expect((await look(place, "admin")).status).toBe(200);
    expect((await look(place, "stranger")).status).toBe(401);
    expect((await look(place, "stranger")).status).toBe(429);
  });

  test("success costs an address nothing, and a user 60 a minute from wherever", async () => {
    const place = openPlace();
    for (let at = 0; at < 60; at += 1) {
      expect((await look(place, "reader", `192.0.2.${at}`)).status).toBe(200);
    }
    expect(await look(place, "reader")).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect((await look(place, "admin")).status).toBe(200);
    place.nowMs += 60_000;
    expect((await look(place, "reader")).status).toBe(200);
  });

  test("the memory is bounded: who has not asked for longest is forgotten", () => {
    const limit = createLimit({ now: () => 0, sleep: () => Promise.resolve() }, 1, 3);
    for (const key of ["a", "b", "c"]) limit.take(key);
    limit.take("a");
    limit.take("d");
    expect(["a", "b", "c", "d"].map((key) => limit.waitMs(key) > 0)).toEqual([true, false, true, true]);
  });

  test("a clock that is set back gives nothing and takes nothing", () => {
    let nowMs = 100_000;
    const limit = createLimit({ now: () => nowMs, sleep: () => Promise.resolve() }, 2);
    limit.take("a");
    limit.take("a");
    nowMs = 0;
    expect(limit.waitMs("a")).toBe(30_000);
    nowMs = 1_000_000;
    expect(limit.waitMs("a")).toBe(0);
  });
});

describe("the token", () => {
  test.each([
    ["of exactly an hour", tokenOf("reader", 3600), 200],
    ["of a second more", tokenOf("reader", 3601), 401],
  ])("%s", async (_, token, status) => {
    expect((await openPlace().send("GET", CLUSTER, { token })).status).toBe(status);
  });

  test.each([
    ["without an end", { sub: "reader", iat: 0 }],
    ["without a beginning", { sub: "reader", exp: 3600 }],
    ["with texts", { sub: "reader", iat: "0", exp: "3600" }],
    ["with an end beyond numbers", { sub: "reader", iat: 0, exp: Number.POSITIVE_INFINITY }],
  ])("that is accepted, %s, is not taken", async (_, payload) => {
    const token = `a.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2lnbmVk`;
    expect((await openPlace().send("GET", CLUSTER, { token })).status).toBe(401);
  });

  test("may be announced in any case", async () => {
    const headers = { authorization: `bearer ${tokenOf("reader")}` };
    expect((await openPlace().send("GET", CLUSTER, { token: null, headers })).status).toBe(200);
  });

  test("is in no answer, no log and no annotation", async () => {
    const place = openPlace();
    const tokens = ["admin", "nobody", "stranger"].map((who) => tokenOf(who));
    tokens.push(tokenOf("admin", 99_999), "not a token");
    const bodies = [{ replicas: 5 }, { replicas: 0 }, "{"];
    for (const token of tokens) {
      for (const body of bodies) {
        await place.send("POST", `${CLUSTER}/scale`, { token, body, key: "k" });
        await place.send("POST", `${CLUSTER}/scale?dryRun=true`, { token, body });
      }
      await place.send("GET", CLUSTER, { token });
      await place.send("POST", "/", { token, headers: { "content-type": "application/cloudevents+json" } });
    }
    const said = [...place.said, JSON.stringify(place.set())].join("\n");
    expect(said).toContain("scale-");
    for (const token of tokens) {
      for (const part of token.split(/[. ]/).filter((each) => each.length > 3 && each !== "token")) {
        expect(said).not.toContain(part);
      }
    }
  });
});

test("who asked for what is in the log, on one line, and who is not known is not", async () => {
  const place = openPlace();
  await place.send("POST", `${CLUSTER}/scale`, { body: { replicas: 5 } });
  await look(place, "stranger");
  const lines = place.said.filter((line) => line.startsWith("request "));
  expect(lines).toEqual(['request {"route":"scale","cluster":"shop/mysql","user":"admin","status":202}']);
});
