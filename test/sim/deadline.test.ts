/** Hosts take their time away from passes: what a pass has not begun by then the next one does, to the same end. */
import { expect, test } from "vitest";
import { reconcile } from "../../shared/reconcile/index.ts";
import { eventReasons, recordedState } from "./end-state.ts";
import { REF } from "./ref.ts";
import { createWorld } from "./world.ts";

const PASSES_MAX = 100;
/** Enough for what a plan may begin with and repeat, such as an Event or a question. */
const EFFECTS = 12;

test("passes that are over before their plans are adopt a cluster between them", async () => {
  const world = createWorld({ members: [{}, {}, {}] });
  let [passes, cutShort] = [0, 0];
  for (let outcome = ""; outcome !== "settled"; passes += 1) {
    expect(passes).toBeLessThan(PASSES_MAX);
    const { instance, context } = world.start({});
    let doneBefore: number | null = null;
    const endsAtMs = (): number => {
      if (instance.effects.length < EFFECTS) return Number.POSITIVE_INFINITY;
      doneBefore ??= instance.effects.length;
      return 0;
    };
    const request = { ref: REF, cause: "test", entry: null, memory: null, endsAtMs };
    const result = await world.clock.run(reconcile(context, request));
    outcome = result.outcome;
    if (doneBefore === null) continue;
    cutShort += 1;
    expect(result).toMatchObject({ outcome: "waiting", lookAgainMs: expect.any(Number) });
    // Chains that run side by side were each in the middle of one step at most.
    expect(instance.effects.length - doneBefore).toBeLessThan(20);
    await world.clock.pass(1_000);
  }
  expect(cutShort).toBeGreaterThan(5);
  expect(recordedState(world)).toMatchObject({ phase: "Steady", epoch: 1, pending: null });
  const reasons = await eventReasons(world);
  for (const once of ["AdoptionStarted", "AdoptionCompleted"])
    expect(reasons.filter((reason) => reason === once)).toEqual([once]);
});
