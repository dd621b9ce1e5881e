/** What `decide` answers: plain data, with the reasons. */
import type { Condition, Phase, Problem } from "./condition.ts";
import type { Step, Track } from "./step.ts";

export interface Decision {
  readonly problems: readonly Problem[];
  readonly conditions: readonly Condition[];
  readonly phase: Phase;
  /** Run in order before the tracks; a failure ends the plan. Empty tracks and no prelude = nothing to do. */
  readonly prelude: Track;
  readonly tracks: readonly Track[];
  /** Run in order once every track has reached its end. */
  readonly finale: Track;
  /** For people: the rule that led here, with the inputs it saw. */
  readonly why: string;
  /** Look again after this long while the pass has budget; null = nothing is awaited. Milliseconds. */
  readonly lookAgainMs: number | null;
}

/** All of a plan, in an order in which it may run. */
export function stepsOf({
  prelude,
  tracks,
  finale,
}: Pick<Decision, "prelude" | "tracks" | "finale">): readonly Step[] {
  return [...prelude, ...tracks.flat(), ...finale];
}
