/** How a member that was the primary, or was written to by hand, finds back into its place, and what is left to people. */
import { describe, expect, test } from "vitest";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  config,
  newUuidOf,
  placed,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { codes, deciding, reasons, replica, serverSteps, settledAckers, term, without } from "./support.ts";

const before = settled(placed(3));
const TAIL = `${uuidOf(2)}:1-3`;

/** With three transactions of its own. */
function own(channel: Parameters<typeof replica>[2] = { receiver: "off" }): Change {
  const position = `${written(100)},\n${TAIL}`;
  return replica(2, { executed: position, received: position }, channel);
}

function archived(...gtids: readonly string[]): Change {
  const tails = gtids.map((one) => ({ epoch: 1, serverUuid: uuidOf(2), gtids: one }));
  return server(0, primaryFacts(3, { archived: tails }));
}

describe("a member with transactions of its own", () => {
  test("stops receiving first", () => {
    for (const receiver of ["on", "connecting"] as const) {
      expect(serverSteps(deciding(before, without, own({ receiver })))).toEqual([
        { kind: "StopReceiving", ordinal: 2 },
      ]);
    }
  });

  test("has them copied to where every member has them, and it is told", () => {
    const decision = deciding(before, without, own());
    expect(serverSteps(decision)).toEqual([
      { kind: "ArchiveTail", ordinal: 2, primary: 0, beyond: written(100) },
    ]);
    expect(stepsOfKind(decision, "Event").find(({ reason }) => reason === "TailArchived")).toMatchObject({
      type: "Warning",
      message: `What only mysql-2 has (${TAIL}) is kept in ordinal.tail on mysql-0.`,
      key: expect.stringContaining(`TailArchived|${uuidOf(2)}|What only mysql-2 has`),
    });
    expect(decision.problems.find(({ code }) => code === "ErrantTransactions")?.message).toContain(
      "they are being archived",
    );
  });

  test("has the rest copied when only a part is kept, or what is kept is another server's", () => {
    const others = server(
      0,
      primaryFacts(3, { archived: [{ epoch: 1, serverUuid: uuidOf(1), gtids: TAIL }] }),
    );
    for (const kept of [archived(`${uuidOf(2)}:1-2`), others]) {
      const decision = deciding(before, without, own(), kept);
      expect(serverSteps(decision).map(({ kind }) => kind)).toEqual(["ArchiveTail"]);
    }
  });

  test("is made anew once they are kept, in one piece or in several, read back first", () => {
    for (const kept of [archived(TAIL), archived(`${uuidOf(2)}:1`, `${uuidOf(2)}:2-3`)]) {
      const decision = deciding(before, without, own(), kept);
      expect(serverSteps(decision)).toMatchObject([
        { kind: "Prepare", ordinal: 2, preparation: { parameters: { role: "unseeded" } } },
        { kind: "ArchiveTail", ordinal: 2, primary: 0 },
        { kind: "Seed", ordinal: 2, donor: 1, covered: `${written(100)},\n${TAIL}` },
      ]);
      expect(
        stepsOfKind(decision, "Event").find(({ reason }) => reason === "MemberRebuilding")?.message,
      ).toBe(`mysql-2 is made anew from mysql-1; what only it had (${TAIL}) is archived.`);
      expect(decision.problems.find(({ code }) => code === "ErrantTransactions")?.message).toContain(
        "they are archived and it is made anew",
      );
    }
  });

  test("is made from a member that has all that it wrote as the primary before", () => {
    const [past, tail] = [`${uuidOf(2)}:1-5`, `${uuidOf(2)}:6`];
    const [all, own] = [`${written(100)},\n${past}`, `${written(100)},\n${uuidOf(2)}:1-6`];
    const kept = [{ epoch: 1, serverUuid: uuidOf(2), gtids: tail }];
    const primary = server(0, primaryFacts(3, { executed: all, archived: kept }));
    const deposed = replica(2, { executed: own, received: own }, { receiver: "off" });
    const donorOf = (executed: string): unknown => {
      const decision = deciding(before, without, primary, deposed, replica(1, { executed, received: all }));
      return stepsOfKind(decision, "Seed")[0]?.donor;
    };
    expect(donorOf(`${written(90)},\n${past}`)).toBe(1);
    expect(donorOf(`${written(100)},\n${uuidOf(2)}:1-4`)).toBe(0);
  });

  test("waits until the primary was read with all that it received of the primary's own", () => {
    const tail = `${uuidOf(1)}:1-3`;
    const nobody = state(steadyState(3, { established: config(3, { ackers: [], ackCount: 0 }) }));
    const kept = server(0, primaryFacts(1, { archived: [{ epoch: 1, serverUuid: uuidOf(1), gtids: tail }] }));
    const seeds = (last: number) => {
      const position = `${written(last)},\n${tail}`;
      const errant = replica(1, { executed: position, received: position }, { receiver: "off" });
      return stepsOfKind(deciding(before, nobody, kept, errant, silent(2)), "Seed").length;
    };
    expect([seeds(100), seeds(101)]).toEqual([1, 0]);
  });

  test("waits while the only member to copy from is being copied from", () => {
    const nobody = state(steadyState(3, { established: config(3, { ackers: [], ackCount: 0 }) }));
    const tails = [1, 2].map((ordinal) => ({
      ...{ epoch: 1, serverUuid: uuidOf(ordinal) },
      gtids: `${uuidOf(ordinal)}:1-3`,
    }));
    const both = [1, 2].map((ordinal) => {
      const position = `${written(100)},\n${uuidOf(ordinal)}:1-3`;
      return replica(ordinal, { executed: position, received: position }, { receiver: "off" });
    });
    const kept = server(0, primaryFacts(1, { archived: tails }));
    const decision = deciding(before, nobody, kept, ...both);
    expect(stepsOfKind(decision, "Seed")).toMatchObject([{ ordinal: 1, donor: 0 }]);
    expect(serverSteps(decision).filter((step) => "ordinal" in step && step.ordinal === 2)).toEqual([]);
  });

  test("also one that has no source at all", () => {
    const position = `${written(100)},\n${TAIL}`;
    const alone = server(2, replicaFacts(2, { executed: position, received: position, channel: null }));
    expect(stepsOfKind(deciding(before, without, alone), "ArchiveTail")).toHaveLength(1);
  });

  test("which may have been acknowledged, is left for a person, and its tail is kept all the same", () => {
    const unproven = state(steadyState(3, { established: settledAckers, unproven: [uuidOf(2)] }));
    const first = deciding(before, unproven, own());
    expect(serverSteps(first).map(({ kind }) => kind)).toEqual(["ArchiveTail"]);
    const kept = deciding(before, unproven, own(), archived(TAIL));
    expect(serverSteps(kept)).toEqual([]);
    const problem = kept.problems.find(({ code }) => code === "DurabilityUnproven");
    expect(problem).toMatchObject({ ordinal: 2, blocks: false });
    expect(problem?.message).toContain("look at ordinal.tail, then delete its volume claim and pod");
    const another = state(steadyState(3, { established: settledAckers, unproven: [newUuidOf(2)] }));
    expect(stepsOfKind(deciding(before, another, own(), archived(TAIL)), "Seed")).toHaveLength(1);
  });

  test("is not touched while it is counted on, or while the primary is being changed", () => {
    const counted = deciding(
      before,
      state(steadyState(3, { established: config(3, { ackCount: 2 }) })),
      own(),
    );
    expect(codes(counted)).toContain("ErrantTransactions");
    expect(serverSteps(counted).filter((step) => "ordinal" in step && step.ordinal === 2)).toEqual([]);
    const pending = { ...settledAckers, open: true };
    const reopening = state(
      steadyState(3, { established: settledAckers, phase: "Establishing", epoch: 2, pending }),
    );
    const changing = deciding(before, reopening, own(), archived(TAIL));
    expect(serverSteps(changing).filter((step) => "ordinal" in step && step.ordinal === 2)).toEqual([]);
    expect(stepsOfKind(deciding(before, reopening, own()), "ArchiveTail")).toEqual([]);
  });
});

