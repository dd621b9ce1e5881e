/**
 * GTID sets of the simulated servers. On purpose not the code under test: here a set is, for each server, one
 * sorted list of closed intervals, and every question is answered from those numbers alone.
 */

export interface Gtid {
  readonly uuid: string;
  readonly number: number;
}

/** `[first, last]` pairs, ascending, never touching each other. */
type Intervals = [first: number, last: number][];

export class Gtids {
  readonly #intervals = new Map<string, Intervals>();
  #printed: string | null = null;

  static parse(text: string): Gtids {
    const gtids = new Gtids();
    for (const part of text.split(",").map((piece) => piece.trim())) {
      const [uuid = "", ...intervals] = part.split(":");
      for (const interval of intervals) {
        const [first = 0, last = first] = interval.split("-").map(Number);
        gtids.#addInterval(uuid, first, last);
      }
    }
    return gtids;
  }

  add({ uuid, number }: Gtid): void {
    this.#addInterval(uuid, number, number);
  }

  #addInterval(uuid: string, first: number, last: number): void {
    this.#printed = null;
    const intervals = this.#intervals.get(uuid);
    if (intervals === undefined) {
      this.#intervals.set(uuid, [[first, last]]);
      return;
    }
    const newest = intervals.at(-1);
    if (newest !== undefined && first === newest[1] + 1) {
      newest[1] = last;
      return;
    }
    let from = 0;
    while (from < intervals.length && (intervals[from]?.[1] ?? 0) < first - 1) from += 1;
    let merged: [number, number] = [first, last];
    let count = 0;
    for (const [low, high] of intervals.slice(from)) {
      if (low > merged[1] + 1) break;
      merged = [Math.min(low, merged[0]), Math.max(high, merged[1])];
      count += 1;
    }
    intervals.splice(from, count, merged);
  }

  has({ uuid, number }: Gtid): boolean {
    return this.#covers(uuid, number, number);
  }

  #covers(uuid: string, first: number, last: number): boolean {
    const intervals = this.#intervals.get(uuid) ?? [];
    return intervals.some(([low, high]) => low <= first && last <= high);
  }

  /** The part that this server began. */
  of(uuid: string): Gtids {
    const part = new Gtids();
    for (const [first, last] of this.#intervals.get(uuid) ?? []) part.#addInterval(uuid, first, last);
    return part;
  }

  contains(part: Gtids): boolean {
    for (const [uuid, intervals] of part.#intervals) {
      if (!intervals.every(([first, last]) => this.#covers(uuid, first, last))) return false;
    }
    return true;
  }

  /** Everything of both is in this one afterwards. */
  join(other: Gtids): this {
    for (const [uuid, intervals] of other.#intervals) {
      for (const [first, last] of intervals) this.#addInterval(uuid, first, last);
    }
    return this;
  }

  /** The next free number of this server. */
  next(uuid: string): number {
    const [first] = this.#intervals.get(uuid) ?? [];
    return first === undefined || first[0] > 1 ? 1 : first[1] + 1;
  }

  copy(): Gtids {
    return new Gtids().join(this);
  }

  /** As the server prints it. */
  print(): string {
    this.#printed ??= [...this.#intervals]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([uuid, intervals]) => uuid + intervals.map(printInterval).join(""))
      .join(",\n");
    return this.#printed;
  }
}

function printInterval([first, last]: readonly [number, number]): string {
  return first === last ? `:${first}` : `:${first}-${last}`;
}

/** The set without the newest `count` transactions of its only server. */
export function withoutNewest(set: Gtids, uuid: string, count: number): Gtids {
  const last = set.next(uuid) - 1;
  const kept = new Gtids();
  for (let number = 1; number <= last - count; number += 1) kept.add({ uuid, number });
  return kept;
}
