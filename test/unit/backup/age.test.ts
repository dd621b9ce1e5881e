/** The age format as its reader and writer keep it; that the public program agrees is shown in test/contract. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { decrypted, encrypted } from "../../../shared/backup/age.ts";
import { parseIdentity, parseRecipient } from "../../../shared/backup/age-keys.ts";
import { decodeBech32, encodeBech32 } from "../../../shared/backup/bech32.ts";
import { collect, failureOf, newIdentity, streamOf } from "../../support/streams.ts";

const CHUNK = 64 * 1024;
const identity = newIdentity();

async function sealed(plain: Uint8Array, recipients = [identity.publicKey]): Promise<Buffer> {
  return collect(encrypted(streamOf(plain), recipients));
}
const opened = (bytes: Uint8Array, by = identity) => decrypted(streamOf(bytes), by);

describe("encryption", () => {
  test.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])(
    "%i bytes come back",
    async (size) => {
      const plain = randomBytes(size);
      const bytes = await sealed(plain);
      expect((await collect(opened(bytes))).equals(plain)).toBe(true);
      expect(size > 100 && bytes.includes(plain.subarray(0, 32))).toBe(false);
    },
  );

  test("each of several recipients opens it, and nobody else", async () => {
    const other = newIdentity();
    const bytes = await sealed(Buffer.from("for two"), [identity.publicKey, other.publicKey]);
    expect((await collect(opened(bytes))).toString()).toBe("for two");
    expect((await collect(opened(bytes, other))).toString()).toBe("for two");
    const failure = await failureOf(opened(bytes, newIdentity()));
    expect(failure).toEqual({
      kind: "refused",
      message: "it is encrypted to other keys than the identity that was given",
    });
  });

  test("a change of any byte is noticed", async () => {
    const bytes = await sealed(randomBytes(300));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect((await failureOf(opened(changed))).kind, `byte ${at}`).toBe("refused");
    }
  });

  test("a file that was cut off anywhere is noticed, at the end of a chunk too", async () => {
    const bytes = await sealed(randomBytes(2 * CHUNK + 100));
    const start = bytes.length - 2 * (CHUNK + 16) - 116;
    const places = [
      0,
      10,
      start - 1,
      start,
      start + 100,
      start + CHUNK + 16,
      bytes.length - 117,
      bytes.length - 1,
    ];
    for (const place of places) {
      expect((await failureOf(opened(bytes.subarray(0, place)))).kind, `at ${place}`).toBe("refused");
    }
  });

  test("chunks that changed places are noticed", async () => {
    const bytes = await sealed(randomBytes(3 * CHUNK));
    const start = bytes.length - 3 * (CHUNK + 16);
    const swapped = Buffer.from(bytes);
    bytes.copy(swapped, start, start + CHUNK + 16, start + 2 * (CHUNK + 16));
    bytes.copy(swapped, start + CHUNK + 16, start, start + CHUNK + 16);
    expect((await failureOf(opened(swapped))).message).toContain("changed or cut off");
  });

  test("something else is not taken for an encrypted file, however long its first line is", async () => {
    expect((await failureOf(opened(randomBytes(1000)))).message).toContain(
      "not a file that age has encrypted",
    );
    expect((await failureOf(opened(Buffer.alloc(200_000, 65)))).message).toContain("not a file");
  });
});

describe("keys", () => {
  // From the tests of BIP 173, which are in the public domain.
  test.each(["A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"])(
    "%s is Bech32",
    (text) => {
      const name = text.slice(0, text.lastIndexOf("1")).toLowerCase();
      const bytes = decodeBech32(text, name);
      expect(bytes).not.toBeNull();
      expect(encodeBech32(name, bytes ?? new Uint8Array(0))).toBe(text.toLowerCase());
    },
  );

  test("a typing error, a mix of cases and another name are not", () => {
    expect(decodeBech32("a12uel5m", "a")).toBeNull();
    expect(decodeBech32("A12uel5l", "a")).toBeNull();
    expect(decodeBech32("a12uel5l", "b")).toBeNull();
    expect(decodeBech32("a12uel", "a")).toBeNull();
  });

  test("recipients of other kinds and private keys are not taken for public ones", () => {
    expect(parseRecipient(identity.recipient)).toEqual(new Uint8Array(identity.publicKey));
    expect(parseRecipient(encodeBech32("age", randomBytes(31)))).toBeNull();
    expect(parseRecipient(encodeBech32("age1pq", randomBytes(32)))).toBeNull();
    expect(parseRecipient(encodeBech32("age-secret-key-", randomBytes(32)))).toBeNull();
    expect(parseIdentity(identity.recipient)).toBeNull();
  });
});
