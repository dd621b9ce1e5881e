/** The queue by example; its laws are in test/property/queue.test.ts. */
import { expect, test } from "vitest";
import { createQueue, type Queue } from "../../../shared/hosts/queue.ts";
import type { Priority, Wake } from "../../../shared/model/cluster.ts";
import { createSteppedClock, type SteppedClock } from "../../support/stepped-clock.ts";

interface Bench {
  readonly clock: SteppedClock;
  readonly queue: Queue;
  /** Names of clusters in the order in which their passes began. */
  readonly begun: string[];
  readonly warnings: string[];
  /** What their passes are traced by. */
  readonly traced: (readonly string[])[];
  /** Ends the oldest pass under way. */
  end(succeeded?: boolean): Promise<void>;
}

function bench(options: { concurrency?: number; waitingMax?: number } = {}): Bench {
  const clock = createSteppedClock();
  const begun: string[] = [];
  const warnings: string[] = [];
  const traced: (readonly string[])[] = [];
  const ends: ((succeeded: boolean) => void)[] = [];
  const work = ({ ref, origins = [] }: Wake): Promise<boolean> => {
    begun.push(ref.name);
    traced.push(origins.map(({ spanId }) => spanId));
    return new Promise((resolve) => ends.push(resolve));
  };
  const ids = { password: () => "", fraction: () => 1 };
  const log = { info: () => undefined, warn: (message: string) => void warnings.push(message) };
  const queue = createQueue({ clock, ids, log, work, ...options });
  async function end(succeeded = true): Promise<void> {
    ends.shift()?.(succeeded);
    await clock.settle();
  }
  return { clock, queue, begun, traced, warnings, end };
}

function wake(name: string, priority: Priority = "normal"): Wake {
  return { ref: { namespace: "shop", name }, cause: "test", priority };
}

test("1,000 wakes of one cluster are one pass, and those that come during it are one more", async () => {
  const { queue, begun, clock, end } = bench();
  for (let round = 0; round < 1000; round += 1) queue.add(wake("a"));
  await clock.settle();
  expect(begun).toEqual(["a"]);
  for (let round = 0; round < 1000; round += 1) queue.add(wake("a"));
  await clock.settle();
  expect(begun).toEqual(["a"]);
  await end();
  expect(begun).toEqual(["a", "a"]);
  await end();
  await queue.idle();
  expect(begun).toEqual(["a", "a"]);
});

test("high priority goes first, and within a priority who came first", async () => {
  const { queue, begun, clock, end } = bench({ concurrency: 1 });
  for (const name of ["a", "b", "c"]) queue.add(wake(name));
  for (const name of ["d", "c", "e"]) queue.add(wake(name, "high"));
  await clock.settle();
  for (let round = 0; round < 5; round += 1) await end();
  expect(begun).toEqual(["d", "c", "e", "a", "b"]);
});

test("a pass is traced by all that woke it, up to eight of them, in whatever order they came", async () => {
  const { queue, traced, clock, end } = bench({ concurrency: 1 });
  const from = (spanId: string) => ({ origins: [{ traceId: "t", spanId, state: null }] });
  queue.add({ ...wake("a"), ...from("1") });
  queue.add(wake("a"));
  queue.add({ ...wake("a"), ...from("2") });
  queue.add({ ...wake("a", "high"), ...from("3") });
  queue.add({ ...wake("a"), ...from("4") });
  await clock.settle();
  for (let round = 0; round < 10; round += 1) queue.add({ ...wake("a"), ...from(String(round)) });
  await end();
  queue.add(wake("a"));
  await end();
  await end();
  expect(traced).toEqual([["1", "2", "3", "4"], ["0", "1", "2", "3", "4", "5", "6", "7"], []]);
});

test("no more passes at once than allowed", async () => {
  const { queue, begun, clock, end } = bench({ concurrency: 2 });
  for (const name of ["a", "b", "c"]) queue.add(wake(name));
  await clock.settle();
  expect(begun).toEqual(["a", "b"]);
  await end();
  expect(begun).toEqual(["a", "b", "c"]);
});

test("after failures a cluster waits 1, 2, 4 … 60 seconds, and no longer after a success", async () => {
  const { queue, begun, clock, end } = bench();
  const waits: number[] = [];
  queue.add(wake("a"));
  await clock.settle();
  for (let failures = 0; failures < 8; failures += 1) {
    await end(false);
    queue.add(wake("a"));
    const before = begun.length;
    const failedAtMs = clock.now();
    while (begun.length === before) await clock.advance(500);
    waits.push(clock.now() - failedAtMs);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  await end(true);
  queue.add(wake("a"));
  await clock.settle();
  expect(begun).toHaveLength(10);
});

test.each<[string, Wake, { eager: boolean }]>([
  ["high priority", wake("a", "high"), { eager: false }],
  ["a changed object", wake("a"), { eager: true }],
])("%s does not wait out the back-off, and other clusters never do", async (_name, urgent, options) => {
  const { queue, begun, clock, end } = bench();
  queue.add(wake("a"));
  await clock.settle();
  await end(false);
  queue.add(wake("a"));
  queue.add(wake("b"));
  await clock.settle();
  expect(begun).toEqual(["a", "b"]);
  queue.add(urgent, options);
  await clock.settle();
  expect(begun).toEqual(["a", "b", "a"]);
});

test("a pass that throws counts as failed and leaves the queue running", async () => {
  const clock = createSteppedClock();
  const warnings: string[] = [];
  const log = { info: () => undefined, warn: (message: string) => void warnings.push(message) };
  const ids = { password: () => "", fraction: () => 0 };
  const queue = createQueue({ clock, ids, log, work: () => Promise.reject(new Error("bug")) });
  queue.add(wake("a"));
  await queue.idle();
  expect(warnings).toEqual(["a pass was broken off by an unexpected error"]);
});

test("refuses one cluster more than may wait, and says so", async () => {
  const { queue, clock } = bench({ concurrency: 1, waitingMax: 2 });
  queue.add(wake("a"));
  await clock.settle();
  expect([queue.add(wake("b")), queue.add(wake("c")), queue.add(wake("d"))]).toEqual([true, true, false]);
  expect(queue.add(wake("c", "high"))).toBe(true);
});

test("closing forgets who waits and ends with the pass under way", async () => {
  const { queue, begun, clock, end } = bench({ concurrency: 1 });
  queue.add(wake("a"));
  queue.add(wake("b"));
  await clock.settle();
  let closed = false;
  const closing = queue.close().then(() => {
    closed = true;
  });
  await clock.settle();
  expect(closed).toBe(false);
  expect(queue.add(wake("c"))).toBe(false);
  await end();
  await closing;
  expect(begun).toEqual(["a"]);
});
