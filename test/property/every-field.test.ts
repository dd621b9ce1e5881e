/**
 * Every hostile value in every field that a stranger fills in: bodies, queries, paths, headers, attributes and data of
 * events. The fields come from the schemas that check them, so that a new one is tried as soon as it is there. Each
 * answer is a refusal in one plain sentence, and nothing is recorded; what is let through leaves no trace of the value.
 */
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { changeEvent } from "../../shared/hosts/events.ts";
import { CLUSTER_ROUTES, PARAMETERS, type Route } from "../../shared/hosts/http/routes.ts";
import { REQUEST_KINDS } from "../../shared/model/request-kind.ts";
import { HOSTILE, HOSTILE_JSON, isName, isPlainSentence, MARK, pollution } from "../support/hostile.ts";
import { openPlace, type Place, type Reply, type Sending } from "../unit/http/support.ts";

/** A good value of each field of a body. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
  ...{ replicas: 5, to: "mysql-2", method: "physical", epoch: 2 },
  ...{ cluster: "shop/mysql", backup: "latest", store: "backups", inPlace: true, id: "r1" },
};
/** Of these a body names one. */
const TARGETS = ["backup", "time", "gtid"];

const ROUTES: readonly (readonly [string, Route])[] = Object.entries(CLUSTER_ROUTES);
const POSTS = ROUTES.filter(([, { method }]) => method === "POST");

const schema = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });

function fieldsOf({ body }: Route): readonly string[] {
  return body === null ? [] : Object.keys(schema.parse(z.toJSONSchema(body, { io: "input" })).properties);
}

function examplesOf(route: Route): Readonly<Record<string, unknown>> {
  const known = fieldsOf(route).filter((field) => EXAMPLES[field] !== undefined);
  return Object.fromEntries(known.map((field) => [field, EXAMPLES[field]]));
}

