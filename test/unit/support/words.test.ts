/** The check that every word of the catalogues is given by a test: it fails when one is not, and only on whole runs. */
import { expect, test } from "vitest";
import type { TestModule } from "vitest/node";
import { filesOf } from "../../../infra/dev/tool.ts";
import { PHASES, PROBLEM_CODES } from "../../../shared/model/condition.ts";
import { EVENT_REASONS } from "../../../shared/model/event-reason.ts";
import { verdictOf } from "../../runner/words.ts";

const FILES = filesOf("test/unit/**/*.test.ts").length;
const WORDS = [...Object.keys(PROBLEM_CODES), ...Object.keys(EVENT_REASONS), ...PHASES];

interface Part {
  readonly given?: readonly string[];
  readonly state?: string;
  readonly skipped?: number;
}

function module({ given = [], state = "passed", skipped = 0 }: Part): TestModule {
  const children = { allTests: () => Array(skipped).keys() };
  const fake = { project: { name: "unit" }, state: () => state, meta: () => ({ given }), children };
  return fake as unknown as TestModule;
}

/** As many files as there are; the words are spread over two of them. */
function run(given: readonly string[], first: Part = {}): readonly TestModule[] {
  const others = Array.from({ length: FILES - 2 }, () => module({}));
  return [module({ given: given.slice(0, 9), ...first }), module({ given: given.slice(9) }), ...others];
}

test("all words, in whatever files, are enough", () => {
  expect(verdictOf(run(WORDS))).toBeNull();
});

test("a word that no file gives is named", () => {
  const without = WORDS.filter((word) => word !== "DiskFull" && word !== "RestoreUndone");
  expect(verdictOf(run(without))).toBe(
    "no unit test that names it makes Ordinal say: DiskFull, RestoreUndone",
  );
});

test.each<[string, readonly TestModule[]]>([
  ["some of the files", run([]).slice(1)],
  ["a file that failed", run([], { state: "failed" })],
  ["a test that was skipped", run([], { skipped: 1 })],
])("%s: nothing is said of the rest", (_, modules) => {
  expect(verdictOf(modules)).toBeNull();
});
