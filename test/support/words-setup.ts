/**
 * Runs before each file of the unit tests and notes which words for people `decide` really gave while it ran: codes of
 * problems, reasons of Events and phases. `test/runner/words.ts` adds them up. A word counts only where the file names it, so
 * that one which just happens to be given on the way to something else is no test of it.
 */
import { readFileSync } from "node:fs";
import { afterAll, vi } from "vitest";
import { type Decision, stepsOf } from "../../shared/model/decision.ts";

const given = vi.hoisted(() => new Set<string>());

vi.mock("../../shared/decide/index.ts", async (original) => {
  const real = await original<typeof import("../../shared/decide/index.ts")>();
  const decide: typeof real.decide = (...input) => {
    const decision = real.decide(...input);
    for (const word of wordsOf(decision)) given.add(word);
    return decision;
  };
  return { ...real, decide };
});

function wordsOf(decision: Decision): readonly string[] {
  const told = stepsOf(decision).flatMap((step) => (step.kind === "Event" ? [step.reason] : []));
  return [...decision.conditions.map(({ type }) => type), decision.phase, ...told];
}

// biome-ignore lint/correctness/noEmptyPattern: vitest gives the suite to whoever takes the fixtures by a pattern before it.
afterAll(({}, { file, meta }) => {
  const named = new Set(readFileSync(file.filepath, "utf8").match(/\b[A-Z][A-Za-z]+\b/g));
  Object.assign(meta, { given: [...given].filter((word) => named.has(word)) });
});
