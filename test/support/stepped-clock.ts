/** A clock that stands still until it is told to go on; sleepers wake in the order of their times. */
import type { Clock } from "../../shared/ports/host.ts";

export interface SteppedClock extends Clock {
  /** Goes on by `ms`, letting everything that becomes due run to its next wait. */
  advance(ms: number): Promise<void>;
  /** Lets promises settle without any time passing. */
  settle(): Promise<void>;
}

export function createSteppedClock(): SteppedClock {
  let nowMs = 1_000_000;
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  // One turn of the event loop empties the queue of microtasks, however long its chains are.
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  async function advance(ms: number): Promise<void> {
    const untilMs = nowMs + ms;
    await settle();
    for (;;) {
      const [next] = [...sleepers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      sleepers.delete(next);
      nowMs = next.atMs;
      next.wake();
      await settle();
    }
    nowMs = untilMs;
  }

  return {
    now: () => nowMs,
    sleep: (ms) => new Promise((wake) => sleepers.add({ atMs: nowMs + ms, wake })),
    advance,
    settle,
  };
}
