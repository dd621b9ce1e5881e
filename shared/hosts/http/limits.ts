/**
 * How often somebody may ask: a bucket of tokens for each key, in the memory of this process. Each instance counts
 * for itself, and forgets who has not asked for longest when there are too many to remember.
 */
import type { Clock } from "../../ports/host.ts";

const MINUTE_MS = 60_000;

export interface Limit {
  /** How long until one more is allowed, milliseconds; 0 = now. */
  waitMs(key: string): number;
  take(key: string): void;
}

/** A full bucket holds what is allowed in a minute. */
export function createLimit(clock: Clock, perMinute: number, keysMax = 10_000): Limit {
  /** In the order of their last use. */
  const buckets = new Map<string, { readonly tokens: number; readonly atMs: number }>();

  function tokensOf(key: string): number {
    const { tokens, atMs } = buckets.get(key) ?? { tokens: perMinute, atMs: 0 };
    const passedMs = Math.max(0, clock.now() - atMs);
    return Math.min(perMinute, tokens + (passedMs * perMinute) / MINUTE_MS);
  }

  return {
    waitMs: (key) => Math.ceil((Math.max(0, 1 - tokensOf(key)) * MINUTE_MS) / perMinute),
    take(key) {
      const tokens = Math.max(0, tokensOf(key) - 1);
      buckets.delete(key);
      buckets.set(key, { tokens, atMs: clock.now() });
      const [oldest] = buckets.keys();
      if (buckets.size > keysMax && oldest !== undefined) buckets.delete(oldest);
    },
  };
}
