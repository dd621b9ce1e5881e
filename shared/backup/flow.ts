/**
 * Pieces that streams of bytes are put together from. A stream is anything that can be iterated, is read by one
 * reader at the pace of that reader, and throws `BrokenStream` when it cannot go on.
 */
import { createHash, type Hash } from "node:crypto";
import { pipeline, Readable, type Transform } from "node:stream";
import { BrokenStream } from "../model/broken-stream.ts";
import { type Outcome, succeed } from "../model/outcome.ts";

export type Bytes = AsyncIterable<Uint8Array>;

/** What `work` gives, or the failure that broke one of its streams. Anything else that it throws is a bug. */
export async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return succeed(await work());
  } catch (error) {
    if (error instanceof BrokenStream) return { ok: false, failure: error.failure };
    throw error;
  }
}

/** For what a person has to look at: what was read is not what was written, or cannot be taken. */
export function unusable(message: string, options?: ErrorOptions): BrokenStream {
  return new BrokenStream({ kind: "refused", message }, options);
}

/** Size and SHA-256 of what has gone through. */
export interface Tally {
  size: number;
  readonly hash: Hash;
}

export const newTally = (): Tally => ({ size: 0, hash: createHash("sha256") });

export async function* tallied(source: Bytes, tally: Tally, onBytes?: (count: number) => void): Bytes {
  for await (const chunk of source) {
    tally.size += chunk.length;
    tally.hash.update(chunk);
    onBytes?.(chunk.length);
    yield chunk;
  }
}

/** In pieces of exactly `size` bytes, but for the last. A piece that was given is not written to again. */
export async function* inPieces(source: Bytes, size: number): Bytes {
  let piece = Buffer.alloc(0);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === 0 && chunk.length - at >= size) {
        yield chunk.subarray(at, at + size);
        at += size;
        continue;
      }
      if (filled === 0) piece = Buffer.allocUnsafeSlow(size);
      const taken = chunk.subarray(at, at + size - filled);
      piece.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < size) continue;
      filled = 0;
      yield piece;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Through one of Node's own streams, which works beside us. `explain` makes a failure of what it throws. */
export async function* through(
  source: Bytes,
  transform: Transform,
  explain: (error: unknown) => BrokenStream,
): Bytes {
  const feed = Readable.from(source, { objectMode: false, highWaterMark: 1024 * 1024 });
  // Its error comes out of the transform as well, which is where it is heard.
  pipeline(feed, transform, () => undefined);
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw error instanceof BrokenStream ? error : explain(error);
  } finally {
    transform.destroy();
  }
}

/** For formats that say how much comes next. */
export interface ByteReader {
  /** What is there, at least one byte and at most `max`; null at the end. */
  some(max: number): Promise<Uint8Array | null>;
  /** True when nothing comes any more; waits until that is known. */
  hasEnded(): Promise<boolean>;
  /** Fewer only at the end. */
  exactly(count: number): Promise<Uint8Array>;
  /** The next `count` bytes as a stream; fewer only at the end. */
  next(count: number): Bytes;
  /** Lets the source go, if it was not read to its end. */
  close(): Promise<void>;
}

export function createByteReader(source: Bytes): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);

  async function hasEnded(): Promise<boolean> {
    while (held.length === 0) {
      const step = await iterator.next();
      if (step.done === true) return true;
      held = step.value;
    }
    return false;
  }

  async function some(max: number): Promise<Uint8Array | null> {
    if (await hasEnded()) return null;
    const given = held.subarray(0, max);
    held = held.subarray(given.length);
    return given;
  }

  async function* next(count: number): Bytes {
    for (let left = count; left > 0; ) {
      const chunk = await some(left);
      if (chunk === null) return;
      left -= chunk.length;
      yield chunk;
    }
  }

  return {
    some,
    hasEnded,
    next,
    async exactly(count) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of next(count)) chunks.push(chunk);
      return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    },
    async close() {
      await iterator.return?.();
    },
  };
}
