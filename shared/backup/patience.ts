/**
 * Asks a store again when it may work later, with growing pauses of which a random part is left out, so that
 * many that wait do not all come back at once. On top of what the adapter repeats within one call: a backup of
 * hours is not given up because the store was away for a minute.
 */
import { orBreak } from "../model/broken-stream.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Clock, Ids } from "../ports/host.ts";

export interface Patience {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Calls in all, the first included. */
  readonly tries: number;
}

const FIRST_PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 60_000;

/** The value, or `BrokenStream` with the last failure. */
export async function patiently<T>(patience: Patience, work: () => Promise<Outcome<T>>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    const outcome = await work();
    if (outcome.ok || outcome.failure.kind !== "transient" || tried >= patience.tries)
      return orBreak(outcome);
    await pause(patience, tried, outcome.failure.retryAfterMs);
  }
}

/** `tried` counts from 1; what the store asked for is kept to, up to a minute. */
export async function pause({ clock, ids }: Patience, tried: number, wishedMs = 0): Promise<void> {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** (tried - 1), PAUSE_MS_MAX);
  const drawn = longest * (0.5 + ids.fraction() / 2);
  await clock.sleep(Math.max(drawn, Math.min(wishedMs, PAUSE_MS_MAX)));
}
