/** What no decision may ever do, whatever was seen (the numbers are those of docs/invariants.md). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../shared/decide/index.ts";
import { inputProblems } from "../../shared/decide/problems/input.ts";
import { viewMembers } from "../../shared/decide/situation.ts";
import type { Decision } from "../../shared/model/decision.ts";
import type { Observed } from "../../shared/model/observed.ts";
import type { Config, State } from "../../shared/model/state.ts";
import type { ServerStep, Step } from "../../shared/model/step.ts";
import { anySituation } from "../support/any-situation.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../support/carry-out.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { NOW_MS, placed, RULES } from "../support/situation.ts";

const RUNS = propertyRuns(1_500, 200_000);

const ON_SERVERS: ReadonlySet<string> = new Set<ServerStep["kind"]>([
  "Prepare",
  "Seed",
  "Follow",
  "Acknowledge",
  "LockAccount",
  "Arm",
  "AwaitHolders",
  "Open",
  "HandOver",
]);

function deciding(of: Observed): Decision {
  return decide(of, RULES, NOW_MS);
}

function serverSteps(decision: Decision): readonly Step[] {
  return stepsOf(decision).filter((step) => ON_SERVERS.has(step.kind));
}

function recorded(of: Observed): State | null {
  return of.state.kind === "valid" ? of.state.state : null;
}

/** Runs a check over random snapshots; a failure prints seed and path, which replay it. */
function always(check: (of: Observed, decision: Decision) => void): void {
  fc.assert(
    fc.property(anySituation, (of) => check(of, deciding(of))),
    { numRuns: RUNS },
  );
}

/** What this decision writes beside an equal part of what was there: null = no state is written. */
function change(of: Observed, decision: Decision): { before: State | null; after: State } | null {
  const [record] = stepsOfKind(decision, "Record");
  return record?.state == null ? null : { before: recorded(of), after: record.state };
}

test("it never throws, answers the same twice, and leaves its input alone", () => {
  always((of, decision) => {
    const before = JSON.stringify(of);
    expect(deciding(of)).toEqual(decision);
    expect(JSON.stringify(of)).toBe(before);
    expect(JSON.parse(JSON.stringify(decision))).toEqual(decision);
  });
});

test("INV-10: no server is touched without a valid record of this cluster", () => {
  always((of, decision) => {
    if (of.state.kind !== "valid" || of.state.state.clusterUid !== of.set.uid) {
      expect(serverSteps(decision)).toEqual([]);
    }
  });
});

test("INV-8: unusable input touches no server until something is established", () => {
  always((of, decision) => {
    const established = recorded(of)?.established ?? null;
    if (!of.wish.managed || established !== null) return;
    if (inputProblems(of).some((problem) => problem.blocks)) expect(serverSteps(decision)).toEqual([]);
  });
});

test("paused, nothing is changed but the report", () => {
  always((of, decision) => {
    if (of.wish.spec?.paused !== true) return;
    expect(stepsOf(decision).every((step) => step.kind === "Event" || step.kind === "Record")).toBe(true);
    expect(change(of, decision)).toBeNull();
  });
});

test("INV-9: only a blank member is seeded, and never the recorded primary", () => {
  always((of, decision) => {
    const state = recorded(of);
    const config = state?.pending ?? state?.established;
    for (const { ordinal, donor } of stepsOfKind(decision, "Seed")) {
      if (config === null || config === undefined) throw new Error("seeded without a configuration");
      expect(ordinal).not.toBe(config.primary.ordinal);
      expect(ordinal).not.toBe(donor);
      const view = viewMembers(RULES, of.members, config).find((member) => member.ordinal === ordinal);
      expect(view?.standing.kind).toBe("blank");
    }
    const donors = stepsOfKind(decision, "Seed").map((step) => step.donor);
    expect(new Set(donors).size).toBe(donors.length);
  });
});

test("INV-2: at most one member is opened, the recorded one, after it was recorded as open", () => {
  always((of, decision) => {
    const opens = stepsOfKind(decision, "Open");
    expect(opens.length).toBeLessThanOrEqual(1);
    const pending = recorded(of)?.pending;
    for (const open of opens) {
      expect(pending?.open).toBe(true);
      expect(open).toMatchObject({ ordinal: pending?.primary.ordinal, epoch: recorded(of)?.epoch });
      const server = of.members[open.ordinal]?.server;
      expect(server?.kind === "read" && server.facts.serverUuid).toBe(pending?.primary.serverUuid);
    }
  });
});

