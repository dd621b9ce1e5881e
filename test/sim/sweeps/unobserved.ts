/** S3: events that never come: each by itself, each pair (nightly), and all of them. */
import { endState } from "../end-state.ts";
import type { Workflow } from "../workflows.ts";
import type { World } from "../world.ts";
import { disturbed, SEED, type Sweep, type SweepResult } from "./sweep.ts";

const SWEEP_MS = 1_000;
const SWEEPS = 60;

/** A resident host that never hears the events of these numbers; answers how many there were. */
async function hosted(world: World, lost: (event: number) => boolean): Promise<number> {
  let events = 0;
  const host = world.host({
    lookEveryMs: 10_000,
    deliver(emit) {
      events += 1;
      if (!lost(events)) emit();
    },
  });
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    host.runner.tick();
    await world.clock.pass(SWEEP_MS);
  }
  await world.clock.run(host.runner.stop());
  return events;
}

async function run(workflow: Workflow, nightly: boolean): Promise<SweepResult> {
  const world = await workflow.due(SEED);
  const events = await hosted(world, () => false);
  const end = await endState(world);
  const violations: string[] = [];
  let runs = 0;

  async function check(what: string, lost: (event: number) => boolean): Promise<void> {
    runs += 1;
    const wrong = await disturbed(workflow, end, async (each) => void (await hosted(each, lost)));
    if (wrong !== null) violations.push(`${workflow.name}: ${what} lost: ${wrong}`);
  }

  await check("all events", () => true);
  for (let one = 1; one <= events; one += 1) {
    await check(`event ${one}`, (event) => event === one);
    for (let other = one + 1; nightly && other <= events; other += 1)
      await check(`events ${one} and ${other}`, (event) => event === one || event === other);
  }
  return { runs, points: events, covered: [`${workflow.name}: ${events} events`], violations };
}

export const unobserved: Sweep = { title: "every lost event", run };
