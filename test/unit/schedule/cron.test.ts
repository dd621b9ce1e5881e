/** What may be written as a schedule, and what is said about anything else. */
import { expect, test } from "vitest";
import { cronFault, timeZoneFault } from "../../../shared/schedule/cron.ts";
import { MALFORMED } from "../../support/hostile.ts";

test.each([
  "0 3 * * *",
  "*/15 * * * *",
  "0 */6 * * *",
  "30 2,14 1-7 * mon",
  "0 3 * JAN-mar,12 MON-SUN",
  "0 3 * * 7",
  "0 3 * * 0",
  "5-50/15 0-23/2 1,15 * *",
  "0 0 29 2 *",
  "0 0 31 4 1",
])("%s is a schedule", (cron) => {
  expect(cronFault(cron)).toBeNull();
});

test.each([
  ["", "five fields"],
  ["* * * *", "five fields"],
  ["0 0 3 * * *", "five fields"],
  ["@daily", "five fields"],
  [" 0 3 * * *", "five fields"],
  ["0\t3 * * *", "five fields"],
  ["0  3 * *", "its hour"],
  ["60 * * * *", "its minute"],
  ["5/5 * * * *", "its minute"],
  ["*/0 * * * *", "its minute"],
  ["*/60 * * * *", "its minute"],
  ["1,,2 * * * *", "its minute"],
  ["-1 * * * *", "its minute"],
  ["1.5 * * * *", "its minute"],
  ["0 24 * * *", "its hour"],
  ["0 5-3 * * *", "its hour"],
  ["0 3 0 * *", "its day of the month"],
  ["0 3 L * *", "its day of the month"],
  ["0 3 1W * *", "its day of the month"],
  ["0 3 ? * *", "its day of the month"],
  ["0 3 * 13 *", "its month"],
  ["0 3 * MON *", "its month"],
  ["0 3 * JANU *", "its month"],
  ["0 3 * * 8", "its day of the week"],
  ["0 3 * * FRI#2", "its day of the week"],
  ["0 3 * * FRI-MON", "its day of the week"],
  ["0 0 30 2 *", "never comes"],
  ["0 0 31 2,4,6 *", "never comes"],
  [`0 3 * * ${"1,".repeat(60)}1`, "at most 128 characters"],
])("%s is none: %s", (cron, said) => {
  expect(cronFault(cron)).toContain(said);
});

test("no text is taken for a schedule or a zone by accident, and none of it comes back", () => {
  for (const text of MALFORMED) {
    expect(cronFault(text), text).toEqual(expect.any(String));
    if (text !== "NULL") expect(timeZoneFault(text), text).toEqual(expect.any(String));
  }
});

test.each(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"])("%s is a zone", (zone) => {
  expect(timeZoneFault(zone)).toBeNull();
});

test.each(["", "+01:00", "-05:00", "Mars/Base", "Europe/", "../UTC", "Europe Berlin", "U".repeat(65)])(
  "%s is no zone",
  (zone) => {
    expect(timeZoneFault(zone)).toContain("IANA name");
  },
);
