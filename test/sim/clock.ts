/**
 * The time of a simulation. It stands still while anybody works and jumps to the next timer when all wait, so
 * an hour costs nothing and the same run always takes the same course.
 */
import type { Clock } from "../../shared/ports/host.ts";

export interface SimClock extends Clock {
  /** Calls `act` after `ms`; the answer takes it back. */
  after(ms: number, act: () => void): () => void;
  /** Lets time pass until the work is done. Throws when nothing is left that could end it. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  /** Called after each step of the world, when everybody waits again; what it throws ends the run. */
  afterEach(look: () => void): void;
}

interface Timer {
  readonly atMs: number;
  readonly act: () => void;
}

/** A run that takes longer than this in simulated time goes in circles. */
const RUN_MAX_MS = 4 * 3_600_000;

export function createSimClock(startMs: number): SimClock {
  let nowMs = startMs;
  let look: () => void = () => {};
  const timers: Timer[] = [];

  function after(ms: number, act: () => void): () => void {
    const timer: Timer = { atMs: nowMs + ms, act };
    let place = timers.length;
    while (place > 0 && (timers[place - 1]?.atMs ?? 0) > timer.atMs) place -= 1;
    timers.splice(place, 0, timer);
    return () => {
      const at = timers.indexOf(timer);
      if (at >= 0) timers.splice(at, 1);
    };
  }

  // Node looks at its ticks when the queue of microtasks is empty, however long their chains were; a whole turn
  // of the event loop would do as well and takes ten times as long.
  const idle = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

  async function run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const watched = work.finally(() => {
      done = true;
    });
    watched.catch(() => {});
    const limitMs = nowMs + RUN_MAX_MS;
    for (;;) {
      await idle();
      look();
      if (done) return watched;
      const next = timers.shift();
      if (next === undefined) throw new Error("everybody waits for something that never comes");
      if (next.atMs > limitMs) throw new Error("hours of simulated time have passed without an end");
      nowMs = next.atMs;
      next.act();
    }
  }

  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void after(ms, resolve));
  return {
    now: () => nowMs,
    sleep,
    after,
    run,
    pass: (ms) => run(sleep(ms)),
    afterEach(chosen) {
      look = chosen;
    },
  };
}

/** Numbers in [0, 1) from a seed (mulberry32), so that a failure can be replayed. */
export function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
