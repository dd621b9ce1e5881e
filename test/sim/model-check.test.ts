// The model of the failover protocol is exhausted, and every rule in it is needed: left out, it is noticed.

import { expect, test } from "vitest";
import { BROKEN, INTACT, NIGHTLY } from "./model-check/cases.ts";
import { modelCheck } from "./model-check/index.ts";

const nightly = process.env["ORDINAL_NIGHTLY"] === "1";

test.for(nightly ? [...INTACT, ...NIGHTLY] : INTACT)("the protocol holds: $name", ({ name, options }) => {
  const { states, transitions, fixpoint, violations, taken, seconds } = modelCheck(options);
  console.log(`${name}: ${states} states, ${transitions} transitions in ${seconds.toFixed(1)} s`);
  expect(violations.flat()).toEqual([]);
  expect(fixpoint).toBe(true);
  expect(states).toBeGreaterThan(5_000);
  // A model that never gets to the end of a failover would hold whatever its rules are.
  const needed = ["write", "complete", "crash", "claim", "elect", "record-open", "act", "record-established"];
  expect(needed.filter((step) => !taken.has(step))).toEqual([]);
});

test("an intact run of several failovers rejoins members and records them as ackers", () => {
  const { taken } = modelCheck({ transactions: 1, epochs: 2 });
  expect(taken.get("record-acker") ?? 0).toBeGreaterThan(0);
  expect(taken.get("reopen") ?? 0).toBeGreaterThan(0);
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
