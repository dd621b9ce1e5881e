/**
 * A bucket in memory behind the port `ObjectStore`, with faults: a call may fail before or after its effect, and
 * a stream may break. It is held to the behaviour of a real store by test/contract/s3.test.ts.
 */
import { createHash } from "node:crypto";
import { BrokenStream } from "../../shared/model/broken-stream.ts";
import { type Failure, fail, type Outcome, succeed } from "../../shared/model/outcome.ts";
import type {
  ListPage,
  ListWish,
  ObjectStore,
  OpenUpload,
  UploadedPart,
} from "../../shared/ports/object-store.ts";

export interface StoreCall {
  readonly verb: keyof ObjectStore;
  readonly key: string;
  /** How many calls of this verb came before. */
  readonly nth: number;
}

export type Fault =
  | { readonly when: "before" | "after"; readonly failure: Failure }
  /** The stream gives so many bytes and breaks. */
  | { readonly when: "reading"; readonly bytes: number; readonly failure: Failure };

export interface MemoryOptions {
  readonly fault?: (call: StoreCall) => Fault | null;
  /** Like stores that take no notice of a condition: the second write of a new key wins. */
  readonly ignoresConditions?: boolean;
  readonly keepsDigests?: boolean;
  readonly pageSize?: number;
  readonly partBytesMin?: number;
  /** Keeps sizes and digests only, for more bytes than there is memory. */
  readonly forgetsBytes?: boolean;
  readonly now?: () => number;
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly digest: string;
  readonly version: string;
  readonly modifiedAt: string;
}

interface Building extends OpenUpload {
  readonly parts: Map<number, Omit<Stored, "version" | "modifiedAt">>;
}

export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Stored>;
}

const MISSING = fail("gone", "it does not exist");

