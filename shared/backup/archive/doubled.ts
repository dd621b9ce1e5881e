/**
 * What of the archive is held twice, and what lies in too many pieces. Pure. Of what is held twice the chain that was begun
 * later counts: so whoever deletes the other one, and however many do at once, the last one that has something stays.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Position } from "../../model/server.ts";
import { archivedBy, inLogOrder, type Segment } from "./inventory.ts";
import { chainBegunMs } from "./keys.ts";

/** A merged segment takes no further transaction when it has so many bytes, or when so much time lies between its commits. */
export const MERGED = { bytesMax: 512 * 1024 * 1024, spanUsMax: 10 * 60_000_000 };

/** So many in a row that fit into one: fewer may come of what a merged segment has to end with. */
const RUN = 8;

/** Milliseconds since 1970. */
function begunMsOf({ parts, serverUuid }: Segment): number {
  return chainBegunMs({ serverUuid, name: parts[0]?.key.split("/").at(-2) ?? "" });
}

/** Segments of which chains that were begun later hold everything. */
export function outdated(segments: readonly Segment[], positions: PositionAlgebra): ReadonlySet<Segment> {
  const byBegin = [...Map.groupBy(segments, begunMsOf)].toSorted(([a], [b]) => b - a);
  const found = new Set<Segment>();
  let later: Position = "";
  for (const [, some] of byBegin) {
    for (const segment of some) if (positions.contains(later, segment.position)) found.add(segment);
    later = positions.union(later, archivedBy(some, positions));
  }
  return found;
}

/** Without what is outdated, and in two: what would be few if it were stored once more from a log that has it, and the rest. */
export function divided(
  segments: readonly Segment[],
  inLog: Position,
  positions: PositionAlgebra,
): { readonly loose: readonly Segment[]; readonly settled: readonly Segment[] } {
  const old = outdated(segments, positions);
  const current = inLogOrder(
    segments.filter((segment) => !old.has(segment)),
    positions,
  );
  const here = current.filter(({ position }) => positions.contains(inLog, position));
  const loose = new Set<Segment>();
  for (const [index, first] of here.entries()) {
    const run = here.slice(index, index + RUN);
    const bytes = run.flatMap(({ parts }) => parts).reduce((sum, { plainBytes }) => sum + plainBytes, 0);
    const spanUs = (run.at(-1)?.lastAtUs ?? 0) - first.firstAtUs;
    if (run.length < RUN || bytes > MERGED.bytesMax || spanUs > MERGED.spanUsMax) continue;
    for (const segment of run) loose.add(segment);
  }
  return { loose: [...loose], settled: current.filter((segment) => !loose.has(segment)) };
}
