/** What all sweeps have in common: workflows with the end that each must reach, and what a sweep answers. */
import { isDeepStrictEqual } from "node:util";
import { endState } from "../end-state.ts";
import type { Workflow } from "../workflows.ts";
import type { World } from "../world.ts";

export interface SweepResult {
  readonly runs: number;
  /** Effects, reads or events at which something was done. */
  readonly points: number;
  readonly covered: readonly string[];
  readonly violations: readonly string[];
}

export interface Sweep {
  readonly title: string;
  run(workflow: Workflow, nightly: boolean): Promise<SweepResult>;
}

/** What a disturbed run came to: null = the end of an undisturbed one. */
export async function disturbed(
  workflow: Workflow,
  end: object,
  disturb: (world: World) => Promise<void>,
): Promise<string | null> {
  try {
    const world = await workflow.due(SEED);
    await disturb(world);
    const reached = await endState(world);
    if (workflow.hurried === true)
      return phaseOf(reached) === phaseOf(end) ? null : `ends ${phaseOf(reached)}`;
    return isDeepStrictEqual(reached, end) ? null : `ends otherwise: ${difference(end, reached)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const SEED = 1;

function phaseOf(end: object): string {
  return "phase" in end ? String(end.phase) : "without a phase";
}

/** The first keys of the two ends that differ. */
function difference(one: object, other: object): string {
  const keys = Object.keys(one).filter(
    (key) => !isDeepStrictEqual(one[key as keyof object], other[key as keyof object]),
  );
  return keys.map((key) => `${key} ${JSON.stringify(other[key as keyof object]).slice(0, 120)}`).join("; ");
}

export function sum(parts: readonly SweepResult[]): SweepResult {
  return {
    runs: parts.reduce((count, part) => count + part.runs, 0),
    points: parts.reduce((count, part) => count + part.points, 0),
    covered: parts.flatMap(({ covered }) => covered),
    violations: parts.flatMap(({ violations }) => violations),
  };
}
