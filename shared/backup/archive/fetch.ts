/**
 * Segments out of the bucket as log files in a folder, ready to be replayed: checked against what was stored, opened, and cut
 * to what is wanted of them. What cannot be exactly that is refused, so that nobody replays something else.
 */
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { LogPiece, ReadLogFile } from "../../ports/log-stream.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { Identity } from "../age-keys.ts";
import { type Bytes, outcomeOf, unusable } from "../flow.ts";
import type { Patience } from "../patience.ts";
import { openSealed } from "../seal.ts";
import type { Segment } from "./inventory.ts";
import { isEncryptedObject } from "./keys.ts";
import type { Replay } from "./recovery.ts";
import { type Facts, type Gathering, gathering } from "./segments.ts";

export interface ReadWish {
  readonly store: ObjectStore;
  /** For segments that are encrypted; null = none of them is. */
  readonly identity: Identity | null;
  readonly patience: Patience;
  readonly positions: PositionAlgebra;
  readonly readLogFile: ReadLogFile;
}

export interface FetchWish extends ReadWish {
  /** Exists; files of the same names are replaced. */
  readonly folder: string;
  /** Called with each file that is there, in no order. */
  readonly onFile?: (file: LogFile) => void;
}

export interface LogFile {
  readonly path: string;
  /** All transactions in it, and nothing else. */
  readonly position: Position;
  readonly transactions: number;
  /** Microseconds since 1970, of the latest commit. */
  readonly lastAtUs: number;
}

export interface Fetched {
  /** To be replayed in this order. Their names sort the same way. */
  readonly files: readonly LogFile[];
  /** All transactions of all files: with what it was planned from, this is what is recovered. */
  readonly position: Position;
  /** Null = there is nothing to be replayed. */
  readonly lastAtUs: number | null;
}

/** Files that are fetched side by side. */
const PARALLEL = 4;

/** `refused` when an object is missing, changed, cannot be opened, or does not hold what was planned. */
export async function fetchReplays(replays: readonly Replay[], wish: FetchWish): Promise<Outcome<Fetched>> {
  const files: (LogFile | null)[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let index = next++; index < replays.length; index = next++) {
      const replay = replays[index];
      if (replay === undefined) return;
      const file = await fetchOne(replay, join(wish.folder, fileName(index + 1)), wish);
      files[index] = file;
      if (file !== null) wish.onFile?.(file);
    }
  }
  return outcomeOf(async () => {
    // Every one is waited for, so that nothing is written any more when this has answered.
    const ended = await Promise.allSettled(Array.from({ length: PARALLEL }, work));
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    const there = files.filter((file) => file !== null);
    return {
      files: there,
      position: there.reduce((all, { position }) => wish.positions.union(all, position), ""),
      lastAtUs: there.reduce<number | null>((last, { lastAtUs }) => Math.max(last ?? 0, lastAtUs), null),
    };
  });
}

const fileName = (number: number) => `replay.${String(number).padStart(6, "0")}`;

/** Null when nothing of it is wanted after all, because all of it was committed later. */
async function fetchOne(replay: Replay, path: string, wish: FetchWish): Promise<LogFile | null> {
  const handle = await open(`${path}.part`, "w");
  let facts: Facts;
  try {
    facts = await read(replay, wish, (bytes) => handle.writeFile(bytes));
  } finally {
    await handle.close();
  }
  const { position, transactions, lastAtUs } = facts;
  if (transactions === 0) return null;
  await rename(`${path}.part`, path);
  return { path, position, transactions, lastAtUs };
}

/** What would be fetched, read once and not kept; fails as fetching it does. */
export function readReplay(replay: Replay, wish: ReadWish): Promise<Outcome<Facts>> {
  return outcomeOf(() => read(replay, wish, () => Promise.resolve()));
}

async function read(
  replay: Replay,
  wish: ReadWish,
  keep: (bytes: Uint8Array) => Promise<void>,
): Promise<Facts> {
  const { segment, take, until } = replay;
  const { positions, readLogFile } = wish;
  const gathered = gathering(positions);
  const wanted = wantedOf(replay, positions);
  for await (const bytes of chosen(readLogFile(opened(segment, wish)), wanted, gathered)) await keep(bytes);
  const facts = gathered.facts();
  const { position } = facts;
  const isPlanned = until.kind === "end" ? position === take : positions.contains(take, position);
  if (!isPlanned || !wanted.isMet()) {
    throw unusable(
      `A segment of the archive holds other transactions than it says (${segment.parts[0]?.key}).`,
    );
  }
  return facts;
}

/** Nothing that was read is good before it has ended. */
function opened({ parts }: Segment, { store, identity, patience }: ReadWish): Bytes {
  const objects = parts.map(({ key, bytes, sha256, plainBytes, plainSha256 }) => ({
    key,
    stored: { size: bytes, sha256 },
    plain: { size: plainBytes, sha256: plainSha256 },
  }));
  // The store may have been given a key, or lost it, in the course of the archive.
  const isSealed = parts.some(({ key }) => isEncryptedObject(key));
  return openSealed({ store, objects, identity: isSealed ? identity : null, patience });
}

type Begun = Extract<LogPiece, { kind: "transaction" }>;

interface Wanted {
  /** Whether this transaction, the next one in the log, is before the end. */
  goesOn(begun: Begun): boolean;
  takes(begun: Begun): boolean;
  /** Everything that had to come has come. */
  isMet(): boolean;
}

function wantedOf({ segment, take, until }: Replay, { contains, subtract }: PositionAlgebra): Wanted {
  const isAll = take === segment.position;
  const takes = ({ gtid }: Begun) => isAll || contains(take, gtid);
  switch (until.kind) {
    case "end":
      return { takes, goesOn: () => true, isMet: () => true };
    case "time":
      return { takes, goesOn: ({ committedAtUs }) => committedAtUs <= until.atUs, isMet: () => true };
    case "position": {
      let missing = subtract(segment.position, subtract(segment.position, until.position));
      return {
        takes,
        goesOn({ gtid }) {
          if (missing === "") return false;
          if (contains(missing, gtid)) missing = subtract(missing, gtid);
          return true;
        },
        isMet: () => missing === "",
      };
    }
  }
}

/** The head, and of the transactions those that are wanted. Reads to the end, because only then it is known to be whole. */
async function* chosen(pieces: AsyncIterable<LogPiece>, wanted: Wanted, gathered: Gathering): Bytes {
  let [isOver, isTaken] = [false, false];
  for await (const piece of pieces) {
    if (piece.kind === "quiet") continue;
    if (piece.kind === "transaction") {
      isOver ||= !wanted.goesOn(piece);
      isTaken = !isOver && wanted.takes(piece);
      if (isTaken) gathered.add(piece.gtid, piece.committedAtUs);
    }
    if (piece.kind === "head" || isTaken) yield piece.bytes;
  }
}
