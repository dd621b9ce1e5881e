/** What the dashboard asks: the clusters somebody may see, one of them with what they may do, and what its store holds. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { createGuard } from "../../../shared/hosts/http/guard.ts";
import { shownClusterSchema, storedBackupsSchema } from "../../../shared/model/answers.ts";
import { clusterListSchema } from "../../../shared/model/documents.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Reviewer } from "../../../shared/ports/reviewer.ts";
import { bucketOf, DAY_MS, KEY_PARTS, putCluster, putSecret } from "../../support/dashboard/fleet.ts";
import { REQUEST_FUNCTIONS } from "../hosts/functions.ts";
import { CLUSTER, NOW_MS, openPlace, type Place, tokenOf } from "./support.ts";

const READER = { token: tokenOf("reader") } as const;
const quiet = { info: () => undefined, warn: () => undefined };

/** One who may list in these namespaces alone. */
function listing(namespaces: readonly string[], otherwise: Outcome<boolean> = succeed(false)): Place {
  const reviewer: Reviewer = {
    authenticate: () => Promise.resolve(succeed({ name: "guest", uid: "u", groups: [], extra: {} })),
    authorise: (_, { verb }, { namespace, name }) =>
      Promise.resolve(
        verb === "list" && name === "" && namespaces.includes(namespace) ? succeed(true) : otherwise,
      ),
  };
  const guard = createGuard(reviewer, { clock: { now: () => NOW_MS, sleep: async () => {} }, log: quiet });
  const place = openPlace(REQUEST_FUNCTIONS, { guard });
  putCluster(place.sim, { namespace: "lab", name: "trial" }, NOW_MS);
  return place;
}

const names = (body: unknown) =>
  clusterListSchema.parse(body).items.map(({ namespace, name }) => `${namespace}/${name}`);

describe("all clusters", () => {
  test.each([
    [
      ["shop", "lab"],
      ["lab/trial", "shop/mysql"],
    ],
    [["shop"], ["shop/mysql"]],
    [["lab"], ["lab/trial"]],
    [[], []],
  ])("of the namespaces in which somebody may list: %j", async (namespaces, seen) => {
    const place = listing(namespaces);
    const { status, body, text } = await place.send("GET", "/clusters");
    expect([status, names(body)]).toEqual([200, seen]);
    if (!namespaces.includes("lab")) expect(text).not.toContain("trial");
  });

  test("what Ordinal may not ask about is not shown, and no answer is no refusal", async () => {
    const forbidden = fail("refused", "forbidden", { code: 403 });
    expect(names((await listing(["shop"], forbidden).send("GET", "/clusters")).body)).toEqual(["shop/mysql"]);
    const silent = fail("transient", "not within 10 s");
    expect((await listing(["shop"], silent).send("GET", "/clusters")).status).toBe(503);
  });

  test("a fleet that is the same is not sent again", async () => {
    const place = listing(["shop"]);
    const { headers } = await place.send("GET", "/clusters");
    const known = { headers: { "if-none-match": headers["etag"] ?? "" } };
    expect(await place.send("GET", "/clusters", known)).toMatchObject({ status: 304, text: "" });
    place.annotate({ [ANNOTATION.phase]: "FailingOver" });
    expect(await place.send("GET", "/clusters", known)).toMatchObject({ status: 200 });
  });

  test("a token is needed, and no query is taken", async () => {
    const place = openPlace();
    expect((await place.send("GET", "/clusters", { token: null })).status).toBe(401);
    expect((await place.send("GET", "/clusters?all=1", READER)).status).toBe(400);
  });
});

describe("one cluster", () => {
  test.each([
    ["admin", { update: true, scale: true }],
    ["reader", { update: false, scale: false }],
  ])("says what %s may do", async (who, may) => {
    const { body } = await openPlace().send("GET", CLUSTER, { token: tokenOf(who) });
    expect(shownClusterSchema.parse(body).may).toEqual(may);
  });

  test("shows open requests and how they stand", async () => {
    const place = openPlace();
    await place.send("POST", `${CLUSTER}/switchover`, { body: { to: "mysql-2" } });
    const { requests } = shownClusterSchema.parse((await place.send("GET", CLUSTER)).body);
    expect(requests).toMatchObject([
      { kind: "switchover", wish: { to: "mysql-2" }, by: "admin", status: "accepted" },
    ]);
  });
});

