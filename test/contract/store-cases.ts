/** What any `ObjectStore` must do, whatever is behind it: the fake and the real one run the same cases. */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FailureKind, Outcome } from "../../shared/model/outcome.ts";
import type { ObjectStore, ObjectStream, UploadedPart } from "../../shared/ports/object-store.ts";

export interface StoreTraits {
  /** Some keep the digest of what was written in one piece, and none of what was put together of parts. */
  readonly keepsDigestsOfUploads: boolean;
}

export interface StoreSubject {
  readonly store: ObjectStore;
  close(): Promise<void>;
}

const PART_BYTES = 5 * 1024 * 1024;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const base64 = (bytes: Uint8Array) => sha256(bytes).toString("base64");

export function value<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.failure.kind}: ${outcome.failure.message}`);
  return outcome.value;
}

export function kind(outcome: Outcome<unknown>): FailureKind | "done" {
  return outcome.ok ? "done" : outcome.failure.kind;
}

export async function collected(stream: ObjectStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function upload(store: ObjectStore, key: string, bodies: readonly Uint8Array[]): Promise<void> {
  const begun = value(await store.begin(key));
  const parts: UploadedPart[] = [];
  for (const [index, body] of bodies.entries()) parts.push(value(await store.part(begun, index + 1, body)));
  value(await store.complete(begun, parts));
}

export function storeContract(
  open: () => Promise<StoreSubject>,
  { keepsDigestsOfUploads }: StoreTraits = { keepsDigestsOfUploads: true },
): void {
  let subject: StoreSubject;
  let store: ObjectStore;
  beforeAll(async () => {
    subject = await open();
    store = subject.store;
  });
  afterAll(async () => {
    store.close();
    await subject.close();
  });

  test("what was put is read as it was, with its size and digest", async () => {
    const bytes = randomBytes(70_000);
    value(await store.put("put/a", bytes));
    expect(value(await store.head("put/a"))).toEqual({ size: 70_000, digest: base64(bytes) });
    expect(Buffer.from(value(await store.read("put/a", 70_000)))).toEqual(bytes);
    expect(kind(await store.read("put/a", 69_999))).toBe("refused");
  });

  test("an empty object is an object", async () => {
    value(await store.put("put/empty", new Uint8Array(0)));
    expect(value(await store.head("put/empty")).size).toBe(0);
    expect(await collected(value(await store.open("put/empty")))).toHaveLength(0);
  });

  test("a key that is to be new is written once, and the first write stands", async () => {
    value(await store.put("new/a", Buffer.from("first"), { ifAbsent: true }));
    expect(kind(await store.put("new/a", Buffer.from("second"), { ifAbsent: true }))).toBe("conflict");
    expect(Buffer.from(value(await store.read("new/a", 10))).toString()).toBe("first");
    value(await store.put("new/a", Buffer.from("third")));
    expect(Buffer.from(value(await store.read("new/a", 10))).toString()).toBe("third");
  });

  test("of many who write the same new key at once, one does", async () => {
    const writes = Array.from({ length: 8 }, (_, index) =>
      store.put("new/race", Buffer.from(`writer ${index}`), { ifAbsent: true }),
    );
    const kinds = (await Promise.all(writes)).map(kind);
    expect(kinds.filter((one) => one === "done")).toHaveLength(1);
    expect(kinds.filter((one) => one === "conflict")).toHaveLength(7);
  });

  test("what is not there is gone, and removing it succeeds", async () => {
    expect(kind(await store.head("no/such"))).toBe("gone");
    expect(kind(await store.read("no/such", 10))).toBe("gone");
    expect(kind(await store.open("no/such"))).toBe("gone");
    value(await store.put("removed", Buffer.from("x")));
    expect(kind(await store.remove("removed"))).toBe("done");
    expect(kind(await store.remove("removed"))).toBe("done");
    expect(kind(await store.head("removed"))).toBe("gone");
  });

  test("the rest of an object is read from where one left off, of the same version only", async () => {
    const bytes = randomBytes(300_000);
    value(await store.put("range", bytes));
    const whole = value(await store.open("range"));
    expect(whole.size).toBe(bytes.length);
    expect((await collected(whole)).equals(bytes)).toBe(true);
    const rest = value(await store.open("range", 123_456, whole.version));
    expect(rest.size).toBe(bytes.length);
    expect((await collected(rest)).equals(bytes.subarray(123_456))).toBe(true);
    value(await store.put("range", randomBytes(300_000)));
    expect(kind(await store.open("range", 123_456, whole.version))).toBe("conflict");
    expect(kind(await store.open("range", 300_000))).toBe("refused");
  });

  test("a stream that is left early gives its connection back", async () => {
    value(await store.put("left", randomBytes(2_000_000)));
    for (let round = 0; round < 40; round += 1) {
      const stream = value(await store.open("left"));
      for await (const chunk of stream.bytes) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      value(await store.open("left")).cancel();
    }
  });

  test("a listing is complete and in order, page by page, and shallow if wanted", async () => {
    const keys = ["a/1", "a/2", "a/b/1", "a/b/2", "a/c/1", "ab"].map((key) => `list/${key}`);
    for (const key of keys) value(await store.put(key, Buffer.from(key)));
    const deep: string[] = [];
    let after: string | undefined;
    do {
      const page = value(await store.list({ prefix: "list/", ...(after !== undefined && { after }) }));
      deep.push(...page.objects.map(({ key }) => key));
      after = page.next ?? undefined;
    } while (after !== undefined);
    expect(deep).toEqual(keys);
    const shallow = value(await store.list({ prefix: "list/a/", shallow: true }));
    const found = [...shallow.objects.map(({ key }) => key), ...shallow.folders];
    expect(found.slice(0, 2)).toEqual(["list/a/1", "list/a/2"].slice(0, found.length));
    expect(value(await store.list({ prefix: "list/none" }))).toEqual({
      objects: [],
      folders: [],
      next: null,
    });
  });

  test("an upload in parts is there once it is complete, with the digest of its parts' digests", async () => {
    const bodies = [randomBytes(PART_BYTES), randomBytes(PART_BYTES), randomBytes(1000)];
    const begun = value(await store.begin("parts/a"));
    expect(value(await store.uploads("parts/")).map(({ key, id }) => ({ key, id }))).toEqual([begun]);
    expect(value(await store.uploads("other/"))).toEqual([]);
    // Not in order, as parts that are sent side by side arrive.
    const third = value(await store.part(begun, 3, bodies[2] ?? Buffer.alloc(0)));
    const first = value(await store.part(begun, 1, bodies[0] ?? Buffer.alloc(0)));
    const second = value(await store.part(begun, 2, bodies[1] ?? Buffer.alloc(0)));
    expect(first.digest).toBe(base64(bodies[0] ?? Buffer.alloc(0)));
    expect(kind(await store.head("parts/a"))).toBe("gone");
    value(await store.complete(begun, [first, second, third]));
    expect(value(await store.head("parts/a"))).toEqual({
      size: 2 * PART_BYTES + 1000,
      digest: keepsDigestsOfUploads ? `${base64(Buffer.concat(bodies.map(sha256)))}-3` : null,
    });
    expect((await collected(value(await store.open("parts/a")))).equals(Buffer.concat(bodies))).toBe(true);
    expect(value(await store.uploads("parts/"))).toEqual([]);
    // Some remember what they have completed.
    expect(["done", "gone"]).toContain(kind(await store.complete(begun, [first, second, third])));
  });

  test("an aborted upload leaves nothing, and can be aborted again", async () => {
    const begun = value(await store.begin("parts/aborted"));
    value(await store.part(begun, 1, randomBytes(1000)));
    expect(kind(await store.abort(begun))).toBe("done");
    expect(kind(await store.abort(begun))).toBe("done");
    expect(kind(await store.head("parts/aborted"))).toBe("gone");
    expect(value(await store.uploads("parts/aborted"))).toEqual([]);
    expect(kind(await store.part(begun, 2, randomBytes(1000)))).toBe("gone");
  });

  test("a part that is not the one that was sent makes the upload fail, and no object", async () => {
    const begun = value(await store.begin("parts/wrong"));
    const part = value(await store.part(begun, 1, randomBytes(1000)));
    const wrong = { ...part, tag: '"0123456789abcdef0123456789abcdef"', digest: base64(Buffer.from("else")) };
    expect(kind(await store.complete(begun, [wrong]))).toBe("refused");
    expect(kind(await store.head("parts/wrong"))).toBe("gone");
    value(await store.abort(begun));
  });

  test("an object is replaced by an upload of the same key", async () => {
    value(await store.put("replaced", Buffer.from("old")));
    await upload(store, "replaced", [Buffer.from("new")]);
    expect(Buffer.from(value(await store.read("replaced", 10))).toString()).toBe("new");
  });
}