test("INV-4: the epoch never falls, every write counts one, and there is at most one", () => {
  always((of, decision) => {
    expect(stepsOfKind(decision, "Record").length).toBeLessThanOrEqual(1);
    const written = change(of, decision);
    if (written === null) return;
    expect(written.after.seq).toBe((written.before?.seq ?? 0) + 1);
    expect(written.after.epoch).toBeGreaterThanOrEqual(written.before?.epoch ?? 0);
    const seen = of.members.flatMap(({ server }) => (server.kind === "read" ? server.facts.terms : []));
    const begins = written.before === null || written.before.phase === "Released";
    if (begins) for (const term of seen) expect(written.after.epoch).toBeGreaterThan(term.epoch);
  });
});

describe("INV-3", () => {
  test("a configuration is established only as it was pending, open, and witnessed by its term row", () => {
    always((of, decision) => {
      const written = change(of, decision);
      if (written === null || written.before?.pending == null || written.after.pending !== null) return;
      if (written.after.phase === "Released") return;
      const { open, ...config } = written.before.pending;
      expect(open).toBe(true);
      expect(written.after.established).toEqual(config);
      const server = of.members[config.primary.ordinal]?.server;
      const terms = server?.kind === "read" ? server.facts.terms : [];
      expect(terms).toContainEqual({
        epoch: written.before.epoch,
        clusterUid: of.set.uid,
        serverUuid: config.primary.serverUuid,
      });
    });
  });

  test("an established one changes by one member or by its count, with what must be true first", () => {
    always((of, decision) => {
      const written = change(of, decision);
      const before = written?.before?.established;
      const after = written?.after.established;
      if (before == null || after == null || written?.before?.pending != null) return;
      expect(after.primary).toEqual(before.primary);
      const changed = [added(before, after), added(after, before), after.ackCount - before.ackCount];
      expect(changed.filter((n) => n !== 0).length).toBeLessThanOrEqual(1);
      expect(after.ackCount).toBeGreaterThanOrEqual(before.ackCount);
      const first = decision.prelude.map((step) => step.kind).filter((kind) => kind !== "Event");
      if (added(before, after) > 0) expect(first).toEqual(["Record"]);
      if (added(after, before) > 0) {
        expect(first.slice(-2)).toEqual(["AwaitHolders", "Record"]);
        holdersAreEnough(decision, after);
      }
      if (after.ackCount > before.ackCount) {
        expect(first).toEqual(["Arm", "AwaitHolders", "Record"]);
        holdersAreEnough(decision, after);
      }
    });
  });

  test("only recorded members are told to acknowledge, and none in the decision that records it", () => {
    always((of, decision) => {
      const state = recorded(of);
      const config = state?.pending ?? state?.established;
      for (const { ordinal, on } of stepsOfKind(decision, "Acknowledge")) {
        const server = of.members[ordinal]?.server;
        const uuid = server?.kind === "read" ? server.facts.serverUuid : "";
        const known = config?.ackers.some((acker) => acker.ordinal === ordinal && acker.serverUuid === uuid);
        expect(known).toBe(on);
        expect(change(of, decision)).toBeNull();
      }
    });
  });

  test("the primary is never told to wait for fewer than is recorded", () => {
    always((of, decision) => {
      const state = recorded(of);
      const config = state?.pending ?? state?.established;
      for (const { ackCount } of stepsOfKind(decision, "Arm")) {
        expect(ackCount).toBeGreaterThanOrEqual(config?.ackCount ?? 0);
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

test("INV-7: nobody is routed to before something is established", () => {
  always((of, decision) => {
    if (recorded(of)?.established != null) return;
    expect(stepsOfKind(decision, "EnsureService")).toEqual([]);
    expect(stepsOfKind(decision, "LabelPod").flatMap((step) => Object.values(step.labels))).toEqual(
      stepsOfKind(decision, "LabelPod").flatMap((step) => Object.values(step.labels).map(() => null)),
    );
  });
});

test("what was told is not told again", () => {
  always((of, decision) => {
    if (change(of, decision) !== null || decision.conditions.length === 0) return;
    const told = carryOut(of, { ...decision, tracks: [] });
    const again = deciding(told);
    expect(again.prelude).toEqual([]);
    expect(again.conditions.map((condition) => condition.type)).toEqual(
      told.conditions.map((condition) => condition.type),
    );
  });
});

test("a settled cluster gets an empty decision, whatever its size", () => {
  for (let replicas = 1; replicas <= 9; replicas += 1) {
    expect(stepsOf(deciding(settled(placed(replicas))))).toEqual([]);
  }
});
