/** The disk of a simulated server: while it is full, whoever writes waits until there is room again. */
import type { SimClock } from "../clock.ts";

export class Disk {
  readonly #clock: SimClock;
  #full = false;
  #waiting: { readonly act: () => void; readonly sinceMs: number }[] = [];

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  get full(): boolean {
    return this.#full;
  }

  set full(full: boolean) {
    this.#full = full;
    if (!full) for (const { act } of this.#waiting.splice(0)) act();
  }

  whenRoom(act: () => void): void {
    if (this.#full) this.#waiting.push({ act, sinceMs: this.#clock.now() });
    else act();
  }

  /** Since when something waits for room; null when nothing does. */
  get waitedForSinceMs(): number | null {
    return this.#waiting[0]?.sinceMs ?? null;
  }

  /** The process that waited has ended. */
  nobodyWaits(): void {
    this.#waiting = [];
  }
}
