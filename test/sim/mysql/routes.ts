/**
 * The ways between functions, clients and servers, each direction by itself: a way that is cut loses nothing of
 * a living connection, since TCP sends it again when the way is open; it only keeps it, in order. Who gives up
 * meanwhile is the business of the two ends.
 */
import type { SimClock } from "../clock.ts";

export interface Routes {
  isOpen(from: string, to: string): boolean;
  /** Both directions: nothing can be asked over half a way. */
  isWhole(one: string, other: string): boolean;
  cut(from: string, to: string): void;
  mend(from: string, to: string): void;
  /** At once, or when the way is open again; never after `SENT_AGAIN_MS`. */
  travel(from: string, to: string, arrive: () => void): void;
  /** Counts whatever was mended, so that one silence can be told from two. */
  readonly mended: number;
}

/** A host gives up sending again. */
const SENT_AGAIN_MS = 60_000;

interface Kept {
  readonly sinceMs: number;
  readonly arrive: () => void;
}

export function createRoutes(clock: SimClock): Routes {
  const kept = new Map<string, Kept[]>();
  let mended = 0;
  const isOpen = (from: string, to: string): boolean => kept.size === 0 || !kept.has(`${from}>${to}`);

  return {
    isOpen,
    isWhole: (one, other) => isOpen(one, other) && isOpen(other, one),
    cut(from, to) {
      if (isOpen(from, to)) kept.set(`${from}>${to}`, []);
    },
    mend(from, to) {
      const waiting = kept.get(`${from}>${to}`) ?? [];
      kept.delete(`${from}>${to}`);
      mended += 1;
      const now = clock.now();
      for (const { sinceMs, arrive } of waiting) if (now - sinceMs <= SENT_AGAIN_MS) arrive();
    },
    travel(from, to, arrive) {
      const waiting = kept.size === 0 ? undefined : kept.get(`${from}>${to}`);
      if (waiting === undefined) arrive();
      else waiting.push({ sinceMs: clock.now(), arrive });
    },
    get mended() {
      return mended;
    },
  };
}
