/**
 * To which points in time a cluster can be recovered, from its backups and the archive of its logs. Pure. An instant is in
 * the window when it is known what the primary held then, and a backup and the archive hold exactly that between them;
 * what is in question is out.
 *
 * What it held at an instant is its log up to the first transaction that was committed later: so nothing that was
 * committed later is in it, whatever the clocks of those that were primary before and after a failover. Before a segment it
 * was `after`; between two of them the end of the first, if the second goes on with nothing else.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Position } from "../../model/server.ts";
import { type Catalogue, isRestorable } from "../catalogue.ts";
import { archivedBy, inLogOrder, type Segment } from "./inventory.ts";
import type { Look } from "./look.ts";

export interface Start {
  readonly slotMs: number;
  /** All that the backup holds, of a whole cluster. */
  readonly position: Position;
}

/** Backups that a recovery can begin with: restorable, and of all databases. Oldest first. */
export function startsOf({ backups }: Catalogue): readonly Start[] {
  return backups.flatMap((backup) => {
    const { slotMs, manifest } = backup;
    if (manifest === null || manifest.databases !== null || !isRestorable(backup)) return [];
    return [{ slotMs, position: manifest.position }];
  });
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
  /** In the order of the log; they may overlap, and then the later one counts. */
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

/** A segment, or a look, which is one without transactions. */
interface Known extends Range {
  readonly before: Position;
  readonly end: Position;
  readonly segment: Segment | null;
}

export function newestFirst(starts: readonly Start[]): readonly Start[] {
  return starts.toSorted((a, b) => b.slotMs - a.slotMs);
}

/** In the order of the log, a look after all that it had seen. */
function knownOf(
  { segments, look }: Pick<Recorded, "segments" | "look">,
  positions: PositionAlgebra,
): readonly Known[] {
  const known = inLogOrder(segments, positions).map((segment): Known => {
    const { after, position, firstAtUs, lastAtUs } = segment;
    const end = positions.union(after, position);
    return { before: after, end, fromUs: firstAtUs, toUs: lastAtUs, segment };
  });
  if (look === null) return known;
  const { position, fromUs, toUs } = look;
  const seen = positions.count(position);
  const at = known.findIndex(({ before }) => positions.count(before) >= seen);
  return known.toSpliced(at === -1 ? known.length : at, 0, {
    ...{ before: position, end: position, fromUs, toUs, segment: null },
  });
}

/**
 * Until when a stretch holds: before the first commit that is no part of it and that nothing goes on to from it. A restore
 * in place abandons what was committed since, and its undoing what was committed after it. Of what lies between such a
 * commit and the first one that goes on with the stretch nobody knows which of the two was in service.
 */
function forks(segments: readonly Segment[], { contains, union }: PositionAlgebra) {
  const ordered = segments.toSorted((a, b) => a.firstAtUs - b.firstAtUs);
  const ends = ordered.map(({ after, position }) => union(after, position));
  // The latest commit of it and of all that begin earlier.
  let latestUs = Number.NEGATIVE_INFINITY;
  const latest = ordered.map(({ lastAtUs }) => (latestUs = Math.max(latestUs, lastAtUs)));
  return ({ fromUs, toUs }: Range, state: Position, segment: Segment | null): number => {
    const all = segment === null ? state : union(state, segment.position);
    let untilUs = toUs;
    let index = ordered.findLastIndex(({ firstAtUs }) => firstAtUs <= toUs);
    for (; index >= 0 && (latest[index] ?? fromUs) >= fromUs; index -= 1) {
      const { position, firstAtUs, lastAtUs } = ordered[index] as Segment;
      // Stored after a restore was undone, it may go on long after it began: whoever committed in between was in service then.
      const isAround = segment !== null && firstAtUs < fromUs && lastAtUs > toUs;
      if (isAround || lastAtUs < fromUs) continue;
      if (!contains(all, position) && !contains(ends[index] ?? "", all))
        untilUs = Math.min(untilUs, firstAtUs - 1);
    }
    return untilUs;
  };
}

type Placed = Known & { readonly latestUs: number };

/**
 * With the latest commit of all that lies before it in the log: where the clock of a new primary was behind that of the
 * one before it, its commits count from there on. Most go on from the end of another one, which knows it already.
 */
function placed(known: readonly Known[], { subtract }: PositionAlgebra): readonly Placed[] {
  const latest = new Map<Position, number>();
  return known.map((one) => {
    const latestUs =
      latest.get(one.before) ??
      known
        .filter(
          ({ segment }) => segment !== null && subtract(segment.position, one.before) !== segment.position,
        )
        .reduce((last, { toUs }) => Math.max(last, toUs), 0);
    if (one.segment !== null) {
      latest.set(one.end, Math.max(latest.get(one.end) ?? 0, latestUs, one.toUs));
    }
    return { ...one, latestUs };
  });
}

export function windowOf(recorded: Omit<Recorded, "damage">, positions: PositionAlgebra): Window {
  const { contains, subtract } = positions;
  const starts = newestFirst(recorded.starts);
  const archived = archivedBy(recorded.segments, positions);
  const stretches: Stretch[] = [];
  const untilFork = forks([...recorded.segments, ...recorded.lost], positions);
  function add(range: Range, state: Position, segment: Segment | null): boolean {
    if (range.fromUs > range.toUs) return false;
    const unarchived = subtract(state, archived);
    const start = starts.find(({ position }) => contains(state, position) && contains(position, unarchived));
    if (start === undefined) return false;
    const { fromUs } = range;
    const toUs = untilFork(range, state, segment);
    if (fromUs <= toUs) stretches.push({ fromUs, toUs, start, state, segment });
    return true;
  }
  /** Since when each state was held. */
  const held = new Map<Position, number>();
  const known = placed(knownOf(recorded, positions), positions);
  for (const { before, end, fromUs, toUs, segment, latestUs } of known) {
    const sinceUs = held.get(before);
    // Nothing was committed since the end of what it goes on from.
    if (sinceUs !== undefined) add({ fromUs: Math.max(sinceUs, latestUs), toUs: fromUs - 1 }, before, null);
    const isThroughout = add({ fromUs: Math.max(fromUs, latestUs), toUs }, before, segment);
    // A backup that was made within it holds something of it: only its end is known to hold all of that.
    if (!isThroughout) add({ fromUs: Math.max(toUs, latestUs), toUs }, end, null);
    held.set(end, Math.max(held.get(end) ?? 0, toUs));
  }
  return { stretches, ranges: joined(stretches.toSorted((a, b) => a.fromUs - b.fromUs)) };
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
  return stretches.findLast(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs) ?? null;
}
