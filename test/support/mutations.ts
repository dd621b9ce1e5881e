/**
 * Valid examples with something wrong in them: what random input alone hardly ever gets past the first check of a
 * parser does. For tests that look for inputs a parser was not made for.
 */
import fc from "fast-check";
import { HOSTILE, HOSTILE_JSON } from "./hostile.ts";

const anyText = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: "binary", maxLength });
/** Those that are not so long that everything is about their length. */
const SHORT = HOSTILE.map(({ value }) => value).filter((value) => value.length < 1_000);
const piece = fc.oneof(anyText(6), fc.constantFrom(...SHORT), fc.constant(""));

/** Up to three places cut out and replaced. */
export function mutatedText(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const cut = fc.record({ at: fc.nat(1_000_000), length: fc.nat(8), put: piece });
  return fc.tuple(valid, fc.array(cut, { maxLength: 3 })).map(([text, cuts]) =>
    cuts.reduce((now, { at, length, put }) => {
      const place = at % (now.length + 1);
      return now.slice(0, place) + put + now.slice(place + length);
    }, text),
  );
}

/** Up to three places overwritten, cut out or doubled. */
export function mutatedBytes(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.nat(1_000_000),
    length: fc.nat(8),
    put: fc.uint8Array({ maxLength: 8 }),
  });
  return fc.tuple(valid, fc.array(change, { maxLength: 3 })).map(([bytes, changes]) =>
    changes.reduce((now, { at, length, put }) => {
      const place = at % (now.length + 1);
      return Buffer.concat([now.subarray(0, place), put, now.subarray(place + length)]);
    }, bytes),
  );
}

function placesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (value === null || typeof value !== "object") return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  if (Array.isArray(value))
    return value.map((one, at) => (String(at) === key ? replaced(one, rest, put) : one));
  const object = value as Readonly<Record<string, unknown>>;
  return { ...object, [key]: replaced(object[key], rest, put) };
}

/** One part replaced by other JSON, by a hostile text or by nothing; as a text, since not all of it has a value. */
export function mutatedJson(valid: unknown): fc.Arbitrary<string> {
  const places = placesOf(valid);
  const mark = "\u0000here";
  const json = fc.oneof(
    fc.json({ maxDepth: 3 }),
    piece.map((text) => JSON.stringify(text)),
    fc.constantFrom(...Object.values(HOSTILE_JSON).filter((text) => text.length < 1_000)),
  );
  return fc
    .tuple(fc.constantFrom(...places), json)
    .map(([path, put]) =>
      JSON.stringify(replaced(valid, path, mark)).replace(JSON.stringify(mark), () => put),
    );
}

/** Each kind of input that a reader of JSON should be tried with. */
export function jsonInput(valid: unknown): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: mutatedJson(valid) },
    { weight: 3, arbitrary: mutatedText(fc.constant(JSON.stringify(valid))) },
    fc.json(),
    anyText(200),
    fc.constantFrom(...HOSTILE.map(({ value }) => value)),
  );
}

/** A stream of bytes in pieces of any size. */
export function inPieces(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % Math.max(1, sizes.length)] ?? bytes.length);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
