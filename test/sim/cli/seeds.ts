/** Many seeds, shared out to all cores; whatever fails is made smaller and shown as it can be stored. */
import { generate } from "../scenario/generate.ts";
import type { Scenario } from "../scenario/model.ts";
import { runScenario } from "../scenario/run.ts";
import { shrink } from "../scenario/shrink.ts";
import { inParallel } from "./workers.ts";

export interface SeedRange {
  readonly from: number;
  readonly count: number;
}

export interface Failing {
  readonly seed: number;
  readonly violation: string;
  readonly scenario: Scenario;
}

export interface RangeResult {
  readonly count: number;
  readonly acknowledged: number;
  readonly epochs: number;
  readonly awaitPerson: number;
  readonly failing: readonly { readonly seed: number; readonly violation: string }[];
}

export async function runRange({ from, count }: SeedRange): Promise<RangeResult> {
  const failing: { seed: number; violation: string }[] = [];
  let acknowledged = 0;
  let epochs = 0;
  let awaitPerson = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const outcome = await runScenario(generate(seed)).catch((error: unknown) => String(error));
    // A simulation that cannot go on is told with its seed, like what it would have found.
    if (typeof outcome === "string") {
      failing.push({ seed, violation: outcome });
      continue;
    }
    acknowledged += outcome.acknowledged;
    epochs += outcome.epochs - 1;
    if (outcome.awaitsPerson !== null) awaitPerson += 1;
    if (outcome.violation !== null) failing.push({ seed, violation: outcome.violation });
  }
  return { count, acknowledged, epochs, awaitPerson, failing };
}

const RANGE = 50;
/** Making one smaller costs as much as a hundred seeds. */
const SHRUNK_MAX = 5;

export interface SeedsResult {
  readonly seeds: number;
  readonly acknowledged: number;
  readonly changesOfPrimary: number;
  readonly awaitPerson: number;
  readonly violations: number;
  readonly failing: readonly Failing[];
}

export async function runSeeds(
  main: string,
  range: SeedRange,
  say: (text: string) => void,
): Promise<SeedsResult> {
  const pieces: SeedRange[] = [];
  for (let from = range.from; from < range.from + range.count; from += RANGE)
    pieces.push({ from, count: Math.min(RANGE, range.from + range.count - from) });
  const results: RangeResult[] = [];
  await inParallel<SeedRange, RangeResult>(main, pieces, (result) => {
    results.push(result);
    const done = results.reduce((sum, { count }) => sum + count, 0);
    for (const { seed, violation } of result.failing) say(`seed ${seed}: ${violation.slice(0, 300)}`);
    if (done % 1_000 === 0 || done === range.count) say(`${done} of ${range.count} seeds`);
  });
  const all = results.flatMap(({ failing }) => failing).toSorted((a, b) => a.seed - b.seed);
  const failing: Failing[] = [];
  for (const { seed, violation } of all.slice(0, SHRUNK_MAX)) {
    say(`seed ${seed} is made smaller`);
    if (violation.startsWith("Error")) {
      failing.push({ seed, violation, scenario: generate(seed) });
      continue;
    }
    const shrunk = await shrink(generate(seed), violation);
    failing.push({ seed, violation: shrunk.violation, scenario: shrunk.scenario });
  }
  const total = (of: (result: RangeResult) => number): number =>
    results.reduce((sum, one) => sum + of(one), 0);
  return {
    seeds: total(({ count }) => count),
    acknowledged: total((one) => one.acknowledged),
    changesOfPrimary: total(({ epochs }) => epochs),
    awaitPerson: total((one) => one.awaitPerson),
    violations: all.length,
    failing,
  };
}
