/** A stream into objects and back: nothing is believed that was changed, and nothing is left of what failed. */
import { randomBytes } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openSealed, type SealedObject, type SealWish, sealStream } from "../../../shared/backup/seal.ts";
import type { Failure } from "../../../shared/model/outcome.ts";
import {
  createMemoryStore,
  type Fault,
  type MemoryOptions,
  type StoreCall,
} from "../../support/memory-store.ts";
import { brokenAfter, collect, failureOf, newIdentity, patienceOf, streamOf } from "../../support/streams.ts";

const KIB = 1024;
const shape = { sliceBytes: 100 * KIB, partBytes: 16 * KIB, parallel: 2 };
const busy: Failure = { kind: "transient", message: "busy" };
const identity = newIdentity();

function setUp(options: MemoryOptions = {}, wished: Partial<SealWish> = {}) {
  const store = createMemoryStore({ partBytesMin: 1, ...options });
  const pauses: number[] = [];
  const patience = patienceOf(4, pauses);
  const wish: SealWish = {
    store,
    shape,
    patience,
    recipients: [],
    keyOf: (number) => `attempt/slice-${number}`,
    ...wished,
  };
  const open = (objects: readonly SealedObject[], by = wish.recipients.length > 0 ? identity : null) =>
    openSealed({ store, objects, identity: by, patience });
  return { store, pauses, wish, open };
}

