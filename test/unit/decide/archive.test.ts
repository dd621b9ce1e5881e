/** What is remembered and told of an archive: what hosts say of it, and what nobody says any more. */
import { expect, test } from "vitest";
import { decide } from "../../../shared/decide/index.ts";
import type { ArchiveReport, BackupMemory } from "../../../shared/model/backup.ts";
import { asking, memory, remembering } from "../../support/backups.ts";
import { but, RULES } from "../../support/situation.ts";
import { at, recorded, rested, sentence } from "./backup-support.ts";
import { changed } from "./support.ts";

const NOON = "2026-11-23T12:00:00Z";
const since = "2026-11-23T02:00:00Z";

/** At noon, with the archive asked for. */
function seen(archive: BackupMemory["archive"], report: ArchiveReport | null, isWanted = true) {
  const asked = asking({ archive: isWanted });
  const kept = remembering(memory({ archive }));
  const decision = decide(changed(rested, asked, kept, but({ archive: report })), RULES, at(NOON));
  const told = ["ArchiveFailed", "ArchiveLagging"].map((code) => sentence(decision, code));
  return { archive: recorded(decision)?.archive, told: told.filter((one) => one !== undefined) };
}

const heldTo = (text: string): BackupMemory["archive"] => ({ since, heldTo: text, failure: null });
const report = (text: string | null, failure: string | null = null): ArchiveReport => ({
  heldToMs: text === null ? null : at(text),
  failure,
});

test("one that goes on is noted once a minute, and nothing is told", () => {
  const before = heldTo("2026-11-23T11:59:00Z");
  expect(seen(before, report("2026-11-23T11:59:59Z"))).toEqual({ archive: undefined, told: [] });
  expect(seen(before, report(NOON))).toEqual({ archive: heldTo(NOON), told: [] });
});

test("when it is asked for first, its time begins to count", () => {
  expect(seen(null, null)).toEqual({ archive: { since: NOON, heldTo: null, failure: null }, told: [] });
  expect(seen({ since, heldTo: null, failure: null }, null).told).toEqual([
    `The binary logs of mysql are to be archived since ${since}, and none is; see that an Ordinal runs that archives.`,
  ]);
});

test("when nobody says anything any more it is told after five minutes", () => {
  expect(seen(heldTo("2026-11-23T11:55:00Z"), null).told).toEqual([]);
  expect(seen(heldTo("2026-11-23T11:54:59Z"), null).told).toEqual([
    "The binary logs of mysql are archived up to 2026-11-23T11:54:59Z only; see that an Ordinal runs that archives, and whether its store is slow.",
  ]);
});

test("a failure is told with its reason, unless another host has just archived", () => {
  const failing = report("2026-11-23T11:50:00Z", "no replica of mysql is ready and follows");
  expect(seen(heldTo("2026-11-23T11:50:00Z"), failing)).toEqual({
    archive: { ...heldTo("2026-11-23T11:50:00Z"), failure: "no replica of mysql is ready and follows" },
    told: ["The binary logs of mysql are not archived: no replica of mysql is ready and follows."],
  });
  expect(seen(heldTo("2026-11-23T11:59:00Z"), failing)).toEqual({ archive: undefined, told: [] });
});

test("it is over with the next report that is well, and forgotten with the wish", () => {
  const failed = { since, heldTo: "2026-11-23T11:50:00Z", failure: "the store is away" };
  expect(seen(failed, null).told).toHaveLength(1);
  expect(seen(failed, report(NOON))).toEqual({ archive: heldTo(NOON), told: [] });
  expect(seen(failed, report(NOON), false)).toEqual({ archive: null, told: [] });
});
