/** Every build that is broken on purpose is noticed, and the shipped one passes where they do not. */
import { describe, expect, test } from "vitest";
import { BROKEN_BUILDS, POINTED } from "./broken/builds.ts";
import { generate } from "./scenario/generate.ts";
import { runScenario } from "./scenario/run.ts";

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);

test("the shipped build passes the pointed scenarios", async () => {
  for (const [number, scenario] of POINTED.entries()) {
    expect((await runScenario(scenario)).violation, `scenario ${number}`).toBeNull();
  }
});

describe("caught:", () => {
  test.each(BROKEN_BUILDS)("$what", async ({ build, caughtBy }) => {
    const seen: string[] = [];
    for (const scenario of [...POINTED, ...SEEDS.map(generate)]) {
      const { violation } = await runScenario(scenario, { build });
      if (violation !== null && caughtBy.test(violation)) return;
      if (violation !== null) seen.push(violation.slice(0, 120));
    }
    expect.fail(`not caught; seen instead: ${seen.join(" / ")}`);
  });
});
