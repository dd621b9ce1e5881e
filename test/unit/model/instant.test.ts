/** Instants to the microsecond, from text and back. */
import { expect, test } from "vitest";
import { instantOf, microsecondsOf } from "../../../shared/model/instant.ts";

test.each([
  ["2026-11-23T03:00:00Z", 0, "2026-11-23T03:00:00.000000Z"],
  ["2026-11-23T03:00:00.5Z", 500_000, "2026-11-23T03:00:00.500000Z"],
  ["2026-11-23T03:00:00.000001Z", 1, "2026-11-23T03:00:00.000001Z"],
  ["2026-11-23T04:00:00.123456789+01:00", 123_456, "2026-11-23T03:00:00.123456Z"],
])("%s", (text, afterUs, written) => {
  const us = microsecondsOf(text);
  expect(us).toBe(Date.parse("2026-11-23T03:00:00Z") * 1_000 + afterUs);
  expect(instantOf(us)).toBe(written);
});

test("before 1970 the fraction still counts forward", () => {
  expect(microsecondsOf("1969-12-31T23:59:59.25Z")).toBe(-750_000);
  expect(instantOf(-750_000)).toBe("1969-12-31T23:59:59.250000Z");
});
