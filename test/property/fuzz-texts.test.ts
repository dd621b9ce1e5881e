/**
 * Parsers of texts that others write, with valid examples that are damaged and with noise: none throws anything but
 * what it says, what was read is written and read again as the same, and the answer to garbage is a value.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { logRequest } from "../../shared/adapters/mysql/log-request.ts";
import { decodeConditions, encodeConditions } from "../../shared/annotations/conditions.ts";
import { decodeHistory, encodeHistory } from "../../shared/annotations/history.ts";
import { canonicalJson, parseJson } from "../../shared/annotations/json.ts";
import { KEYS } from "../../shared/annotations/keys.ts";
import { decodeMemberRecord, encodeMemberRecord } from "../../shared/annotations/member.ts";
import { sameNews } from "../../shared/annotations/news.ts";
import { decodeRequests, encodeRequests } from "../../shared/annotations/requests.ts";
import { decodeState, encodeState } from "../../shared/annotations/state.ts";
import { oneLine, quote } from "../../shared/annotations/text.ts";
import { parseWish } from "../../shared/annotations/wish.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { changeEvent, readMessage } from "../../shared/hosts/events.ts";
import { readJson } from "../../shared/hosts/http/body.ts";
import { createGuard } from "../../shared/hosts/http/guard.ts";
import { findRoute, ROUTES, type RouteName } from "../../shared/hosts/http/routes.ts";
import { succeed } from "../../shared/model/outcome.ts";
import { HOSTILE, isPlainSentence, pollution } from "../support/hostile.ts";
import { jsonInput, mutatedText } from "../support/mutations.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { condition, entry, setWith, state } from "../unit/annotations/support.ts";
import { CLUSTER, tokenOf } from "../unit/http/support.ts";
import { samples } from "./gtid-sets.ts";

const RUNS = { numRuns: propertyRuns(2_000, 100_000) };
const TIMEOUT_MS = 900_000;

const anyValue = fc.oneof(
  fc.constantFrom(...HOSTILE.map(({ value }) => value)),
  fc.string({ unit: "binary", maxLength: 80 }),
);

const RING = [
  {
    ...{ id: "scale-0123abcd", by: "ci", at: "2026-11-23T10:00:00.000Z", key: "0123456789abcdef" },
    ...{ kind: "scale", wish: { replicas: 3 } },
  },
];
const MEMBER = {
  ...{ role: "replica", note: "", serverUuid: "uuid-1", version: "9.7.4", at: "2026-11-23T10:00:00.000Z" },
  ...{ acks: true, lagMs: 0 },
};

/** Each reader with an example of what it reads; it gives what it would write again, or null. */
const READERS: readonly [string, unknown, (raw: string) => string | null][] = [
  ["conditions", [condition(), condition()], (raw) => encodeConditions(decodeConditions(raw))],
  ["history", [entry(), entry({ considered: ["a"] })], (raw) => encodeHistory(decodeHistory(raw))],
  ["requests", RING, (raw) => encodeRequests(decodeRequests(raw))],
  [
    "member",
    MEMBER,
    (raw) => {
      const record = decodeMemberRecord(raw);
      return record && encodeMemberRecord(record);
    },
  ],
  [
    "state",
    state,
    (raw) => {
      const read = decodeState(raw, "uid-1");
      return read.kind === "valid" ? encodeState(read.state) : null;
    },
  ],
];

