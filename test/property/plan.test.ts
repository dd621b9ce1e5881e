/** Whatever a cluster is in the middle of, a plan can be made of it: it fits its schema, ends, and holds no secret. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { Observed } from "../../shared/model/observed.ts";
import { planSchema } from "../../shared/model/plan.ts";
import type { Engine } from "../../shared/ports/engine.ts";
import { type Asked, previewOf } from "../../shared/reconcile/preview.ts";
import { anyOperation } from "../support/any-operation.ts";
import { anySituation, oddSituation } from "../support/any-situation.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { NOW_MS, RULES } from "../support/situation.ts";

/** These snapshots have none of the settings by which the engine knows what is missing. */
const ENGINE: Engine = { ...mysql, rules: { ...RULES, preparations: () => [] } };

const anyAsked: fc.Arbitrary<Asked> = fc.oneof(
  fc.constantFrom({ kind: "plan" } as const, { kind: "resume" } as const),
  fc.integer({ min: 1, max: 7 }).map((replicas): Asked => ({ kind: "scale", wish: { replicas } })),
  fc.nat({ max: 6 }).map((ordinal): Asked => ({ kind: "switchover", wish: { to: `mysql-${ordinal}` } })),
  fc.constantFrom<Asked>({ kind: "backup", wish: {} }, { kind: "prove", slot: null }),
);

test.each<[string, fc.Arbitrary<Observed>]>([
  ["any situation", anySituation],
  ["an odd record", oddSituation],
  ["any operation", anyOperation],
])("of %s", async (_, situations) => {
  await fc.assert(
    fc.asyncProperty(situations, anyAsked, async (observed, asked) => {
      const preview = await previewOf(ENGINE, observed, asked, { nowMs: NOW_MS, component: "test" });
      expect(planSchema.safeParse(preview.plan).error).toBeUndefined();
      expect(JSON.stringify(preview)).not.toContain("ThisStands");
      if (preview.refused !== null) expect(preview.plan.stages).toEqual([]);
    }),
    { numRuns: propertyRuns(600, 10_000) },
  );
});
