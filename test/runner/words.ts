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

/** A part of the tests, or a run in which one failed or was skipped, says nothing about the others. */
function isWhole(modules: readonly TestModule[]): boolean {
  const all = modules.every(
    (module) => module.state() === "passed" && [...module.children.allTests("skipped")].length === 0,
  );
  return all && modules.length === filesOf("test/unit/**/*.test.ts").length;
}

/** What is wrong with a run, as a sentence; null = nothing, or it was not a whole one of the unit tests. */
export function verdictOf(modules: readonly TestModule[]): string | null {
  const unit = modules.filter(({ project }) => project.name === "unit");
  if (!isWhole(unit)) return null;
  const given = new Set(unit.flatMap(givenIn));
  const missing = WORDS.filter((word) => !given.has(word));
  return missing.length === 0 ? null : `no unit test that names it makes Ordinal say: ${missing.join(", ")}`;
}

export const wordReporter: Reporter = {
  onTestRunEnd(modules) {
    const verdict = verdictOf(modules);
    if (verdict === null) return;
    console.error(verdict);
    process.exitCode = 1;
  },
};
