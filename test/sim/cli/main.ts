/**
 * `npm run sim`: the shipped code in simulated worlds. Progress and stories go where people read them, with
 * `--json` the last line of standard output is one JSON object. Exit code 1 = something that must not be was
 * seen, 2 = wrong use.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { modelCheck } from "../model-check/index.ts";
import { generate } from "../scenario/generate.ts";
import { type Scenario, scenarioSchema } from "../scenario/model.ts";
import { runScenario } from "../scenario/run.ts";
import { crash } from "../sweeps/crash.ts";
import { stale } from "../sweeps/stale.ts";
import { type Sweep, type SweepResult, sum } from "../sweeps/sweep.ts";
import { unobserved } from "../sweeps/unobserved.ts";
import { WORKFLOWS } from "../workflows.ts";
import { runRange, runSeeds, type SeedRange } from "./seeds.ts";
import { inParallel, serve } from "./workers.ts";

const usage = `Usage: npm run sim -- [what] [--json]

  --seed N                           one seed, told as a story
  --scenario FILE                    a stored scenario, told as a story
  --seeds N [--from N]               many seeds, on all cores (1000 from 1 without any option)
  --sweep crash|stale|unobserved     every effect, every old read, every lost event of every workflow
  --model-check                      every reachable state of the protocol's model
  --nightly                          sweeps at their full size
`;

const SWEEPS: Readonly<Record<string, Sweep>> = { crash, stale, unobserved };
const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Report {
  readonly seeds: number;
  readonly runs: number;
  readonly violations: number;
  readonly effectPoints: number;
  readonly covered: readonly string[];
  readonly [more: string]: unknown;
}

const NOTHING: Report = { seeds: 0, runs: 0, violations: 0, effectPoints: 0, covered: [] };

interface SweepPiece {
  readonly sweep: string;
  readonly workflow: string;
  readonly nightly: boolean;
}

async function sweepOne({ sweep, workflow, nightly }: SweepPiece): Promise<SweepResult> {
  const chosen = WORKFLOWS.find(({ name }) => name === workflow);
  const run = SWEEPS[sweep]?.run;
  if (chosen === undefined || run === undefined) throw new Error(`no sweep ${sweep} of ${workflow}`);
  return run(chosen, nightly);
}

async function tell(scenario: Scenario): Promise<Report> {
  const place = (nowMs: number): string => new Date(nowMs).toISOString().slice(11, 23);
  say(JSON.stringify(scenario));
  const outcome = await runScenario(scenario, {
    teller: { tell: (nowMs, who, what) => say(`${place(nowMs)} ${who.padEnd(12)} ${what}`) },
  });
  say(outcome.violation === null ? "nothing was wrong" : `VIOLATION ${outcome.violation}`);
  if (outcome.awaitsPerson !== null) say(`a person has to decide: ${outcome.awaitsPerson}`);
  const violations = outcome.violation === null ? 0 : 1;
  return { ...NOTHING, seeds: 1, runs: 1, violations, ...outcomeFields(outcome) };
}

function outcomeFields({
  acknowledged,
  epochs,
  convergedMs,
  violation,
}: Awaited<ReturnType<typeof runScenario>>) {
  return { acknowledged, changesOfPrimary: epochs - 1, convergedMs, violation };
}

async function manySeeds(range: SeedRange): Promise<Report> {
  const { seeds, violations, failing, ...more } = await runSeeds(import.meta.filename, range, say);
  for (const { seed, violation, scenario } of failing) {
    say(`seed ${seed}: ${violation}\nto keep it: test/sim/regressions/seed-${seed}.json`);
    say(JSON.stringify(scenario));
  }
  return { ...NOTHING, seeds, runs: seeds, violations, ...more };
}

async function sweepAll(name: string, nightly: boolean): Promise<Report> {
  const pieces = WORKFLOWS.map(({ name: workflow }): SweepPiece => ({ sweep: name, workflow, nightly }));
  const results: SweepResult[] = [];
  await inParallel<SweepPiece, SweepResult>(import.meta.filename, pieces, (result) => {
    results.push(result);
    for (const line of [...result.covered, ...result.violations]) say(line);
  });
  const { runs, points, covered, violations } = sum(results);
  return { ...NOTHING, runs, violations: violations.length, effectPoints: points, covered };
}

/** A search that gave up has shown nothing, so it counts as a violation. */
function checkModel(): Report {
  const { states, transitions, violations, fixpoint } = modelCheck({});
  for (const violation of violations) say(violation.join("\n"));
  if (!fixpoint) say("the search gave up before every reachable state was looked at");
  return { ...NOTHING, violations: violations.length + (fixpoint ? 0 : 1), states, transitions };
}

function numberOf(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${text} is no whole number`);
  return value;
}

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;

async function run(args: readonly string[]): Promise<{ report: Report; json: boolean }> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: text,
      scenario: text,
      seeds: text,
      from: text,
      sweep: text,
      "model-check": flag,
      nightly: flag,
      json: flag,
    },
  });
  const { json, nightly } = values;
  if (values.seed !== undefined) return { json, report: await tell(generate(numberOf(values.seed, 1))) };
  if (values.scenario !== undefined) {
    const stored: unknown = JSON.parse(readFileSync(values.scenario, "utf8"));
    return { json, report: await tell(scenarioSchema.parse(stored)) };
  }
  if (values.sweep !== undefined) {
    if (SWEEPS[values.sweep] === undefined) throw new Error(`there is no sweep ${values.sweep}`);
    return { json, report: await sweepAll(values.sweep, nightly) };
  }
  if (values["model-check"]) return { json, report: checkModel() };
  const range = { from: numberOf(values.from, 1), count: numberOf(values.seeds, 1_000) };
  return { json, report: await manySeeds(range) };
}

async function main(args: readonly string[]): Promise<void> {
  const startedAt = performance.now();
  const { report, json } = await run(args);
  const seconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
  const { runs, violations, seeds } = report;
  if (json) console.log(JSON.stringify({ ...report, seconds }));
  else console.log(`${runs} runs, ${seeds} of them seeds, ${violations} violations in ${seconds} s`);
  process.exitCode = violations === 0 ? 0 : 1;
}

function isSweepPiece(piece: SweepPiece | SeedRange): piece is SweepPiece {
  return "sweep" in piece;
}

if (process.argv.includes("--worker")) {
  serve(
    (piece: SweepPiece | SeedRange): Promise<unknown> =>
      isSweepPiece(piece) ? sweepOne(piece) : runRange(piece),
  );
} else {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
  });
}