/** As JSON, with one more field or another value of one. */
function bodyWith(route: Route, field: string, json: string): string {
  const others = Object.entries(examplesOf(route)).filter(
    ([name]) => name !== field && !(TARGETS.includes(name) && TARGETS.includes(field)),
  );
  const texts = others.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{${[...texts, `${JSON.stringify(field)}:${json}`].join(",")}}`;
}

function fill(path: string, parts: Readonly<Record<string, string>> = {}): string {
  const good = { namespace: "shop", name: "mysql", id: "scale-0123abcd", ...parts };
  return path.replaceAll(/\{(\w+)\}/g, (_, part: string) => good[part as keyof typeof good] ?? "");
}

/** Generous: a thousand times what it takes, and far below what backtracking would. */
const TIME_MAX_MS = 2_000;

interface Tried {
  readonly reply: Reply;
  /** Null when it is as it was. */
  readonly recorded: string | null;
  /** Lines of the log, and the answer. */
  readonly said: readonly string[];
  readonly woken: readonly string[];
}

let place: Place = openPlace();

/** Each a minute after the one before, so that no limit answers in the place of what is looked for. */
async function attempt(method: string, target: string, sending: Sending): Promise<Tried> {
  place.nowMs += 60_000;
  place.said.length = 0;
  place.reactions.length = 0;
  const before = place.set();
  const startedAt = performance.now();
  const reply = await place.send(method, target, sending);
  expect(performance.now() - startedAt).toBeLessThan(TIME_MAX_MS);
  expect(pollution()).toEqual([]);
  expect(reply.status < 500, `${reply.status} ${reply.text}`).toBe(true);
  for (const header of Object.values(reply.headers)) expect(header).toMatch(/^[\x20-\x7e]*$/);
  const told = reply.status >= 400 ? String(reply.body["detail"]) : "";
  expect(isPlainSentence(told, 500), told).toBe(true);
  const recorded = place.set() === before ? null : JSON.stringify(place.set());
  const said = [...place.said];
  const woken = place.reactions.flatMap(({ wakes }) => wakes.flatMap(({ ref }) => [ref.namespace, ref.name]));
  if (recorded !== null) place = openPlace();
  return { reply, recorded, said, woken };
}

async function expectRefused(method: string, target: string, sending: Sending): Promise<void> {
  const { reply, recorded } = await attempt(method, target, sending);
  expect([reply.status >= 400 && reply.status < 500, recorded], reply.text).toEqual([true, null]);
}

/** Where it was taken for what it is not forbidden to be, it must not be found again. */
function expectNoTrace({ recorded, said }: Tried, value: string): void {
  if (!value.includes(MARK) && value.length < 100) return;
  const text = JSON.stringify(value).slice(1, -1);
  expect([recorded ?? "", ...said].filter((one) => one.includes(text))).toEqual([]);
}

test("each field of each body has an example", () => {
  for (const [name, route] of POSTS) {
    expect([name, route.body?.safeParse(examplesOf(route)).success]).toEqual([name, true]);
  }
  expect(POSTS.flatMap(([, route]) => fieldsOf(route)).length).toBeGreaterThan(2);
});

/** What has the form of a name, an id or a set of transactions is one, whoever meant it. */
function isHarmless(field: string, value: string): boolean {
  if (field === "to" || field === "store") return isName(value);
  if (field === "id") return /^[a-z0-9][a-z0-9-]{0,31}$/.test(value);
  return field === "gtid" && /^[0-9A-Za-z_:, \n-]+$/.test(value) && value.length <= 4_096;
}

describe.each(POSTS)("a body of %s", (_, route) => {
  test.each(fieldsOf(route))("text in %s", async (field) => {
    for (const { value } of HOSTILE) {
      const body = bodyWith(route, field, JSON.stringify(value));
      if (isHarmless(field, value)) await attempt("POST", fill(route.path), { body });
      else await expectRefused("POST", fill(route.path), { body });
    }
  });

  test.each(fieldsOf(route))("other JSON in %s", async (field) => {
    for (const json of Object.values(HOSTILE_JSON)) {
      if (field === "inPlace" && json === "true") continue;
      await expectRefused("POST", fill(route.path), { body: bodyWith(route, field, json) });
    }
  });

  test("a field more", async () => {
    for (const { value } of HOSTILE) {
      await expectRefused("POST", fill(route.path), { body: bodyWith(route, value, "1") });
    }
  });

  test("in place of a body", async () => {
    for (const { value } of HOSTILE) await expectRefused("POST", fill(route.path), { body: `${value} ` });
    for (const json of Object.values(HOSTILE_JSON)) {
      if (json !== "{}") await expectRefused("POST", fill(route.path), { body: json });
    }
  });

  test("in the query", async () => {
    for (const { value } of HOSTILE) {
      const text = encodeURIComponent(value.toWellFormed());
      for (const query of [`dryRun=${text}`, `${text}=true`, `dryRun=true&x${text}`]) {
        await expectRefused("POST", `${fill(route.path)}?${query}`, { body: examplesOf(route) });
      }
    }
  });
});

describe.each(ROUTES)("the path of %s", (_, route) => {
  test.each(Object.keys(PARAMETERS).filter((part) => route.path.includes(`{${part}}`)))(
    "%s",
    async (part) => {
      for (const { value } of HOSTILE) {
        for (const text of [value, encodeURIComponent(value.toWellFormed())]) {
          const target = fill(route.path, { [part]: text });
          const { reply, recorded } = await attempt(route.method, target, { body: examplesOf(route) });
          expect([reply.status >= 400, recorded, reply.status < 500 || isName(value)]).toEqual([
            true,
            null,
            true,
          ]);
        }
      }
    },
  );
});

describe("headers", () => {
  const [, scale] = POSTS[0] ?? [];
  const target = fill(scale?.path ?? "");
  const body = { replicas: 5 };

  test("of who asks", async () => {
    for (const { value } of HOSTILE) {
      for (const authorization of [value, `Bearer ${value}`, `Bearer ${value}.${value}.${value}`]) {
        const tried = await attempt("POST", target, { body, token: null, headers: { authorization } });
        expect([tried.reply.status, tried.recorded]).toEqual([401, null]);
        expectNoTrace(tried, value);
      }
    }
  });

  test("of what is sent", async () => {
    for (const { value } of HOSTILE)
      await expectRefused("POST", target, { body, headers: { "content-type": value } });
  });

  test("of the key", async () => {
    for (const { value } of HOSTILE) {
      const tried = await attempt("POST", target, { body, key: value });
      expect(tried.reply.status).toBe(/^[\x20-\x7e]{1,128}$/.test(value) ? 202 : 400);
      expectNoTrace(tried, value);
    }
  });

  test("that nobody asked for", async () => {
    for (const { value } of HOSTILE) {
      const headers = {
        forwarded: value,
        host: value,
        "x-forwarded-for": value,
        [value.toLowerCase()]: value,
      };
      const tried = await attempt("POST", target, { body, headers });
      expect(tried.reply.status).toBe(202);
      expectNoTrace(tried, value);
    }
  });
});

describe("events", () => {
  const object = { namespace: "shop", name: "mysql-0", uid: "u", resourceVersion: "1", labels: {} };
  const change = changeEvent("update", "Pod", object, 0);
  const attributes = [...new Set([...Object.keys(change), "dataschema", "data_base64", "extension"])].filter(
    (name) => name !== "data",
  );
  const wishes = REQUEST_KINDS.map((kind) => ({
    ...change,
    type: `dev.ordinal.request.${kind}`,
    data: { namespace: "shop", name: "mysql", ...examplesOf(CLUSTER_ROUTES[kind]) },
  }));
  const examples = [change, { ...change, type: "dev.knative.sources.ping" }, ...wishes].map(
    (event) => event as Readonly<Record<string, unknown>>,
  );

  function structured(event: object): Sending {
    return { body: JSON.stringify(event), headers: { "content-type": "application/cloudevents+json" } };
  }

  function binary({ data, ...event }: Readonly<Record<string, unknown>>): Sending {
    const headers = Object.entries(event).map(([name, value]) => [`ce-${name}`, String(value)]);
    return { body: JSON.stringify(data), headers: Object.fromEntries(headers) };
  }

  async function expectHarmless(sending: Sending, value: string): Promise<void> {
    const tried = await attempt("POST", "/events", sending);
    expect([200, 202, 400, 413]).toContain(tried.reply.status);
    expectNoTrace(tried, value);
    expect(tried.woken.filter((name) => !isName(name))).toEqual([]);
  }

  test.each(attributes)("attribute %s", async (attribute) => {
    for (const event of [change, wishes[0] ?? change]) {
      for (const { value } of HOSTILE) {
        const hostile = { ...event, [attribute]: value };
        await expectHarmless(structured(hostile), value);
        await expectHarmless(binary(hostile), value);
      }
    }
  });

  test.each(examples.map((event, at) => [String(event["type"]), at] as const))(
    "data of %s",
    async (_, at) => {
      const event = examples[at] ?? {};
      for (const field of Object.keys(event["data"] ?? {})) {
        for (const { value } of HOSTILE.filter((one) => !isName(one.value))) {
          const data = { ...(event["data"] as object), [field]: value };
          await expectHarmless(structured({ ...event, data }), value);
          await expectHarmless(binary({ ...event, data }), value);
        }
      }
    },
  );

  test("in place of an event", async () => {
    for (const { value } of HOSTILE) {
      for (const type of [
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "application/json",
        value,
      ]) {
        const { reply } = await attempt("POST", "/", { body: value, headers: { "content-type": type } });
        expect(reply.status).toBe(400);
      }
    }
  });
});
