/** Texts that a server prints, texts that it accepts, and texts that are no GTID sets at all. */
import { expect, test } from "vitest";
import { GTID_TEXT_MAX, gtidSets } from "../../../shared/engines/mysql/gtid.ts";

const A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B = "2e11fa47-71ca-11e1-9e33-c80aa9429562";

test.each([
  [
    "in order, merged and in lower case",
    `${A.toUpperCase()}:7:1-3:4 , ${B}:8:5-6:6-7`,
    `${B}:5-8,\n${A}:1-4:7`,
  ],
  [
    "tags after the plain intervals",
    `${A}:Tag_b:3:7-9:atag:1-2:4,${A}:1-5`,
    `${A}:1-5:atag:1-2:4:tag_b:3:7-9`,
  ],
  ["empty parts do not matter", ` ,, ${A}:1,\n`, `${A}:1`],
  ["the empty set", "", ""],
  ["the greatest number that a server takes", `${A}:9223372036854775806`, `${A}:9223372036854775806`],
])("%s", (_, text, canonical) => {
  expect(gtidSets.union(text, "")).toBe(canonical);
});

test.each([
  ["no uuid", "1-5"],
  ["a uuid alone", A],
  ["a tag without an interval", `${A}:1:tag`],
  ["an interval that ends before it begins", `${A}:5-3`],
  ["zero", `${A}:0`],
  ["more than the server takes", `${A}:9223372036854775807`],
  ["words", "all of them"],
  ["a tag that begins with a digit", `${A}:1tag:1`],
  ["a tag of 33 letters", `${A}:${"a".repeat(33)}:1`],
  ["a negative number", `${A}:-5`],
  ["something before the uuid", `x${A}:1`],
  ["something after the uuid", `${A}x:1`],
  ["a tag right after another one", `${A}:a:b:1`],
])("%s is refused", (_, text) => {
  expect(() => gtidSets.union(text, "")).toThrow("not a GTID set");
});

test("a text beyond the limit is refused before it is read", () => {
  expect(() => gtidSets.count("x".repeat(GTID_TEXT_MAX + 1))).toThrow("too long");
});

test("shortened for people", () => {
  expect(gtidSets.shorten(`${A}:1-5,${B}:7`, 200)).toBe(`${B}:7, ${A}:1-5`);
  expect(gtidSets.shorten(`${A}:1-5:7:9-20,${B}:7`, 60)).toBe(`${B}:7 and 18 more transactions`);
});
