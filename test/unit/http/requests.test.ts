/** One wish is recorded once, whoever asks how often and at the same time, and a captured request does nothing. */
import { describe, expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { decodeRequests } from "../../../shared/annotations/requests.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { parseWish } from "../../../shared/annotations/wish.ts";
import type { ProblemCode } from "../../../shared/model/condition.ts";
import { MEMBERS_MAX } from "../../../shared/model/state.ts";
import { modelOf } from "../../sim/kube/watching.ts";
import { memory } from "../../support/backups.ts";
import { condition, state } from "../annotations/support.ts";
import { CLUSTER, NOW_MS, openPlace, PLAN, type Place, REF, type Reply, tokenOf } from "./support.ts";

const SCALE = `${CLUSTER}/scale`;
const SWITCHOVER = `${CLUSTER}/switchover`;
const MINUTE_MS = 60_000;

const ring = (place: Place) => decodeRequests(place.annotation(ANNOTATION.requests));
const patches = (place: Place) => place.sim.calls.filter(({ verb }) => verb === "patch").length;
const scale = (place: Place, replicas: number, key?: string): Promise<Reply> =>
  place.send("POST", SCALE, { body: { replicas }, ...(key !== undefined && { key }) });

/** As a pass leaves it that has fulfilled the wish. */
function fulfil(place: Place, replicas: number): void {
  const { uid } = modelOf("StatefulSet", place.set());
  place.sim.put("StatefulSet", REF, { spec: { replicas } });
  place.annotate({ [ANNOTATION.state]: encodeState({ ...state, clusterUid: uid }) });
}

function refuse(place: Place, code: string): void {
  const conditions = [condition(), condition({ type: code, reason: code, message: "It cannot be." })];
  place.annotate({ [ANNOTATION.conditions]: encodeConditions(conditions) });
}

describe("at the same time", () => {
  test("20 requests for the same, with 20 keys, are one operation", async () => {
    const place = openPlace();
    const replies = await Promise.all(Array.from({ length: 20 }, (_, at) => scale(place, 5, `key-${at}`)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(replies.map(({ body }) => body["id"])).size).toBe(1);
    expect(ring(place)).toHaveLength(1);
    expect(place.annotation(ANNOTATION.replicas)).toBe("5");
  });

  test.each([
    ["another number", SCALE, { replicas: 4 }],
    ["another kind", SWITCHOVER, { to: "mysql-2" }],
  ])("one of two wins and the other is told why: %s", async (_, target, body) => {
    const place = openPlace();
    const replies = await Promise.all([scale(place, 5), place.send("POST", target, { body })]);
    const [won, lost] = replies.toSorted((a, b) => a.status - b.status);
    expect([won?.status, lost?.status]).toEqual([202, 409]);
    expect(lost?.body["detail"]).toContain(String(won?.body["id"]));
    expect(ring(place)).toHaveLength(1);
  });

  test("a write that loses decides from scratch, at most five times and with some chance in the pauses", async () => {
    const place = openPlace();
    place.sim.setFaults(({ verb }) => {
      if (verb === "patch") place.annotate({ "example.org/touched": String(place.sim.calls.length) });
      return {};
    });
    const reply = await scale(place, 5);
    expect(reply).toMatchObject({ status: 409, headers: { "retry-after": "1" } });
    expect(patches(place)).toBe(5);
    expect(place.slept).toEqual([50, 100, 150, 200, 250]);
    expect(place.previews).toBe(1);
    expect(ring(place)).toEqual([]);
  });

  test("a cluster that is deleted meanwhile is not there", async () => {
    const place = openPlace();
    place.sim.setFaults(({ verb }) => {
      if (verb === "patch") place.sim.drop("StatefulSet", REF);
      return {};
    });
    expect((await scale(place, 5)).status).toBe(404);
  });
});

describe("a conflict", () => {
  test("stands while the other is open, and no longer", async () => {
    const place = openPlace();
    const first = await scale(place, 5);
    const second = await scale(place, 4);
    expect(second.status).toBe(409);
    expect(second.body["detail"]).toMatch(
      /^scale-.* \(\{"replicas":5\}\): wait .* ordinal\.dev\/replicas away\.$/,
    );
    fulfil(place, 5);
    expect((await scale(place, 4)).status).toBe(202);
    const look = await place.send("GET", String(first.headers["location"]));
    expect(look.body).toMatchObject({ status: "superseded" });
  });

  test("is seen by a dry run too, and a dry run of what is open is none", async () => {
    const place = openPlace();
    await scale(place, 5);
    const dry = (replicas: number) => place.send("POST", `${SCALE}?dryRun=true`, { body: { replicas } });
    expect((await dry(4)).status).toBe(409);
    expect(await dry(5)).toMatchObject({ status: 200, body: { plan: PLAN } });
  });

  test("with a switchover by annotation ends when that is refused", async () => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.switchoverTo]: "mysql-9" });
    const ask = () => place.send("POST", SWITCHOVER, { body: { to: "mysql-2" } });
    expect((await ask()).status).toBe(409);
    refuse(place, "SwitchoverRefused");
    expect((await ask()).status).toBe(202);
    expect(place.annotation(ANNOTATION.switchoverTo)).toBe("mysql-2");
  });

  test("is between two backups by different methods, and not between a backup and a change of members", async () => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.backupStore]: "backups" });
    const backup = (body: object, key: string) => place.send("POST", `${CLUSTER}/backup`, { body, key });
    const first = await backup({}, "one");
    expect(first.status).toBe(202);
    expect((await backup({}, "two")).body["id"]).toBe(first.body["id"]);
    const other = await backup({ method: "logical" }, "three");
    expect(other.status).toBe(409);
    expect(other.body["detail"]).toMatch(
      /^backup-\w+ is under way .* or take ordinal\.dev\/backup-now away\.$/,
    );
    expect((await scale(place, 5)).status).toBe(202);
    expect((await backup({}, "four")).body["id"]).toBe(first.body["id"]);
    // A pass has begun it.
    const { uid } = modelOf("StatefulSet", place.set());
    const slot = "2026-11-23T10:00:01Z";
    const running = {
      slot,
      attempt: 1,
      method: "physical",
      asked: "request",
      source: 2,
      begunAt: slot,
    } as const;
    const remembered = encodeBackups({ ...memory(), clusterUid: uid, running });
    place.annotate({ ...remembered, [ANNOTATION.backupNow]: null });
    const late = await backup({ method: "logical" }, "five");
    expect(late.body["detail"]).toMatch(/^backup-\w+ is under way .*: wait until it has ended\.$/);
    const look = await place.send("GET", String(first.headers["location"]));
    expect(look.body["message"]).toBe(`The physical backup of ${slot} is taken from mysql-2.`);
  });

  test("is none for what was asked by annotation already", async () => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.switchoverTo]: "mysql-2" });
    expect((await place.send("POST", SWITCHOVER, { body: { to: "mysql-2" } })).status).toBe(202);
  });
});

