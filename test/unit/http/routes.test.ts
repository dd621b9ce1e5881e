/** Every route with its good answer and every refusal by name; a refusal is a problem document of one sentence. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { problemSchema } from "../../../shared/hosts/http/answers.ts";
import {
  operationSchema,
  plannedSchema,
  recordedSchema,
  shownClusterSchema,
} from "../../../shared/model/answers.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import { CLUSTER, openPlace, PLAN, type Place, type Reply, type Sending, tokenOf } from "./support.ts";

const SCALE = { replicas: 5 };
const UNREACHABLE = {
  ok: false,
  failure: { kind: "transient", message: "The API server did not read it: not within 10000 ms" },
} as const;

function expectProblem(reply: Reply, status: number): string {
  expect(reply).toMatchObject({ status, headers: { "content-type": "application/problem+json" } });
  const { detail, ...rest } = problemSchema.parse(reply.body);
  expect(rest.status).toBe(status);
  expect(detail).toMatch(/^\S.*[.\w]$/);
  return detail;
}

describe("answers", () => {
  test("scale is recorded: an id, where to look, the plan, and one annotation for the passes", async () => {
    const place = openPlace();
    const reply = await place.send("POST", `${CLUSTER}/scale`, { body: SCALE });
    const { id, operation, ...rest } = recordedSchema.parse(reply.body);
    expect(id).toMatch(/^scale-[0-9a-f]{8}$/);
    expect(reply).toMatchObject({
      status: 202,
      headers: { location: operation, "cache-control": "no-store" },
    });
    expect(operation).toBe(`${CLUSTER}/operations/${id}`);
    expect(rest).toEqual({ status: "accepted", message: null, plan: PLAN });
    expect(place.annotation(ANNOTATION.replicas)).toBe("5");
  });

  test("a switchover is recorded, and its operation can be looked at", async () => {
    const place = openPlace();
    const reply = await place.send("POST", `${CLUSTER}/switchover`, { body: { to: "mysql-2" } });
    expect(reply.status).toBe(202);
    expect(place.annotation(ANNOTATION.switchoverTo)).toBe("mysql-2");
    const look = await place.send("GET", String(reply.headers["location"]), { token: tokenOf("reader") });
    expect(operationSchema.parse(look.body)).toEqual({
      id: reply.body["id"],
      kind: "switchover",
      wish: { to: "mysql-2" },
      status: "accepted",
      message: null,
      by: "admin",
      at: "2026-11-23T10:00:00.000Z",
    });
  });

  test.each([
    [{}, "true"],
    [{ method: "logical" }, "logical"],
  ])("a backup %j is recorded, and how it stands is told", async (body, annotation) => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.backupStore]: "backups" });
    const reply = await place.send("POST", `${CLUSTER}/backup`, { body, token: tokenOf("switcher") });
    expect(reply.status).toBe(202);
    expect(recordedSchema.parse(reply.body)).toMatchObject({ status: "accepted", message: null, plan: PLAN });
    expect(place.annotation(ANNOTATION.backupNow)).toBe(annotation);
    const look = await place.send("GET", String(reply.headers["location"]), { token: tokenOf("reader") });
    expect(operationSchema.parse(look.body)).toMatchObject({
      kind: "backup",
      wish: body,
      status: "accepted",
    });
  });

  test.each([
    ["scale", SCALE],
    ["switchover", { to: "mysql-2" }],
    ["backup", { method: "logical" }],
  ])("a dry run of %s answers with the plan and records nothing", async (kind, body) => {
    const place = openPlace();
    const before = place.set();
    const reply = await place.send("POST", `${CLUSTER}/${kind}?dryRun=true`, { body });
    expect(reply.status).toBe(200);
    expect(plannedSchema.parse(reply.body)).toEqual({ plan: PLAN });
    expect(place.set()).toBe(before);
    expect((await place.send("POST", `${CLUSTER}/${kind}?dryRun=false`, { body })).status).toBe(202);
  });

  test("the status is the document of the plugin", async () => {
    const reply = await openPlace().send("GET", CLUSTER, { token: tokenOf("reader") });
    expect(reply.status).toBe(200);
    expect(shownClusterSchema.parse(reply.body)).toMatchObject({
      name: "mysql",
      phase: "Healthy",
      primary: "mysql-1",
    });
  });

  test("health and the document need no token", async () => {
    const place = openPlace();
    expect(await place.send("GET", "/healthz", { token: null })).toMatchObject({ body: { status: "ok" } });
    expect(await place.send("GET", "/openapi.json", { token: null })).toMatchObject({
      status: 200,
      body: { openapi: "3.1.0" },
    });
  });
});

interface Refusal extends Sending {
  readonly method?: string;
  readonly path?: string;
  readonly before?: (place: Place) => void;
  readonly says?: RegExp;
  readonly carries?: Readonly<Record<string, string>>;
}

const LONG = tokenOf("admin", 3601);
const OPEN = (place: Place) => place.annotate({ [ANNOTATION.switchoverTo]: "mysql-0" });

const REFUSALS: readonly (readonly [string, number, Refusal])[] = [
  ["no token", 401, { token: null, carries: { "www-authenticate": "Bearer" } }],
  ["another scheme", 401, { headers: { authorization: "Basic YTpi" } }],
  ["a token that is no token", 401, { token: "a b" }],
  ["a token that is far too long", 401, { token: "a".repeat(9000) }],
  ["a token of another audience", 401, { token: "x.y.z", says: /audience ordinal/ }],
  ["a token that lives for longer", 401, { token: LONG, says: /at most an hour.*--duration 1h/ }],
  ["no right at all", 403, { token: tokenOf("nobody"), says: /"nobody" may not patch statefulsets\/scale/ }],
  ["another right", 403, { token: tokenOf("switcher") }],
  ["no right to switch over", 403, { path: "switchover", body: { to: "mysql-2" }, token: tokenOf("scaler") }],
  ["no right to back up", 403, { path: "backup", body: {}, token: tokenOf("scaler") }],
  ["no right to restore", 403, { path: "restore", body: { backup: "latest" }, token: tokenOf("reader") }],
  ["no right to look", 403, { method: "GET", path: "", token: tokenOf("scaler") }],
  ["a restore to nothing", 400, { path: "restore", body: {}, token: tokenOf("switcher") }],
  ["a restore to a time of nowhere", 400, { path: "restore", body: { time: "2026-11-23T03:00:00" } }],
  ["a backup of another method", 400, { path: "backup", body: { method: "magic" } }],
  ["a path that is not served", 404, { path: "rename" }],
  ["a path with more behind it", 404, { path: "scale/now" }],
  ["another method", 405, { method: "PUT", carries: { allow: "POST" } }],
  ["another method to look", 405, { method: "DELETE", path: "", carries: { allow: "GET" } }],
  ["no such operation", 404, { method: "GET", path: "operations/scale-00000000" }],
  ["no id of an operation", 400, { method: "GET", path: "operations/scale-1%0d%0aX:1" }],
  ["another type of content", 415, { headers: { "content-type": "text/plain" } }],
  ["no type of content", 415, { headers: { "content-type": "" } }],
  ["an unknown field", 400, { body: { replicas: 5, force: true }, says: /"force"/ }],
  ["a field of another type", 400, { body: { replicas: "5" }, says: /replicas: / }],
  ["too many members", 400, { body: { replicas: 100 } }],
  ["no members", 400, { body: { replicas: 0 } }],
  ["half a member", 400, { body: { replicas: 1.5 } }],
  ["no pod's name", 400, { path: "switchover", body: { to: "mysql-2; drop" } }],
  ["no body", 400, { body: "" }],
  ["an unknown query", 400, { path: "scale?force=1" }],
  ["a query twice", 400, { path: "scale?dryRun=true&dryRun=false" }],
  ["a query of another value", 400, { path: "scale?dryRun=yes" }],
  ["a query of a look", 400, { method: "GET", path: "?dryRun=true" }],
  ["an idempotency key of 129", 400, { key: "k".repeat(129) }],
  ["an idempotency key that is empty", 400, { key: "" }],
  ["an idempotency key beyond ASCII", 400, { key: "schlüssel" }],
  ["a conflict", 409, { before: OPEN, says: /switchover to "mysql-0" .*ordinal\.dev\/switchover-to/ }],
  [
    "what the preview refuses",
    422,
    {
      before: (place) => {
        const refused = { code: "ScaleRefused", message: "3 acknowledge: ask for 3 or more." };
        place.preview = succeed({ plan: { stages: [], complete: true }, refused, why: "" });
      },
      says: /3 acknowledge/,
    },
  ],
  [
    "a preview that fails",
    503,
    {
      before: (place) => {
        place.preview = UNREACHABLE;
      },
      carries: { "retry-after": "1" },
    },
  ],
  [
    "an API server that is silent at the review of the token",
    503,
    {
      before: (place) => {
        place.tokenReview = UNREACHABLE;
      },
    },
  ],
  [
    "an API server that is silent at the review of access",
    503,
    {
      before: (place) => {
        place.accessReview = UNREACHABLE;
      },
    },
  ],
  [
    "a namespace in which Ordinal may not ask",
    403,
    {
      before: (place) => {
        place.accessReview = fail("refused", "forbidden", { code: 403 });
      },
      says: /not one that it serves/,
    },
  ],
  [
    "an API server that is silent at the read",
    503,
    {
      before: ({ sim }) =>
        sim.setFaults(({ verb }) => (verb === "read" ? { before: UNREACHABLE.failure } : {})),
    },
  ],
  [
    "an API server that is silent at the write",
    503,
    {
      before: ({ sim }) =>
        sim.setFaults(({ verb }) => (verb === "patch" ? { before: UNREACHABLE.failure } : {})),
    },
  ],
];

describe("refusals", () => {
  test.each(REFUSALS)("%s: %i", async (_, status, refusal) => {
    const place = openPlace();
    const { method = "POST", path = "scale", before, says = /./, carries = {}, ...sending } = refusal;
    before?.(place);
    const set = place.set();
    const target = path === "" || path.startsWith("?") ? `${CLUSTER}${path}` : `${CLUSTER}/${path}`;
    const reply = await place.send(method, target, { body: SCALE, ...sending });
    expect(expectProblem(reply, status)).toMatch(says);
    expect(reply.headers).toMatchObject(carries);
    expect(place.set()).toBe(set);
  });

  test("a refusal of the preview carries its code", async () => {
    const place = openPlace();
    place.preview = succeed({
      plan: { stages: [], complete: true },
      refused: { code: "SwitchoverRefused", message: "It lags." },
      why: "",
    });
    const reply = await place.send("POST", `${CLUSTER}/switchover?dryRun=true`, { body: { to: "mysql-2" } });
    expect(reply).toMatchObject({ status: 422, body: { code: "SwitchoverRefused", detail: "It lags." } });
  });

  test("a list of Pods that fails is no empty cluster", async () => {
    const place = openPlace();
    place.sim.setFaults(({ kind }) => (kind === "Pod" ? { before: UNREACHABLE.failure } : {}));
    expectProblem(await place.send("GET", CLUSTER), 503);
  });
});

describe("whether there is such a cluster", () => {
  test.each(["missing", "plain"])("is told only to who may get it: %s", async (name) => {
    const path = `/clusters/shop/${name}`;
    const send = (who: string) =>
      openPlace().send("POST", `${path}/scale`, { token: tokenOf(who), body: SCALE });
    expect(expectProblem(await send("admin"), 404)).toMatch(`manages no StatefulSet ${name}`);
    expect(expectProblem(await send("scaler"), 403)).toMatch("may not get statefulsets");
    expectProblem(await openPlace().send("GET", path, { token: tokenOf("reader") }), 404);
  });

  test("a cluster that was released is shown, and takes no requests", async () => {
    const place = openPlace();
    place.annotate({ [ANNOTATION.engine]: null, [ANNOTATION.phase]: "Released" });
    expect((await place.send("GET", CLUSTER)).status).toBe(200);
    expectProblem(await place.send("POST", `${CLUSTER}/scale`, { body: SCALE }), 404);
  });
});
