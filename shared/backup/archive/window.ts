/**
 * To which points in time a cluster can be recovered, from its backups and the archive of its logs. Pure. An instant is in
 * the window when it is known what the primary held then, and a backup and the archive hold exactly that between them;
 * what is in question is out.
 *
 * A state was held from the commit that made it until the next commit in the log, each by the clock of its server. The
 * documents tell both within a segment, from the end of one or of a backup to what goes on from there, and of a look at the primary. Where
 * other commits fall between the two, of a log that forks off, nobody knows which of the two was in service.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Position } from "../../model/server.ts";
import { type Catalogue, isRestorable } from "../catalogue.ts";
import { archivedBy, compare, type Segment } from "./inventory.ts";
import type { Look } from "./look.ts";

export interface Start {
  readonly slotMs: number;
  /** All that the backup holds, of a whole cluster. */
  readonly position: Position;
  /** Microseconds since 1970, by the clock of its Job: what it holds had been committed by then. */
  readonly endedAtUs: number;
}

/** Backups that a recovery can begin with: restorable, and of all databases. Oldest first. */
export function startsOf({ backups }: Catalogue): readonly Start[] {
  return backups.flatMap((backup) => {
    const { slotMs, manifest } = backup;
    if (manifest === null || manifest.databases !== null || !isRestorable(backup)) return [];
    return [{ slotMs, position: manifest.position, endedAtUs: Date.parse(manifest.endedAt) * US }];
  });
}

/** Those of them that stay. */
export function startsAmong(catalogue: Catalogue, slots: ReadonlySet<number>): readonly Start[] {
  return startsOf(catalogue).filter(({ slotMs }) => slots.has(slotMs));
}

/** Microseconds since 1970; both ends belong to it. */
export interface Range {
  readonly fromUs: number;
  readonly toUs: number;
}

/** How every instant of a range is reached: a state, and of a segment that goes on from it what was committed by then. */
export interface Stretch extends Range {
  /** The newest backup that the state can be made from. */
  readonly start: Start;
  readonly state: Position;
  /** Null = the state is all. */
  readonly segment: Segment | null;
}

export interface Window {
  /** In the order of the log; where clocks differ they may overlap, and then the earlier one counts. */
  readonly stretches: readonly Stretch[];
  /** The same in the order of time and without overlaps. Between two of them is a gap. */
  readonly ranges: readonly Range[];
}

/** What the bucket has of a cluster. */
export interface Recorded {
  readonly starts: readonly Start[];
  readonly segments: readonly Segment[];
  /** Named, and not there to be replayed any more. */
  readonly lost: readonly Segment[];
  readonly look: Look | null;
  /** One phrase each: what is named in the bucket and cannot be used. */
  readonly damage: readonly string[];
}

export function newestFirst(starts: readonly Start[]): readonly Start[] {
  return starts.toSorted((a, b) => b.slotMs - a.slotMs);
}

/** A segment with all that its server had at its end, and how many transactions that is. */
type Known = Segment & { readonly end: Position; readonly size: bigint };

/** What was held from one commit until the next one, unless another log was in service in between. */
interface Claim extends Omit<Stretch, "start"> {
  /** Up to the commit that ends it, or further. */
  readonly log: Position;
}

interface Around {
  readonly known: readonly Known[];
  /** All of which the documents tell when it was committed. */
  readonly dated: Position;
  /** What goes on from a state. */
  readonly following: ReadonlyMap<Position, readonly Known[]>;
  readonly look: Look | null;
}

/** While a segment was written: cut at the first commit that is later, it is what was held. */
function within(segment: Known): Claim {
  const { after, end, firstAtUs, lastAtUs } = segment;
  return { state: after, segment, fromUs: firstAtUs, toUs: lastAtUs - 1, log: end };
}

/** From the end of each segment until the first commit that goes on from there, or until a look saw that there was none. */
function between({ known, following, look }: Around): readonly Claim[] {
  const sinceUs = new Map(known.map(({ end, lastAtUs }) => [end, lastAtUs]));
  return [...sinceUs].flatMap(([state, fromUs]): readonly Claim[] => {
    const next = following.get(state) ?? [];
    const claim = { state, segment: null, fromUs };
    if (next.length === 0) {
      const toUs = look?.position === state ? Math.max(fromUs, look.toUs) : fromUs;
      return [{ ...claim, toUs, log: state }];
    }
    const toUs = next.reduce((first, { firstAtUs }) => Math.min(first, firstAtUs), Infinity) - 1;
    return next.map(({ end }) => ({ ...claim, toUs, log: end }));
  });
}

/**
 * From the end of a backup until the first commit beyond it, or until a look saw that there was none. It says nothing where
 * another log had gone beyond it by then, or at a time that is not known: that one was in service, and was abandoned for what
 * the backup holds.
 */
function backedUp(
  starts: readonly Start[],
  { known, dated, following, look }: Around,
  { contains, count, union }: PositionAlgebra,
): readonly Claim[] {
  const ends = new Set(known.map(({ end }) => end));
  const roots = [...starts.map(({ position }) => position), ...known.map(({ after }) => after)].filter(
    (root) => !ends.has(root),
  );
  return starts.flatMap(({ position, endedAtUs: fromUs }) => {
    // A manifest has it as its server wrote it, on one line.
    const state = union(position, "");
    const next = (following.get(state) ?? []).map(({ firstAtUs, end }) => ({
      toUs: firstAtUs - 1,
      log: end,
    }));
    const held = count(state);
    const goesBeyond = ({ end, size }: Known) => size > held && contains(end, state);
    // Where something ever went on from there, a restore came back to it since.
    const isStill = look?.position === state && !known.some(goesBeyond);
    const still = isStill ? [{ toUs: look.toUs, log: state }] : [];
    const untils = [...next, ...still].filter(({ toUs }) => toUs >= fromUs);
    if (untils.length === 0) return [];
    const beyond = known.filter((one) => one.firstAtUs <= fromUs && goesBeyond(one));
    const undated = roots.filter((root) => contains(root, state) && !contains(union(state, dated), root));
    return untils
      .filter(({ log }) => beyond.every((one) => contains(log, one.position)))
      .filter(({ log }) => undated.every((root) => contains(union(log, dated), root)))
      .map((until) => ({ state, segment: null, fromUs, ...until }));
  });
}

