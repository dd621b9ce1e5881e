/**
 * What has to be replayed on top of a backup to get to a point. Pure. It promises nothing that is not held: what cannot be
 * reached exactly is refused, with the nearest instants that can.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Position } from "../../model/server.ts";
import { inLogOrder, type Segment } from "./inventory.ts";
import type { Archive } from "./recorded.ts";
import { newestFirst, type Start, stretchAt } from "./window.ts";

export type Target =
  /** Microseconds since 1970: all up to the first transaction that was committed later. */
  | { readonly kind: "time"; readonly atUs: number }
  /** All up to the last of these transactions in the log; a single one is a set of one. */
  | { readonly kind: "position"; readonly position: Position };

/** Where the last segment of a recovery is cut. */
export type Until = { readonly kind: "end" } | Target;

/** One segment of those to be replayed, in their order. */
export interface Replay {
  readonly segment: Segment;
  /** Of the segment up to `until`: what is not held yet and belongs to what is recovered. */
  readonly take: Position;
  readonly until: Until;
}

export interface Recovery {
  /** What it begins with. */
  readonly start: Pick<Start, "position">;
  readonly replays: readonly Replay[];
}

export interface Refusal {
  readonly why: /** Earlier than all that can be recovered, or than the backup that was named. */
    | "before"
    /** Within what the archive lost or never had. */
    | "gap"
    /** Later than all that was archived so far. */
    | "after";
  /** The nearest instants that can be recovered to, microseconds since 1970; null = there is none on that side. */
  readonly beforeUs: number | null;
  readonly afterUs: number | null;
}

export type Planned<T extends Recovery> =
  | { readonly kind: "plan"; readonly plan: T }
  | ({ readonly kind: "refused" } & Refusal);

/** A state, and the segment that goes on from it and is cut. */
interface Aim {
  readonly state: Position;
  readonly last: { readonly segment: Segment; readonly until: Target } | null;
}

/** From the newest backup from which it can be reached. */
export function planRecovery(
  archive: Archive,
  target: Target,
  positions: PositionAlgebra,
): Planned<Recovery & { readonly start: Start }> {
  for (const aim of aimsOf(archive, target, positions)) {
    for (const start of newestFirst(archive.starts)) {
      const replays = replaysTo(aim, start.position, archive.segments, positions);
      if (replays !== null) return { kind: "plan", plan: { start, replays } };
    }
  }
  return refusal(archive, target, positions);
}

/** From what is there already, e.g. all that a server has executed on which a backup was restored. */
export function planReplay(
  archive: Archive,
  { base, target }: { readonly base: Position; readonly target: Target },
  positions: PositionAlgebra,
): Planned<Recovery> {
  for (const aim of aimsOf(archive, target, positions)) {
    const replays = replaysTo(aim, base, archive.segments, positions);
    if (replays !== null) return { kind: "plan", plan: { start: { position: base }, replays } };
  }
  return refusal(archive, target, positions);
}

/** The ways to say what the target is, the plainest first. */
function aimsOf(archive: Archive, target: Target, positions: PositionAlgebra): readonly Aim[] {
  if (target.kind === "time") {
    const stretch = stretchAt(archive.window, target.atUs);
    if (stretch === null) return [];
    const { state, segment } = stretch;
    return [{ state, last: segment === null ? null : { segment, until: target } }];
  }
  const { contains, union } = positions;
  const wanted = union(target.position, "");
  const aims: Aim[] = archive.starts.some(({ position }) => union(position, "") === wanted)
    ? [{ state: wanted, last: null }]
    : [];
  for (const segment of inLogOrder(archive.segments, positions)) {
    const { after, position } = segment;
    const end = union(after, position);
    if (contains(after, wanted) || !contains(end, wanted)) continue;
    const isWhole = contains(wanted, position);
    aims.push(isWhole ? { state: end, last: null } : { state: after, last: { segment, until: target } });
  }
  return aims;
}

/** Null when the aim cannot be reached from there, because it holds more, or something on the way is not archived. */
function replaysTo(
  { state, last }: Aim,
  base: Position,
  segments: readonly Segment[],
  positions: PositionAlgebra,
): readonly Replay[] | null {
  const { contains, subtract, union } = positions;
  if (!contains(state, base)) return null;
  const replays: Replay[] = [];
  const ordered = inLogOrder(segments, positions);
  let missing = subtract(state, base);
  for (let before = ""; missing !== "" && missing !== before; ) {
    before = missing;
    for (const segment of ordered) {
      const take = subtract(missing, subtract(missing, segment.position));
      // What comes before it has to be there by then. Another one may be first, which a server with transactions of its own had.
      if (take === "" || subtract(segment.after, missing) !== segment.after) continue;
      replays.push({ segment, take, until: { kind: "end" } });
      missing = subtract(missing, take);
    }
  }
  if (missing !== "") return null;
  if (last === null) return replays;
  return [
    ...replays,
    { segment: last.segment, take: subtract(last.segment.position, union(base, state)), until: last.until },
  ];
}

function refusal(
  { window, segments, starts, look }: Archive,
  target: Target,
  positions: PositionAlgebra,
): { readonly kind: "refused" } & Refusal {
  const ends = { beforeUs: window.ranges.at(-1)?.toUs ?? null, afterUs: null };
  if (target.kind === "time") {
    const { atUs } = target;
    const beforeUs = window.ranges.findLast(({ toUs }) => toUs < atUs)?.toUs ?? null;
    const afterUs = window.ranges.find(({ fromUs }) => fromUs > atUs)?.fromUs ?? null;
    const why = beforeUs === null ? "before" : afterUs === null ? "after" : "gap";
    return { kind: "refused", why, beforeUs, afterUs };
  }
  const states = [
    ...segments.map(({ after, position }) => positions.union(after, position)),
    ...starts.map(({ position }) => position),
  ];
  const isKnown = [...states, look?.position ?? ""].some((state) =>
    positions.contains(state, target.position),
  );
  if (!isKnown) return { kind: "refused", why: "after", ...ends };
  const isOld = starts.every(({ position }) => positions.contains(position, target.position));
  return isOld
    ? { kind: "refused", why: "before", beforeUs: null, afterUs: window.ranges[0]?.fromUs ?? null }
    : { kind: "refused", why: "gap", ...ends };
}
