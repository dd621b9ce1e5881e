/** How far something is, in words: the same ones in a terminal and on the dashboard. For people; nothing is decided from it. Pure. */
import { age, bytes, bytesOf } from "./format.ts";

export interface Amount {
  readonly bytes: number;
  /** In all, as estimated beforehand: there may be more. Null or 0 = not known, or not yet. */
  readonly bytesExpected: number | null;
}

/** Of one, and never more; null while nobody can say. */
export function shareOf({ bytes: done, bytesExpected: whole }: Amount): number | null {
  return whole === null || whole === 0 ? null : Math.min(1, done / whole);
}

/** Rounded down: what is said to be done is done. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

export function amount({ bytes: done, bytesExpected: whole }: Amount): string {
  return whole === null || whole === 0 ? bytes(done) : bytesOf(done, whole);
}

/** `42 % (3.1 of 7.4 GiB)`, or `3.1 GiB`. */
export function howFar(of: Amount): string {
  const share = shareOf(of);
  return share === null ? amount(of) : `${percent(share)} (${amount(of)})`;
}

export type Pace = Amount & {
  /** Null = unknown. */
  readonly bytesPerSecond: number | null;
};

/** `9s left`; null where nobody can say. */
export function left({ bytes: done, bytesExpected: whole, bytesPerSecond }: Pace): string | null {
  if (whole === null || bytesPerSecond === null || bytesPerSecond === 0 || done >= whole) return null;
  return `${age(((whole - done) / bytesPerSecond) * 1000)} left`;
}
