/**
 * Writes a stream of unknown length as one object, in parts that are sent side by side, in the memory of a few
 * parts however long it is. The object is there when all of it is, and the store has been asked whether it is
 * what was sent; on any failure nothing of it stays, nor any open upload.
 */
import { createHash } from "node:crypto";
import { BrokenStream } from "../model/broken-stream.ts";
import { assert } from "../model/outcome.ts";
import type { ObjectStore, Upload, UploadedPart } from "../ports/object-store.ts";
import { type Bytes, outcomeOf, type Tally, tallied } from "./flow.ts";
import { type Patience, patiently } from "./patience.ts";

/**
 * Where parts are filled and sent from, one after the other. Made once and used for object after object: fresh
 * memory for each would be there beside that of the one before, until it is collected.
 */
export type PartBuffers = readonly Buffer[];

/** `partBytes` at least 5 MiB, except in tests; `parallel` parts are under way while one more is filled. */
export function createPartBuffers(partBytes: number, parallel: number): PartBuffers {
  return Array.from({ length: parallel + 1 }, () => Buffer.allocUnsafeSlow(partBytes));
}

/** No store takes more. */
const PARTS_MAX = 10_000;

/** `stored` counts what was written. Throws `BrokenStream`. */
export async function uploadObject(
  store: ObjectStore,
  key: string,
  source: Bytes,
  options: { readonly buffers: PartBuffers; readonly patience: Patience; readonly stored: Tally },
): Promise<void> {
  const { buffers, patience, stored } = options;
  const lanes = createLanes(store, buffers, patience);
  let upload: Upload | null = null;
  try {
    for await (const chunk of tallied(source, stored)) {
      for (let at = 0; at < chunk.length; ) {
        if (lanes.isFull()) {
          upload ??= await patiently(patience, () => store.begin(key));
          await lanes.send(upload);
        }
        at += lanes.fill(chunk.subarray(at));
      }
    }
    const digest =
      upload === null
        ? await putWhole(store, key, lanes.rest(), patience)
        : await complete(store, upload, await lanes.finish(upload), { patience, size: stored.size });
    await verify(store, key, { size: stored.size, digest }, patience);
  } catch (error) {
    await lanes.settle();
    await discard(store, key, upload, patience);
    throw error;
  }
}

/** A buffer for each part under way and one to fill; a buffer is filled again once its part has arrived. */
interface Lanes {
  isFull(): boolean;
  /** How many of the bytes went in. */
  fill(bytes: Uint8Array): number;
  /** What was filled in since the last part. */
  rest(): Uint8Array;
  /** Starts sending the part; waits until there is room for the next one. */
  send(upload: Upload): Promise<void>;
  /** Sends the rest and waits for all. */
  finish(upload: Upload): Promise<readonly UploadedPart[]>;
  /** Waits until nothing is under way any more, whatever became of it. */
  settle(): Promise<void>;
}

function createLanes(store: ObjectStore, buffers: PartBuffers, patience: Patience): Lanes {
  const sending: Promise<void>[] = [];
  const parts: UploadedPart[] = [];
  let broken: unknown;
  let lane = 0;
  let filled = 0;
  let number = 0;

  function bufferOfLane(): Buffer {
    const buffer = buffers[lane];
    assert(buffer !== undefined, "there are as many lanes as buffers");
    return buffer;
  }
  const rest = () => bufferOfLane().subarray(0, filled);

  function start(upload: Upload): void {
    number += 1;
    assert(number <= PARTS_MAX, `an object has at most ${PARTS_MAX} parts`);
    const [own, bytes] = [number, rest()];
    sending[lane] = patiently(patience, () => store.part(upload, own, bytes)).then(
      (part) => {
        parts.push(part);
      },
      (error: unknown) => {
        broken ??= error;
      },
    );
    lane = (lane + 1) % buffers.length;
    filled = 0;
  }

  function check(): void {
    if (broken !== undefined) throw broken;
  }

  return {
    rest,
    isFull: () => filled === bufferOfLane().length,
    fill(bytes) {
      const buffer = bufferOfLane();
      const taken = bytes.subarray(0, buffer.length - filled);
      buffer.set(taken, filled);
      filled += taken.length;
      return taken.length;
    },
    async send(upload) {
      start(upload);
      await sending[lane];
      check();
    },
    async finish(upload) {
      if (filled > 0) start(upload);
      await Promise.all(sending);
      check();
      return parts.toSorted((a, b) => a.number - b.number);
    },
    async settle() {
      await Promise.all(sending);
    },
  };
}

const base64 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("base64");

async function putWhole(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  patience: Patience,
): Promise<string> {
  await patiently(patience, () => store.put(key, bytes));
  return base64(bytes);
}

/** Gives the digest that a store which keeps digests has of an object in these parts. */
async function complete(
  store: ObjectStore,
  upload: Upload,
  parts: readonly UploadedPart[],
  { patience, size }: { readonly patience: Patience; readonly size: number },
): Promise<string> {
  const digests = Buffer.concat(parts.map(({ digest }) => Buffer.from(digest, "base64")));
  const digest = `${base64(digests)}-${parts.length}`;
  await patiently(patience, async () => {
    const done = await store.complete(upload, parts);
    if (done.ok || done.failure.kind === "refused") return done;
    // The answer to an earlier call may have been lost: then the object is there, and the upload is not.
    const found = await store.head(upload.key);
    const isThere = found.ok && found.value.size === size && (found.value.digest ?? digest) === digest;
    return isThere ? { ok: true, value: null } : done;
  });
  return digest;
}

async function verify(
  store: ObjectStore,
  key: string,
  sent: { readonly size: number; readonly digest: string },
  patience: Patience,
): Promise<void> {
  const found = await patiently(patience, () => store.head(key));
  const isSame = found.size === sent.size && (found.digest ?? sent.digest) === sent.digest;
  if (isSame) return;
  const message = `The store kept something else of ${key} than was sent: ${found.size} of ${sent.size} bytes.`;
  throw new BrokenStream({ kind: "transient", message });
}

/**
 * As well as it can be done now; what is left is found by `abortUploads` later. A call whose answer was lost may
 * have made the object, and nobody else writes this key.
 */
async function discard(
  store: ObjectStore,
  key: string,
  upload: Upload | null,
  patience: Patience,
): Promise<void> {
  if (upload !== null) await outcomeOf(() => patiently(patience, () => store.abort(upload)));
  await store.remove(key);
}
