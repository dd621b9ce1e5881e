/**
 * Cuts a log into segments: each is a log file of its own, of whole transactions only, that the server's tools read. A
 * segment ends when it is large or old enough, when the server has nothing more just now, with the server's own file, and
 * before a commit that is earlier by its clock than the one before: so within a segment instants only grow.
 */
import { BrokenStream } from "../../model/broken-stream.ts";
import type { PositionAlgebra } from "../../model/engine.ts";
import { assert } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { Clock } from "../../ports/host.ts";
import type { LogPiece } from "../../ports/log-stream.ts";
import type { Bytes } from "../flow.ts";

export interface Cutting {
  /** A segment takes no further transaction when it has so many bytes, or is so old. */
  readonly bytesMax: number;
  readonly ageMsMax: number;
  readonly clock: Clock;
  readonly positions: PositionAlgebra;
}

export interface Facts {
  readonly position: Position;
  readonly transactions: number;
  /** Microseconds since 1970: the commit of the first in the log, and of the last. */
  readonly firstAtUs: number;
  readonly lastAtUs: number;
}

export interface Cut {
  readonly kind: "segment";
  /** To be read to its end before the next segment is asked for. Throws `BrokenStream` as the log does. */
  readonly bytes: Bytes;
  /** To be asked when the bytes have ended. */
  facts(): Facts;
}

/** So many single positions are put into a set at once: one by one would take longer than to read them. */
const BATCH = 500;

export interface Gathering {
  add(gtid: string, committedAtUs: number): void;
  facts(): Facts;
}

export function gathering(positions: PositionAlgebra): Gathering {
  let position: Position = "";
  let waiting: string[] = [];
  let transactions = 0;
  let [firstAtUs, lastAtUs] = [0, 0];
  const gather = () => {
    position = positions.union(position, waiting.join(","));
    waiting = [];
  };
  return {
    add(gtid, committedAtUs) {
      waiting.push(gtid);
      if (transactions === 0) firstAtUs = committedAtUs;
      transactions += 1;
      lastAtUs = committedAtUs;
      if (waiting.length === BATCH) gather();
    },
    facts() {
      gather();
      return { position, transactions, firstAtUs, lastAtUs };
    },
  };
}

/** The log with a look ahead of one piece. */
function reader(log: AsyncIterable<LogPiece>) {
  const iterator = log[Symbol.asyncIterator]();
  let ahead: LogPiece | null | undefined;
  async function peek(): Promise<LogPiece | null> {
    if (ahead === undefined) {
      const step = await iterator.next();
      ahead = step.done === true ? null : step.value;
    }
    return ahead;
  }
  return {
    peek,
    async next(): Promise<LogPiece | null> {
      const piece = await peek();
      ahead = undefined;
      return piece;
    },
    close: async () => void (await iterator.return?.()),
  };
}

type Reader = ReturnType<typeof reader>;

async function* segmentBytes(head: Uint8Array, from: Reader, cutting: Cutting, gathered: Gathering): Bytes {
  const { bytesMax, ageMsMax, clock } = cutting;
  const begunAtMs = clock.now();
  let size = head.length;
  yield head;
  for (;;) {
    let piece = await from.next();
    assert(piece?.kind === "transaction", "a segment goes on with a transaction");
    const { gtid, committedAtUs } = piece;
    gathered.add(gtid, committedAtUs);
    for (;;) {
      size += piece.bytes.length;
      yield piece.bytes;
      if (piece.ends) break;
      const more: LogPiece | null = await from.next();
      if (more?.kind !== "more")
        throw new BrokenStream({ kind: "transient", message: "the log ended too early" });
      piece = more;
    }
    if (size >= bytesMax || clock.now() - begunAtMs >= ageMsMax) return;
    const next = await from.peek();
    // A new primary whose clock is behind, or one whose clock was put back.
    if (next?.kind !== "transaction" || next.committedAtUs < committedAtUs) return;
  }
}

/** The server has nothing more just now: the segments so far are all of its log. */
export interface Quiet {
  readonly kind: "quiet";
}

/** Ends with the log. */
export async function* cutSegments(
  log: AsyncIterable<LogPiece>,
  cutting: Cutting,
): AsyncGenerator<Cut | Quiet> {
  const from = reader(log);
  let head: Uint8Array = new Uint8Array(0);
  try {
    for (;;) {
      const piece = await from.peek();
      if (piece === null) return;
      if (piece.kind !== "transaction") {
        // Copied, because it is needed for longer than until the next piece.
        if (piece.kind === "head") head = Uint8Array.from(piece.bytes);
        await from.next();
        if (piece.kind === "quiet") yield piece;
        continue;
      }
      const gathered = gathering(cutting.positions);
      yield { kind: "segment", bytes: segmentBytes(head, from, cutting, gathered), facts: gathered.facts };
    }
  } finally {
    await from.close();
  }
}
