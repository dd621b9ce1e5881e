/** How far a Job is: what Jobs write into their logs is what the plugin reads there, and how it is told. */
import { expect, test } from "vitest";
import { progressOf, type Work } from "../../../shared/backup/work.ts";
import { type Progress, parseProgress, progressBar, progressLine } from "../../../shared/cli/progress.ts";
import { createLog } from "../../../shared/hosts/local/platform.ts";

const MIB = 1024 ** 2;

const of = (bytes: number, bytesExpected: number | null, bytesPerSecond = 10 * MIB): Progress => ({
  ...{ at: "2026-11-23T02:00:00.000Z", message: "progress", bytes, bytesExpected, bytesPerSecond },
});

test.each([null, 100 * MIB])("of %s bytes, as a Job tells it", (expected) => {
  const lines: string[] = [];
  let nowMs = 0;
  const work: Pick<Work, "clock" | "log"> = {
    clock: { now: () => nowMs, sleep: async () => {} },
    log: createLog("json", (text) => lines.push(text)),
  };
  const add = progressOf(work as Work, expected);
  for (let second = 0; second < 12; second += 1) {
    nowMs += 1_000;
    add(4 * MIB);
  }
  const read = lines.map((line) => parseProgress(line, null));
  expect(read.length).toBeGreaterThan(1);
  expect(read.at(-1)).toEqual({
    ...{ at: expect.any(String), message: "progress" },
    ...{ bytes: 40 * MIB, bytesPerSecond: 4 * MIB, bytesExpected: expected },
  });
});

test("a copy tells no rate: it is that since the line before", () => {
  const copying = (second: number, bytes: number) =>
    JSON.stringify({
      ...{ at: new Date(second * 1_000).toISOString(), level: "info", message: "copying" },
      ...{ bytes, bytesExpected: 100 * MIB },
    });
  const first = parseProgress(copying(0, 10 * MIB), null);
  expect(first).toMatchObject({ bytes: 10 * MIB, bytesPerSecond: null });
  const second = parseProgress(copying(5, 60 * MIB), first);
  expect(second).toMatchObject({ bytes: 60 * MIB, bytesPerSecond: 10 * MIB });
  const storing: Progress = { ...of(0, null, 0), message: "progress" };
  expect(parseProgress(copying(10, 70 * MIB), storing)?.bytesPerSecond).toBeNull();
  expect(second && progressLine(second)).toBe("copying 60.0 of 100 MiB, 10.0 MiB/s, 4s left");
  expect(first && progressBar(first)).toBe("copying ██░░░░░░░░░░░░░░░░░░  10 %  10.0 of 100 MiB");
});

test.each([
  "",
  "{",
  "[]",
  '{"message":"retention","bytes":1}',
  '{"message":"progress","bytes":-1}',
  "progress bytes=1",
])("%j is no progress", (line) => {
  expect(parseProgress(line, null)).toBeNull();
});

test.each<[Progress, string, string]>([
  [
    of(50 * MIB, 100 * MIB),
    "50.0 of 100 MiB, 10.0 MiB/s, 5s left",
    "██████████░░░░░░░░░░  50 %  50.0 of 100 MiB  10.0 MiB/s  5s left",
  ],
  [of(50 * MIB, null), "50.0 MiB, 10.0 MiB/s", "50.0 MiB  10.0 MiB/s"],
  // The whole is an estimate.
  [
    of(120 * MIB, 100 * MIB),
    "120 of 100 MiB, 10.0 MiB/s",
    "████████████████████  100 %  120 of 100 MiB  10.0 MiB/s",
  ],
  [of(0, 100, 0), "0 of 100 B, 0 B/s", "░░░░░░░░░░░░░░░░░░░░  0 %  0 of 100 B  0 B/s"],
  [of(0, 0, 0), "0 B, 0 B/s", "0 B  0 B/s"],
])("%o", (progress, line, bar) => {
  expect([progressLine(progress), progressBar(progress)]).toEqual([line, bar]);
});
