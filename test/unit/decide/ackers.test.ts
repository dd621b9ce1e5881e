/** Who is counted on: taken in, let go, and waited for in a greater number, each at its limit (INV-3). */
import { describe, expect, test } from "vitest";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  channelTo,
  config,
  facts,
  known,
  NOW_MS,
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
import { deciding, lastRecorded, reasons, recordedBy, replica, serverSteps } from "./support.ts";

const before = settled(placed(3));
const ackers = (...ordinals: readonly number[]) =>
  state(
    steadyState(3, {
      established: config(3, {
        ackers: ordinals.map((ordinal) => ({ ordinal, serverUuid: uuidOf(ordinal) })),
      }),
    }),
  );

function lagging(ordinal: number, ms: number): Change {
  return replica(ordinal, { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - ms });
}

function counted(...changes: readonly Change[]) {
  return recordedBy(deciding(before, ...changes))?.established?.ackers.map(({ ordinal }) => ordinal) ?? null;
}

describe("a follower is counted on", () => {
  test("up to the limit of its lag, one in each decision", () => {
    expect(counted(ackers(1), lagging(2, 10_000))).toEqual([1, 2]);
    expect(counted(ackers(1), lagging(2, 10_001))).toBeNull();
    expect(counted(ackers())).toEqual([1]);
  });

  test("by name, before it acknowledges", () => {
    const decision = deciding(before, ackers(1));
    expect(decision.why).toBe("mysql-2 follows mysql-0 and acknowledges its commits from now on.");
    expect(serverSteps(decision)).toEqual([]);
    expect(decision.lookAgainMs).toBe(0);
  });

  test("also by a primary that waits for nobody yet", () => {
    const first = steadyState(2, { established: config(2, { ackers: [], ackCount: 0 }) });
    const decision = deciding(settled(placed(2)), state(first));
    expect(recordedBy(decision)?.established?.ackers).toHaveLength(1);
  });
});

describe("an acker is let go", () => {
  test("when it has not answered for a minute, while the others hold everything", () => {
    const gone = (ms: number) => [silent(2), known("MemberUnreachable", ms)];
    expect(counted(...gone(59_999))).toBeNull();
    expect(counted(...gone(60_000))).toEqual([1]);
    const decision = deciding(before, ...gone(60_000));
    expect(decision.why).toBe(
      "mysql-2 has not answered for 60 s, so it is no longer counted on; 1 of 1 other replicas hold everything.",
    );
    expect(reasons(decision)).toContain("MemberLeft");
    expect(serverSteps(decision)).toEqual([
      { kind: "LockAccount", ordinal: 2, primary: 0, locked: true },
      { kind: "AwaitHolders", primary: 0, holders: [1], need: 1, timeoutMs: 10_000 },
    ]);
  });

  test.each<[string, Change]>([
    ["The volume of mysql-2 was replaced", server(2, facts(2, { serverUuid: newUuidOf(2) }))],
    [
      "mysql-2 has transactions of its own",
      replica(2, { executed: `${written(100)},${uuidOf(2)}:1`, received: `${written(100)},${uuidOf(2)}:1` }),
    ],
  ])("at once: %s", (why, change) => {
    expect(deciding(before, change).why).toContain(`${why}, so it is no longer counted on`);
    expect(counted(change)).toEqual([1]);
  });

  test("without locking out a successor that uses the same account, and only after the others hold everything", () => {
    const successor = server(2, replicaFacts(2, { serverUuid: newUuidOf(2), channel: null }));
    expect(serverSteps(deciding(before, successor))).toEqual([
      { kind: "AwaitHolders", primary: 0, holders: [1], need: 1, timeoutMs: 10_000 },
    ]);
  });

  test("not while the only other one is behind, does not follow, or was replaced too, by one that is taken in", () => {
    const replaced = server(2, facts(2, { serverUuid: newUuidOf(2) }));
    expect(counted(replaced, lagging(1, 10_000))).toEqual([1]);
    expect(counted(replaced, lagging(1, 10_001))).toBeNull();
    expect(counted(replaced, server(1, replicaFacts(1, { channel: null })))).toBeNull();
    const other = replicaFacts(1, { serverUuid: newUuidOf(1), channel: channelTo(0) });
    expect(counted(replaced, server(1, other))).toEqual([1, 2, 1]);
  });
});

