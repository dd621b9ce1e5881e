// The model of the failover protocol is exhausted, and every rule in it is needed: left out, it is noticed.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { BROKEN, INTACT, NIGHTLY } from "./model-check/cases.ts";
import type { ModelCheckOptions } from "./model-check/index.ts";

const nightly = process.env["ORDINAL_NIGHTLY"] === "1";

const resultSchema = z.object({
  states: z.number(),
  transitions: z.number(),
  fixpoint: z.boolean(),
  violations: z.array(z.array(z.string())),
  taken: z.record(z.string(), z.number()),
  seconds: z.number(),
});

/** In a process of its own, see main.ts there. */
function modelCheck(options: ModelCheckOptions): z.infer<typeof resultSchema> {
  const main = join(import.meta.dirname, "model-check", "main.ts");
  const printed = execFileSync(process.execPath, [main, JSON.stringify(options)], { encoding: "utf8" });
  return resultSchema.parse(JSON.parse(printed));
}

test.for(nightly ? [...INTACT, ...NIGHTLY] : INTACT)("the protocol holds: $name", ({ name, options }) => {
  const { states, transitions, fixpoint, violations, taken, seconds } = modelCheck(options);
  console.log(`${name}: ${states} states, ${transitions} transitions in ${seconds.toFixed(1)} s`);
  expect(violations.flat()).toEqual([]);
  expect(fixpoint).toBe(true);
  expect(states).toBeGreaterThan(5_000);
  // A model that never gets to the end of a failover would hold whatever its rules are.
  const needed = [
    "write",
    "complete",
    "crash",
    "claim",
    "elect",
    "elect-open",
    "record-open",
    "act",
    "record-established",
  ];
  expect(needed.filter((step) => taken[step] === undefined)).toEqual([]);
});

test("between two failovers members rejoin and are recorded as ackers", () => {
  const { taken } = modelCheck({ transactions: 1, epochs: 2 });
  expect(taken["record-acker"] ?? 0).toBeGreaterThan(0);
  expect(taken["reopen"] ?? 0).toBeGreaterThan(0);
});

test("a search that is cut short says so", () => {
  expect(modelCheck({ statesMax: 1_000 }).fixpoint).toBe(false);
});

test.for(BROKEN)("without the rule it is noticed: $variant", ({ variant, breaks, options }) => {
  const { violations } = modelCheck({ ...options, variant });
  console.log([variant, ...violations.flat()].join("\n  "));
  expect(violations).toHaveLength(1);
  expect(violations[0]?.at(-1)).toMatch(new RegExp(`^violated: ${breaks}:`));
  expect(violations[0]?.length).toBeGreaterThan(1);
});
