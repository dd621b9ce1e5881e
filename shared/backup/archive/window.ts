/**
 * To which points in time a cluster can be recovered, from its backups and the archive of its logs. Pure. An instant is in
 * the window when it is known what a server held then, and a backup and the archive hold exactly that between them; what
 * is in question is out.
 *
 * What a server held is known from its log: before a segment it was `after`, within it what was committed up to
 * that instant, and between two segments the end of the first, if the second goes on with nothing else.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Position } from "../../model/server.ts";
import { archivedBy, type Segment } from "./inventory.ts";

export interface Start {
  readonly slotMs: number;
  /** All that the backup holds, of a whole cluster. */
  readonly position: Position;
}

/** Microseconds since 1970; both ends belong to it. */
export interface Range {
  readonly fromUs: number;
  readonly toUs: number;
}

/** How every instant of a range is reached: the backup, then the logs up to the segment, and of it what was committed by then. */
export interface Stretch extends Range {
  readonly start: Start;
  readonly segment: Segment;
}

export interface Window {
  /** In the order of their beginnings; they may overlap. */
  readonly stretches: readonly Stretch[];
  /** The same as ranges without overlaps. Between two of them is a gap. */
  readonly ranges: readonly Range[];
}

interface Known extends Segment {
  /** What the server had at its end. */
  readonly end: Position;
  /** For every instant of it, and for its end alone. */
  readonly throughout: Start | null;
  readonly atEnd: Start | null;
}

/**
 * The newest backup that is part of `state` and with the archive makes all of it. `newestFirst`: of several that will do
 * the newest needs the least of the logs.
 */
function startFor(
  state: Position,
  unarchived: Position,
  newestFirst: readonly Start[],
  { contains }: PositionAlgebra,
): Start | null {
  return (
    newestFirst.find(({ position }) => contains(state, position) && contains(position, unarchived)) ?? null
  );
}

function know(
  segments: readonly Segment[],
  newestFirst: readonly Start[],
  positions: PositionAlgebra,
): Known[] {
  const archived = archivedBy(segments, positions);
  return segments
    .map((segment) => {
      // The segment itself is archived, so what its beginning lacks its end lacks too, and nothing else.
      const unarchived = positions.subtract(segment.after, archived);
      const end = positions.union(segment.after, segment.position);
      const throughout = startFor(segment.after, unarchived, newestFirst, positions);
      return {
        ...segment,
        end,
        throughout,
        atEnd: throughout ?? startFor(end, unarchived, newestFirst, positions),
      };
    })
    .toSorted((a, b) => a.firstAtUs - b.firstAtUs || a.lastAtUs - b.lastAtUs);
}

/** Instants at which nothing was committed: from the end of one segment to the beginning of the next. */
function between(last: Known, next: Known, { contains }: PositionAlgebra): Stretch | null {
  if (last.atEnd === null || next.firstAtUs <= last.lastAtUs + 1 || !contains(last.end, next.after))
    return null;
  return { fromUs: last.lastAtUs, toUs: next.firstAtUs - 1, start: last.atEnd, segment: last };
}

export function windowOf(
  starts: readonly Start[],
  segments: readonly Segment[],
  positions: PositionAlgebra,
): Window {
  const newestFirst = starts.toSorted((a, b) => b.slotMs - a.slotMs);
  const stretches: Stretch[] = [];
  let last: Known | null = null;
  for (const known of know(segments, newestFirst, positions)) {
    const { firstAtUs, lastAtUs, throughout, atEnd } = known;
    const quiet = last === null ? null : between(last, known, positions);
    if (quiet !== null) stretches.push(quiet);
    if (throughout !== null) {
      stretches.push({ fromUs: firstAtUs, toUs: lastAtUs, start: throughout, segment: known });
    } else if (atEnd !== null) {
      stretches.push({ fromUs: lastAtUs, toUs: lastAtUs, start: atEnd, segment: known });
    }
    if (last === null || lastAtUs >= last.lastAtUs) last = known;
  }
  stretches.sort((a, b) => a.fromUs - b.fromUs || a.toUs - b.toUs);
  return { stretches, ranges: joined(stretches) };
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
