/** Slots where clocks are changed, where slots were missed, and where a clock jumps. */
import { describe, expect, test } from "vitest";
import type { Schedule } from "../../../shared/model/schedule.ts";
import { COUNT_MAX, dueSlot, latestSlot, nextSlot, slotsBetween } from "../../../shared/schedule/slots.ts";

const HOUR_MS = 3_600_000;
const at = (text: string): number => Date.parse(text);
const told = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString().replace(":00.000Z", "Z");

const nightly: Schedule = { cron: "0 3 * * *", timeZone: "UTC" };

/** The next slots after an instant. */
function following(schedule: Schedule, from: string, count: number): readonly (string | null)[] {
  const slots: (number | null)[] = [];
  let last = at(from);
  for (let n = 0; n < count; n += 1) {
    const slot = nextSlot(schedule, last);
    slots.push(slot);
    last = slot ?? last;
  }
  return slots.map(told);
}

describe("clocks are put forward", () => {
  test.each([
    // At 02:00 they show 03:00.
    ["Europe/Berlin", "30 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]],
    ["Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]],
    ["Europe/Berlin", "0 3 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T01:00Z"]],
    ["Europe/Berlin", "30 * * * *", "2026-03-29T00:00Z", ["2026-03-29T00:30Z", "2026-03-29T01:30Z"]],
    ["Europe/Berlin", "*/30 2 * * *", "2026-03-28T12:00Z", ["2026-03-30T00:00Z", "2026-03-30T00:30Z"]],
    ["America/New_York", "30 2 * * *", "2026-03-07T12:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:30Z"]],
    ["America/New_York", "0 */2 * * *", "2026-03-08T04:00Z", ["2026-03-08T05:00Z", "2026-03-08T08:00Z"]],
    // By half an hour: at 02:00 they show 02:30.
    ["Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]],
    ["Australia/Lord_Howe", "45 2 * * *", "2026-10-03T12:00Z", ["2026-10-03T15:45Z", "2026-10-04T15:45Z"]],
    ["Australia/Lord_Howe", "*/30 * * * *", "2026-10-03T15:00Z", ["2026-10-03T15:30Z", "2026-10-03T16:00Z"]],
  ])("%s: %s", (timeZone, cron, from, slots) => {
    expect(following({ cron, timeZone }, from, slots.length)).toEqual(slots);
  });
});

describe("clocks are put back", () => {
  test.each([
    // At 03:00 they show 02:00.
    ["Europe/Berlin", "30 2 * * *", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
    ["Europe/Berlin", "0 1-3 * * *", "2026-10-24T23:30Z", ["2026-10-25T00:00Z", "2026-10-25T02:00Z"]],
    ["Europe/Berlin", "30 * * * *", "2026-10-25T00:00Z", ["2026-10-25T00:30Z", "2026-10-25T01:30Z"]],
    ["America/New_York", "30 1 * * *", "2026-10-31T12:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]],
    ["America/New_York", "30 * * * *", "2026-11-01T05:00Z", ["2026-11-01T05:30Z", "2026-11-01T06:30Z"]],
    // By half an hour: at 02:00 they show 01:30.
    ["Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]],
    ["Australia/Lord_Howe", "15 1 * * *", "2026-04-04T12:00Z", ["2026-04-04T14:15Z", "2026-04-05T14:45Z"]],
    ["Australia/Lord_Howe", "*/15 * * * *", "2026-04-04T14:45Z", ["2026-04-04T15:00Z", "2026-04-04T15:15Z"]],
  ])("%s: %s", (timeZone, cron, from, slots) => {
    expect(following({ cron, timeZone }, from, slots.length)).toEqual(slots);
  });
});

describe("the slot that is due", () => {
  const due = (after: string, now: string, deadlineMs = 6 * HOUR_MS): string | null =>
    told(dueSlot(nightly, { afterMs: at(after), nowMs: at(now), deadlineMs }));

  test("from its own instant until the deadline", () => {
    const done = "2026-11-23T03:00Z";
    expect(due(done, "2026-11-24T02:59:59.999Z")).toBeNull();
    expect(due(done, "2026-11-24T03:00:00.000Z")).toBe("2026-11-24T03:00Z");
    expect(due(done, "2026-11-24T03:00:00.001Z")).toBe("2026-11-24T03:00Z");
    expect(due(done, "2026-11-24T09:00:00.000Z")).toBe("2026-11-24T03:00Z");
    expect(due(done, "2026-11-24T09:00:00.001Z")).toBeNull();
  });

  test("one that is over and done with is not due again", () => {
    expect(due("2026-11-24T03:00Z", "2026-11-24T03:00Z")).toBeNull();
    expect(due("2026-11-24T03:00Z", "2026-11-24T04:00Z")).toBeNull();
  });

  test("of many that were missed only the latest", () => {
    expect(due("2026-11-01T03:00Z", "2026-11-24T04:00Z")).toBe("2026-11-24T03:00Z");
  });

  test("a clock that was put back finds nothing due until it has caught up", () => {
    const done = "2026-11-24T03:00Z";
    expect(due(done, "2026-11-24T02:30Z")).toBeNull();
    expect(due(done, "2026-11-23T04:00Z")).toBeNull();
    expect(due(done, "2026-11-25T03:00Z")).toBe("2026-11-25T03:00Z");
  });

  test("a clock that was put forward skips what lies between", () => {
    expect(due("2026-11-24T03:00Z", "2027-01-10T03:05Z")).toBe("2027-01-10T03:00Z");
  });
});

test("slots are counted without both ends, up to a limit", () => {
  const between = (from: string, to: string) => slotsBetween(nightly, at(from), at(to));
  expect(between("2026-11-20T03:00Z", "2026-11-24T03:00Z")).toBe(3);
  expect(between("2026-11-20T03:00Z", "2026-11-24T03:01Z")).toBe(4);
  expect(between("2026-11-20T03:00Z", "2026-11-21T03:00Z")).toBe(0);
  expect(between("2026-11-21T03:00Z", "2026-11-20T03:00Z")).toBe(0);
  const everyMinute = { cron: "* * * * *", timeZone: "UTC" };
  expect(slotsBetween(everyMinute, at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z"))).toBe(COUNT_MAX);
});

test("a leap day has its slot every four years", () => {
  const leap = { cron: "0 0 29 2 *", timeZone: "Europe/Berlin" };
  expect(told(latestSlot(leap, at("2026-11-24T00:00Z")))).toBe("2024-02-28T23:00Z");
  expect(told(nextSlot(leap, at("2026-11-24T00:00Z")))).toBe("2028-02-28T23:00Z");
});

test("a day of the month and a day of the week: either is enough, as everywhere", () => {
  const either = { cron: "0 3 1 * MON", timeZone: "UTC" };
  expect(following(either, "2026-11-29T12:00Z", 3)).toEqual([
    "2026-11-30T03:00Z",
    "2026-12-01T03:00Z",
    "2026-12-07T03:00Z",
  ]);
});
