/** Whatever the bytes, their pieces and the faults on the way: what comes back is what went in, or a failure. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decrypted, encrypted } from "../../shared/backup/age.ts";
import { decodeBech32, encodeBech32 } from "../../shared/backup/bech32.ts";
import { createByteReader, inPieces } from "../../shared/backup/flow.ts";
import { openSealed, sealStream } from "../../shared/backup/seal.ts";
import { unpackInto } from "../../shared/backup/tar.ts";
import { decodeHeader, decodePax, encodeEntry, type TarEntry } from "../../shared/backup/tar-format.ts";
import { BrokenStream } from "../../shared/model/broken-stream.ts";
import { createMemoryStore, type Fault } from "../support/memory-store.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { collect, newIdentity, patienceOf, streamOf } from "../support/streams.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const identity = newIdentity();

test("pieces have the wanted size and are the same bytes", async () => {
  const property = fc.asyncProperty(
    bytes(500),
    fc.nat(40),
    fc.nat(40),
    fc.nat(3),
    async (all, piece, cut, ahead) => {
      const seen: Uint8Array[] = [];
      for await (const one of inPieces(streamOf(all, cut + 1), piece + 1, ahead))
        seen.push(Uint8Array.from(one));
      expect(Buffer.concat(seen).equals(all)).toBe(true);
      expect(seen.slice(0, -1).every(({ length }) => length === piece + 1)).toBe(true);
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(300, 3000) });
});

test("a reader gives all bytes once, however they are asked for", async () => {
  const property = fc.asyncProperty(bytes(300), fc.nat(40), fc.array(fc.nat(60)), async (all, cut, asks) => {
    const reader = createByteReader(streamOf(all, cut + 1));
    const seen: Uint8Array[] = [];
    for (const [index, count] of asks.entries()) {
      seen.push(index % 2 === 0 ? await reader.exactly(count) : await collect(reader.next(count)));
    }
    seen.push(await collect(reader.next(1_000)));
    expect(Buffer.concat(seen).equals(all)).toBe(true);
    expect(await reader.hasEnded()).toBe(true);
  });
  await fc.assert(property, { numRuns: propertyRuns(300, 3000) });
});

test("Bech32 reads what it writes, and no neighbour of it", () => {
  const property = fc.property(bytes(60), fc.nat(), fc.integer({ min: 1, max: 31 }), (all, at, step) => {
    const text = encodeBech32("age", all);
    expect(decodeBech32(text, "age")).toEqual(all);
    const letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const place = 4 + (at % (text.length - 4));
    const other = letters[(letters.indexOf(text[place] ?? "") + step) % 32];
    expect(decodeBech32(`${text.slice(0, place)}${other}${text.slice(place + 1)}`, "age")).toBeNull();
  });
  fc.assert(property, { numRuns: propertyRuns(300, 3000) });
});

test("no change of an encrypted file goes unnoticed", async () => {
  const property = fc.asyncProperty(
    bytes(400),
    fc.nat(),
    fc.integer({ min: 1, max: 255 }),
    async (plain, at, flip) => {
      const file = await collect(encrypted(streamOf(plain), [identity.publicKey]));
      const place = at % file.length;
      const changed = file.with(place, (file[place] ?? 0) ^ flip);
      await expect(collect(decrypted(streamOf(changed), identity))).rejects.toBeInstanceOf(BrokenStream);
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(200, 5000) });
});

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const entry: fc.Arbitrary<TarEntry> = fc.record({
  kind: fc.constantFrom("file", "folder"),
  path: fc.array(name, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/")),
  mode: fc.nat(0o777),
  uid: fc.nat({ max: 2 ** 32 }),
  gid: fc.nat({ max: 2 ** 32 }),
  size: fc.nat({ max: 2 ** 50 }),
  modifiedAt: fc.nat({ max: 2 ** 40 }),
});

test("an entry of an archive is read as it was written, or refused for its path", () => {
  const property = fc.property(entry, (wished) => {
    const written = wished.kind === "folder" ? { ...wished, size: 0 } : wished;
    const blocks = encodeEntry(written);
    expect(blocks.length % 512).toBe(0);
    try {
      const first = decodeHeader(blocks.subarray(0, 512), new Map());
      const pax = first.kind === "pax" ? decodePax(blocks.subarray(512, 512 + first.size)) : new Map();
      const last = decodeHeader(blocks.subarray(blocks.length - 512), pax);
      expect(last).toEqual({ kind: "entry", entry: written });
    } catch (error) {
      if (!(error instanceof BrokenStream)) throw error;
      const parts = written.path.split("/");
      const isUnsafe = (part: string) =>
        part === "" ||
        part === "." ||
        part === ".." ||
        /[\p{Cc}\ufffd]/u.test(part) ||
        Buffer.byteLength(part) > 255;
      // Half of a surrogate pair cannot be written as UTF-8.
      expect(parts.some(isUnsafe) || !written.path.isWellFormed()).toBe(true);
    }
  });
  fc.assert(property, { numRuns: propertyRuns(500, 20_000) });
});

test("no archive, however it was made, writes outside of its folder or ends in a bug", async () => {
  const root = mkdtempSync(join(tmpdir(), "ordinal-archives-"));
  let round = 0;
  const block = fc.oneof(
    entry.map((one) => Buffer.from(encodeEntry({ ...one, size: 0 }))),
    fc
      .constantFrom("../x", "/x", "a/../../x", "a\u0000/x")
      .map((path) =>
        Buffer.from(encodeEntry({ kind: "file", path, mode: 0, uid: 0, gid: 0, size: 0, modifiedAt: 0 })),
      ),
    fc.uint8Array({ minLength: 512, maxLength: 512 }).map((raw) => Buffer.from(raw)),
  );
  const property = fc.asyncProperty(fc.array(block, { maxLength: 5 }), fc.nat(), async (blocks, flip) => {
    round += 1;
    const folder = join(root, `${round}`, "inside");
    mkdirSync(folder, { recursive: true });
    const archive = Buffer.concat([...blocks, Buffer.alloc(1024)]);
    const place = flip % archive.length;
    const changed = flip % 3 === 0 ? archive : archive.with(place, flip % 256);
    await unpackInto(folder, streamOf(changed)).catch((error: unknown) => {
      if (!(error instanceof BrokenStream)) throw error;
    });
    expect(readdirSync(dirname(folder))).toEqual(["inside"]);
    expect(readdirSync(root)).toHaveLength(round);
  });
  try {
    await fc.assert(property, { numRuns: propertyRuns(300, 10_000) });
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("with random faults a backup is whole, or failed and gone", async () => {
  const verbs = ["put", "begin", "part", "complete", "head", "open"] as const;
  const fault = fc.record({
    verb: fc.constantFrom(...verbs),
    nth: fc.nat(8),
    when: fc.constantFrom("before", "after", "reading"),
    kind: fc.constantFrom("transient", "transient", "transient", "refused"),
    bytes: fc.nat(3_000),
  });
  const property = fc.asyncProperty(
    bytes(20_000),
    fc.array(fault, { maxLength: 6 }),
    async (plain, faults) => {
      const store = createMemoryStore({
        partBytesMin: 1,
        fault: ({ verb, nth }): Fault | null => {
          const hit = faults.find((one) => one.verb === verb && one.nth === nth);
          if (hit === undefined) return null;
          const failure = { kind: hit.kind, message: "as drawn" } as const;
          return hit.when === "reading"
            ? { when: "reading", bytes: hit.bytes, failure }
            : { when: hit.when, failure };
        },
      });
      const patience = patienceOf(3);
      const shape = { sliceBytes: 6_000, partBytes: 1_000, parallel: 2 };
      const keyOf = (number: number) => `${number}`;
      const wish = { store, shape, keyOf, patience, recipients: [identity.publicKey] };
      const sealed = await sealStream(streamOf(plain), wish);
      expect(await store.uploads("")).toEqual({ ok: true, value: [] });
      if (!sealed.ok) {
        expect([...store.objects.keys()]).toEqual([]);
        return;
      }
      try {
        const opened = await collect(openSealed({ store, objects: sealed.value, identity, patience }));
        expect(opened.equals(plain)).toBe(true);
      } catch (error) {
        if (!(error instanceof BrokenStream)) throw error;
        expect(error.failure.message).toContain("as drawn");
      }
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(150, 3000) });
});
