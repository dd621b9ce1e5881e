/**
 * Encryption in the file format of age (age-encryption.org/v1), which people open with the `age` program and
 * without Ordinal. A random key encrypts the file in chunks of 64 KiB, each of them authenticated with its place
 * and with whether it is the last; the header holds that key once for each recipient.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { assert } from "../model/outcome.ts";
import { type Identity, publicBytes, publicKey } from "./age-keys.ts";
import { type ByteReader, type Bytes, createByteReader, inPieces, unusable } from "./flow.ts";

const VERSION_LINE = "age-encryption.org/v1";
/** What an encrypted file begins with, and nothing that was compressed does. */
export const AGE_MAGIC: Uint8Array = Buffer.from(`${VERSION_LINE}\n`);

const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const FILE_KEY_BYTES = 16;
const NONCE_BYTES = 16;
const STANZA_INFO = `${VERSION_LINE}/X25519`;
const HEADER_BYTES_MAX = 64 * 1024;

const CIPHER = "chacha20-poly1305";
const TAG = { authTagLength: TAG_BYTES } as const;

/** `recipients` are the bytes of X25519 public keys, at least one. */
export async function* encrypted(source: Bytes, recipients: readonly Uint8Array[]): Bytes {
  assert(recipients.length > 0, "nobody could open what is encrypted to nobody");
  const fileKey = randomBytes(FILE_KEY_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  yield Buffer.concat([header(fileKey, recipients), nonce]);
  const key = derive(fileKey, nonce, "payload");
  const sealed = Buffer.allocUnsafeSlow(CHUNK_BYTES + TAG_BYTES);
  let place = 0;
  let before: Uint8Array | null = null;
  for await (const piece of inPieces(source, CHUNK_BYTES, 1)) {
    if (before !== null) yield sealInto(sealed, key, chunkNonce(place++, false), before);
    before = piece;
  }
  yield sealInto(sealed, key, chunkNonce(place, true), before ?? Buffer.alloc(0));
}

/** Throws `BrokenStream` when it is not such a file, not for this identity, changed or cut off. */
export async function* decrypted(source: Bytes, identity: Identity): Bytes {
  const reader = createByteReader(source);
  try {
    const fileKey = openHeader(await readHeader(reader), identity);
    const key = derive(fileKey, await reader.exactly(NONCE_BYTES), "payload");
    let place = 0;
    let before: Uint8Array | null = null;
    for await (const piece of inPieces(reader.next(Number.POSITIVE_INFINITY), CHUNK_BYTES + TAG_BYTES, 1)) {
      if (before !== null) yield openChunk(key, place++, false, before);
      before = piece;
    }
    const last = openChunk(key, place, true, before ?? new Uint8Array(0));
    // A file that only looks longer than it is: an empty chunk stands in an empty file alone.
    if (last.length === 0 && place > 0) throw damaged();
    yield last;
  } finally {
    await reader.close();
  }
}

const damaged = () => unusable("its encryption does not hold: it was changed or cut off");

function chunkNonce(place: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  // Eleven bytes count; the upper ones stay zero below 2^48 chunks, which are more than any store holds.
  nonce.writeUIntBE(place, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Into memory that is used again for the next chunk, by whoever is done with this one. */
function sealInto(target: Buffer, key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, TAG);
  target.set(cipher.update(plain));
  cipher.final();
  target.set(cipher.getAuthTag(), plain.length);
  return target.subarray(0, plain.length + TAG_BYTES);
}

function openChunk(key: Uint8Array, place: number, isLast: boolean, sealed: Uint8Array): Buffer {
  const opened = openWith(key, chunkNonce(place, isLast), sealed);
  if (opened === null) throw damaged();
  return opened;
}

/** Null when the key is another one or the bytes were changed. */
function openWith(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Buffer | null {
  if (sealed.length < TAG_BYTES) return null;
  const decipher = createDecipheriv(CIPHER, key, nonce, TAG);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const opened = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
    return opened;
  } catch {
    return null;
  }
}

function derive(secret: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, info, 32));
}

const unpadded = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

function header(fileKey: Uint8Array, recipients: readonly Uint8Array[]): Buffer {
  const stanzas = recipients.flatMap((recipient) => {
    const { privateKey } = generateKeyPairSync("x25519");
    const share = publicBytes(privateKey);
    const key = wrapKey(privateKey, recipient, share, recipient);
    return [
      `-> X25519 ${unpadded(share)}`,
      unpadded(sealInto(Buffer.alloc(FILE_KEY_BYTES + TAG_BYTES), key, Buffer.alloc(12), fileKey)),
    ];
  });
  const signed = `${[VERSION_LINE, ...stanzas].join("\n")}\n---`;
  return Buffer.from(`${signed} ${unpadded(headerMac(fileKey, signed))}\n`);
}

function headerMac(fileKey: Uint8Array, signed: string): Buffer {
  return createHmac("sha256", derive(fileKey, new Uint8Array(0), "header"))
    .update(signed)
    .digest();
}

function wrapKey(own: KeyObject, other: Uint8Array, share: Uint8Array, recipient: Uint8Array): Uint8Array {
  const shared = diffieHellman({ privateKey: own, publicKey: publicKey(other) });
  return derive(shared, Buffer.concat([share, recipient]), STANZA_INFO);
}

/** All lines up to the one that begins with `---`. */
async function readHeader(reader: ByteReader): Promise<string> {
  const bytes: number[] = [];
  let lineStart = 0;
  while (bytes.length < HEADER_BYTES_MAX) {
    const [byte] = await reader.exactly(1);
    if (byte === undefined) break;
    bytes.push(byte);
    if (byte !== 10) continue;
    const line = String.fromCharCode(...bytes.slice(lineStart, -1));
    if (lineStart === 0 && line !== VERSION_LINE) break;
    if (line.startsWith("---")) return Buffer.from(bytes).toString("latin1");
    lineStart = bytes.length;
  }
  throw unusable("it is not a file that age has encrypted");
}

function openHeader(text: string, identity: Identity): Uint8Array {
  const end = text.lastIndexOf("---");
  for (const [, share, wrapped] of text.matchAll(/^-> X25519 ([A-Za-z0-9+/]{43})\n([A-Za-z0-9+/]{43})\n/gm)) {
    const shareBytes = Buffer.from(share ?? "", "base64");
    const key = wrapKey(identity.key, shareBytes, shareBytes, identity.publicKey);
    const fileKey = openWith(key, Buffer.alloc(12), Buffer.from(wrapped ?? "", "base64"));
    if (fileKey === null) continue;
    // Compared as text: the same bytes can be written in several ways, and only one of them is right.
    const expected = Buffer.from(` ${unpadded(headerMac(fileKey, text.slice(0, end + 3)))}\n`);
    const found = Buffer.from(text.slice(end + 3), "latin1");
    if (found.length !== expected.length || !timingSafeEqual(found, expected)) throw damaged();
    return fileKey;
  }
  throw unusable("it is encrypted to other keys than the identity that was given");
}
