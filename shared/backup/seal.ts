/**
 * From a stream to objects in a store and back: compressed, encrypted if there are recipients, hashed before and
 * after. The stream is cut into slices, each an object that can be opened for itself. So an object is never too
 * large for a store, whatever the stream's length, parts can be small, which is what keeps the memory small, and
 * damage has the name of an object.
 *
 * Without Ordinal: open each object with `age -d` and `zstd -d`, in their order, and put the results together.
 */
import { BrokenStream } from "../model/broken-stream.ts";
import { assert, type Outcome } from "../model/outcome.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { AGE_MAGIC, decrypted, encrypted } from "./age.ts";
import type { Identity } from "./age-keys.ts";
import { type Content, storedBytes } from "./download.ts";
import { type Bytes, createByteReader, newTally, outcomeOf, type Tally, tallied, unusable } from "./flow.ts";
import type { Patience } from "./patience.ts";
import { createPartBuffers, type PartBuffers, uploadObject } from "./upload.ts";
import { compressed, decompressed } from "./zstd.ts";

export interface SealedObject {
  readonly key: string;
  /** What the object is opened to. */
  readonly plain: Content;
  readonly stored: Content;
}

export interface SealShape {
  /** Of the stream that goes into one object. */
  readonly sliceBytes: number;
  /** Every part but the last of an object has this size. */
  readonly partBytes: number;
  /** Parts under way while one more is filled. */
  readonly parallel: number;
}

/**
 * The smallest parts that stores take, so that three buffers of 5 MiB are all that is held. What cannot be
 * compressed grows by less than a hundredth, so that a slice needs 830 parts at most; a store that copies the
 * parts to put an object together does so in seconds.
 */
const defaultShape: SealShape = {
  sliceBytes: 4 * 1024 ** 3,
  partBytes: 5 * 1024 ** 2,
  parallel: 2,
};

export interface SealWish {
  readonly store: ObjectStore;
  /** Of the object with this number, from 1; nothing may be there yet. */
  readonly keyOf: (number: number) => string;
  /** Bytes of age recipients; none leaves the objects unencrypted. */
  readonly recipients: readonly Uint8Array[];
  readonly patience: Patience;
  readonly shape?: Partial<SealShape>;
  /** Called often, with how many bytes of the stream were taken since the last call. */
  readonly onPlain?: (bytes: number) => void;
}

/** Its objects in their order, at least one. After a failure none of them stays, as far as the store lets it be. */
export async function sealStream(source: Bytes, wish: SealWish): Promise<Outcome<readonly SealedObject[]>> {
  const reader = createByteReader(source);
  const { sliceBytes, partBytes, parallel } = { ...defaultShape, ...wish.shape };
  const buffers = createPartBuffers(partBytes, parallel);
  const sealed: SealedObject[] = [];
  const outcome = await outcomeOf(async () => {
    try {
      do {
        sealed.push(await sealSlice(reader.next(sliceBytes), wish, { number: sealed.length + 1, buffers }));
      } while (!(await reader.hasEnded()));
      return sealed;
    } finally {
      await reader.close();
    }
  });
  if (!outcome.ok) for (const { key } of sealed) await wish.store.remove(key);
  return outcome;
}

async function sealSlice(
  slice: Bytes,
  wish: SealWish,
  { number, buffers }: { readonly number: number; readonly buffers: PartBuffers },
): Promise<SealedObject> {
  const { store, recipients, patience, onPlain } = wish;
  const key = wish.keyOf(number);
  const [plain, stored] = [newTally(), newTally()];
  const small = compressed(tallied(slice, plain, onPlain));
  const sealed = recipients.length === 0 ? small : encrypted(small, recipients);
  await uploadObject(store, key, sealed, { patience, stored, buffers });
  return { key, plain: contentOf(plain), stored: contentOf(stored) };
}

const contentOf = ({ size, hash }: Tally): Content => ({ size, sha256: hash.digest("hex") });

export interface OpenWish {
  readonly store: ObjectStore;
  /** In their order, as they were recorded. */
  readonly objects: readonly SealedObject[];
  /** Null for objects that are not encrypted. */
  readonly identity: Identity | null;
  readonly patience: Patience;
}

/**
 * The stream that was sealed. Throws `BrokenStream`, which names the object, when any of them is missing, changed,
 * cut off or in another's place. Nothing that was read is good before the stream has ended.
 */
export async function* openSealed({ store, objects, identity, patience }: OpenWish): Bytes {
  assert(objects.length > 0, "a sealed stream has at least one object");
  for (const { key, plain, stored } of objects) {
    try {
      const sealed = storedBytes(store, key, stored, patience);
      const small = identity === null ? unencrypted(sealed) : decrypted(sealed, identity);
      const tally = newTally();
      yield* tallied(decompressed(small), tally);
      const found = contentOf(tally);
      if (found.size !== plain.size || found.sha256 !== plain.sha256) {
        throw unusable("what is in it is not what was put into it");
      }
    } catch (error) {
      throw named(key, error);
    }
  }
}

/** Tells somebody who has forgotten the key so, and not that the object is damaged. */
async function* unencrypted(source: Bytes): Bytes {
  const reader = createByteReader(source);
  try {
    const start = await reader.exactly(AGE_MAGIC.length);
    if (Buffer.compare(start, AGE_MAGIC) === 0)
      throw unusable("it is encrypted and no age identity was given");
    yield start;
    yield* reader.next(Number.POSITIVE_INFINITY);
  } finally {
    await reader.close();
  }
}

/** Its name comes last: it is long, and is cut off where there is little room. */
function named(key: string, error: unknown): unknown {
  if (!(error instanceof BrokenStream) || error.failure.kind !== "refused") return error;
  const message = `An object of the backup cannot be used: ${error.failure.message} (${key}).`;
  return new BrokenStream({ ...error.failure, message }, { cause: error });
}
