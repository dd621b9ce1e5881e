/**
 * S1: the function is killed before and after every effect of a workflow; who goes on is another instance at
 * once, two of them beside each other, or one that comes a minute later.
 */
import { endState } from "../end-state.ts";
import type { Cut, Plan } from "../instance.ts";
import type { Workflow } from "../workflows.ts";
import type { World } from "../world.ts";
import { disturbed, SEED, type Sweep, type SweepResult } from "./sweep.ts";

const CUTS: readonly Cut[] = ["before", "after"];
const RESUMED = ["by another", "by two at once", "a minute later"] as const;
const LATER_MS = 60_000;

/** The one that comes to this effect, counted over all passes, is killed there. */
function killedAt(effect: number, cut: Cut): () => Plan {
  let seen = 0;
  return () => ({
    cut() {
      seen += 1;
      return seen === effect ? cut : null;
    },
  });
}

async function resume(world: World, plan: () => Plan, how: (typeof RESUMED)[number]): Promise<void> {
  if (how === "by another") return void (await world.settle(plan));
  const first = world.pass(plan());
  await world.clock.run(first.result.catch(() => null));
  if (how === "a minute later") {
    await world.clock.pass(LATER_MS);
    return void (await world.settle(plan));
  }
  const slowly = (): Plan => ({ ...plan(), delay: () => world.chance() * 20 });
  await world.clock.run(Promise.all([world.settling(slowly), world.settling(slowly)]));
}

async function run(workflow: Workflow): Promise<SweepResult> {
  const world = await workflow.due(SEED);
  const effects = (await world.settle()).flatMap((instance) => instance.effects);
  const end = await endState(world);
  const violations: string[] = [];
  let runs = 0;
  for (const [at, text] of effects.entries()) {
    for (const cut of CUTS) {
      for (const how of RESUMED) {
        runs += 1;
        const wrong = await disturbed(workflow, end, (each) => resume(each, killedAt(at + 1, cut), how));
        if (wrong === null) continue;
        violations.push(
          `${workflow.name}: killed ${cut} effect ${at + 1} (${text}), resumed ${how}: ${wrong}`,
        );
      }
    }
  }
  const covered = [`${workflow.name}: ${effects.length} of ${effects.length} effects`];
  return { runs, points: effects.length, covered, violations };
}

export const crash: Sweep = { title: "killed at every effect", run };
