/** Five weeks of backups: the worst of a day is its mark, and a day is one of the cluster's own zone. */
import { expect, test } from "vitest";
import { dayOf, marksOf, weeksOf, worstOf } from "../../../shared/dashboard/client/calendar.ts";
import type { ClusterBackups, ListedBackup } from "../../../shared/model/documents.ts";

const NOW_MS = Date.parse("2026-11-23T10:05:00Z");

const backups: ClusterBackups = {
  ...{ store: "backups", schedule: "0 3 * * *", timeZone: "Europe/Berlin", nextSlot: "2026-11-24T02:00:00Z" },
  ...{ running: null, proving: null, failures: 0, missed: 0, failed: null, unproven: null, archive: null },
  last: { slot: "2026-11-23T02:00:00Z", begunAt: null, endedAt: "2026-11-23T02:04:00Z", method: "physical" },
  proven: { slot: "2026-11-22T02:00:00Z", begunAt: null, at: "2026-11-22T02:09:00Z" },
};

function stored(slot: string, more: Partial<ListedBackup> = {}): ListedBackup {
  return {
    ...{ namespace: "shop", name: "mysql", clusterUid: "u", slot, soundness: "complete", why: null },
    ...{ method: "physical", databases: null, endedAt: slot, version: "9.7.4", encrypted: false },
    ...{ bytes: 1_300_000_000, plainBytes: null, proof: null },
    ...more,
  };
}

const fates = (...args: Parameters<typeof marksOf>) =>
  marksOf(...args).map(({ slot, fate }) => [slot.slice(8, 10), fate]);

test("without a store what is remembered is marked", () => {
  expect(fates(backups, null)).toEqual([
    ["22", "proven"],
    ["23", "made"],
    ["24", "planned"],
  ]);
});

test("of a slot that both know the worse is told, and what only one knows is there", () => {
  const proof = { at: "2026-11-21T02:09:00Z", fault: null };
  const loss = { at: "2026-11-23T08:00:00Z", reason: "a table is missing", job: "mysql-proof" };
  const refuted = { ...backups, unproven: { slot: "2026-11-21T02:00:00Z", ...loss } };
  const held = [
    stored("2026-11-23T02:00:00Z"),
    stored("2026-11-22T02:00:00Z", { soundness: "damaged", why: "a part is missing" }),
    stored("2026-11-21T02:00:00Z", { proof }),
    stored("2026-11-20T02:00:00Z", { proof }),
  ];
  expect(fates(refuted, held)).toEqual([
    ["20", "proven"],
    ["21", "refuted"],
    ["22", "unsound"],
    ["23", "made"],
    ["24", "planned"],
  ]);
});

test("weeks begin on Monday, and the last one holds today", () => {
  const weeks = weeksOf(marksOf(backups, null), NOW_MS, "Europe/Berlin");
  expect(weeks).toHaveLength(5);
  expect(weeks.every((week) => week.length === 7)).toBe(true);
  expect([weeks[0]?.[0]?.date, weeks[4]?.[6]?.date]).toEqual(["2026-10-26", "2026-11-29"]);
  const today = weeks.flat().filter(({ isToday }) => isToday);
  expect(today.map(({ date, marked }) => [date, worstOf(marked)])).toEqual([["2026-11-23", "made"]]);
});

test("every day is there once, also where clocks are changed", () => {
  for (const now of ["2026-10-26T00:30:00Z", "2026-03-30T00:30:00Z"]) {
    const dates = weeksOf([], Date.parse(now), "Europe/Berlin")
      .flat()
      .map(({ date }) => date);
    expect(new Set(dates).size).toBe(35);
  }
});

test("a day is one of the zone", () => {
  const late = Date.parse("2026-11-23T23:30:00Z");
  expect([dayOf(late, "UTC"), dayOf(late, "Europe/Berlin")]).toEqual(["2026-11-23", "2026-11-24"]);
});

test("of a day with several the worst is its mark", () => {
  const slot = "2026-11-23T02:00:00Z";
  expect(worstOf([])).toBeNull();
  expect(
    worstOf([
      { slot, fate: "proven", note: null },
      { slot, fate: "failed", note: null },
    ]),
  ).toBe("failed");
});
