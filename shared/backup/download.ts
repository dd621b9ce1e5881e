/**
 * Reads one object to its end, going on where a connection broke off, and only as long as it is the object that
 * was written: its size and SHA-256 are compared with what was recorded then. The bytes are given before that is
 * known, so whoever takes them must not believe them until the stream has ended without an error.
 */
import { createHash } from "node:crypto";
import { BrokenStream } from "../model/broken-stream.ts";
import type { ObjectStore, ObjectStream } from "../ports/object-store.ts";
import { type Bytes, unusable } from "./flow.ts";
import { type Patience, patiently, pause } from "./patience.ts";

/** Size in bytes and SHA-256 in hexadecimal. */
export interface Content {
  readonly size: number;
  readonly sha256: string;
}

/** Throws `BrokenStream`, `refused` when the object is missing or another one. */
export async function* storedBytes(
  store: ObjectStore,
  key: string,
  expected: Content,
  patience: Patience,
): Bytes {
  const hash = createHash("sha256");
  let at = 0;
  let version: string | undefined;
  let breaks = 0;
  while (at < expected.size || version === undefined) {
    const stream = await opened(store, key, { at, version, expected, patience });
    version = stream.version;
    try {
      for await (const chunk of stream.bytes) {
        at += chunk.length;
        if (at > expected.size) throw differs(`it goes on after ${expected.size} bytes`);
        hash.update(chunk);
        // A store that gives a little between its faults is worth going on with.
        breaks = 0;
        yield chunk;
      }
      if (at < expected.size) {
        throw new BrokenStream({ kind: "transient", message: `The store ended ${key} too early.` });
      }
    } catch (error) {
      const again = error instanceof BrokenStream && error.failure.kind === "transient";
      breaks += 1;
      if (!again || breaks >= patience.tries) throw error;
      await pause(patience, breaks);
    }
  }
  if (hash.digest("hex") !== expected.sha256) throw differs("its bytes have another SHA-256");
}

async function opened(
  store: ObjectStore,
  key: string,
  from: {
    readonly at: number;
    readonly version: string | undefined;
    readonly expected: Content;
    readonly patience: Patience;
  },
): Promise<ObjectStream> {
  const { at, version, expected, patience } = from;
  const stream = await patiently(patience, async () => {
    const outcome = await store.open(key, at, version);
    if (outcome.ok || outcome.failure.kind !== "gone") return outcome;
    // In the words of a backup, a missing object is no different from a wrong one.
    return { ok: false, failure: { ...outcome.failure, kind: "refused" as const } };
  });
  if (stream.size === expected.size) return stream;
  stream.cancel();
  throw differs(`it has ${stream.size} bytes in place of ${expected.size}`);
}

const differs = (how: string) => unusable(`it is not what was written: ${how}`);
