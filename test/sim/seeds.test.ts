/** Random scenarios, on all cores; a failing one is told by its seed: `npm run sim -- --seed N` shows its story. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { runSeeds } from "./cli/seeds.ts";

const COUNT = process.env["ORDINAL_NIGHTLY"] === "1" ? 20_000 : 2_000;
const TIMEOUT_MS = COUNT * 1_000;

test(`${COUNT} seeds hold every promise`, { timeout: TIMEOUT_MS }, async () => {
  const main = join(import.meta.dirname, "cli/main.ts");
  const result = await runSeeds(main, { from: 1, count: COUNT }, () => {});
  console.log(JSON.stringify({ ...result, failing: result.failing.length }));
  expect(result.failing.map(({ seed, violation }) => `seed ${seed}: ${violation}`)).toEqual([]);
  // Seeds in which nothing happens would prove nothing.
  expect(result.changesOfPrimary).toBeGreaterThan(COUNT / 4);
  expect(result.acknowledged).toBeGreaterThan(COUNT * 20);
});