async function sealed(wish: SealWish, plain: Uint8Array): Promise<readonly SealedObject[]> {
  const outcome = await sealStream(streamOf(plain), wish);
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

const keyed = { recipients: [identity.publicKey] };
const kinds = [
  ["plain", {}],
  ["encrypted", keyed],
] as const;

describe.each(kinds)("%s", (_name, wished) => {
  test.each([0, 1, 5_000, 100 * KIB - 1, 100 * KIB, 100 * KIB + 1, 350_000])(
    "%i bytes come back",
    async (size) => {
      const plain = randomBytes(size);
      const { wish, open, store } = setUp({}, wished);
      const objects = await sealed(wish, plain);
      expect(objects).toHaveLength(Math.max(1, Math.ceil(size / shape.sliceBytes)));
      expect([...store.objects.keys()].sort()).toEqual(objects.map(({ key }) => key).sort());
      expect(objects.reduce((sum, object) => sum + object.plain.size, 0)).toBe(size);
      expect((await collect(open(objects))).equals(plain)).toBe(true);
    },
  );

  test("a changed byte anywhere, a missing end, something more: refused with the name of the object", async () => {
    const { wish, open, store } = setUp({}, wished);
    const objects = await sealed(wish, randomBytes(250_000));
    const [, victim] = objects;
    const key = victim?.key ?? "";
    const original = store.objects.get(key)?.bytes ?? new Uint8Array(0);
    const places = [0, 10, 200, 300, 5_000, original.length >> 1, original.length - 20, original.length - 1];
    const damages = [
      ...places.map((at) => original.with(at, (original[at] ?? 0) ^ 4)),
      original.subarray(0, -1),
      original.subarray(0, 1000),
      new Uint8Array(0),
      Buffer.concat([original, Buffer.from([0])]),
    ];
    for (const bytes of damages) {
      await store.put(key, bytes);
      const failure = await failureOf(open(objects));
      expect(failure.kind).toBe("refused");
      expect(failure.message).toMatch(/^An object of the backup cannot be used: .* \(attempt\/slice-2\)\.$/);
    }
    await store.put(key, original);
    expect(await collect(open(objects))).toHaveLength(250_000);
  });

  test("two objects in each other's place, and one that is missing, are refused by name", async () => {
    const { wish, open, store } = setUp({}, wished);
    const objects = await sealed(wish, randomBytes(300 * KIB));
    const [one, two] = objects.map(({ key }) => store.objects.get(key)?.bytes ?? new Uint8Array(0));
    await store.put("attempt/slice-1", two ?? new Uint8Array(0));
    await store.put("attempt/slice-2", one ?? new Uint8Array(0));
    expect((await failureOf(open(objects))).message).toContain("(attempt/slice-1)");
    await store.put("attempt/slice-1", one ?? new Uint8Array(0));
    await store.remove("attempt/slice-2");
    expect((await failureOf(open(objects))).message).toMatch(/it does not exist \(attempt\/slice-2\)\.$/);
  });

  test("a record that speaks of other contents is refused, though the object is whole", async () => {
    const { wish, open } = setUp({}, wished);
    const [object] = await sealed(wish, Buffer.from("one thing"));
    if (object === undefined) throw new Error("no object");
    const told = { ...object, plain: { size: 9, sha256: "0".repeat(64) } };
    expect((await failureOf(open([told]))).message).toContain("what is in it is not what was put into it");
  });

  test("connections that break off are taken up where they broke", async () => {
    let opens = 0;
    const fault = ({ verb }: StoreCall): Fault | null => {
      if (verb !== "open") return null;
      opens += 1;
      // Twice in each object, once before it begins and once after a part of it.
      if (opens % 3 === 1) return { when: "before", failure: { ...busy, retryAfterMs: 9_000 } };
      return opens % 3 === 2 ? { when: "reading", bytes: 70_000, failure: busy } : null;
    };
    const { wish, open, pauses } = setUp({ fault }, wished);
    const plain = randomBytes(300 * KIB);
    const objects = await sealed(wish, plain);
    expect((await collect(open(objects))).equals(plain)).toBe(true);
    expect(opens).toBe(9);
    expect(pauses.filter((ms) => ms === 9_000)).toHaveLength(3);
  });
});

test("the key is asked for by name when an encrypted object is opened without one", async () => {
  const { wish, open } = setUp({}, keyed);
  const objects = await sealed(wish, Buffer.from("secret"));
  expect((await failureOf(open(objects, null))).message).toContain("encrypted and no age identity was given");
  expect((await failureOf(open(objects, newIdentity()))).message).toContain("encrypted to other keys");
});

test("an object that is replaced while it is read is refused", async () => {
  const { wish, open, store } = setUp({
    fault: ({ verb, nth }) =>
      verb === "open" && nth === 0 ? { when: "reading", bytes: 700 * KIB, failure: busy } : null,
  });
  // So large that something of it is out before the connection ends.
  const large: SealWish = { ...wish, shape: { ...shape, sliceBytes: 1_000 * KIB } };
  const objects = await sealed(large, randomBytes(900 * KIB));
  const failure = await failureOf(
    (async function* () {
      for await (const chunk of open(objects)) {
        const bytes = store.objects.get("attempt/slice-1")?.bytes ?? new Uint8Array(0);
        await store.put("attempt/slice-1", bytes);
        yield chunk;
      }
    })(),
  );
  expect(failure).toEqual({ kind: "conflict", message: "it has changed" });
});

test("each slice is a whole file that zstd alone opens", async () => {
  const { wish, store } = setUp();
  const plain = randomBytes(150 * KIB);
  const objects = await sealed(wish, plain);
  const opened = objects.map(({ key }) =>
    zstdDecompressSync(store.objects.get(key)?.bytes ?? new Uint8Array(0)),
  );
  expect(Buffer.concat(opened).equals(plain)).toBe(true);
});

describe("faults while writing", () => {
  const plain = randomBytes(250_000);

  async function leftOf(store: ReturnType<typeof createMemoryStore>) {
    const open = await store.uploads("");
    return { objects: [...store.objects.keys()], uploads: open.ok ? open.value : "unknown" };
  }

  test("every call may fail once, before or after its effect, and the backup is whole", async () => {
    const counted = setUp();
    await sealed(counted.wish, plain);
    for (const when of ["before", "after"] as const) {
      for (const verb of ["put", "begin", "part", "complete", "head"] as const) {
        const seen = new Set<string>();
        const fault = (call: StoreCall): Fault | null => {
          if (call.verb !== verb || seen.has(call.key)) return null;
          seen.add(call.key);
          return { when, failure: busy };
        };
        const { wish, open } = setUp({ fault });
        const objects = await sealed(wish, plain);
        expect((await collect(open(objects))).equals(plain), `${verb} ${when}`).toBe(true);
      }
    }
  });

  test("a call that goes on failing ends it, after growing pauses, and nothing stays", async () => {
    for (const verb of ["begin", "part", "complete", "head"] as const) {
      for (const kind of ["transient", "refused"] as const) {
        const failure: Failure = { kind, message: `no ${verb}` };
        const fault = (call: StoreCall): Fault | null =>
          call.verb === verb && call.key === "attempt/slice-3" ? { when: "before", failure } : null;
        const { wish, store, pauses } = setUp({ fault });
        const outcome = await sealStream(streamOf(plain), wish);
        expect(outcome).toEqual({ ok: false, failure });
        // Parts that are under way at the same time wait each for itself.
        const lengths = [...new Set(pauses.toSorted((a, b) => a - b))];
        expect(lengths, verb).toEqual(kind === "transient" ? [500, 1_000, 2_000] : []);
        expect(await leftOf(store), verb).toEqual({ objects: [], uploads: [] });
      }
    }
  });

  test("a source that breaks makes no object of what came before", async () => {
    const failure: Failure = { kind: "transient", message: "mysqldump ended with 2" };
    for (const bytes of [0, 10, 90_000, 250_000]) {
      const { wish, store } = setUp();
      const outcome = await sealStream(brokenAfter(randomBytes(bytes), failure), wish);
      expect(outcome).toEqual({ ok: false, failure });
      expect(await leftOf(store)).toEqual({ objects: [], uploads: [] });
    }
  });

  test("a bug in the source is thrown, and leaves no upload either", async () => {
    const { wish, store } = setUp();
    const source = (async function* () {
      yield randomBytes(60_000);
      throw new TypeError("a bug");
    })();
    await expect(sealStream(source, wish)).rejects.toThrow("a bug");
    expect((await leftOf(store)).uploads).toEqual([]);
  });

  test("a store that keeps something else than it was sent is found out", async () => {
    const { wish, store } = setUp();
    const lying = {
      ...store,
      head: async (key: string) => {
        const facts = await store.head(key);
        return facts.ok
          ? { ok: true as const, value: { ...facts.value, size: facts.value.size - 1 } }
          : facts;
      },
    };
    const outcome = await sealStream(streamOf(plain), { ...wish, store: lying });
    expect(outcome.ok ? "" : outcome.failure.message).toContain("kept something else of attempt/slice-1");
    expect((await leftOf(store)).objects).toEqual([]);
  });

  test("stores that keep no digests are taken at their sizes", async () => {
    const { wish, open } = setUp({ keepsDigests: false });
    expect((await collect(open(await sealed(wish, plain)))).equals(plain)).toBe(true);
  });

  test("a slow store holds the source back: never more than a few parts are read ahead", async () => {
    let [read, stored, ahead] = [0, 0, 0];
    const { wish, store } = setUp();
    const slow = {
      ...store,
      part: async (...args: Parameters<typeof store.part>) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        stored += args[2].length;
        return store.part(...args);
      },
    };
    const source = (async function* () {
      for (let round = 0; round < 200; round += 1) {
        yield randomBytes(10_000);
        read += 10_000;
        ahead = Math.max(ahead, read - stored);
      }
    })();
    const outcome = await sealStream(source, { ...wish, store: slow, shape: { ...shape, sliceBytes: 1e9 } });
    expect(outcome.ok).toBe(true);
    // Three parts, the pieces on their way through zstd, and what zstd holds itself.
    expect(ahead).toBeLessThan(1_700_000);
  });
});
