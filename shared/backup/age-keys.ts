/**
 * Keys of age, the public tool for encrypted files: `age1...` is given to whoever is to encrypt, and
 * `AGE-SECRET-KEY-1...` opens what was encrypted. Only X25519 keys are known here; age has others.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { decodeBech32, encodeBech32 } from "./bech32.ts";

const KEY_BYTES = 32;

/** What DER puts in front of the bytes of an X25519 key. */
const PUBLIC_DER = Buffer.from("302a300506032b656e032100", "hex");
const PRIVATE_DER = Buffer.from("302e020100300506032b656e04220420", "hex");

/** The public key as bytes; null when the text is not an X25519 recipient. */
export function parseRecipient(text: string): Uint8Array | null {
  const bytes = decodeBech32(text, "age");
  return bytes?.length === KEY_BYTES ? bytes : null;
}

export interface Identity {
  readonly key: KeyObject;
  /** Bytes of the public key. */
  readonly publicKey: Uint8Array;
  /** The public key as text, by which people know it. */
  readonly recipient: string;
}

/** Null when the text is not an X25519 identity. Never quote it. */
export function parseIdentity(text: string): Identity | null {
  const bytes = decodeBech32(text, "age-secret-key-");
  if (bytes?.length !== KEY_BYTES) return null;
  const key = privateKey(bytes);
  const publicKey = publicBytes(key);
  return { key, publicKey, recipient: encodeBech32("age", publicKey) };
}

export function publicKey(bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_DER, bytes]), format: "der", type: "spki" });
}

export function publicBytes(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(PUBLIC_DER.length);
}

function privateKey(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_DER, bytes]), format: "der", type: "pkcs8" });
}
