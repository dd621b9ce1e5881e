/**
 * The function is killed before, during and after every effect of every workflow; another instance goes on.
 * The end must be the one of an undisturbed run, and nothing may have been done twice that people or objects
 * would show: one Secret, one Service of each name, each Event once.
 */
import { afterAll, describe, expect, test } from "vitest";
import { endState } from "./end-state.ts";
import type { Cut } from "./instance.ts";
import type { Workflow } from "./workflows.ts";

const CUTS: readonly Cut[] = ["before", "during", "after"];
const SEED = 1;
/** Statements that commit, copy or talk to another server; everything else is done when it is answered. */
const TAKES_TIME = /^(?:ALTER|CREATE|GRANT|INSERT INTO|CLONE|START|STOP|CHANGE) /;

const covered: string[] = [];

interface Undisturbed {
  readonly end: object;
  readonly effects: readonly string[];
}

async function undisturbed(workflow: Workflow): Promise<Undisturbed> {
  const world = await workflow.due(SEED);
  const instances = await world.settle();
  return { end: await endState(world), effects: instances.flatMap((instance) => instance.effects) };
}

/** Kills the one that comes to this effect, counted over all passes. */
async function cutAt(workflow: Workflow, effect: number, cut: Cut): Promise<object> {
  const world = await workflow.due(SEED);
  let seen = 0;
  await world.settle(() => ({
    cut() {
      seen += 1;
      return seen === effect ? cut : null;
    },
  }));
  return endState(world);
}

export function crashCases(workflows: readonly Workflow[]): void {
  describe.each(workflows)("$name", sweepWorkflow);
  afterAll(() => console.log(covered.join("\n")));
}

function sweepWorkflow(workflow: Workflow): void {
  test.each(CUTS)("killed %s each effect", async (cut) => {
    const { end, effects } = await undisturbed(workflow);
    expect(effects.length).toBeGreaterThanOrEqual(workflow.effectsMin);
    let points = 0;
    for (const [at, text] of effects.entries()) {
      if (cut === "during" && !TAKES_TIME.test(text)) continue;
      points += 1;
      const where = `killed ${cut} effect ${at + 1} (${text}), seed ${SEED}`;
      const reached = await cutAt(workflow, at + 1, cut).catch((error: unknown) => {
        throw new Error(`${where}: ${String(error)}`, { cause: error });
      });
      expect(reached, where).toEqual(end);
    }
    covered.push(`${workflow.name}: killed ${cut} ${points} of ${effects.length} effects, seed ${SEED}`);
  });
}