export function createMemoryStore(options: MemoryOptions = {}): MemoryStore {
  const { ignoresConditions = false, keepsDigests = true, pageSize = 1000, forgetsBytes = false } = options;
  const objects = new Map<string, Stored>();
  const building = new Map<string, Building>();
  const counts = new Map<string, number>();
  let versions = 0;

  const instant = () => new Date(options.now?.() ?? 0).toISOString();
  const kept = (bytes: Uint8Array) => (forgetsBytes ? new Uint8Array(0) : Uint8Array.from(bytes));
  const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("base64");

  function faultOf(verb: StoreCall["verb"], key: string): Fault | null {
    const nth = counts.get(verb) ?? 0;
    counts.set(verb, nth + 1);
    return options.fault?.({ verb, key, nth }) ?? null;
  }

  async function call<T>(
    verb: StoreCall["verb"],
    key: string,
    effect: () => Outcome<T>,
  ): Promise<Outcome<T>> {
    const fault = faultOf(verb, key);
    if (fault?.when === "before") return { ok: false, failure: fault.failure };
    // Like everything that goes over a network, it takes at least a turn.
    await Promise.resolve();
    const outcome = effect();
    return fault?.when === "after" ? { ok: false, failure: fault.failure } : outcome;
  }

  function store(key: string, object: Omit<Stored, "version" | "modifiedAt">): void {
    versions += 1;
    objects.set(key, { ...object, version: `"${versions}"`, modifiedAt: instant() });
  }

  function page({ prefix, shallow = false, after = "" }: ListWish): ListPage {
    const found = new Map<string, Stored | null>();
    for (const key of [...objects.keys()].sort().filter((one) => one.startsWith(prefix))) {
      const slash = shallow ? key.indexOf("/", prefix.length) : -1;
      if (slash >= 0) found.set(key.slice(0, slash + 1), null);
      else found.set(key, objects.get(key) ?? null);
    }
    const rest = [...found].filter(([key]) => key > after);
    const shown = rest.slice(0, pageSize);
    return {
      objects: shown.flatMap(([key, one]) =>
        one === null ? [] : [{ key, size: one.size, modifiedAt: one.modifiedAt }],
      ),
      folders: shown.flatMap(([key, one]) => (one === null ? [key] : [])),
      next: rest.length > pageSize ? (shown.at(-1)?.[0] ?? null) : null,
    };
  }

  return {
    objects,
    put: (key, bytes, { ifAbsent = false } = {}) =>
      call("put", key, () => {
        if (ifAbsent && !ignoresConditions && objects.has(key)) return fail("conflict", "it exists already");
        store(key, { bytes: kept(bytes), size: bytes.length, digest: digestOf(bytes) });
        return succeed(null);
      }),
    head: (key) =>
      call("head", key, () => {
        const found = objects.get(key);
        return found ? succeed({ size: found.size, digest: keepsDigests ? found.digest : null }) : MISSING;
      }),
    read: (key, bytesMax) =>
      call("read", key, () => {
        const found = objects.get(key);
        if (found === undefined) return MISSING;
        return found.size > bytesMax ? fail("refused", "it is too large") : succeed(found.bytes);
      }),
    async open(key, from = 0, version) {
      const fault = faultOf("open", key);
      if (fault !== null && fault.when !== "reading") return { ok: false, failure: fault.failure };
      const found = objects.get(key);
      if (found === undefined) return MISSING;
      if (version !== undefined && version !== found.version) return fail("conflict", "it has changed");
      if (from > 0 && from >= found.size) return fail("refused", "it is shorter than it was");
      return succeed({
        size: found.size,
        version: found.version,
        bytes: streamOf(found.bytes.subarray(from), fault),
        cancel: () => undefined,
      });
    },
    list: (wish) => call("list", wish.prefix, () => succeed(page(wish))),
    remove: (key) =>
      call("remove", key, () => {
        objects.delete(key);
        return succeed(null);
      }),
    begin: (key) =>
      call("begin", key, () => {
        const id = `upload-${counts.get("begin")}`;
        building.set(id, { key, id, startedAt: instant(), parts: new Map() });
        return succeed({ key, id });
      }),
    part: (upload, number, bytes) =>
      call<UploadedPart>("part", upload.key, () => {
        const digest = digestOf(bytes);
        const parts = building.get(upload.id)?.parts;
        if (parts === undefined) return MISSING;
        parts.set(number, { bytes: kept(bytes), size: bytes.length, digest });
        return succeed({ number, tag: `"${digest}"`, digest });
      }),
    complete: (upload, wanted) =>
      call<null>("complete", upload.key, () => {
        const found = building.get(upload.id);
        if (found === undefined) return MISSING;
        const parts = wanted.flatMap(({ number, digest }) => {
          const part = found.parts.get(number);
          return part?.digest === digest ? [part] : [];
        });
        const small = parts.slice(0, -1).some(({ size }) => size < (options.partBytesMin ?? 5 * 1024 * 1024));
        if (small || parts.length !== wanted.length || parts.length > 10_000) {
          return fail("refused", "a part is unknown, too small or one too many");
        }
        building.delete(upload.id);
        const hashes = Buffer.concat(parts.map(({ digest }) => Buffer.from(digest, "base64")));
        store(upload.key, {
          bytes: Buffer.concat(parts.map(({ bytes }) => bytes)),
          size: parts.reduce((sum, { size }) => sum + size, 0),
          digest: `${digestOf(hashes)}-${parts.length}`,
        });
        return succeed(null);
      }),
    abort: (upload) =>
      call("abort", upload.key, () => {
        building.delete(upload.id);
        return succeed(null);
      }),
    uploads: (prefix) =>
      call("uploads", prefix, () =>
        succeed(
          [...building.values()]
            .filter(({ key }) => key.startsWith(prefix))
            .map(({ key, id, startedAt }) => ({ key, id, startedAt })),
        ),
      ),
    close: () => undefined,
  };
}

async function* streamOf(bytes: Uint8Array, fault: Fault | null): AsyncGenerator<Uint8Array> {
  const end = fault?.when === "reading" ? Math.min(fault.bytes, bytes.length) : bytes.length;
  const piece = 64 * 1024;
  for (let at = 0; at < end; at += piece) yield bytes.subarray(at, Math.min(at + piece, end));
  if (fault?.when === "reading") throw new BrokenStream(fault.failure);
}
