/** What is kept and why, in which order the rest is deleted, and when nothing is. */
import { describe, expect, test } from "vitest";
import { type Catalogue, catalogueOf } from "../../../shared/backup/catalogue.ts";
import { manifestKey, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { planRetention, type RetentionInput } from "../../../shared/backup/retention.ts";
import type { Retention } from "../../../shared/model/backup.ts";
import { calendarOf } from "../../../shared/schedule/calendar.ts";
import {
  at,
  type Bucket,
  backup,
  bucket,
  document,
  holdings,
  object,
  PLACE,
  parts,
  proven,
  without,
} from "./support.ts";

const NOW = at("2026-11-23T12:00:00Z");
const HOUR_MS = 3_600_000;

const catalogue = (...of: readonly Bucket[]): Catalogue => catalogueOf(PLACE, holdings(bucket(...of)));

function input(
  of: Catalogue,
  retention: Retention | null,
  more: Partial<RetentionInput> = {},
): RetentionInput {
  const nothing: ReadonlySet<number> = new Set();
  return {
    place: PLACE,
    catalogue: of,
    retention,
    timeZone: "UTC",
    nowMs: NOW,
    needed: nothing,
    busy: nothing,
    ...more,
  };
}

const count = (number: number): Retention => ({ kind: "count", count: number });
const calendar = (days: number, weeks: number, months: number): Retention => ({
  kind: "calendar",
  days,
  weeks,
  months,
});

/** Slots that are kept, as days of the month or whole instants, with the reasons. */
function keptBy(of: RetentionInput): Readonly<Record<string, string>> {
  const plan = planRetention(of);
  if (plan.kind === "refused") throw new Error(plan.why);
  const kept = plan.verdicts.filter(({ keep }) => keep);
  return Object.fromEntries(
    kept.map(({ slotMs, reason }) => [new Date(slotMs).toISOString().slice(0, 10), reason]),
  );
}

const nights = (from: string, to: string): readonly number[] => {
  const slots: number[] = [];
  for (let slot = at(`${from}T03:00:00Z`); slot <= at(`${to}T03:00:00Z`); slot += 24 * HOUR_MS)
    slots.push(slot);
  return slots;
};

describe("by the rule", () => {
  test("a number", () => {
    const nightly = catalogue(...nights("2026-11-17", "2026-11-23").map(backup));
    expect(keptBy(input(nightly, count(3)))).toEqual({
      "2026-11-21": "one of the last 3",
      "2026-11-22": "one of the last 3",
      "2026-11-23": "the newest that can be restored",
    });
  });

  test("days, weeks and months, each by its newest", () => {
    const nightly = catalogue(...nights("2026-08-01", "2026-11-23").map(backup));
    expect(keptBy(input(nightly, calendar(3, 3, 4)))).toEqual({
      "2026-08-31": "the newest of its month",
      "2026-09-30": "the newest of its month",
      "2026-10-31": "the newest of its month",
      "2026-11-15": "the newest of its week",
      "2026-11-21": "the newest of its day",
      "2026-11-22": "the newest of its day",
      "2026-11-23": "the newest that can be restored",
    });
  });

  test("of several on a day the last", () => {
    const hourly = catalogue(
      ...[1, 5, 9].map((hour) => backup(at(`2026-11-22T0${hour}:00:00Z`))),
      backup(NOW),
    );
    const plan = planRetention(input(hourly, calendar(7, 0, 0)));
    const kept =
      plan.kind === "plan" ? plan.verdicts.filter(({ keep }) => keep).map(({ slotMs }) => slotMs) : [];
    expect(kept).toEqual([at("2026-11-22T09:00:00Z"), NOW]);
  });

  test("days that have none are not counted, so that time alone deletes nothing", () => {
    const old = catalogue(...nights("2026-01-01", "2026-01-07").map(backup));
    expect(Object.keys(keptBy(input(old, calendar(7, 0, 0))))).toHaveLength(7);
  });

  test("days are those of the zone", () => {
    const slots = ["2026-11-22T22:30:00Z", "2026-11-22T23:30:00Z", "2026-11-23T01:00:00Z"].map((text) =>
      backup(at(text)),
    );
    const days = (timeZone: string) =>
      Object.keys(keptBy(input(catalogue(...slots), calendar(9, 0, 0), { timeZone }))).length;
    const plan = (timeZone: string) =>
      planRetention(input(catalogue(...slots), calendar(9, 0, 0), { timeZone }));
    const keeps = (timeZone: string) => {
      const made = plan(timeZone);
      return made.kind === "plan" ? made.verdicts.map(({ keep }) => keep) : [];
    };
    expect(days("UTC")).toBe(2);
    expect(keeps("UTC")).toEqual([false, true, true]);
    expect(keeps("Europe/Berlin")).toEqual([true, false, true]);
  });

  test("without one nothing is deleted", () => {
    const nightly = catalogue(...nights("2026-11-17", "2026-11-23").map(backup));
    expect(Object.values(keptBy(input(nightly, null)))).toHaveLength(7);
  });
});

describe("whatever the rule says", () => {
  const [first, second, third] = [
    at("2026-11-20T03:00Z"),
    at("2026-11-21T03:00Z"),
    at("2026-11-22T03:00Z"),
  ] as const;
  const volume = (slotMs: number) => partKey(PLACE, { slotMs, attempt: 1, name: "volume.tar.zst" });

  test("the newest that was proven stays, however old", () => {
    expect(keptBy(input(catalogue(proven(first), backup(second), backup(third)), count(1)))).toEqual({
      "2026-11-20": "the newest that was proven",
      "2026-11-22": "the newest that can be restored",
    });
  });

  test("a damaged one is never deleted and never counted, so what is older is kept in its place", () => {
    const damaged = without(backup(third), volume(third));
    expect(keptBy(input(catalogue(backup(first), backup(second), damaged), count(1)))).toEqual({
      "2026-11-21": "the newest that can be restored",
      "2026-11-22": "it is not understood: part volume.tar.zst is missing",
    });
  });

  test("one that failed its proof stays and is never counted, so what is older is kept in its place", () => {
    const failed = proven(third, { fault: "orders is missing" });
    expect(keptBy(input(catalogue(backup(first), backup(second), failed), count(1)))).toEqual({
      "2026-11-21": "the newest that can be restored",
      "2026-11-22": "it failed its proof",
    });
  });

  test("one whose manifest cannot be used stays", () => {
    const unknown = bucket(parts(first), document(manifestKey(PLACE, first), '{"v":2}'));
    const kept = keptBy(input(catalogue(unknown, backup(second), backup(third)), count(1)));
    expect(kept["2026-11-20"]).toBe("it is not understood: it is of version 2, which a newer Ordinal wrote");
  });

  test("one from the future stays, and is not taken for the newest", () => {
    const future = at("2030-01-01T03:00:00Z");
    expect(keptBy(input(catalogue(backup(second), backup(third), proven(future)), count(1)))).toEqual({
      "2026-11-22": "the newest that can be restored",
      "2030-01-01": "its slot is in the future",
    });
  });

  test("what a recovery begins with stays, and what is being worked on", () => {
    const all = catalogue(backup(first), backup(second), backup(third));
    expect(keptBy(input(all, count(1), { needed: new Set([first]), busy: new Set([second]) }))).toEqual({
      "2026-11-20": "a recovery to a point in time begins with it",
      "2026-11-21": "it is being worked on",
      "2026-11-22": "the newest that can be restored",
    });
  });

  test("nothing is deleted when anything could not be read", () => {
    const all = catalogue(...nights("2026-11-01", "2026-11-23").map(backup));
    const gap = { kind: "transient", message: "503" } as const;
    expect(planRetention(input({ ...all, gap }, count(1)))).toEqual({
      kind: "refused",
      why: "not everything could be read: 503",
    });
  });
});

describe("what is deleted", () => {
  const deletions = (of: RetentionInput) => {
    const plan = planRetention(of);
    return plan.kind === "plan" ? plan.deletions : [];
  };
  const old = at("2026-11-20T03:00Z");

  test("of a backup its manifest first, then its proof, then its parts", () => {
    const [deletion, ...others] = deletions(
      input(catalogue(proven(old), proven(at("2026-11-22T03:00Z"))), count(1)),
    );
    expect(others).toEqual([]);
    expect(deletion?.keys.slice(0, 2)).toEqual([manifestKey(PLACE, old), proofKey(PLACE, old)]);
    expect(deletion?.keys).toHaveLength(4);
    expect(deletion?.unless).toBeNull();
  });

  test("leftovers after two days, unless the manifest is there after all", () => {
    const leftover = parts(old, 1, "2026-11-21T11:59:59Z");
    const [deletion, ...others] = deletions(input(catalogue(leftover), null));
    expect(others).toEqual([]);
    expect(deletion).toMatchObject({ slotMs: old, unless: manifestKey(PLACE, old) });
    expect(deletion?.keys).toHaveLength(2);
  });

  test("no leftover that is younger, of unknown age, or of a backup under way", () => {
    expect(deletions(input(catalogue(parts(old, 1, "2026-11-21T12:00:00Z")), null))).toEqual([]);
    expect(deletions(input(catalogue(parts(old, 1, "")), null))).toEqual([]);
    const aged = catalogue(parts(old, 1, "2026-11-20T12:00:00Z"));
    expect(deletions(input(aged, null, { busy: new Set([old]) }))).toEqual([]);
  });

  test("the leftovers of an attempt beside a backup, and not the backup", () => {
    const both = catalogue(backup(old), parts(old, 2, "2026-11-20T04:00:00Z"));
    const [deletion, ...others] = deletions(input(both, count(1)));
    expect(others).toEqual([]);
    expect(deletion?.keys.every((key) => key.includes("/2/"))).toBe(true);
    expect(deletion?.unless).toBeNull();
  });

  test("nothing that is not ours", () => {
    const other = "00000000-52e5-4a39-9b05-0c7f3d5f3a11";
    const key = partKey({ ...PLACE, clusterUid: other }, { slotMs: old, attempt: 1, name: "x" });
    expect(deletions(input(catalogue(object(key, 1, "2020-01-01T00:00:00Z")), count(1)))).toEqual([]);
  });
});

test("weeks go from Monday to Sunday, also where clocks are changed", () => {
  const { day, week, month } = calendarOf("Europe/Berlin");
  expect(week(at("2026-10-25T22:59:00Z"))).toBe("2026-10-19");
  expect(week(at("2026-10-25T23:00:00Z"))).toBe("2026-10-26");
  expect(day(at("2026-12-31T23:00:00Z"))).toBe("2027-01-01");
  expect(month(at("2026-12-31T23:00:00Z"))).toBe("2027-01");
});
