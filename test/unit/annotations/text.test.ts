/** Other people's text in our sentences: one printable line of bounded length, and quoted so that it can be told apart. */
import { describe, expect, test } from "vitest";
import { oneLine, quote, utf8Bytes } from "../../../shared/annotations/text.ts";

describe("one line", () => {
  test.each([
    ["plain text stays", "mysql-2 is 3 s behind", "mysql-2 is 3 s behind"],
    ["quotes and backslashes stay", 'a "b" \\c', 'a "b" \\c'],
    ["a line break is shown", "a\nb", "a\\u000Ab"],
    ["so are separators of lines and paragraphs", "a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["so is what turns the direction of writing", "a\u202Eb", "a\\u202Eb"],
    ["so are spaces that are none", "a\u00A0b\u3000c d", "a\\u00A0b\\u3000c d"],
    ["so is half of a character", "a\uD83Db", "a\\uD83Db"],
    ["a whole one stays", "a😀b", "a😀b"],
  ])("%s", (_, text, shown) => {
    expect(oneLine(text, 60)).toBe(shown);
  });

  test.each([
    ["exactly as long as it may be", "abcde", 5, "abcde"],
    ["one longer", "abcdef", 5, "abcd…"],
    ["exactly as long once it is shown", "ab\n", 8, "ab\\u000A"],
    ["one longer once it is shown", "ab\n", 7, "ab…"],
    ["an escape is left out whole", "abc\ndef", 6, "abc…"],
    ["a character of two units is left out whole", "abc😀de", 5, "abc…"],
    ["one that just fits", "abc😀", 5, "abc😀"],
    ["nothing fits beside the ellipsis", "\n\n", 3, "…"],
  ])("%s", (_, text, charsMax, shown) => {
    expect(oneLine(text, charsMax)).toBe(shown);
    expect(shown.length).toBeLessThanOrEqual(charsMax);
  });
});

describe("quoted", () => {
  test.each([
    ["plain", "5 s", '"5 s"'],
    ["a quote is escaped", 'a"b', '"a\\"b"'],
    ["so is a backslash", "a\\b", '"a\\\\b"'],
    ["and what cannot be seen", "a\u0000b", '"a\\u0000b"'],
    ["forty characters", "x".repeat(40), `"${"x".repeat(40)}"`],
    ["more", "x".repeat(41), `"${"x".repeat(39)}…"`],
    ["nothing", "", '""'],
  ])("%s", (_, value, shown) => {
    expect(quote(value)).toBe(shown);
  });
});

test("bytes are those of UTF-8", () => {
  expect([utf8Bytes("abc"), utf8Bytes("ü"), utf8Bytes("😀")]).toEqual([3, 2, 4]);
});
