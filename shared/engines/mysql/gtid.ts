/**
 * GTID sets, MySQL's replication positions: `uuid[:tag]:intervals`, tags since 8.3. Union, difference and
 * containment walk two sorted lists side by side, so their time is linear in the size of the texts.
 * An election or the removal of a member rests on these answers, so whatever is not a GTID set is thrown,
 * never guessed at, and a test compares them with the server's own GTID_SUBSET and GTID_SUBTRACT.
 */
import type { PositionAlgebra } from "../../model/engine.ts";

/** Both ends belong to the interval. */
interface Interval {
  readonly start: bigint;
  readonly end: bigint;
}

/** By origin, `uuid` or `uuid:tag`; the intervals are in order and neither overlap nor touch. */
type GtidSet = ReadonlyMap<string, readonly Interval[]>;

/** A server with a set this long has a problem of its own; the limit keeps a pass from stalling on it. */
export const GTID_TEXT_MAX = 1_048_576;
/** The server refuses 2^63 - 1 and above. */
const NUMBER_MAX = 9_223_372_036_854_775_806n;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d{1,19})(?:\s*-\s*(\d{1,19}))?$/;

/** A pass asks about the same few sets again and again, and most of them are short. */
const KNOWN_MAX = 64;
const KNOWN_TEXT_MAX = 2_048;
const known = new Map<string, GtidSet>();

function parse(text: string): GtidSet {
  const before = known.get(text);
  if (before !== undefined) return before;
  const set = read(text);
  if (text.length > KNOWN_TEXT_MAX) return set;
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(text, set);
  return set;
}

function read(text: string): GtidSet {
  if (text.length > GTID_TEXT_MAX) throw new Error(`a GTID set of ${text.length} characters is too long`);
  const set = new Map<string, Interval[]>();
  for (const part of text.toLowerCase().split(",")) {
    if (part.trim() !== "") parseOrigins(part, set);
  }
  for (const [origin, intervals] of set) set.set(origin, normalise(intervals));
  return set;
}

/** One server's part: intervals without a tag come first, each tag is followed by its own. */
function parseOrigins(part: string, into: Map<string, Interval[]>): void {
  const [uuid = "", ...fields] = part.split(":").map((field) => field.trim());
  if (!UUID.test(uuid)) throw new Error("not a GTID set: it does not begin with a server's uuid");
  let origin = uuid;
  let wanted = true;
  for (const field of fields) {
    if (TAG.test(field)) {
      if (wanted && origin !== uuid) throw new Error("not a GTID set: a tag without intervals");
      origin = `${uuid}:${field}`;
      wanted = true;
      continue;
    }
    const intervals = into.get(origin) ?? [];
    intervals.push(parseInterval(field));
    into.set(origin, intervals);
    wanted = false;
  }
  if (wanted) throw new Error("not a GTID set: an origin without intervals");
}

function parseInterval(field: string): Interval {
  const match = INTERVAL.exec(field);
  if (match === null) throw new Error("not a GTID set: an interval is not made of numbers");
  const start = BigInt(match[1] ?? "");
  const end = match[2] === undefined ? start : BigInt(match[2]);
  if (start < 1n || end < start || end > NUMBER_MAX)
    throw new Error("not a GTID set: an interval out of range");
  return { start, end };
}

function normalise(intervals: readonly Interval[]): Interval[] {
  // The server prints them in order, so there is hardly ever anything to sort.
  const ordered = intervals.every(
    (interval, i) => i === 0 || (intervals[i - 1]?.start ?? 0n) <= interval.start,
  );
  const sorted = ordered ? intervals : intervals.toSorted((a, b) => (a.start < b.start ? -1 : 1));
  const merged: Interval[] = [];
  for (const interval of sorted) append(merged, interval);
  return merged;
}

/** Adds an interval that begins no earlier than the last one, joining the two where they touch. */
function append(intervals: Interval[], next: Interval): void {
  const last = intervals.at(-1);
  if (last === undefined || next.start > last.end + 1n) intervals.push(next);
  else if (next.end > last.end) intervals[intervals.length - 1] = { start: last.start, end: next.end };
}

function merge(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  const merged: Interval[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const left = a[i];
    const right = b[j];
    if (left !== undefined && (right === undefined || left.start <= right.start)) {
      append(merged, left);
      i++;
    } else if (right !== undefined) {
      append(merged, right);
      j++;
    } else return merged;
  }
}

/** What is in `from` and not in `taken`. */
function difference(from: readonly Interval[], taken: readonly Interval[]): readonly Interval[] {
  const left: Interval[] = [];
  let j = 0;
  for (const { start, end } of from) {
    let next = start;
    while (next <= end) {
      const hole = taken[j];
      if (hole === undefined || hole.start > end) {
        left.push({ start: next, end });
        break;
      }
      if (hole.end < next) {
        j++;
        continue;
      }
      if (hole.start > next) left.push({ start: next, end: hole.start - 1n });
      next = hole.end + 1n;
    }
  }
  return left;
}

function print(set: GtidSet): string {
  const servers = new Map<string, string>();
  // `uuid` sorts before `uuid:tag`, and tags by their bytes, which is the server's own order.
  for (const origin of [...set.keys()].sort()) {
    const intervals = set.get(origin) ?? [];
    if (intervals.length === 0) continue;
    const uuid = origin.slice(0, 36);
    servers.set(
      uuid,
      `${servers.get(uuid) ?? uuid}${origin.slice(36)}${intervals.map(printInterval).join("")}`,
    );
  }
  return [...servers.values()].join(",\n");
}

function printInterval({ start, end }: Interval): string {
  return start === end ? `:${start}` : `:${start}-${end}`;
}

function size(intervals: readonly Interval[]): bigint {
  return intervals.reduce((sum, { start, end }) => sum + end - start + 1n, 0n);
}

function contains(whole: string, part: string): boolean {
  const all = parse(whole);
  for (const [origin, intervals] of parse(part)) {
    if (difference(intervals, all.get(origin) ?? []).length > 0) return false;
  }
  return true;
}

function union(a: string, b: string): string {
  const all = new Map(parse(a));
  for (const [origin, intervals] of parse(b)) all.set(origin, merge(all.get(origin) ?? [], intervals));
  return print(all);
}

function subtract(a: string, b: string): string {
  const taken = parse(b);
  const left = [...parse(a)].map(
    ([origin, intervals]) => [origin, difference(intervals, taken.get(origin) ?? [])] as const,
  );
  return print(new Map(left));
}

function without(a: string, serverUuid: string): string {
  const own = serverUuid.toLowerCase();
  return print(new Map([...parse(a)].filter(([origin]) => origin.slice(0, 36) !== own)));
}

function count(a: string): bigint {
  return [...parse(a).values()].reduce((sum, intervals) => sum + size(intervals), 0n);
}

function shorten(a: string, charsMax: number): string {
  const set = parse(a);
  const whole = print(set).replaceAll("\n", " ");
  if (whole.length <= charsMax) return whole;
  let text = "";
  let left = count(a);
  for (const origin of [...set.keys()].sort()) {
    const intervals = set.get(origin) ?? [];
    let separator = text === "" ? origin : `, ${origin}`;
    for (const interval of intervals) {
      const piece = `${separator}${printInterval(interval)}`;
      // One interval is always shown: "and 3 more" alone would say nothing.
      if (text !== "" && text.length + piece.length > charsMax)
        return `${text} and ${left} more transactions`;
      text += piece;
      separator = "";
      left -= size([interval]);
    }
  }
  return text;
}

export const gtidSets: PositionAlgebra = { contains, union, subtract, without, count, shorten };
