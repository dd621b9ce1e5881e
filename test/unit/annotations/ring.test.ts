/** The last entries of a list in an annotation: how many, and how many bytes. */
import { expect, test } from "vitest";
import * as z from "zod";
import { decodeRing, encodeRing } from "../../../shared/annotations/ring.ts";

const text = z.string();
const room = (bytesMax: number, entriesMax = 10) => ({ bytesMax, entriesMax });

test("the newest that fit to the byte, with the commas between them", () => {
  // ["aa","bb"] is 11 bytes.
  expect(encodeRing(["cc", "aa", "bb"], room(11))).toBe('["aa","bb"]');
  expect(encodeRing(["aa", "bb"], room(10))).toBe('["bb"]');
  expect(encodeRing(["bb"], room(6))).toBe('["bb"]');
  expect(encodeRing(["bb"], room(5))).toBe("[]");
  expect(encodeRing([], room(2))).toBe("[]");
});

test("no more than so many, written and read", () => {
  expect(encodeRing(["a", "b", "c"], room(99, 2))).toBe('["b","c"]');
  expect(decodeRing('["a","b","c"]', text, room(99, 2))).toEqual(["b", "c"]);
});

test("what cannot be read is left out", () => {
  expect(decodeRing(undefined, text, room(99))).toEqual([]);
  expect(decodeRing('{"a":1}', text, room(99))).toEqual([]);
  expect(decodeRing('["a",1,"b"]', text, room(99))).toEqual(["a", "b"]);
  expect(decodeRing('["a"', text, room(99))).toEqual([]);
  expect(decodeRing('["aaaaaa"]', text, room(5))).toEqual([]);
});
