/** Percentiles of measured times, by nearest rank, and pauses: every figure that is printed was really measured. */

export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly worst: number;
}

/** Milliseconds in, whole milliseconds out; null when nothing was measured. */
export function spreadOf(samplesMs: readonly number[]): Spread | null {
  const sorted = samplesMs.toSorted((a, b) => a - b);
  const worst = sorted.at(-1);
  if (worst === undefined) return null;
  const rank = (share: number): number =>
    Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? worst);
  return { p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), worst: Math.round(worst) };
}

export interface Pause {
  readonly ms: number;
  readonly endsAtMs: number;
}

/** How often more than `overMs` passed between two of these instants, in order, of which the later is after `sinceMs`. */
export function pausesOver(instantsMs: readonly number[], sinceMs: number, overMs: number): number {
  return instantsMs.filter((atMs, index) => atMs > sinceMs && atMs - (instantsMs[index - 1] ?? atMs) > overMs)
    .length;
}

/** The longest time between two of these instants, in order, of which the later one is after `sinceMs`. */
export function longestPause(instantsMs: readonly number[], sinceMs: number): Pause | null {
  let longest: Pause | null = null;
  for (const [index, atMs] of instantsMs.entries()) {
    const ms = atMs - (instantsMs[index - 1] ?? atMs);
    if (atMs > sinceMs && ms > (longest?.ms ?? 0)) longest = { ms, endsAtMs: atMs };
  }
  return longest;
}
