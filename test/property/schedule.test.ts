/**
 * Laws of slots, in zones that change their clocks by an hour and by half an hour, and around those changes: checked
 * against a naive model that looks at every minute of the wall clock, and by functions that wake at random.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Schedule } from "../../shared/model/schedule.ts";
import { cronFault } from "../../shared/schedule/cron.ts";
import { dueSlot, latestSlot, nextSlot } from "../../shared/schedule/slots.ts";
import { propertyRuns } from "../support/property-runs.ts";

const RUNS = { numRuns: propertyRuns(300, 5_000) };
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Just before clocks are changed. */
const CHANGES: readonly (readonly [string, string])[] = [
  ["Europe/Berlin", "2026-03-29T00:30Z"],
  ["Europe/Berlin", "2026-10-25T00:30Z"],
  ["America/New_York", "2026-03-08T06:30Z"],
  ["America/New_York", "2026-11-01T05:30Z"],
  ["Australia/Lord_Howe", "2026-10-03T15:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T14:30Z"],
];

const list = (most: number) =>
  fc.uniqueArray(fc.nat(most), { minLength: 1, maxLength: 3 }).map((numbers) => numbers.join(","));
const minute = fc.oneof(fc.constantFrom("*", "*/20", "0", "30"), list(59));
const hour = fc.oneof(fc.constantFrom("*", "*/2", "2", "1-3"), list(23));
const cron = fc.tuple(
  minute,
  hour,
  fc.constantFrom("*", "*", "29", "1-9/2"),
  fc.constantFrom("*", "SUN", "1-5"),
);
const place = fc
  .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -40 * 60, max: 40 * 60 }))
  .map(([[timeZone, change], minutes]) => ({ timeZone, nowMs: Date.parse(change) + minutes * MINUTE_MS }));
const scheduled = fc.tuple(cron, place).map(([[m, h, day, weekday], { timeZone, nowMs }]) => ({
  schedule: { cron: `${m} ${h} ${day} * ${weekday}`, timeZone },
  nowMs,
}));

test("the next slot is later, the latest is not, and between the two there is none", () => {
  fc.assert(
    fc.property(scheduled, fc.nat(HOUR_MS), ({ schedule, nowMs }, onMs) => {
      const latest = latestSlot(schedule, nowMs) ?? Number.NaN;
      const next = nextSlot(schedule, nowMs) ?? Number.NaN;
      expect(latest).toBeLessThanOrEqual(nowMs);
      expect(next).toBeGreaterThan(nowMs);
      expect(nextSlot(schedule, latest)).toBe(next);
      expect(latestSlot(schedule, next)).toBe(next);
      expect(latestSlot(schedule, next - 1)).toBe(latest);
      // Another function, a little later.
      const laterMs = nowMs + onMs;
      if (laterMs < next) expect(latestSlot(schedule, laterMs)).toBe(latest);
    }),
    RUNS,
  );
});

/** What the clocks on the wall show. */
function wallClock(timeZone: string): (ms: number) => { readonly day: string; readonly minutes: number } {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" },
    hourCycle: "h23",
  });
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const [hours, minutes] = [Number(parts.get("hour")), Number(parts.get("minute"))];
    return {
      day: `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`,
      minutes: hours * 60 + minutes,
    };
  };
}

function numbersOf(field: string, most: number): readonly number[] {
  const all = Array.from({ length: most + 1 }, (_, number) => number);
  if (field.startsWith("*")) return all.filter((number) => number % Number(field.split("/")[1] ?? 1) === 0);
  return field.split(",").flatMap((item) => {
    const [from = 0, to = from] = item.split("-").map(Number);
    return all.filter((number) => number >= from && number <= to);
  });
}

