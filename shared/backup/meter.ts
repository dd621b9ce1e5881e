/** How much of a stream has gone through and how fast, told now and then rather than with every piece. */
import type { Clock } from "../ports/host.ts";

export interface Progress {
  readonly bytes: number;
  /** Over the last quarter of a minute or so. */
  readonly bytesPerSecond: number;
}

export interface Meter {
  add(bytes: number): void;
  /** What a last report has to say. */
  current(): Progress;
}

const EVERY_MS = 1_000;
/** After this time an earlier rate counts for a third. */
const MEMORY_MS = 15_000;

export function createMeter(clock: Clock, onProgress: (progress: Progress) => void): Meter {
  let bytes = 0;
  let [bytesBefore, before]: [number, number | null] = [0, null];
  let rate: number | null = null;
  return {
    add(more) {
      bytes += more;
      const now = clock.now();
      // Until the first piece came, a server was started or copied, and nothing flowed.
      if (before === null) [bytesBefore, before] = [bytes, now];
      const passed = now - before;
      if (passed < EVERY_MS) return;
      const latest = ((bytes - bytesBefore) * 1000) / passed;
      const weight = Math.exp(-passed / MEMORY_MS);
      rate = rate === null ? latest : rate * weight + latest * (1 - weight);
      [bytesBefore, before] = [bytes, now];
      onProgress({ bytes, bytesPerSecond: Math.round(rate) });
    },
    current: () => ({ bytes, bytesPerSecond: Math.round(rate ?? 0) }),
  };
}
