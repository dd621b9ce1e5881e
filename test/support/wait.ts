/**
 * Waiting for the world to become what it should be, with an end: a wait that runs out says what it waited
 * for and what it saw last, because that sentence is all that a person gets to read.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** Something in the world is not as it should be; the message is for a person and needs no stack. */
export class Unmet extends Error {
  override readonly name = "Unmet";
}

export type Probe<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly saw: string };

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
  /** Ends the wait with its reason, for Ctrl-C. */
  readonly signal?: AbortSignal;
}

/** Repeats `look` until it is satisfied. Throws `Unmet` when the time is up. */
export async function waitFor<T>(
  what: string,
  options: WaitOptions,
  look: () => Promise<Probe<T>>,
): Promise<T> {
  const endsAt = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const probe = await look();
    if (probe.ok) return probe.value;
    if (performance.now() >= endsAt) {
      throw new Unmet(
        `waited ${Math.round(options.timeoutMs / 1000)} s for ${what}; last seen: ${probe.saw}`,
      );
    }
    // Cut short by the signal, whose own reason is thrown at the top of the next round.
    const cut = options.signal ? { signal: options.signal } : {};
    await sleep(options.everyMs ?? 250, undefined, cut).catch(() => undefined);
  }
}

export function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Unmet(otherwise);
}