test.each(READERS)(
  "annotation %s",
  (_, example, again) => {
    expect(again(JSON.stringify(example))).not.toMatch(/^(?:\[\]|null)$/);
    fc.assert(
      fc.property(jsonInput(example), (raw) => {
        const written = again(raw);
        if (written !== null) expect(again(written)).toBe(written);
        expect(pollution()).toEqual([]);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "wishes",
  () => {
    const keys = Object.values(KEYS).map(({ key }) => key);
    const example = fc.constantFrom("mysql", "10s", "24h", "true", "auto", "e17", "mysql-2", "33", "0");
    const value = fc.oneof(mutatedText(example), anyValue);
    const key = fc.oneof(fc.constantFrom(...keys), mutatedText(fc.constantFrom(...keys)));
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 5 }), (annotations) => {
        const { problems } = parseWish(setWith(annotations));
        expect(problems.filter(({ message }) => !isPlainSentence(message, 200))).toEqual([]);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "sentences",
  () => {
    fc.assert(
      fc.property(anyValue, anyValue, fc.integer({ min: 1, max: 200 }), (one, other, charsMax) => {
        const line = oneLine(one, charsMax);
        expect(isPlainSentence(line, charsMax)).toBe(true);
        expect(oneLine(line, charsMax)).toBe(line);
        expect(isPlainSentence(quote(one), 42)).toBe(true);
        expect(sameNews(line, line)).toBe(true);
        expect(sameNews(line, oneLine(other, 200))).toBe(sameNews(oneLine(other, 200), line));
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "GTID sets: the same set again, or one of two complaints",
  () => {
    const input = fc.oneof({ weight: 4, arbitrary: mutatedText(samples.map(({ text }) => text)) }, anyValue);
    fc.assert(
      fc.property(input, (text) => {
        let canonical: string | null = null;
        try {
          canonical = gtidSets.union(text, "");
        } catch (error) {
          expect(String(error)).toMatch(/not a GTID set|is too long/);
        }
        if (canonical === null) return;
        expect(gtidSets.union(canonical, text)).toBe(canonical);
        expect(gtidSets.contains(text, canonical) && gtidSets.contains(canonical, text)).toBe(true);
        expect(gtidSets.shorten(text, 100).length).toBeLessThan(200);
        expect(logRequest(canonical, false).length).toBeLessThan(0xff_ff_ff);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "the request for a log: bytes, or a complaint about the set",
  () => {
    const input = fc.oneof({ weight: 4, arbitrary: mutatedText(samples.map(({ text }) => text)) }, anyValue);
    fc.assert(
      fc.property(input, (text) => {
        try {
          expect(logRequest(text, true).length).toBeGreaterThan(4);
        } catch (error) {
          expect(String(error)).toMatch(/not a GTID set/);
        }
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

const CHANGE = changeEvent(
  "update",
  "Pod",
  { namespace: "shop", name: "mysql-0", uid: "u", resourceVersion: "1", labels: {} },
  0,
);

test(
  "events, structured and in batches",
  () => {
    const type = fc.constantFrom(
      "application/cloudevents+json",
      "application/cloudevents-batch+json; charset=utf-8",
    );
    const body = fc.oneof(jsonInput(CHANGE), jsonInput([CHANGE, CHANGE]));
    fc.assert(
      fc.property(type, body, (contentType, text) => expectRead({ "content-type": contentType }, text)),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "events in headers",
  () => {
    const { data, ...attributes } = CHANGE as Readonly<Record<string, unknown>>;
    const headers = Object.entries(attributes).map(([name, value]) => [`ce-${name}`, String(value)] as const);
    const change = fc.tuple(fc.oneof(fc.constantFrom(...headers.map(([name]) => name)), anyValue), anyValue);
    fc.assert(
      fc.property(fc.array(change, { maxLength: 2 }), jsonInput(data), (changes, text) =>
        expectRead(
          { "content-type": "application/json", ...Object.fromEntries([...headers, ...changes]) },
          text,
        ),
      ),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

function expectRead(headers: Readonly<Record<string, string>>, body: string): void {
  const read = readMessage({ headers, body });
  expect(pollution()).toEqual([]);
  if (read.ok) return;
  expect(read.failure.code).toBe(400);
  expect(isPlainSentence(read.failure.message, 200)).toBe(true);
}

test(
  "bodies: JSON with one meaning, or a refusal",
  () => {
    const bytes = fc.oneof(
      {
        weight: 4,
        arbitrary: jsonInput({ replicas: 5, a: [{ b: "\\" }], c: { b: 1 } }).map((text) =>
          new TextEncoder().encode(text),
        ),
      },
      fc.uint8Array({ maxLength: 60 }),
    );
    fc.assert(
      fc.property(bytes, (body) => {
        const read = readJson(body);
        expect(pollution()).toEqual([]);
        if (!read.ok) {
          expect(read.answer.status).toBe(400);
          return;
        }
        const text = canonicalJson(read.value);
        const again = parseJson(text, text.length * 4);
        expect(again.ok && canonicalJson(again.value)).toBe(text);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "paths: found with all their parts, or not at all",
  () => {
    const names = Object.keys(ROUTES) as RouteName[];
    const path = fc.oneof(
      mutatedText(
        fc.constantFrom(`${CLUSTER}/scale`, CLUSTER, "/events", `${CLUSTER}/operations/scale-0123abcd`),
      ),
      anyValue,
    );
    fc.assert(
      fc.property(fc.constantFrom("GET", "POST", "x"), path, (method, text) => {
        const found = findRoute(names, method, text);
        if (found.kind !== "found") return;
        const wanted = [...ROUTES[found.name].path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        expect(Object.keys(found.parts)).toEqual(wanted);
        expect(Object.values(found.parts).filter((part) => part.includes("/"))).toEqual([]);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "tokens: only one that lives for an hour at most is let in, whatever the API server says of it",
  async () => {
    const user = { name: "admin", uid: "u", groups: [], extra: {} };
    const reviewer = { authenticate: async () => succeed(user), authorise: async () => succeed(true) };
    const log = { info() {}, warn() {} };
    let tick = 0;
    const ticks = () => {
      tick += 1;
      return tick;
    };
    const guard = createGuard(reviewer, {
      clock: { now: () => ticks() * 60_000, sleep: async () => {} },
      log,
    });
    const payload = jsonInput({ iat: 1, exp: 3_601 }).map(
      (text) => `x.${Buffer.from(text).toString("base64url")}.x`,
    );
    const token = fc.oneof(payload, mutatedText(fc.constant(tokenOf("admin"))), anyValue);
    await fc.assert(
      fc.asyncProperty(token, fc.constantFrom("Bearer ", "bearer   ", "Basic ", ""), async (text, scheme) => {
        const admitted = await guard.admit(`${scheme}${text}`, "192.0.2.1");
        if (!admitted.ok) {
          expect(admitted.answer.status).toBe(401);
          return;
        }
        const [, middle = ""] = text.split(".");
        const { iat, exp } = JSON.parse(Buffer.from(middle, "base64url").toString("utf8")) as Record<
          string,
          number
        >;
        expect(Number(exp) - Number(iat)).toBeLessThanOrEqual(3_600);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);
