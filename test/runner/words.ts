// A vitest reporter that fails a whole run of the unit tests while a word of the closed catalogues is given to people by
// no test: nobody would notice if Ordinal never said it, or said it at the wrong time.

import type { Reporter, TestModule } from "vitest/node";
import { filesOf } from "../../infra/dev/tool.ts";
import { PHASES, PROBLEM_CODES } from "../../shared/model/condition.ts";
import { EVENT_REASONS } from "../../shared/model/event-reason.ts";

const WORDS: readonly string[] = [
  ...new Set([...Object.keys(PROBLEM_CODES), ...Object.keys(EVENT_REASONS), ...PHASES]),
];

/** As `test/support/words-setup.ts` has noted it. */
function givenIn(module: TestModule): readonly string[] {
  const { given } = module.meta() as { readonly given?: readonly string[] };
  return given ?? [];
}

export function missing(given: Iterable<string>): readonly string[] {
  const known = new Set(given);
  return WORDS.filter((word) => !known.has(word));
}

/** A part of the tests, or a run in which one failed, says nothing about the others. */
function isWhole(modules: readonly TestModule[]): boolean {
  const all = [...modules].every(
    (module) => module.state() === "passed" && [...module.children.allTests("skipped")].length === 0,
  );
  return all && modules.length === filesOf("test/unit/**/*.test.ts").length;
}

export const wordReporter: Reporter = {
  onTestRunEnd(modules) {
    const unit = modules.filter(({ project }) => project.name === "unit");
    if (!isWhole(unit)) return;
    const words = missing(unit.flatMap(givenIn));
    if (words.length === 0) return;
    console.error(`no unit test that names it makes Ordinal say: ${words.join(", ")}`);
    process.exitCode = 1;
  },
};
