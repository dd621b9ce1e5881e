/** Old reads and lost events at their per-change size; `npm run sim -- --sweep … --nightly` is the whole of it. */
import { describe, expect, test } from "vitest";
import { stale } from "./sweeps/stale.ts";
import { unobserved } from "./sweeps/unobserved.ts";
import { WORKFLOWS } from "./workflows.ts";

const nightly = process.env["ORDINAL_NIGHTLY"] === "1";
const CHOSEN = ["a primary that died", "a switchover", "a lost record"];
const workflows = WORKFLOWS.filter(({ name }) => nightly || CHOSEN.includes(name));

describe.each(workflows)("$name", (workflow) => {
  test.each([stale, unobserved])("$title", { timeout: 900_000 }, async ({ run }) => {
    const { runs, points, violations } = await run(workflow, nightly);
    expect(violations).toEqual([]);
    expect(points).toBeGreaterThan(3);
    expect(runs).toBeGreaterThanOrEqual(points / 3);
  });
});
