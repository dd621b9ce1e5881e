/** The memory of backups: what is written can be read, and nothing else is believed. */
import { expect, test } from "vitest";
import { decodeBackups, encodeBackups, lapsedResults } from "../../../shared/annotations/backups.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";

const memory: BackupMemory = {
  v: 1,
  clusterUid: "uid-1",
  schedule: { cron: "0 3 * * *", timeZone: "Europe/Berlin" },
  handled: "2026-11-23T02:00:00Z",
  running: null,
  retry: null,
  last: { slot: "2026-11-23T02:00:00Z", endedAt: "2026-11-23T02:04:00.000Z", method: "physical" },
  failed: null,
  failures: 0,
  missed: 0,
  proving: null,
  provingAt: null,
  proven: null,
  unproven: null,
  demanded: null,
  archive: null,
};
const raw = (of: BackupMemory): string => encodeBackups(of)[ANNOTATION.backups] ?? "";

test("it is canonical and read back", () => {
  expect(raw(memory)).toMatch(/^\{"archive":null,"clusterUid":"uid-1","demanded":null,"failed":null,/);
  expect(decodeBackups(raw(memory), "uid-1")).toEqual({ kind: "valid", memory });
});

test("the slots of the newest and of the newest proven one stand beside it, for people", () => {
  const { [ANNOTATION.backups]: _, ...results } = encodeBackups(memory);
  expect(results).toEqual({ [ANNOTATION.lastBackup]: "2026-11-23T02:00:00Z" });
  const proven = { slot: "2026-11-22T02:00:00Z", at: "2026-11-22T03:00:00.000Z" };
  expect(encodeBackups({ ...memory, proven })[ANNOTATION.lastProven]).toBe("2026-11-22T02:00:00Z");
  const none = encodeBackups({ ...memory, last: null });
  expect(Object.keys(none)).toEqual([ANNOTATION.backups]);
});

test("a backup that is proven no longer is taken off", () => {
  const proven = { slot: memory.handled, at: memory.handled };
  expect(lapsedResults({ ...memory, proven })).toEqual([]);
  expect(lapsedResults(memory)).toEqual([ANNOTATION.lastProven]);
  expect(lapsedResults(null)).toEqual([]);
});

test.each([
  ["absent", undefined, { kind: "none" }],
  ["empty", "", { kind: "invalid" }],
  ["cut", raw(memory).slice(0, -1), { kind: "invalid" }],
  ["another cluster's", raw({ ...memory, clusterUid: "uid-2" }), { kind: "invalid" }],
  ["newer", '{"v":2,"whatever":[]}', { kind: "newer", version: 2 }],
  ["with a key more", raw(memory).replace("{", '{"extra":1,'), { kind: "invalid" }],
  ["of a schedule with a newline", raw(memory).replace("0 3", "0\\n3"), { kind: "invalid" }],
  [
    "with an instant that is none",
    raw(memory).replace("2026-11-23T02:00:00Z", "yesterday"),
    { kind: "invalid" },
  ],
  ["too long", `${raw(memory)}${" ".repeat(8192)}`, { kind: "invalid" }],
])("%s", (_, text, observation) => {
  expect(decodeBackups(text, "uid-1")).toEqual(observation);
});

test("a reason is cut and kept to one line", () => {
  const failed = {
    slot: memory.handled,
    attempt: 1,
    at: memory.handled,
    reason: `disk\nfull ${"x".repeat(500)}`,
  };
  const read = decodeBackups(raw({ ...memory, failed }), "uid-1");
  const reason = read.kind === "valid" ? read.memory.failed?.reason : undefined;
  expect(reason).toHaveLength(400);
  expect(reason).toMatch(/^disk\\u000Afull x+…$/);
  const { handled: begunAt } = memory;
  const demanded = { slot: begunAt, begunAt, endedAt: begunAt, fault: failed.reason };
  const asked = decodeBackups(raw({ ...memory, demanded }), "uid-1");
  expect(asked.kind === "valid" && asked.memory.demanded?.fault).toBe(reason);
});
