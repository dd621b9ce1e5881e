/** JSON that anybody may have written: what is read, what is refused and why, and in which form it is written. */
import { describe, expect, test } from "vitest";
import { canonicalJson, parseJson } from "../../../shared/annotations/json.ts";

const refused = (reason: string) => ({ ok: false, reason });

describe("nesting", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

  test("goes to eight and no deeper, in lists and in objects", () => {
    expect(parseJson(nested(8), 100).ok).toBe(true);
    expect(parseJson(nested(9), 100)).toEqual(refused("nested deeper than 8"));
    expect(parseJson(`${'{"a":'.repeat(9)}1${"}".repeat(9)}`, 100)).toEqual(refused("nested deeper than 8"));
  });

  test("is no matter of how many stand side by side", () => {
    expect(parseJson(`[${Array(20).fill("[]").join(",")}]`, 100).ok).toBe(true);
    expect(parseJson(`[${Array(20).fill("{}").join(",")}]`, 100).ok).toBe(true);
  });

  test("is not what stands in a text, wherever that ends", () => {
    expect(parseJson(`"${"[{".repeat(9)}"`, 100).ok).toBe(true);
    expect(parseJson(`"\\"${"[{".repeat(9)}"`, 100).ok).toBe(true);
    expect(parseJson(`["\\\\",${nested(8)}]`, 100)).toEqual(refused("nested deeper than 8"));
    expect(parseJson(`["a",${nested(8)},"b"]`, 100)).toEqual(refused("nested deeper than 8"));
  });
});

test("a size is one of bytes, and the limit is the last that is read", () => {
  expect(parseJson('"abc"', 5).ok).toBe(true);
  expect(parseJson('"abcd"', 5)).toEqual(refused("longer than 5 bytes"));
  expect(parseJson('"é"', 4).ok).toBe(true);
  expect(parseJson('"é"', 3)).toEqual(refused("longer than 3 bytes"));
});

test("keys that reach a prototype are refused however they are written, as values they are texts", () => {
  for (const key of ["__proto__", "constructor", "prototype"]) {
    expect(parseJson(`{"a":{"${key}":1}}`, 100)).toEqual(refused(`forbidden key ${key}`));
    expect(parseJson(JSON.stringify([key]), 100)).toEqual({ ok: true, value: [key] });
  }
  expect(parseJson('{"\\u005f_proto__":1}', 100)).toEqual(refused("forbidden key __proto__"));
  expect(parseJson("{", 100)).toEqual(refused("not JSON"));
});

test("what is equal is written equally: keys in order, lists as they stand", () => {
  expect(canonicalJson({ b: [2, 1, { d: null, c: "x" }], a: true })).toBe(
    '{"a":true,"b":[2,1,{"c":"x","d":null}]}',
  );
});