describe("what is written as it is", () => {
  test.each([
    ["pause", {}, ANNOTATION.pause, "true"],
    ["resume", {}, ANNOTATION.pause, undefined],
    ["approve", { epoch: 8 }, ANNOTATION.approve, "e8"],
  ])("%s, by whoever may update, as often as it is sent", async (route, body, key, value) => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.pause]: route === "resume" ? "true" : null });
    const before = place.set();
    const path = `${CLUSTER}/${route}`;
    expect((await place.send("POST", path, { body, ...READER })).status).toBe(403);
    const planned = await place.send("POST", `${path}?dryRun=true`, { body });
    expect([planned.status, Array.isArray((planned.body["plan"] as { stages: unknown }).stages)]).toEqual([
      200,
      true,
    ]);
    expect(place.set()).toBe(before);
    for (const time of ["first", "again"]) {
      const reply = await place.send("POST", path, { body, token: tokenOf("switcher") });
      expect([time, reply.status, reply.body]).toEqual([
        time,
        200,
        { annotation: key, value: value ?? null },
      ]);
      expect(place.annotation(key)).toBe(value);
    }
  });

  test("an approval of another epoch than the next is refused, as is what nobody can carry out", async () => {
    const place = openPlace();
    const other = await place.send("POST", `${CLUSTER}/approve`, { body: { epoch: 7 } });
    expect([other.status, other.body["detail"]]).toEqual([
      422,
      "The next failover of mysql would be into epoch 8: approve that one.",
    ]);
    place.preview = succeed({
      plan: { stages: [], complete: true },
      refused: { code: "CredentialsMissing", message: "There is no Secret." },
      why: "",
    });
    const refused = await place.send("POST", `${CLUSTER}/approve?dryRun=true`, { body: { epoch: 8 } });
    expect(refused).toMatchObject({ status: 422, body: { code: "CredentialsMissing" } });
    expect(place.annotation(ANNOTATION.approve)).toBeUndefined();
  });

  test.each([
    ["pause", { until: "noon" }],
    ["approve", {}],
    ["approve", { epoch: 0 }],
    ["approve", { epoch: "8" }],
  ])("%s with %j has not the form that is wanted", async (route, body) => {
    expect((await openPlace().send("POST", `${CLUSTER}/${route}`, { body })).status).toBe(400);
  });

  test("what Ordinal does not manage is not written to", async () => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.engine]: null });
    expect((await place.send("POST", `${CLUSTER}/pause`, { body: {} })).status).toBe(404);
    expect(place.annotation(ANNOTATION.pause)).toBeUndefined();
  });
});

describe("what a store holds", () => {
  async function holding(withSecret: boolean): Promise<Place> {
    const bucket = { of: null as Awaited<ReturnType<typeof bucketOf>> | null };
    const place = openPlace(REQUEST_FUNCTIONS, {
      openStore: () => {
        if (bucket.of === null) throw new Error("no store was expected to be opened");
        return { ...bucket.of, close: () => void place.said.push("the store is closed") };
      },
    });
    const uid = putCluster(place.sim, { namespace: "shop", name: "orders" }, NOW_MS);
    bucket.of = await bucketOf(uid, NOW_MS);
    if (withSecret) putSecret(place.sim);
    return place;
  }

  test("its backups, newest first, and what can be recovered with the gaps, and nothing of its key", async () => {
    const place = await holding(true);
    const { body, text } = await place.send("GET", "/clusters/shop/orders/backups", READER);
    const { backups, window, gap } = storedBackupsSchema.parse(body);
    expect([backups.length, gap, window?.gaps.length]).toEqual([20, null, 1]);
    expect(backups.map(({ slot }) => Date.parse(slot))).toEqual(
      backups.map(({ slot }) => Date.parse(slot)).toSorted((a, b) => b - a),
    );
    expect(Date.parse(window?.to ?? "") - Date.parse(window?.from ?? "")).toBeGreaterThan(11 * DAY_MS);
    expect(place.said).toContain("the store is closed");
    for (const part of KEY_PARTS) expect(text).not.toContain(part);
  });

  test("without the right to the Secret it is said, and so is a host that asks no store", async () => {
    const place = await holding(false);
    const told = storedBackupsSchema.parse(
      (await place.send("GET", "/clusters/shop/orders/backups", READER)).body,
    );
    expect(told).toEqual({
      backups: [],
      window: null,
      gap: "Ordinal's host may not read the Secret backups, or it is not there.",
    });
    const other = openPlace();
    putCluster(other.sim, { namespace: "shop", name: "orders" }, NOW_MS);
    const none = await other.send("GET", "/clusters/shop/orders/backups", READER);
    expect(none.body["gap"]).toBe("This host asks no store.");
    expect((await other.send("GET", `${CLUSTER}/backups`, READER)).body["gap"]).toBe(
      "No store is named that can be used.",
    );
    expect((await other.send("GET", `${CLUSTER}/backups`, { token: tokenOf("nobody") })).status).toBe(403);
  });
});
