/**
 * The laws of the queue, under any mix of wakes, durations and failures: one pass a cluster at a time, never
 * more than allowed, and after every wake a pass that begins after it.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createQueue } from "../../shared/hosts/queue.ts";
import { clusterKey, type Priority, type Wake } from "../../shared/model/cluster.ts";
import { createSteppedClock } from "../support/stepped-clock.ts";

interface Action {
  readonly afterMs: number;
  readonly name: string;
  readonly priority: Priority;
  readonly eager: boolean;
  readonly copies: number;
}

interface Outcome {
  readonly takesMs: number;
  readonly end: "success" | "failure" | "bug";
}

const actions = fc.array(
  fc.record<Action>({
    afterMs: fc.constantFrom(0, 0, 1, 7, 300, 5000),
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    priority: fc.constantFrom<Priority>("normal", "normal", "high"),
    eager: fc.boolean(),
    copies: fc.constantFrom(1, 2, 1000),
  }),
  { minLength: 1, maxLength: 40 },
);
const outcomes = fc.array(
  fc.record<Outcome>({
    takesMs: fc.constantFrom(0, 1, 5, 400, 20_000),
    end: fc.constantFrom("success", "success", "failure", "bug"),
  }),
  { minLength: 1, maxLength: 40 },
);

test("one pass a cluster at a time, and no wake without a pass after it", async () => {
  const property = fc.asyncProperty(
    actions,
    outcomes,
    fc.integer({ min: 1, max: 3 }),
    async (plan, ends, concurrency) => {
      const clock = createSteppedClock();
      /** One number for each wake and each beginning of a pass, so that "after" is exact. */
      let order = 0;
      const lastWake = new Map<string, number>();
      const lastPass = new Map<string, number>();
      const running = new Set<string>();
      let passes = 0;
      let groups = 0;

      async function work({ ref }: Wake): Promise<boolean> {
        const key = clusterKey(ref);
        expect(running.has(key)).toBe(false);
        running.add(key);
        expect(running.size).toBeLessThanOrEqual(concurrency);
        lastPass.set(key, ++order);
        const { takesMs, end } = ends[passes++ % ends.length] ?? { takesMs: 0, end: "success" };
        if (takesMs > 0) await clock.sleep(takesMs);
        running.delete(key);
        if (end === "bug") throw new Error("bug");
        return end === "success";
      }

      const ids = { password: () => "", fraction: () => (order % 10) / 10 };
      const log = { info: () => undefined, warn: () => undefined };
      const queue = createQueue({ clock, ids, log, work, concurrency });
      for (const { afterMs, name, priority, eager, copies } of plan) {
        if (afterMs > 0) await clock.advance(afterMs);
        const wake = { ref: { namespace: "shop", name }, cause: "test", priority };
        for (let copy = 0; copy < copies; copy += 1) expect(queue.add(wake, { eager })).toBe(true);
        lastWake.set(clusterKey(wake.ref), ++order);
        groups += 1;
      }
      let idle = false;
      void queue.idle().then(() => {
        idle = true;
      });
      for (let round = 0; round < 200 && !idle; round += 1) await clock.advance(60_000);

      expect(idle).toBe(true);
      // However many copies of a wake came at once, they are one pass, or one more behind a running one.
      expect(passes).toBeLessThanOrEqual(groups);
      for (const [key, wokenAt] of lastWake) expect(lastPass.get(key)).toBeGreaterThan(wokenAt);
    },
  );
  await fc.assert(property, { numRuns: 300 });
});