describe("a primary of before that", () => {
  /** It was the primary of an earlier epoch. */
  const deposed = (more: Parameters<typeof replicaFacts>[1]): Change =>
    server(2, replicaFacts(2, { channel: null, terms: [term(1, 2)], ...more }));
  const waiters = { ...replicaFacts(2).acks, waiters: 3 };

  test("takes writes is put out of service", () => {
    const decision = deciding(before, without, deposed({ readOnly: false }));
    expect(serverSteps(decision)).toEqual([{ kind: "Fence", ordinal: 2 }]);
    expect(decision.problems.find(({ code }) => code === "ReplicaBroken")?.message).toBe(
      "mysql-2 was the primary before and still takes writes; it is put out of service.",
    );
  });

  test("has commits that nobody acknowledges is put out of service, and ends when it is out already", () => {
    const waiting = deciding(before, without, deposed({ acks: waiters }));
    expect(serverSteps(waiting)).toEqual([{ kind: "Fence", ordinal: 2 }]);
    expect(waiting.problems.find(({ code }) => code === "ReplicaBroken")?.message).toContain(
      "still has 3 commits that nobody acknowledges",
    );
    const out = deciding(before, without, deposed({ acks: waiters, offline: true }));
    expect(serverSteps(out)).toEqual([{ kind: "Restart", ordinal: 2 }]);
    const writable = deciding(before, without, deposed({ readOnly: false, offline: true }));
    expect(serverSteps(writable)).toEqual([{ kind: "Fence", ordinal: 2 }]);
  });

  test("is closed, with nobody waiting, is made to follow", () => {
    const decision = deciding(before, without, deposed({}));
    expect(stepsOfKind(decision, "Follow")).toMatchObject([{ ordinal: 2, source: 0, how: "full" }]);
    expect(reasons(decision)).not.toContain("TailArchived");
  });
});
