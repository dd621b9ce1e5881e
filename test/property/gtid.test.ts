/** The algebra of GTID sets against sets of single transactions, and its laws on top. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { expand, type Naive, samples } from "./gtid-sets.ts";

const RUNS = { numRuns: propertyRuns(1_000) };

function sorted(naive: Naive): readonly string[] {
  return [...naive].sort();
}

test("union, difference, containment and size agree with single transactions", () => {
  fc.assert(
    fc.property(samples, samples, (a, b) => {
      expect(sorted(expand(gtidSets.union(a.text, b.text)))).toEqual(sorted(a.naive.union(b.naive)));
      expect(sorted(expand(gtidSets.subtract(a.text, b.text)))).toEqual(sorted(a.naive.difference(b.naive)));
      expect(gtidSets.contains(a.text, b.text)).toBe(b.naive.isSubsetOf(a.naive));
      expect(gtidSets.count(a.text)).toBe(BigInt(a.naive.size));
    }),
    RUNS,
  );
});

test("the text is canonical: equal sets have equal texts, and a text is its own canonical form", () => {
  fc.assert(
    fc.property(samples, samples, (a, b) => {
      const left = gtidSets.union(a.text, b.text);
      expect(gtidSets.union(b.text, a.text)).toBe(left);
      expect(gtidSets.union(left, "")).toBe(left);
      expect(gtidSets.union(gtidSets.subtract(a.text, b.text), left)).toBe(left);
    }),
    RUNS,
  );
});

test("a set without one server's transactions has all of the others'", () => {
  fc.assert(
    fc.property(samples, ({ text, naive }) => {
      const server = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
      const others = [...naive].filter((one) => !one.startsWith(server));
      expect(sorted(expand(gtidSets.without(text, server.toUpperCase())))).toEqual(others.sort());
    }),
    RUNS,
  );
});

test("a shortened text keeps to its length, or to a single interval, and says what it left out", () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 20, max: 200 }), ({ text, naive }, charsMax) => {
      const short = gtidSets.shorten(text, charsMax);
      const [shown = "", left] = short.split(" and ");
      expect(shown.length <= charsMax || !shown.includes(",")).toBe(true);
      const missing = left === undefined ? 0 : Number.parseInt(left, 10);
      expect(expand(shown.replaceAll(", ", ",\n")).size + missing).toBe(naive.size);
    }),
    RUNS,
  );
});
