/**
 * Events are only wake-up calls: with all of them lost, or each three times in any order, the end is the same
 * and nothing more is written than by a host that hears each once.
 */
import { describe, expect, test } from "vitest";
import { createChance } from "./clock.ts";
import { endState } from "./end-state.ts";
import { WORKFLOWS, type Workflow } from "./workflows.ts";
import type { HostOptions, World } from "./world.ts";

const SEEDS = Array.from(
  { length: process.env["ORDINAL_NIGHTLY"] === "1" ? 200 : 8 },
  (_, index) => index + 1,
);
const SWEEP_MS = 1_000;
const SWEEPS = 60;

interface Run {
  readonly end: object;
  readonly effects: readonly string[];
}

async function hosted(workflow: Workflow, deliver: (world: World) => HostOptions["deliver"]): Promise<Run> {
  const world = await workflow.due(1);
  const way = deliver(world);
  const host = world.host({ lookEveryMs: 10_000, ...(way && { deliver: way }) });
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    host.runner.tick();
    await world.clock.pass(SWEEP_MS);
  }
  await world.clock.run(host.runner.stop());
  expect(world.sim.callbackErrors).toEqual([]);
  return { end: await endState(world), effects: host.instance.effects };
}

/** Effects by what they do: how often is compared, not when. The name of an Event is made of its words. */
function counted(effects: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const effect of effects) {
    const what = effect.replace(/^create Event .*/, "create Event");
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

describe.each(WORKFLOWS)("$name", (workflow) => {
  test("with every event lost, and with each three times in any order", async () => {
    const once = await hosted(workflow, () => (emit) => emit());
    const lost = await hosted(workflow, () => undefined);
    expect(lost.end, "every event lost").toEqual(once.end);
    for (const seed of SEEDS) {
      const chance = createChance(seed);
      const thrice = await hosted(workflow, ({ clock }) => (emit) => {
        for (const _ of [1, 2, 3]) clock.after(chance() * 800, emit);
      });
      expect(thrice.end, `seed ${seed}`).toEqual(once.end);
      const usual = counted(once.effects);
      for (const [effect, count] of Object.entries(counted(thrice.effects)))
        expect(count, `seed ${seed}: ${effect}`).toBeLessThanOrEqual(usual[effect] ?? 0);
    }
  });
});
