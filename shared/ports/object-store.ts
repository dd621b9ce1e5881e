/**
 * A bucket of objects as backups need it. Whatever is written is there as a whole or not at all, and every
 * listing is complete or a failure: what is deleted or believed afterwards depends on it.
 *
 * Failures: `conflict` when a key that was to be new exists, or an object changed between two reads; `gone` when
 * the object or upload does not exist; `refused` when a person has to change something; `transient` otherwise,
 * and then a write may have happened or may not.
 */
import type { Outcome } from "../model/outcome.ts";

export interface ObjectFacts {
  readonly size: number;
  /**
   * The store's own SHA-256, base64: of the bytes of an object that was written at once; of its parts' digests
   * and followed by `-<number of parts>` otherwise. Null where the store keeps none.
   */
  readonly digest: string | null;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  /** RFC 3339, by the store's clock. */
  readonly modifiedAt: string;
}

export interface ListWish {
  /** Taken as it is: end it with a slash to look into a folder. */
  readonly prefix: string;
  /** Only what is directly in the prefix; what lies deeper is named by its folder. */
  readonly shallow?: boolean;
  /** `next` of the page before. */
  readonly after?: string;
}

export interface ListPage {
  /** In the order of their keys. */
  readonly objects: readonly ListedObject[];
  /** Complete prefixes that end with a slash; empty unless the wish was `shallow`. */
  readonly folders: readonly string[];
  /** Null on the last page. */
  readonly next: string | null;
}

/**
 * The rest of an object. Iterating throws `BrokenStream` when it cannot be read to its end, which also happens to
 * a reader that stands still for minutes.
 */
export interface ObjectStream {
  /** Of the whole object, however little of it was asked for. */
  readonly size: number;
  /** Names this version of the object. */
  readonly version: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** For whoever does not want to begin with the bytes after all. */
  cancel(): void;
}

export interface Upload {
  readonly key: string;
  readonly id: string;
}

export interface OpenUpload extends Upload {
  /** RFC 3339, by the store's clock. */
  readonly startedAt: string;
}

export interface UploadedPart {
  /** From 1 on. */
  readonly number: number;
  readonly tag: string;
  /** SHA-256 of the part, base64. */
  readonly digest: string;
}

export interface ObjectStore {
  /** `ifAbsent`: `conflict` when the key exists with other bytes. Some stores do not know it (see the probe). */
  put(key: string, bytes: Uint8Array, options?: { readonly ifAbsent?: boolean }): Promise<Outcome<null>>;
  head(key: string): Promise<Outcome<ObjectFacts>>;
  /** A whole small object; `refused` when it is larger than `bytesMax`. */
  read(key: string, bytesMax: number): Promise<Outcome<Uint8Array>>;
  /** From byte `from` on; `conflict` when the object is no longer that `version`. */
  open(key: string, from?: number, version?: string): Promise<Outcome<ObjectStream>>;
  list(wish: ListWish): Promise<Outcome<ListPage>>;
  /** Succeeds when it is gone already; `refused` when the store holds it under a lock. */
  remove(key: string): Promise<Outcome<null>>;
  begin(key: string): Promise<Outcome<Upload>>;
  /** Every part but the last has the same size, at least 5 MiB. The bytes may be used again once this has answered. */
  part(upload: Upload, number: number, bytes: Uint8Array): Promise<Outcome<UploadedPart>>;
  /** `gone` when the upload does not exist; after an earlier call has completed it, that or success. */
  complete(upload: Upload, parts: readonly UploadedPart[]): Promise<Outcome<null>>;
  /** Succeeds when it is gone already. */
  abort(upload: Upload): Promise<Outcome<null>>;
  /** All uploads of keys with this prefix that were begun and neither completed nor aborted. */
  uploads(prefix: string): Promise<Outcome<readonly OpenUpload[]>>;
  close(): void;
}
