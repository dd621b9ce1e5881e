/** Streams for tests of backups: bytes in, bytes out, and somebody who is patient without losing time. */
import { randomBytes } from "node:crypto";
import { type Identity, parseIdentity } from "../../shared/backup/age-keys.ts";
import { encodeBech32 } from "../../shared/backup/bech32.ts";
import type { Bytes } from "../../shared/backup/flow.ts";
import type { Patience } from "../../shared/backup/patience.ts";
import { BrokenStream } from "../../shared/model/broken-stream.ts";
import type { Failure } from "../../shared/model/outcome.ts";

/** In pieces of this size. */
export async function* streamOf(bytes: Uint8Array, pieceBytes = 10_000): Bytes {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Gives these bytes and then breaks. */
export async function* brokenAfter(bytes: Uint8Array, failure: Failure): Bytes {
  yield* streamOf(bytes);
  throw new BrokenStream(failure);
}

export async function collect(stream: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  // Copied, because a stream may use the memory of its pieces again.
  for await (const chunk of stream) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

/** The failure that a stream ends with. */
export async function failureOf(stream: Bytes): Promise<Failure> {
  return failureIn(() => collect(stream));
}

export async function failureIn(work: () => Promise<unknown>): Promise<Failure> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BrokenStream) return error.failure;
    throw error;
  }
  throw new Error("nothing failed");
}

/** `pauses` takes how long each pause would have been, milliseconds. */
export function patienceOf(tries: number, pauses: number[] = []): Patience {
  return {
    tries,
    ids: { password: () => "unused", fraction: () => 0 },
    clock: {
      now: () => 0,
      sleep: (ms) => {
        pauses.push(ms);
        return Promise.resolve();
      },
    },
  };
}

export function newIdentityText(): string {
  return encodeBech32("age-secret-key-", randomBytes(32)).toUpperCase();
}

export function newIdentity(text = newIdentityText()): Identity {
  const identity = parseIdentity(text);
  if (identity === null) throw new Error("an identity of our own making is none");
  return identity;
}
