/** Who is counted on, and how many acknowledgements a commit waits for (INV-3 of docs/invariants.md). */
import { describe, expect, test } from "vitest";
import type { Decision } from "../../shared/model/decision.ts";
import type { Config } from "../../shared/model/state.ts";
import { stepsOfKind } from "../support/carry-out.ts";
import { always, change, underRecord } from "./decisions.ts";

describe("INV-3", () => {
  test("a configuration is established only as it was pending, open, and witnessed by its term row", () => {
    always((of, decision) => {
      const written = change(of, decision);
      if (written === null || written.before?.pending == null || written.after.pending !== null) return;
      if (written.after.phase === "Released" || written.after.op !== null) return;
      const { open, ...config } = written.before.pending;
      expect(open).toBe(true);
      expect(written.after.established).toEqual(config);
      const server = of.members[config.primary.ordinal]?.server;
      const terms = server?.kind === "read" ? server.facts.terms : [];
      const row = {
        epoch: written.before.epoch,
        clusterUid: of.set.uid,
        serverUuid: config.primary.serverUuid,
      };
      // How often it was opened is for the decision to judge.
      expect(terms).toContainEqual({ ...row, opened: expect.any(Number) });
    });
  });

  test("an established one changes by one member or by its count, with what must be true first", () => {
    always((of, decision) => {
      const written = change(of, decision);
      const before = written?.before?.established;
      const after = written?.after.established;
      if (before == null || after == null || written?.before?.pending != null) return;
      if (written?.after.op?.kind === "reconstruct") return;
      expect(after.primary).toEqual(before.primary);
      const changed = [added(before, after), added(after, before), after.ackCount - before.ackCount];
      expect(changed.filter((n) => n !== 0).length).toBeLessThanOrEqual(1);
      // What is recorded is never more than is so.
      expect(after.ackCount).toBeLessThanOrEqual(before.ackCount);
      const first = decision.prelude.map((step) => step.kind).filter((kind) => kind !== "Event");
      if (added(before, after) > 0) expect(first).toEqual(["Record"]);
      if (added(after, before) > 0) {
        expect(first.slice(-2)).toEqual(["AwaitHolders", "Record"]);
        holdersAreEnough(decision, after);
      }
      if (after.ackCount < before.ackCount) expect(first).toEqual(["Record"]);
      const last = stepsOfKind(decision, "Record").at(-1)?.state?.established;
      if (last != null && last.ackCount > before.ackCount) {
        const kinds = [...decision.tracks.flat(), ...decision.finale]
          .map((step) => step.kind)
          .filter((kind) => kind !== "Event");
        expect(kinds).toEqual(["Arm", "AwaitHolders", "Record"]);
        holdersAreEnough(decision, last);
      }
    });
  });

  test("only recorded members are told to acknowledge, and all others not to", () => {
    always((of, decision) => {
      for (const { step, state } of underRecord(of, decision, "Acknowledge")) {
        const { ordinal, on } = step;
        const config = state?.pending ?? state?.established;
        const server = of.members[ordinal]?.server;
        const uuid = server?.kind === "read" ? server.facts.serverUuid : "";
        const known = config?.ackers.some((acker) => acker.ordinal === ordinal && acker.serverUuid === uuid);
        expect(known).toBe(on);
      }
    });
  });

  test("the primary is never told to wait for fewer than is recorded", () => {
    always((of, decision) => {
      for (const { step, state } of underRecord(of, decision, "Arm")) {
        const config = state?.pending ?? state?.established;
        expect(step.ackCount).toBeGreaterThanOrEqual(config?.ackCount ?? 0);
      }
    });
  });
});

/** How many ackers `to` has beyond `from`. */
function added(from: Config, to: Config): number {
  const known = new Set(from.ackers.map((acker) => acker.serverUuid));
  return to.ackers.filter((acker) => !known.has(acker.serverUuid)).length;
}

function holdersAreEnough(decision: Decision, after: Config): void {
  const [wait] = stepsOfKind(decision, "AwaitHolders");
  expect(wait?.need).toBeGreaterThanOrEqual(after.ackCount);
  expect(wait?.holders.length).toBeGreaterThanOrEqual(after.ackCount);
  const ordinals = after.ackers.map((acker) => acker.ordinal);
  for (const holder of wait?.holders ?? []) expect(ordinals).toContain(holder);
}

/** What is routed, and to whom; of the steps that follow `Open` in their track only with `opened`. */
