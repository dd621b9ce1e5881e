/**
 * Bech32, the text form of age keys: a name, then five bits per letter, then a checksum that finds typing errors.
 * After BIP 173, without its limit of 90 characters, as the age format wants it.
 */
import { assert } from "../model/outcome.ts";

const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_LETTERS = 6;

/** The bytes of a text whose name is `name`; null when it is not one or its checksum is wrong. */
export function decodeBech32(text: string, name: string): Uint8Array | null {
  const isMixed = text !== text.toLowerCase() && text !== text.toUpperCase();
  const lower = text.toLowerCase();
  if (isMixed || !lower.startsWith(`${name}1`)) return null;
  const values = [...lower.slice(name.length + 1)].map((letter) => LETTERS.indexOf(letter));
  if (values.length < CHECKSUM_LETTERS || values.includes(-1)) return null;
  if (checksumOf(name, values) !== 1) return null;
  return regroup(values.slice(0, -CHECKSUM_LETTERS), 5, 8);
}

/** In small letters. */
export function encodeBech32(name: string, bytes: Uint8Array): string {
  const values = regroup(bytes, 8, 5);
  assert(values !== null, "eight bits can always be written as five");
  const checksum = checksumOf(name, [...values, 0, 0, 0, 0, 0, 0]) ^ 1;
  const end = [5, 4, 3, 2, 1, 0].map((place) => (checksum >>> (5 * place)) & 31);
  return `${name}1${[...values, ...end].map((value) => LETTERS[value]).join("")}`;
}

function checksumOf(name: string, values: readonly number[]): number {
  const codes = [...name].map((letter) => letter.charCodeAt(0));
  const all = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values];
  return all.reduce((sum, value) => {
    const high = sum >>> 25;
    const next = ((sum & 0x1ffffff) << 5) ^ value;
    return GENERATOR.reduce((mixed, word, bit) => ((high >>> bit) & 1 ? mixed ^ word : mixed), next);
  }, 1);
}

/** Bits that do not fill a last group must be zero and fewer than a group of the origin; null otherwise. */
function regroup(values: Iterable<number>, from: number, to: number): Uint8Array | null {
  const groups: number[] = [];
  let held = 0;
  let bits = 0;
  for (const value of values) {
    held = (held << from) | value;
    bits += from;
    while (bits >= to) {
      bits -= to;
      groups.push(held >>> bits);
      held &= (1 << bits) - 1;
    }
  }
  if (to > from) return bits < from && held === 0 ? Uint8Array.from(groups) : null;
  if (bits > 0) groups.push(held << (to - bits));
  return Uint8Array.from(groups);
}
