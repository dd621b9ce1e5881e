/**
 * Pieces that streams of bytes are put together from. A stream is anything that can be iterated, is read by one
 * reader at the pace of that reader, and throws `BrokenStream` when it cannot go on.
 */
import { createHash, type Hash } from "node:crypto";
import type { Transform } from "node:stream";
import { BrokenStream } from "../model/broken-stream.ts";
import { assert, type Outcome, succeed } from "../model/outcome.ts";

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

/**
 * In pieces of exactly `size` bytes, but for the last. Their memory is used again: a piece is good until `ahead`
 * more of them were asked for. Fresh memory for each would have to be collected as fast as the stream runs.
 */
export async function* inPieces(source: Bytes, size: number, ahead = 0): Bytes {
  const buffers = Array.from({ length: ahead + 1 }, () => Buffer.allocUnsafeSlow(size));
  let turn = 0;
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const buffer = buffers[turn];
      assert(buffer !== undefined, "turns stay among the buffers");
      const taken = chunk.subarray(at, at + size - filled);
      buffer.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < size) continue;
      filled = 0;
      turn = (turn + 1) % buffers.length;
      yield buffer;
    }
  }
  if (filled > 0) yield buffers[turn]?.subarray(0, filled) ?? new Uint8Array(0);
}

/**
 * Through one of Node's own streams, which works beside us. It is done with a piece before it gets the next, so
 * that the memory of pieces may be used again. `explain` makes a failure of what it throws.
 */
export async function* through(
  source: Bytes,
  transform: Transform,
  explain: (error: unknown) => BrokenStream,
): Bytes {
  const feeding = feed(source, transform).catch((error: unknown) => {
    // Comes out of the transform, which is where it is heard.
    transform.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw error instanceof BrokenStream ? error : explain(error);
  } finally {
    transform.destroy();
    await feeding;
  }
}

async function feed(source: Bytes, transform: Transform): Promise<void> {
  const closed = new Promise<void>((resolve) => transform.once("close", resolve));
  for await (const chunk of source) {
    const taken = new Promise<void>((resolve) => transform.write(chunk, () => resolve()));
    await Promise.race([taken, closed]);
    // Whoever reads has gone away; leaving the loop lets the source go too.
    if (transform.destroyed) return;
  }
  transform.end();
}

/** For formats that say how much comes next. */
export interface ByteReader {
  /** What is there, at least one byte and at most `max`; null at the end. */
  some(max: number): Promise<Uint8Array | null>;
  /** True when nothing comes any more; waits until that is known. */
  hasEnded(): Promise<boolean>;
  /** Fewer only at the end; good until more is asked for. */
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
    return (await hasEnded()) ? null : take(max);
  }

  function take(max: number): Uint8Array {
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
      if (held.length >= count) return take(count);
      const chunks: Uint8Array[] = [];
      // Copied: the memory of a chunk may be used again once the next one is asked for.
      for await (const chunk of next(count)) chunks.push(Uint8Array.from(chunk));
      return Buffer.concat(chunks);
    },
    async close() {
      await iterator.return?.();
    },
  };
}
