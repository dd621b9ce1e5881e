/** Which known word somebody probably meant, and when no guess is better than a bad one. */
import { expect, test } from "vitest";
import { nearest } from "../../../shared/annotations/nearest.ts";

test("a letter more, less, or another is one step; the closest comes first, whatever its case", () => {
  expect(nearest("mysql", ["mysqlds", "mysqld", "mysql"])).toEqual(["mysql", "mysqld", "mysqlds"]);
  expect(nearest("mysql", ["mysq", "mysal"])).toEqual(["mysq", "mysal"]);
  expect(nearest("MySQL", ["mysql"])).toEqual(["mysql"]);
  expect(nearest("pause", ["PAUSE"])).toEqual(["PAUSE"]);
  expect(nearest("kitten", ["sitting"])).toEqual([]);
  expect(nearest("sitting", ["kitten"])).toEqual([]);
});

test("a third of the word may be wrong, and two letters of a short one", () => {
  expect(nearest("failovers", ["failxyz", "failo"])).toEqual([]);
  expect(nearest("failoverxyz", ["failover"])).toEqual(["failover"]);
  expect(nearest("wxyzover", ["failover"])).toEqual([]);
  expect(nearest("xyilover", ["failover"])).toEqual(["failover"]);
  expect(nearest("xyzlover", ["failover"])).toEqual([]);
  expect(nearest("xyzlovers", ["failovers"])).toEqual(["failovers"]);
  expect(nearest("abc", ["axy", "xyz"])).toEqual(["axy"]);
});

test("never a word of which nothing is left", () => {
  expect(nearest("a", ["xy", "x", "ay"])).toEqual(["ay"]);
});

test("very long words are not compared", () => {
  const word = "a".repeat(64);
  expect(nearest(word, [word])).toEqual([word]);
  expect(nearest(`${word}a`, [`${word}a`])).toEqual([]);
});
