/** What is remembered and told of an archive: what hosts say of it, and what nobody says any more. */
import { expect, test } from "vitest";
import { decide } from "../../../shared/decide/index.ts";
import type { ArchiveReport, BackupMemory } from "../../../shared/model/backup.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import { asking, memory, remembering } from "../../support/backups.ts";
import { but, type Change, RULES, read } from "../../support/situation.ts";
import { at, recorded, rested, sentence } from "./backup-support.ts";
import { changed } from "./support.ts";

const NOON = "2026-11-23T12:00:00Z";
const since = "2026-11-23T02:00:00Z";

/** Of every server. */
const keeping =
  (facts: Partial<ServerFacts>): Change =>
  (before) => ({
    ...before,
    members: before.members.map((one) =>
      one.server.kind === "read" ? { ...one, server: read({ ...one.server.facts, ...facts }) } : one,
    ),
  });

/** At noon, with the archive asked for. */
function seen(
  archive: BackupMemory["archive"],
  report: ArchiveReport | null,
  { isWanted = true, ...facts }: Partial<ServerFacts> & { isWanted?: boolean } = {},
) {
  const asked = asking({ archive: isWanted });
  const known = remembering(memory({ archive }));
  const decision = decide(
    changed(rested, asked, known, keeping(facts), but({ archive: report })),
    RULES,
    at(NOON),
  );
  const told = ["ArchiveFailed", "ArchiveLagging", "ArchiveExpiring"].map((code) => sentence(decision, code));
  return { archive: recorded(decision)?.archive, told: told.filter((one) => one !== undefined) };
}

type Archive = NonNullable<BackupMemory["archive"]>;

const nothing: Archive = { since, heldTo: null, failure: null, purging: "usual" };
const heldTo = (text: string): Archive => ({ ...nothing, heldTo: text });
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
  expect(seen(null, null)).toEqual({ archive: { ...nothing, since: NOON }, told: [] });
  expect(seen(nothing, null).told).toEqual([
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
    archive: {
      ...heldTo("2026-11-23T11:50:00Z"),
      purging: "held",
      failure: "no replica of mysql is ready and follows",
    },
    told: ["The binary logs of mysql are not archived: no replica of mysql is ready and follows."],
  });
  expect(seen(heldTo("2026-11-23T11:59:00Z"), failing)).toEqual({ archive: undefined, told: [] });
});

test("it is over with the next report that is well, and forgotten with the wish", () => {
  const failed = { ...heldTo("2026-11-23T11:50:00Z"), failure: "the store is away" };
  expect(seen(failed, null).told).toHaveLength(1);
  expect(seen(failed, report(NOON))).toEqual({ archive: heldTo(NOON), told: [] });
  expect(seen(failed, report(NOON), { isWanted: false })).toEqual({ archive: null, told: [] });
});

test("when three quarters of the time are over for which servers keep their logs, it is told what they delete", () => {
  const logsKeptMs = 4 * 86_400_000;
  const failed = (text: string) => ({
    ...heldTo(text),
    failure: "the store is away",
    purging: "pressed" as const,
  });
  expect(seen(failed("2026-11-20T12:00:00Z"), null, { logsKeptMs }).told).toEqual([
    "The binary logs of mysql are not archived: the store is away.",
  ]);
  expect(seen(failed("2026-11-20T11:59:59Z"), null, { logsKeptMs }).told).toEqual([
    "The binary logs of mysql are not archived: the store is away.",
    "From 2026-11-24T11:59:59Z on the servers of mysql delete binary logs that are not archived; bring the archive back, or raise binlog_expire_logs_seconds.",
  ]);
  // None was ever archived.
  expect(
    seen({ ...nothing, since: "2026-11-20T00:00:00Z", purging: "pressed" }, null, { logsKeptMs }).told[1],
  ).toContain("From 2026-11-24T00:00:00Z on");
  expect(seen(failed("2020-11-20T11:59:59Z"), null, { logsKeptMs: null }).told).toHaveLength(1);
});

test("logs that are kept for less than an hour leave no time to bring an archive back", () => {
  const going = { archive: heldTo("2026-11-23T11:59:59Z"), report: report("2026-11-23T11:59:59Z") };
  expect(seen(going.archive, going.report, { logsKeptMs: 3_600_000 }).told).toEqual([]);
  expect(seen(going.archive, going.report, { logsKeptMs: 600_000 }).told).toEqual([
    "The servers of mysql delete their binary logs after 600 s, which leaves no time to bring an archive back; set binlog_expire_logs_seconds to a day or more.",
  ]);
  expect(seen(going.archive, going.report, { logsKeptMs: 600_000, isWanted: false }).told).toEqual([]);
});