function seen({ position, fromUs, toUs }: Look): Claim {
  return { state: position, segment: null, fromUs, toUs, log: position };
}

/**
 * Until when a claim holds: before the first segment of its time that is no part of its log and does not go on from there.
 * Such a one was abandoned by a restore in place, or took its place, or was left behind by a failover.
 */
function forks(known: readonly Known[], { contains }: PositionAlgebra): (claim: Claim) => number {
  const ordered = known.toSorted((a, b) => a.firstAtUs - b.firstAtUs);
  // The latest commit of it and of all that begin earlier.
  let latestUs = Number.NEGATIVE_INFINITY;
  const latest = ordered.map(({ lastAtUs }) => (latestUs = Math.max(latestUs, lastAtUs)));
  return ({ fromUs, toUs, log }) => {
    let untilUs = toUs;
    let index = ordered.findLastIndex(({ firstAtUs }) => firstAtUs <= toUs);
    for (; index >= 0 && (latest[index] ?? fromUs) >= fromUs; index -= 1) {
      const { position, end, firstAtUs, lastAtUs } = ordered[index] as Known;
      if (lastAtUs < fromUs || contains(log, position) || contains(end, log)) continue;
      untilUs = Math.min(untilUs, firstAtUs - 1);
    }
    return untilUs;
  };
}

/** So many at a time: a few milliseconds. */
const A_BREATH = 200;

/** As `map`, with a pause now and then. */
function* each<T, R>(items: readonly T[], does: (item: T) => R): Generator<undefined, R[]> {
  const done: R[] = [];
  for (const item of items) {
    done.push(does(item));
    if (done.length % A_BREATH === 0) yield;
  }
  return done;
}

type Held = Omit<Recorded, "damage">;

/** The window in small pieces of work, for whoever has something else to do meanwhile: of ten thousand segments it takes seconds. */
function* unhurried(
  { starts: backups, segments, lost, look }: Held,
  positions: PositionAlgebra,
): Generator<undefined, Window> {
  const { contains, count, subtract, union } = positions;
  const starts = newestFirst(backups);
  const archived = archivedBy(segments, positions);
  const withEnd = (segment: Segment) => {
    const end = union(segment.after, segment.position);
    return { ...segment, end, size: count(end) };
  };
  const usable = yield* each(segments, withEnd);
  const known = [...usable, ...lost.map(withEnd)];
  const untilFork = forks(known, positions);
  const dated = union(archived, archivedBy(lost, positions));
  const around = { known, dated, following: Map.groupBy(known, ({ after }) => after), look };
  const claims = [
    ...usable.map(within),
    ...backedUp(starts, around, positions),
    ...between(around),
    ...(look === null ? [] : [seen(look)]),
  ];
  const counted = yield* each(claims, (claim) => ({
    ...claim,
    toUs: untilFork(claim),
    before: count(claim.state),
  }));
  const ordered = counted
    .filter(({ fromUs, toUs }) => fromUs <= toUs)
    .sort((a, b) => compare(a.before, b.before));
  const reached = yield* each(ordered, ({ fromUs, toUs, state, segment }): readonly Stretch[] => {
    const unarchived = subtract(state, archived);
    const start = starts.find(({ position }) => contains(state, position) && contains(position, unarchived));
    return start === undefined ? [] : [{ fromUs, toUs, start, state, segment }];
  });
  const stretches = reached.flat();
  return { stretches, ranges: joined(stretches.toSorted((a, b) => a.fromUs - b.fromUs)) };
}

export function windowOf(recorded: Held, positions: PositionAlgebra): Window {
  const work = unhurried(recorded, positions);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** The same; `breathe` is waited for between two pieces of the work. */
export async function windowBeside(
  recorded: Held,
  positions: PositionAlgebra,
  breathe: () => Promise<void>,
): Promise<Window> {
  const work = unhurried(recorded, positions);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await breathe();
  }
}

/** Milliseconds since 1970; both ends belong to it. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const US = 1_000;

/** The ranges in full milliseconds, as they are told: never more than there is. */
export function spansOf({ ranges }: Window): readonly Span[] {
  return ranges
    .map(({ fromUs, toUs }) => ({ fromMs: Math.ceil(fromUs / US), toMs: Math.floor(toUs / US) }))
    .filter(({ fromMs, toMs }) => fromMs <= toMs);
}

/** What lies between them; its ends do not belong to it. */
export function gapsBetween(spans: readonly Span[]): readonly Span[] {
  return spans.slice(1).map(({ fromMs: toMs }, index) => ({ fromMs: spans[index]?.toMs ?? toMs, toMs }));
}

function joined(ordered: readonly Range[]): readonly Range[] {
  const ranges: { fromUs: number; toUs: number }[] = [];
  for (const { fromUs, toUs } of ordered) {
    const last = ranges.at(-1);
    if (last === undefined || fromUs > last.toUs + 1) ranges.push({ fromUs, toUs });
    else last.toUs = Math.max(last.toUs, toUs);
  }
  return ranges;
}

/** How this instant is reached; null = it is not in the window. */
export function stretchAt({ stretches }: Window, atUs: number): Stretch | null {
  return stretches.find(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs) ?? null;
}
