/**
 * The course of backups over days, with everything that can happen to them in random order: Jobs that end well or badly,
 * are deleted or are never made, requests, replicas that come and go, clocks that jump, hosts that are away. What is
 * decided is carried out and looked at again, as a pass does.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decide } from "../../shared/decide/index.ts";
import { ATTEMPTS_MAX, type BackupMemory, type JobTask } from "../../shared/model/backup.ts";
import { isOfRestore } from "../../shared/model/job-order.ts";
import type { Observed } from "../../shared/model/observed.ts";
import { assert } from "../../shared/model/outcome.ts";
import { nextSlot } from "../../shared/schedule/slots.ts";
import { asking, backupJob, jobless, memory, proofJob, remembered, remembering } from "../support/backups.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../support/carry-out.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { NOW_MS, onPod, placed, RULES } from "../support/situation.ts";

const RUNS = { numRuns: propertyRuns(150, 5_000) };
const HOUR_MS = 3_600_000;
const START = settled(placed(3));

const event = fc.constantFrom(
  ...(["succeeded", "failed", "deleted", "proven", "unproven", "request", "away", "back", "active"] as const),
);
const course = fc.array(
  fc.record({
    event,
    afterMs: fc.oneof(fc.nat(5 * 60_000), fc.nat(9 * HOUR_MS)),
    skewMs: fc.integer({ min: -HOUR_MS, max: HOUR_MS }),
  }),
  { maxLength: 30 },
);
const cron = fc.constantFrom("0 3 * * *", "0 */4 * * *", "30 2 * * *", "15 * * * *");

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function away(of: Observed, ready: boolean): Observed {
  return [1, 2].reduce((so, ordinal) => onPod(ordinal, (pod) => ({ ...pod, ready }))(so), of);
}

function happens(of: Observed, what: Event, nowMs: number): Observed {
  const { running, proving } = remembered(of);
  if (what === "away" || what === "back") return away(of, what === "back");
  if (what === "request") return asking({ ...of.wish.spec?.backup, requested: "logical" })(of);
  if (what === "proven" || what === "unproven") {
    const end = what === "proven" ? "succeeded" : { failed: "differs" };
    return proving === null ? of : proofJob(end, nowMs)(of);
  }
  if (running === null || what === "active") return of;
  if (what === "deleted") return jobless("backup")(of);
  return backupJob(what === "succeeded" ? "succeeded" : { failed: "as a test" }, nowMs)(of);
}

type Begun = Extract<JobTask, { kind: "backup" }> & { readonly name: string };

interface Course {
  readonly begun: Begun[];
  readonly memories: BackupMemory[];
}

/** One pass: decides until nothing is left, which must come soon, and does not begin what is not recorded. */
function pass(start: Observed, nowMs: number, { begun, memories }: Course): Observed {
  let of = start;
  for (let turn = 0; ; turn += 1) {
    expect(turn).toBeLessThan(5);
    const decision = decide(of, RULES, nowMs);
    expect(decide(of, RULES, nowMs)).toEqual(decision);
    if (stepsOf(decision).length === 0) return of;
    const after = carryOut(of, decision);
    const { running, proving } = remembered(after);
    for (const { name, task } of stepsOfKind(decision, "StartJob")) {
      expect(name).toMatch(/^[a-z0-9-]{1,63}$/);
      assert(!isOfRestore(task), "no restore was asked for");
      if (task.kind === "proof") expect(task.slot).toBe(proving?.slot);
      else {
        expect([task.slot, task.attempt, task.source]).toEqual([
          running?.slot,
          running?.attempt,
          running?.source,
        ]);
        expect(task.source).not.toBe(0);
        begun.push({ ...task, name });
      }
    }
    memories.push(remembered(after));
    of = after;
  }
}

test("each slot ends once and in order, with one Job for each attempt, and a pass comes to rest", () => {
  fc.assert(
    fc.property(cron, course, (text, steps) => {
      const schedule = { cron: text, timeZone: "Europe/Berlin" };
      let of = asking({ schedule })(
        remembering(memory({ schedule, handled: new Date(NOW_MS).toISOString() }))(START),
      );
      let now = NOW_MS;
      const seen: Course = { begun: [], memories: [] };
      for (const { event: what, afterMs, skewMs } of steps) {
        now += afterMs;
        of = pass(happens(of, what, now), now + skewMs, seen);
      }
      const slots = seen.begun.filter(({ asked, attempt }) => asked === "schedule" && attempt === 1);
      const instants = [...new Set(slots.map(({ slot }) => Date.parse(slot)))];
      // A Job that was deleted is made anew, under the same name; any other is made once.
      expect(instants).toEqual(instants.toSorted((a, b) => a - b));
      for (const slot of instants) {
        expect(nextSlot(schedule, slot - 1)).toBe(slot);
        expect(slot).toBeGreaterThan(NOW_MS);
      }
      const attempts = new Set(seen.begun.map(({ slot, attempt }) => `${slot}|${attempt}`));
      expect(new Set(seen.begun.map(({ name }) => name)).size).toBe(attempts.size);
      for (const { attempt } of seen.begun) expect(attempt).toBeLessThanOrEqual(ATTEMPTS_MAX);
      for (const [index, after] of seen.memories.entries()) {
        const before = seen.memories[index - 1];
        if (before === undefined) continue;
        expect(Date.parse(after.handled)).toBeGreaterThanOrEqual(Date.parse(before.handled));
        expect(Date.parse(after.last?.slot ?? "")).toBeGreaterThanOrEqual(
          Date.parse(before.last?.slot ?? ""),
        );
        if (after.running !== null && before.running !== null && after.running.slot !== before.running.slot)
          expect(
            after.last?.slot === before.running.slot ||
              // One of the schedule that waited while a person's was made may be of an earlier slot: the later one stays.
              Date.parse(before.last?.slot ?? "") > Date.parse(before.running.slot) ||
              after.failures > 0 ||
              // It has taken the place of an attempt that was to follow.
              after.running.asked === "request",
          ).toBe(true);
      }
    }),
    RUNS,
  );
}, 900_000);

test("when the disturbances end, the next slot has its backup and it is proven", () => {
  fc.assert(
    fc.property(cron, course, (text, steps) => {
      const schedule = { cron: text, timeZone: "Europe/Berlin" };
      let of = asking({ schedule, proof: "each" })(remembering(memory({ schedule }))(START));
      let now = NOW_MS;
      const seen: Course = { begun: [], memories: [] };
      for (const { event: what, afterMs, skewMs } of steps) {
        now += afterMs;
        of = pass(happens(of, what, now), now + skewMs, seen);
      }
      of = away(of, true);
      // Whatever is under way ends well; two days have a slot of every schedule, beyond all skew.
      const untilMs = now + 48 * HOUR_MS;
      for (; now < untilMs; now += HOUR_MS / 2) {
        of = pass(happens(happens(of, "succeeded", now), "proven", now), now, seen);
      }
      const { last, proven, failed, failures, missed, running } = remembered(of);
      const latest = Date.parse(last?.slot ?? "");
      expect(untilMs - latest).toBeLessThanOrEqual(25 * HOUR_MS);
      expect([failed, failures, missed]).toEqual([null, 0, 0]);
      expect(running === null || Date.parse(running.slot) > latest).toBe(true);
      expect(untilMs - Date.parse(proven?.slot ?? "")).toBeLessThanOrEqual(26 * HOUR_MS);
    }),
    { numRuns: propertyRuns(25, 1_000) },
  );
}, 900_000);
