/**
 * Several functions at work on one cluster at once, in any interleaving; and one that was frozen for an hour
 * in the middle of its work and goes on as if nothing had happened.
 */
import { describe, expect, test } from "vitest";
import { createChance } from "./clock.ts";
import { endState } from "./end-state.ts";
import type { Scenario } from "./scenario/model.ts";
import { runScenario } from "./scenario/run.ts";
import { WORKFLOWS, type Workflow } from "./workflows.ts";

const nightly = process.env["ORDINAL_NIGHTLY"] === "1";
const SEEDS = Array.from({ length: nightly ? 400 : 12 }, (_, index) => index + 1);
const HOUR_MS = 3_600_000;

async function undisturbed(workflow: Workflow): Promise<object> {
  const world = await workflow.due(1);
  await world.settle();
  return endState(world);
}

describe.each(WORKFLOWS)("$name", (workflow) => {
  test("two instances at once end as one does", async () => {
    const end = await undisturbed(workflow);
    for (const seed of SEEDS) {
      const world = await workflow.due(1);
      const chance = createChance(seed);
      const plan = () => ({ delay: () => (chance() < 0.5 ? 0 : chance() * 30) });
      await world.clock.run(Promise.all([world.settling(plan), world.settling(plan)]));
      expect(await endState(world), `seed ${seed}`).toEqual(end);
    }
  });

  test("an instance that was frozen anywhere for an hour does nothing more when it wakes", async () => {
    const end = await undisturbed(workflow);
    const counting = await workflow.due(1);
    const first = counting.pass();
    await counting.clock.run(first.result);
    const calls = first.instance.calls;
    expect(calls).toBeGreaterThan(20);
    for (let at = 1; at <= calls; at += nightly ? 1 : 7) {
      const world = await workflow.due(1);
      const frozen = world.pass({ freeze: (call) => (call === at ? HOUR_MS : null) });
      // Long enough for the server to have ended the session that held the lock.
      await world.clock.pass(120_000);
      await world.settle();
      await world.clock.run(frozen.result);
      const done = frozen.instance.afterThaw.filter(({ text, answer }) => answer === "ok" && !harmless(text));
      expect(done, `frozen at call ${at}`).toEqual([]);
      const reached = await endState(world);
      if (workflow.hurried !== true) expect(reached, `frozen at call ${at}`).toEqual(end);
      else
        expect(reached, `frozen at call ${at}`).toMatchObject({
          phase: "Healthy",
          sameData: [true, true, true],
        });
    }
  });
});

/** Telling what was true when it was decided, and removing what is gone already: both leave everything as it is. */
function harmless(text: string): boolean {
  return text.startsWith("create Event") || text.startsWith("remove ");
}

/** How long nobody took writes after the primary was killed, milliseconds. */
async function gapOf(scenario: Scenario): Promise<number> {
  let killedMs = Number.NaN;
  let gapMs = Number.NaN;
  const tell = (nowMs: number, who: string, what: string): void => {
    if (who === "WORLD" && what.startsWith("fault: kill")) killedMs = nowMs;
    if (who === "RECORD" && what.startsWith("epoch 2 Steady") && Number.isNaN(gapMs))
      gapMs = nowMs - killedMs;
  };
  expect((await runScenario(scenario, { teller: { tell } })).violation).toBeNull();
  return gapMs;
}

test("two hosts at once do not wait for each other's locks, in which 5 s would pass", async () => {
  const host = { resident: true, watches: true, sweepMs: 2_000, skewMs: 0 };
  for (const seed of SEEDS) {
    const gapMs = await gapOf({
      ...{
        seed,
        members: 5,
        onRestart: "wait",
        hosts: [host, host],
        clients: 1,
        sticky: false,
        endMs: 12_000,
      },
      faults: [{ moment: { atMs: 3_000 + seed }, fault: { kind: "kill", target: "primary" } }],
    });
    expect(gapMs, `seed ${seed}`).toBeLessThan(1_000);
  }
});