describe("a refusal of a pass", () => {
  test.each<[ProblemCode | "ScaleRefused", string, object]>([
    ["ScaleRefused", SCALE, { replicas: 5 }],
    ["SwitchoverRefused", SWITCHOVER, { to: "mysql-9" }],
  ])("%s is the answer, and does not outlive the wish", async (code, target, body) => {
    const place = openPlace();
    const first = await place.send("POST", target, { body });
    refuse(place, code);
    const look = await place.send("GET", String(first.headers["location"]));
    expect(look.body).toMatchObject({ status: "refused", message: "It cannot be." });
    place.nowMs += 1;
    const again = await place.send("POST", target, { body, key: "another" });
    expect(again).toMatchObject({ status: 202, body: { status: "accepted" } });
    expect(again.body["id"]).not.toBe(first.body["id"]);
    expect(place.annotation(ANNOTATION.conditions)).toBe(encodeConditions([condition()]));
  });
});

describe("a request that comes again", () => {
  test.each([
    ["with a key", "mine"],
    ["without a key", undefined],
  ])("%s is the same operation, and nothing is recorded", async (_, key) => {
    const place = openPlace();
    const first = await scale(place, 5, key);
    const before = place.set();
    const again = await scale(place, 5, key);
    expect(again).toMatchObject({ status: 202, body: { id: first.body["id"], plan: null } });
    expect(place.set()).toBe(before);
    fulfil(place, 5);
    const done = place.set();
    expect(await scale(place, 5, key)).toMatchObject({
      status: 200,
      body: { id: first.body["id"], status: "done" },
    });
    expect(place.set()).toBe(done);
  });

  test("does nothing once something else was wished, while another key does", async () => {
    const place = openPlace();
    await scale(place, 5);
    fulfil(place, 5);
    await scale(place, 3);
    fulfil(place, 3);
    const before = place.set();
    expect(await scale(place, 5)).toMatchObject({ status: 200, body: { status: "superseded" } });
    expect(place.set()).toBe(before);
    expect((await scale(place, 5, "anew")).status).toBe(202);
  });

  test("does nothing for as long as its token lives, and is nobody's after that", async () => {
    const place = openPlace();
    const captured = { token: tokenOf("admin"), body: { replicas: 5 } };
    await place.send("POST", SCALE, captured);
    fulfil(place, 5);
    await scale(place, 3, "later");
    fulfil(place, 3);
    const before = place.set();
    const statuses: number[] = [];
    for (const minutes of [1, 30, 60, 61, 66, 600]) {
      place.nowMs = NOW_MS + minutes * MINUTE_MS;
      statuses.push((await place.send("POST", SCALE, captured)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 401, 401, 401]);
    expect(place.set()).toBe(before);
  });

  test("with the same key and another wish is refused", async () => {
    const place = openPlace();
    await scale(place, 5, "mine");
    const before = place.set();
    const reply = await scale(place, 4, "mine");
    expect(reply).toMatchObject({ status: 422, body: { detail: expect.stringContaining("scale-") } });
    expect((await place.send("POST", SWITCHOVER, { body: { to: "mysql-2" }, key: "mine" })).status).toBe(422);
    expect(place.set()).toBe(before);
  });

  test("says the same when it is written in another way", async () => {
    const place = openPlace();
    await scale(place, 5, "mine");
    const reply = await place.send("POST", SCALE, { body: '{ "replicas": 5.0 }', key: "mine" });
    expect(reply.status).toBe(202);
  });

  test("is another one when somebody else uses the same key", async () => {
    const place = openPlace();
    const first = await scale(place, 5, "mine");
    fulfil(place, 5);
    const other = await place.send("POST", SCALE, {
      body: { replicas: 4 },
      key: "mine",
      token: tokenOf("scaler"),
    });
    expect(other.status).toBe(202);
    expect(ring(place).map(({ by }) => by)).toEqual(["admin", "scaler"]);
    expect(other.body["id"]).not.toBe(first.body["id"]);
  });

  test("after an answer that was lost on its way finds what it had done", async () => {
    const place = openPlace();
    const lost = {
      kind: "transient",
      message: "The API server did not patch it: not within 10000 ms",
    } as const;
    place.sim.setFaults(({ verb }) => (verb === "patch" ? { after: lost } : {}));
    expect((await scale(place, 5)).status).toBe(503);
    place.sim.setFaults(() => ({}));
    const before = place.set();
    expect((await scale(place, 5)).status).toBe(202);
    expect(place.set()).toBe(before);
  });
});

describe("the ring", () => {
  /** Until a request is refused, one a second. */
  async function fill(place: Place): Promise<Reply> {
    for (let at = 0; ; at += 1) {
      place.nowMs += 1_000;
      const replicas = (at % 2) + 4;
      const reply = await scale(place, replicas, `key-${at}`);
      if (reply.status !== 202) return reply;
      fulfil(place, replicas);
    }
  }

  test("that is full of young requests takes no more until the oldest is too old to be replayed", async () => {
    const place = openPlace();
    const full = await fill(place);
    expect(full.status).toBe(429);
    const recorded = ring(place).length;
    expect(recorded).toBeGreaterThanOrEqual(30);
    const waitMs = Number(full.headers["retry-after"]) * 1_000;
    expect(place.nowMs + waitMs - NOW_MS).toBe(65 * MINUTE_MS + 1_000);
    const before = place.set();
    place.nowMs += waitMs - 1_000;
    const early = await scale(place, 7, "early");
    expect(early.status).toBe(429);
    expect(place.set()).toBe(before);
    place.nowMs += 1_000;
    expect((await scale(place, 7, "late")).status).toBe(202);
    expect(ring(place).length).toBeLessThanOrEqual(recorded + 1);
    expect(ring(place).at(-1)).toMatchObject({ wish: { replicas: 7 } });
  });

  test("that somebody broke is begun anew", async () => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.requests]: "{broken" });
    expect((await scale(place, 5)).status).toBe(202);
    expect(ring(place)).toHaveLength(1);
  });
});

test("what is recorded is always a wish that a pass can read", async () => {
  const bodies = [{ replicas: 1 }, { replicas: MEMBERS_MAX }, { to: "mysql-0" }, { to: "a.b-1" }];
  const odd = [
    { to: "a..b-0" },
    { to: "-a" },
    { to: "A" },
    { to: "a_b" },
    { to: "x".repeat(254) },
    { to: "" },
  ];
  for (const body of [...bodies, ...odd]) {
    const place = openPlace();
    const reply = await place.send("POST", "to" in body ? SWITCHOVER : SCALE, { body });
    expect(reply.status, JSON.stringify(body)).toBe(bodies.some((one) => one === body) ? 202 : 400);
    expect(parseWish(modelOf("StatefulSet", place.set())).problems).toEqual([]);
  }
});
