/** Ages, lags and local times at the borders between their units. */
import { expect, test } from "vitest";
import { age, lag, localTime } from "../../../shared/model/format.ts";

test.each([
  [-5000, "0s"],
  [999, "0s"],
  [119_999, "119s"],
  [120_000, "2m"],
  [7_199_999, "119m"],
  [7_200_000, "2h"],
  [172_799_999, "47h"],
  [172_800_000, "2d"],
])("an age of %i ms is %s", (ms, text) => {
  expect(age(ms)).toBe(text);
});

test.each([
  [null, "–"],
  [0, "0s"],
  [1, "0.1s"],
  [300, "0.3s"],
  [9999, "10.0s"],
  [10_000, "10s"],
  [754_000, "12m"],
])("a lag of %s ms is %s", (ms, text) => {
  expect(lag(ms)).toBe(text);
});

test("the day changes where the reader is, not in UTC", () => {
  const nowMs = Date.parse("2026-11-23T00:30:00Z");
  const at = "2026-11-22T23:30:00.050Z";
  expect(localTime(at, { nowMs, timeZone: "Europe/Berlin" })).toBe("00:30:00.0");
  expect(localTime(at, { nowMs, timeZone: "UTC" })).toBe("2026-11-22 23:30:00.0");
});
