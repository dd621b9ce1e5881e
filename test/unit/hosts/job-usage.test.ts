/** What a Job says of its cost. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { childrenSeconds, usage } from "../../../shared/hosts/job/usage.ts";

test("the time of programs is found behind a name with brackets and spaces", () => {
  const stat = "4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 250 50 20 0";
  expect(childrenSeconds(stat)).toBe(3);
});

test("a program that has ended is counted, and this process has memory", () => {
  const before = usage();
  // By its own clock of the processor: on a busy machine it gets less than the time that passes.
  execFileSync(process.execPath, ["-e", "while (process.cpuUsage().user < 150_000);"]);
  const after = usage();
  expect(after.programsCpuSeconds - before.programsCpuSeconds).toBeGreaterThanOrEqual(0.1);
  expect(after.cpuSeconds).toBeGreaterThanOrEqual(before.cpuSeconds);
  expect(after.peakBytes).toBeGreaterThan(20 * 1024 * 1024);
});
