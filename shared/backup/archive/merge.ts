/**
 * Makes few large segments of many small ones. Their transactions are read once more from a server's log and stored in chains of
 * their own: so it needs no key to open what is encrypted, and killed anywhere it leaves at most something that is held
 * twice. What it replaces goes later, as everything that no recovery needs.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { LogPiece } from "../../ports/log-stream.ts";
import { divided, MERGED } from "./doubled.ts";
import { archivedBy } from "./inventory.ts";
import { type Archived, type ArchiveWork, type LogSource, onePass } from "./pass.ts";
import type { Recorded } from "./window.ts";

type Begun = Extract<LogPiece, { kind: "transaction" }>;

interface Wanted {
  /** Ends when all of this has come. */
  readonly held: Position;
  /** What each backup holds beyond what lies before the log. */
  readonly starts: readonly Position[];
  /** When something else began to be committed, or ended, that is no part of this log: in their order. */
  readonly turns: readonly number[];
}

/** Of what is in order: the first that is greater. */
function firstAfter(ordered: readonly number[], than: number): number {
  let [from, to] = [0, ordered.length];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if ((ordered[middle] ?? 0) > than) to = middle;
    else from = middle + 1;
  }
  return ordered[from] ?? Number.POSITIVE_INFINITY;
}

/**
 * Whether a merged segment has to end before a transaction, so that no point is lost with it; to be asked of each in its order.
 * The last one that a backup holds is a segment of its own, because a recovery from there begins with its end. And around
 * what was abandoned nobody knows which of the two was in service: that must not become wider.
 */
function seams({ starts, turns }: Wanted, { contains, count }: PositionAlgebra): (begun: Begun) => boolean {
  const open = starts.map((position) => ({ position, left: count(position) }));
  let isAfterLast = false;
  let beforeUs = Number.POSITIVE_INFINITY;
  return ({ gtid, committedAtUs }) => {
    let isLast = false;
    for (const start of open) {
      if (start.left === 0n || !contains(start.position, gtid)) continue;
      start.left -= 1n;
      isLast ||= start.left === 0n;
    }
    const isSeam = isLast || isAfterLast || firstAfter(turns, beforeUs) <= committedAtUs;
    [isAfterLast, beforeUs] = [isLast, committedAtUs];
    return isSeam;
  };
}

/** The log up to what is wanted of it, in pieces as large as they may be: a new head comes before each of them. */
async function* inLargePieces(
  log: AsyncIterable<LogPiece>,
  wanted: Wanted,
  positions: PositionAlgebra,
): AsyncGenerator<LogPiece> {
  const isSeam = seams(wanted, positions);
  let left = positions.count(wanted.held);
  let head: Uint8Array = new Uint8Array(0);
  let [size, firstAtUs] = [0, 0];
  for await (const piece of log) {
    if (piece.kind === "quiet") continue;
    // Copied, because it is needed for longer than until the next piece.
    if (piece.kind === "head") [head, size] = [Uint8Array.from(piece.bytes), 0];
    if (piece.kind === "transaction") {
      const isFull = size >= MERGED.bytesMax || piece.committedAtUs - firstAtUs > MERGED.spanUsMax;
      if (isSeam(piece) || (size > 0 && isFull)) {
        size = 0;
        yield { kind: "head", bytes: head };
      }
      if (size === 0) firstAtUs = piece.committedAtUs;
      if (positions.contains(wanted.held, piece.gtid)) left -= 1n;
    }
    if (piece.kind !== "head") size += piece.bytes.length;
    yield piece;
    if (piece.kind !== "head" && piece.ends && left === 0n) return;
  }
}

/** A pass that takes what lies in small segments for what is not held. */
function asUnheld(
  source: LogSource,
  recorded: Recorded,
  positions: PositionAlgebra,
): { readonly source: LogSource; readonly held: Recorded } {
  const { executed, purged } = source;
  const inLog = positions.subtract(executed, purged);
  const { settled } = divided(recorded.segments, inLog, positions);
  const archived = archivedBy(recorded.segments, positions);
  const turns = [...recorded.segments, ...recorded.lost]
    .filter(({ position }) => !positions.contains(executed, position))
    .flatMap(({ firstAtUs, lastAtUs }) => [firstAtUs, lastAtUs + 1])
    .toSorted((a, b) => a - b);
  return {
    held: { ...recorded, segments: settled },
    source: {
      ...source,
      async *stream(except) {
        const missing = positions.subtract(executed, except);
        // No more than chains hold that were begun before this one: of what is held twice the later one stays.
        const held = positions.subtract(missing, positions.subtract(missing, archived));
        if (held === "") return;
        const starts = recorded.starts.map(({ position }) => positions.subtract(position, except));
        yield* inLargePieces(source.stream(except), { held, starts, turns }, positions);
      },
    },
  };
}

/** Fails as a pass of the archive does; segments that were stored before a failure stay, and the next one goes on from them. */
export function mergeOnce(
  work: ArchiveWork,
  askSource: () => Promise<Outcome<LogSource>>,
): Promise<Outcome<Archived>> {
  const { onHeld: _, ...rest } = work;
  const unlimited = {
    ...rest,
    segmentBytesMax: Number.POSITIVE_INFINITY,
    segmentAgeMsMax: Number.POSITIVE_INFINITY,
  };
  return onePass(unlimited, askSource, (source, held) => asUnheld(source, held, work.positions));
}