/** Minute by minute; for times that come once a day, each at its first minute or at the first one after it. */
function naiveSlots({ cron: text, timeZone }: Schedule, fromMs: number, toMs: number): readonly number[] {
  const [minutes = "", hours = ""] = text.split(" ");
  const [ms, hs] = [numbersOf(minutes, 59), numbersOf(hours, 23)];
  const wanted = new Set(hs.flatMap((h) => ms.map((m) => h * 60 + m)));
  const show = wallClock(timeZone);
  const onceADay = !`${minutes}${hours}`.includes("*");
  const slots = new Set<number>();
  let day = "";
  let open = new Set<number>();
  for (let now = fromMs; now <= toMs; now += MINUTE_MS) {
    const shown = show(now);
    if (shown.day !== day) open = new Set(wanted);
    day = shown.day;
    const matching = onceADay
      ? [...open].filter((time) => time <= shown.minutes)
      : wanted.has(shown.minutes)
        ? [shown.minutes]
        : [];
    if (matching.length > 0) slots.add(now);
    for (const time of matching) open.delete(time);
  }
  return [...slots];
}

test("slots are what the clocks on the wall say, minute by minute", () => {
  const daily = fc.tuple(minute, hour, place).map(([m, h, { timeZone, nowMs }]) => ({
    schedule: { cron: `${m} ${h} * * *`, timeZone },
    nowMs,
  }));
  fc.assert(
    fc.property(daily, ({ schedule, nowMs }) => {
      const day = 24 * HOUR_MS;
      // The model needs whole days: what it has seen of a cut one is left out.
      const naive = naiveSlots(schedule, nowMs - day - 2 * HOUR_MS, nowMs + day).filter(
        (slot) => slot > nowMs,
      );
      const slots: number[] = [];
      for (let slot = nextSlot(schedule, nowMs); slot !== null && slot <= nowMs + day; ) {
        slots.push(slot);
        slot = nextSlot(schedule, slot);
      }
      expect(slots).toEqual(naive);
    }),
    { numRuns: propertyRuns(60, 1_000) },
  );
});

test("functions that wake at random, with clocks that are off, begin slots in order and none twice", () => {
  const wakes = fc.array(
    fc.record({ onMs: fc.nat(5 * HOUR_MS), skewMs: fc.integer({ min: -HOUR_MS, max: HOUR_MS }) }),
    {
      maxLength: 40,
    },
  );
  fc.assert(
    fc.property(scheduled, wakes, fc.integer({ min: 1, max: 24 }), ({ schedule, nowMs }, all, hours) => {
      let [now, afterMs] = [nowMs, nowMs];
      for (const { onMs, skewMs } of all) {
        now += onMs;
        const asked = { afterMs, nowMs: now + skewMs, deadlineMs: hours * HOUR_MS };
        const slot = dueSlot(schedule, asked);
        expect(dueSlot(schedule, asked)).toBe(slot);
        if (slot === null) continue;
        expect(slot).toBeGreaterThan(afterMs);
        expect(slot).toBeLessThanOrEqual(asked.nowMs);
        expect(asked.nowMs - slot).toBeLessThanOrEqual(asked.deadlineMs);
        afterMs = slot;
      }
    }),
    RUNS,
  );
});

test("whatever the grammar lets through, slots can be computed of", () => {
  const item = fc.oneof(
    fc.constantFrom(
      "*",
      "MON",
      "jan",
      "7",
      "0",
      "59",
      "SUN-SAT",
      "mon-sun",
      "DEC",
      "*/7",
      "1-5/5",
      "5-1",
      "5/2",
    ),
    fc.tuple(fc.nat(62), fc.nat(62), fc.nat(62)).map(([from, to, step]) => `${from}-${to}/${step}`),
  );
  const field = fc.array(item, { minLength: 1, maxLength: 2 }).map((items) => items.join(","));
  fc.assert(
    fc.property(fc.array(field, { minLength: 5, maxLength: 5 }), (fields) => {
      const text = fields.join(" ");
      if (cronFault(text) !== null) return;
      expect(nextSlot({ cron: text, timeZone: "Europe/Berlin" }, 0)).toBeGreaterThan(0);
    }),
    { numRuns: propertyRuns(3_000, 50_000) },
  );
});
