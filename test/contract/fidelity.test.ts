/**
 * The simulated server is no better than its likeness: random operations, drawn from a seed, are carried out
 * on simulated and on real servers, and after each of them both must come to the same state. A difference is
 * an error of the model, unless docs/simulation.md says that it is left out.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createChance } from "../sim/clock.ts";
import { draw, type Operation } from "./fidelity/operations.ts";
import { Side, type State } from "./fidelity/side.ts";
import { openRealSubject, openSimSubject } from "./server-subjects.ts";

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"] ?? "";
const reason = kubeconfig === "" ? " (skipped: ORDINAL_TEST_KUBECONFIG names no cluster)" : "";

const nightly = process.env["ORDINAL_NIGHTLY"] === "1";
/** The short form draws from a seed that has a little of everything and few long waits. */
const { OPERATIONS, LIMIT_MS, FIRST_SEED } = nightly
  ? { OPERATIONS: 200, LIMIT_MS: 1_800_000, FIRST_SEED: 1 }
  : { OPERATIONS: 50, LIMIT_MS: 300_000, FIRST_SEED: 5 };
const SEED = Number(process.env["ORDINAL_FIDELITY_SEED"] ?? FIRST_SEED);

/** Whatever is under way in the model ends in this time, which costs none. */
const SETTLING_MS = 15_000;
/** What real servers may take for the same; a receiver may wait a minute for a silent source. */
const PATIENCE_MS = 90_000;
/** At the end nothing may come after. */
const REST_MS = 5_000;

let simulated: Side;
let real: Side;

function differences(model: State, reality: State): readonly string[] {
  return [...new Set([...Object.keys(model), ...Object.keys(reality)])]
    .filter((about) => model[about] !== reality[about])
    .map((about) => `${about}: model ${model[about] ?? "nothing"}, real ${reality[about] ?? "nothing"}`);
}

/** Looks until both are the same; the differences that stay. */
async function compare(model: State): Promise<readonly string[]> {
  const endsAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = differences(model, (await real.look()).state);
    if (found.length === 0 || performance.now() > endsAt) return found;
    await sleep(100);
  }
}

async function settled(): ReturnType<Side["look"]> {
  await simulated.subject.run(() => simulated.subject.sleep(SETTLING_MS));
  return simulated.look();
}

function report(
  done: readonly (readonly [Operation, string])[],
  found: readonly string[],
  model: State,
): string {
  const steps = done.slice(-12).map(([operation, answer]) => `${JSON.stringify(operation)} ${answer}`);
  const whole = Object.entries(model).filter(([about]) => !about.startsWith("answer"));
  return [
    `seed ${SEED}, after ${done.length} operations; the last of them:`,
    ...steps,
    "differences:",
    ...found,
    "the model:",
    ...whole.map(([about, value]) => `${about}: ${value}`),
  ].join("\n");
}

describe.skipIf(kubeconfig === "")(`the model and the servers${reason}`, { timeout: LIMIT_MS }, () => {
  beforeAll(async () => {
    simulated = new Side(await openSimSubject());
    real = new Side(await openRealSubject(kubeconfig));
    await Promise.all([simulated.begin(), real.begin()]);
  }, 300_000);

  afterAll(() => real?.subject.close());

  test(`come to the same after each of ${OPERATIONS} operations from seed ${SEED}`, async () => {
    const chance = createChance(SEED);
    const done: (readonly [Operation, string])[] = [];
    const beganAt = performance.now();
    let { seen, state } = await settled();
    expect(await compare(state)).toEqual([]);
    while (done.length < OPERATIONS) {
      const operation = draw(chance, seen, done.length);
      const answer = await simulated.carryOut(operation);
      done.push([operation, answer]);
      const said = await real.carryOut(operation);
      ({ seen, state } = await settled());
      const found = said === answer ? await compare(state) : [`answer: model ${answer}, real ${said}`];
      if (found.length > 0) throw new Error(report(done, found, state));
    }
    await sleep(REST_MS);
    expect(await compare(state)).toEqual([]);
    const seconds = Math.round((performance.now() - beganAt) / 1_000);
    console.log(`${done.length} operations from seed ${SEED} in ${seconds} s`);
  });
});
