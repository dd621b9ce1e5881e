/** The scenarios' own machinery: established clusters to begin with, one story for one seed, smaller failures. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BROKEN_BUILDS } from "./broken/builds.ts";
import { endState } from "./end-state.ts";
import { beginningOf, WISH } from "./scenario/beginnings.ts";
import { generate } from "./scenario/generate.ts";
import { scenarioSchema } from "./scenario/model.ts";
import { runScenario } from "./scenario/run.ts";
import { kindOf, shrink } from "./scenario/shrink.ts";
import { createWorld } from "./world.ts";

test.each([1, 2, 3, 5])("a copied cluster of %i is what a real adoption ends as", async (members) => {
  const annotations = { ...WISH, "ordinal.dev/on-restart": "wait" };
  const parts = Array.from({ length: members }, (_, ordinal) =>
    ordinal === 0 ? { tables: ["shop.orders"], rows: 3 } : {},
  );
  const adopted = createWorld({ members: parts, annotations });
  await adopted.settle();
  await adopted.clock.pass(1_000);
  const beginning = await beginningOf({ members, onRestart: "wait" });
  const copied = createWorld({ members: parts, annotations, beginning });
  await copied.clock.pass(1_000);
  expect(await endState(copied)).toEqual(await endState(adopted));
});

async function storyOf(seed: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const tell = (nowMs: number, who: string, what: string): void => void lines.push(`${nowMs} ${who} ${what}`);
  await runScenario(generate(seed), { teller: { tell } });
  return lines;
}

test("one seed tells one story, to the letter", async () => {
  for (const seed of [3, 12]) {
    const first = await storyOf(seed);
    expect(first.length).toBeGreaterThan(20);
    expect(await storyOf(seed)).toEqual(first);
  }
});

test("generated scenarios can be stored and read again", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const scenario = generate(seed);
    expect(scenarioSchema.parse(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario);
  }
});

test("a failure of a broken build is made smaller and stays the same failure", async () => {
  const broken = BROKEN_BUILDS[0];
  if (broken === undefined) throw new Error("no broken build");
  const { build } = broken;
  for (let seed = 1; seed <= 20; seed += 1) {
    const scenario = generate(seed);
    const { violation } = await runScenario(scenario, { build });
    if (violation === null || scenario.faults.length < 4) continue;
    const shrunk = await shrink(scenario, violation, { build, runsMax: 30 });
    expect(shrunk.scenario.faults.length).toBeLessThan(scenario.faults.length);
    expect(kindOf(shrunk.violation)).toBe(kindOf(violation));
    return;
  }
  expect.fail("no seed with enough faults fails");
});

describe("kept for ever:", () => {
  const folder = join(import.meta.dirname, "regressions");
  test.each(readdirSync(folder).filter((name) => name.endsWith(".json")))("%s", async (name) => {
    const scenario = scenarioSchema.parse(JSON.parse(readFileSync(join(folder, name), "utf8")));
    expect((await runScenario(scenario)).violation).toBeNull();
  });
});