describe("more acknowledgements are waited for", () => {
  const five = settled(placed(5));
  const few = state(steadyState(5, { established: config(5, { ackCount: 1 }) }));
  const raising = (...changes: readonly Change[]) => deciding(five, few, ...changes);
  const acks = (clients: number) => ({ ...primaryFacts(5).acks, count: 1, clients });

  test("once enough give them and are connected", () => {
    const decision = raising();
    expect(decision.why).toBe("A commit now waits for 2 acknowledgements (before: 1).");
    expect(reasons(decision)).toContain("AckCountChanged");
    expect(serverSteps(decision)).toEqual([
      { kind: "Arm", ordinal: 0, ackCount: 2 },
      { kind: "AwaitHolders", primary: 0, holders: [1, 2, 3, 4], need: 2, timeoutMs: 10_000 },
    ]);
    expect(stepsOfKind(raising(server(0, primaryFacts(5, { acks: acks(2) }))), "Arm")).toHaveLength(1);
    expect(recordedBy(raising(server(0, primaryFacts(5, { acks: acks(1) }))))).toBeNull();
  });

  test("of exactly as many as there are, not of fewer", () => {
    const quiet = (ordinal: number) =>
      replica(ordinal, { acks: { ...replicaFacts(ordinal).acks, active: false } });
    const one = server(0, primaryFacts(5, { acks: acks(4) }));
    expect(recordedBy(raising(one, quiet(1), quiet(2)))?.established?.ackCount).toBe(1);
    expect(lastRecorded(raising(one, quiet(1), quiet(2)))?.established?.ackCount).toBe(2);
    expect(recordedBy(raising(one, quiet(1), quiet(2), quiet(3)))).toBeNull();
  });

  test("no longer when those are gone for whom it was begun: recorded before the count is taken back", () => {
    const gone = [1, 2, 3].map((ordinal) => silent(ordinal));
    const decision = raising(...gone);
    expect(decision.why).toBe("A commit now waits for 1 acknowledgements (before: 2).");
    expect(recordedBy(decision)?.established).toEqual(config(5, { ackCount: 1 }));
    expect(decision.tracks).toEqual([[{ kind: "Arm", ordinal: 0, ackCount: 1 }]]);
  });
});

describe("fewer acknowledgements are waited for", () => {
  const many = state(steadyState(3, { established: config(3, { ackCount: 2 }) }));

  test("with fewer members: recorded before it is so", () => {
    const decision = deciding(before, many, server(0, primaryFacts(5)));
    expect(recordedBy(decision)?.established).toEqual(config(3));
    expect(decision.tracks).toEqual([[{ kind: "Arm", ordinal: 0, ackCount: 1 }]]);
    expect(decision.why).toBe("A commit now waits for 1 acknowledgements (before: 2).");
  });

  test("told with the number that really was waited for", () => {
    const seven = server(0, primaryFacts(7));
    expect(deciding(before, many, seven).why).toBe("A commit now waits for 1 acknowledgements (before: 3).");
  });
});

test("a primary that waits for too few, too many, or nobody, is armed as recorded", () => {
  const armed = (more: object) =>
    stepsOfKind(
      deciding(before, server(0, primaryFacts(3, { acks: { ...primaryFacts(3).acks, ...more } }))),
      "Arm",
    );
  expect(armed({ count: 0 })).toEqual([{ kind: "Arm", ordinal: 0, ackCount: 1 }]);
  expect(armed({ required: false })).toEqual([{ kind: "Arm", ordinal: 0, ackCount: 1 }]);
  expect(armed({ count: 2 })).toEqual([{ kind: "Arm", ordinal: 0, ackCount: 1 }]);
  expect(armed({})).toEqual([]);
  const single = server(0, primaryFacts(1, { acks: { ...primaryFacts(1).acks, required: false } }));
  expect(stepsOfKind(deciding(settled(placed(1)), single), "Arm")).toEqual([]);
});
