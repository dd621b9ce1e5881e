/**
 * Laws of the annotations that hold for every input: what is written is read back, no size is ever exceeded,
 * and no text whatever makes a reader throw.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBackups, encodeBackups } from "../../shared/annotations/backups.ts";
import { ANNOTATIONS_BYTES_MAX, annotationBytes, shrink } from "../../shared/annotations/budget.ts";
import { decodeConditions, encodeConditions, nextConditions } from "../../shared/annotations/conditions.ts";
import { decodeHistory, encodeHistory } from "../../shared/annotations/history.ts";
import { ANNOTATION, KEYS } from "../../shared/annotations/keys.ts";
import { decodeMemberRecord } from "../../shared/annotations/member.ts";
import { answerOf, decodeRequests, encodeRequests } from "../../shared/annotations/requests.ts";
import { decodeState, encodeState } from "../../shared/annotations/state.ts";
import { utf8Bytes } from "../../shared/annotations/text.ts";
import { ATTEMPTS_MAX, BACKUP_METHODS, type BackupMemory } from "../../shared/model/backup.ts";
import { type Condition, PROBLEM_CODES, type Problem } from "../../shared/model/condition.ts";
import { REQUEST_STATUSES, type RequestEntry } from "../../shared/model/request.ts";
import { type HistoryEntry, MEMBERS_MAX, type State } from "../../shared/model/state.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { setWith } from "../unit/annotations/support.ts";

const RUNS = { numRuns: propertyRuns(1_000) };
const MANY_RUNS = { numRuns: propertyRuns(10_000, 100_000) };

const text = (maxLength: number) => fc.string({ unit: "binary", maxLength });
const instant = fc
  .date({ min: new Date("2000-01-01T00:00:00Z"), max: new Date("2100-01-01T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString());
const ordinal = fc.nat(999);
const uuid = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 64 });
const config = fc.record({
  primary: fc.record({ ordinal, serverUuid: uuid }),
  ackers: fc.array(fc.record({ ordinal, serverUuid: uuid }), { maxLength: 32 }),
  ackCount: fc.nat(16),
});

const state: fc.Arbitrary<State> = fc.record({
  v: fc.constant(1 as const),
  seq: fc.integer({ min: 1 }),
  clusterUid: text(64),
  epoch: fc.nat(),
  scaledTo: fc.option(fc.nat(33)),
  phase: fc.constantFrom("Adopting", "Revoking", "Establishing", "Steady", "Releasing", "Released"),
  established: fc.option(config),
  pending: fc.option(fc.tuple(config, fc.boolean()).map(([one, open]) => ({ ...one, open }))),
  op: fc.option(
    fc.record({
      id: text(64),
      kind: fc.constantFrom("adopt", "reopen", "failover", "switchover", "reconstruct", "release"),
      step: text(32),
      startedAt: instant,
      target: fc.option(ordinal),
    }),
  ),
  primaryStartedAtMs: fc.option(fc.nat()),
  failovers: fc.array(instant, { maxLength: 8 }),
  unproven: fc.array(uuid, { maxLength: 8 }),
});

const condition: fc.Arbitrary<Condition> = fc.record({
  type: text(64),
  status: fc.constantFrom("True", "False", "Unknown"),
  reason: text(64),
  message: text(300),
  lastTransitionAt: instant,
  observedGeneration: fc.nat(),
});

const entry: fc.Arbitrary<HistoryEntry> = fc.record({
  at: instant,
  epoch: fc.nat(),
  reason: text(90),
  why: text(600),
  considered: fc.array(text(200), { maxLength: 14 }),
});

const code = fc.constantFrom(...(Object.keys(PROBLEM_CODES) as (keyof typeof PROBLEM_CODES)[]));
const problem: fc.Arbitrary<Problem> = fc.record({ code, message: text(300), ordinal, blocks: fc.boolean() });

test("state: what is written is read back, and the same value is the same text", () => {
  fc.assert(
    fc.property(state, (one) => {
      const raw = encodeState(one);
      const back = decodeState(raw, one.clusterUid);
      expect(back).toEqual({ kind: "valid", state: one });
      expect(back.kind === "valid" && encodeState(back.state)).toBe(raw);
      expect(decodeState(raw, `${one.clusterUid}x`)).toEqual({ kind: "foreign", clusterUid: one.clusterUid });
    }),
    RUNS,
  );
});

test("history: within 8 KiB and 32, the newest entries, readable, stable when written again", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), fc.integer({ min: 0, max: 9000 }), (entries, room) => {
      const raw = encodeHistory(entries, room);
      expect(utf8Bytes(raw)).toBeLessThanOrEqual(Math.max(2, Math.min(room, 8192)));
      const back = decodeHistory(raw);
      expect(back.length).toBeLessThanOrEqual(32);
      expect(back.map(({ at }) => at)).toEqual(
        entries.slice(entries.length - back.length).map(({ at }) => at),
      );
      expect(encodeHistory(back)).toBe(raw);
    }),
    RUNS,
  );
});

test("conditions: within 4 KiB, readable, and the first ones survive", () => {
  fc.assert(
    fc.property(
      fc.array(condition, { maxLength: 40 }),
      fc.integer({ min: 2, max: 5000 }),
      (conditions, room) => {
        const raw = encodeConditions(conditions, room);
        expect(utf8Bytes(raw)).toBeLessThanOrEqual(Math.min(room, 4096));
        const back = decodeConditions(raw);
        expect(back.map(({ type }) => type)).toEqual(
          conditions.slice(0, back.length).map(({ type }) => type),
        );
        expect(encodeConditions(back)).toBe(raw);
      },
    ),
    RUNS,
  );
});

test("conditions: the same problems again, in any order, leave nothing to write", () => {
  const ready = { status: "False", reason: "Degraded", message: "1 of 3" } as const;
  fc.assert(
    fc.property(fc.array(problem, { maxLength: 12 }), (problems) => {
      const byOrdinal = new Set(problems.map((one) => one.ordinal));
      fc.pre(byOrdinal.size === problems.length);
      const before = decodeConditions(
        encodeConditions(nextConditions([], problems, ready, { generation: 1, nowMs: 0 })),
      );
      const after = nextConditions(before, problems.toReversed(), ready, { generation: 1, nowMs: 5000 });
      expect(encodeConditions(after)).toBe(encodeConditions(before));
    }),
    RUNS,
  );
});

test("budget: a write never makes the object too large unless the state alone does", () => {
  const room = fc.integer({ min: 0, max: 30_000 });
  fc.assert(
    fc.property(state, fc.array(condition), fc.array(entry), room, (one, conditions, history, free) => {
      const existing = { other: "o".repeat(ANNOTATIONS_BYTES_MAX - 5 - free) };
      const written = shrink(existing, {
        state: one,
        conditions,
        history,
        phase: "Healthy",
        backups: null,
        restore: null,
      });
      const raw = encodeState(one);
      expect(written[ANNOTATION.state]).toBe(raw);
      const least = { ...written, [ANNOTATION.conditions]: "[]", [ANNOTATION.history]: "[]" };
      const limit = Math.max(ANNOTATIONS_BYTES_MAX, annotationBytes({ ...existing, ...least }));
      expect(annotationBytes({ ...existing, ...written })).toBeLessThanOrEqual(limit);
    }),
    RUNS,
  );
});

const method = fc.constantFrom(...BACKUP_METHODS);
const loss = fc.record({
  slot: instant,
  attempt: fc.integer({ min: 1, max: ATTEMPTS_MAX }),
  at: instant,
  reason: text(500),
});
const asked = fc.constantFrom("schedule" as const, "request" as const);
const attempt = { slot: instant, attempt: fc.integer({ min: 1, max: ATTEMPTS_MAX }), method, asked };
const printable = fc.string({
  unit: fc.constantFrom("*", "/", ",", " ", "-", "+", "_", "z", "9"),
  maxLength: 64,
});
const memory: fc.Arbitrary<BackupMemory> = fc.record({
  v: fc.constant(1 as const),
  clusterUid: fc.string({ unit: "grapheme-ascii", maxLength: 64 }),
  schedule: fc.option(fc.record({ cron: printable, timeZone: printable })),
  handled: instant,
  running: fc.option(fc.record({ ...attempt, source: ordinal, begunAt: instant })),
  retry: fc.option(fc.record({ ...attempt, notBefore: instant, reason: text(500) })),
  last: fc.option(fc.record({ slot: instant, endedAt: instant, method })),
  failed: fc.option(loss),
  failures: fc.nat(1_000_000),
  missed: fc.nat(1_000_000),
  proving: fc.option(fc.record({ slot: instant, begunAt: instant })),
  provingAt: fc.option(instant),
  proven: fc.option(fc.record({ slot: instant, at: instant })),
  unproven: fc.option(fc.record({ slot: instant, begunAt: instant, at: instant, reason: text(500) })),
  archive: fc.option(
    fc.record({
      since: instant,
      heldTo: fc.option(instant),
      failure: fc.option(text(200)),
      purging: fc.constantFrom("usual", "held", "pressed", "resuming"),
    }),
  ),
  demanded: fc.option(
    fc.record({
      ...{ slot: instant, begunAt: instant, endedAt: fc.option(instant), fault: fc.option(text(500)) },
    }),
  ),
});

test("backups: within 8 KiB, readable, stable, and another cluster's are not believed", () => {
  fc.assert(
    fc.property(memory, (one) => {
      const written = encodeBackups(one);
      const raw = written[ANNOTATION.backups] ?? "";
      for (const { key, bytesMax } of [KEYS.backups, KEYS.lastBackup, KEYS.lastProven]) {
        expect(utf8Bytes(written[key] ?? "")).toBeLessThanOrEqual(bytesMax);
      }
      const back = decodeBackups(raw, one.clusterUid);
      expect(back.kind === "valid" && encodeBackups(back.memory)).toEqual(written);
      expect(decodeBackups(raw, `${one.clusterUid}x`)).toEqual({ kind: "invalid" });
    }),
    RUNS,
  );
});

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const request: fc.Arbitrary<RequestEntry> = fc
  .tuple(
    fc.record({ by: text(90), at: instant, key: hex(16) }),
    hex(8),
    fc.integer({ min: 1, max: MEMBERS_MAX }),
  )
  .chain(([rest, id, number]) =>
    fc.constantFrom<RequestEntry>(
      { ...rest, id: `scale-${id}`, kind: "scale", wish: { replicas: number } },
      { ...rest, id: `switchover-${id}`, kind: "switchover", wish: { to: `mysql-${number}` } },
      { ...rest, id: `backup-${id}`, kind: "backup", wish: number % 2 === 0 ? {} : { method: "logical" } },
    ),
  );

test("requests: within 8 KiB and 64, the newest entries, readable, stable, and each has an answer", () => {
  const annotations = fc.dictionary(fc.constantFrom(...Object.values(ANNOTATION)), text(40));
  fc.assert(
    fc.property(fc.array(request, { maxLength: 80 }), annotations, (entries, others) => {
      const raw = encodeRequests(entries);
      expect(utf8Bytes(raw)).toBeLessThanOrEqual(8192);
      const back = decodeRequests(raw);
      expect(back.length).toBeLessThanOrEqual(64);
      expect(back.map(({ id }) => id)).toEqual(
        entries.slice(entries.length - back.length).map(({ id }) => id),
      );
      expect(encodeRequests(back)).toBe(raw);
      for (const one of back) expect(REQUEST_STATUSES).toContain(answerOf(one, setWith(others)).status);
    }),
    RUNS,
  );
});

test("reading: no text makes any reader throw", () => {
  const nearly = fc
    .oneof(
      state.map(encodeState),
      memory.map((one) => encodeBackups(one)[ANNOTATION.backups] ?? ""),
    )
    .chain((raw) =>
      fc
        .tuple(fc.nat(raw.length), fc.nat(6), text(6))
        .map(([at, cut, put]) => raw.slice(0, at) + put + raw.slice(at + cut)),
    );
  const raw = fc.oneof(text(300), fc.json({ maxDepth: 10 }), nearly);
  fc.assert(
    fc.property(raw, (one) => {
      expect(["valid", "foreign", "newer", "invalid"]).toContain(decodeState(one, "uid-1").kind);
      expect(Array.isArray(decodeHistory(one))).toBe(true);
      expect(Array.isArray(decodeConditions(one))).toBe(true);
      decodeMemberRecord(one);
      expect(["valid", "newer", "invalid"]).toContain(decodeBackups(one, "uid-1").kind);
      expect(Array.isArray(decodeRequests(one))).toBe(true);
    }),
    MANY_RUNS,
  );
});
