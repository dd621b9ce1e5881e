/** Who becomes the primary once the old one can be acknowledged by nobody: a table of what the others hold. */
import { describe, expect, test } from "vitest";
import type { State } from "../../../shared/model/state.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  config,
  facts,
  initial,
  newUuidOf,
  placed,
  podless,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  state,
  uuidOf,
  written,
} from "../../support/situation.ts";
import {
  codes,
  configOf,
  cut,
  deciding,
  reasons,
  recordedBy,
  replica,
  revoking,
  serverSteps,
  term,
} from "./support.ts";

const before = settled(placed(3));
const claimed = state(revoking(3));
const stopped = { receiver: "off" } as const;

function holding(ordinal: number, received: string, executed = received): Change {
  return replica(ordinal, { received, executed }, stopped);
}

function pending(...changes: readonly Change[]): State["pending"] {
  return recordedBy(deciding(before, claimed, ...changes))?.pending ?? null;
}

describe("elected is", () => {
  const own = (ordinal: number, last: number) => `${uuidOf(0)}:1-${last},\n${uuidOf(ordinal)}:1-3`;
  const table: readonly (readonly [string, number, readonly Change[]])[] = [
    ["the lowest of equals", 1, [silent(0), cut(1, 2)]],
    ["who has received more", 2, [silent(0), holding(1, written(99)), holding(2, written(100))]],
    [
      "who has received more, executed or not",
      2,
      [silent(0), holding(1, written(99)), holding(2, written(100), written(50))],
    ],
    ["who has executed it, of equals", 2, [silent(0), holding(1, written(100), written(99)), cut(2)]],
    [
      "who has no source at all",
      1,
      [silent(0), replica(2, {}, stopped), server(1, replicaFacts(1, { channel: null }))],
    ],
    [
      "not who wrote by hand, though it holds more",
      2,
      [silent(0), holding(1, own(1, 100)), holding(2, written(100))],
    ],
    [
      "who holds what an earlier primary began",
      1,
      [
        silent(0),
        replica(1, { received: own(1, 100), executed: own(1, 100), terms: [term(1, 1)] }, stopped),
        cut(2),
      ],
    ],
    [
      "who can execute it, of equals",
      2,
      [
        silent(0),
        replica(1, { received: written(101) }, { ...stopped, applierError: "1032" }),
        holding(2, written(101)),
      ],
    ],
    [
      "also who has an applier's error behind it",
      1,
      [silent(0), replica(1, {}, { ...stopped, applierError: "1032" }), cut(2)],
    ],
    ["not who cannot be managed", 2, [silent(0), replica(1, { flavor: "MariaDB" }, stopped), cut(2)]],
    [
      "the old primary when it came back and holds everything",
      0,
      [server(0, primaryFacts(3, { readOnly: true }))],
    ],
    [
      "the old primary, whose own commit nobody else has",
      0,
      [server(0, primaryFacts(3, { readOnly: true, executed: written(101) })), silent(1)],
    ],
    [
      "not the old primary when it lost something",
      1,
      [server(0, primaryFacts(3, { readOnly: true, executed: written(99) })), cut(1, 2)],
    ],
    [
      "the old primary though somebody wrote by hand on a replica",
      0,
      [server(0, primaryFacts(3, { readOnly: true })), holding(1, own(1, 100)), cut(2)],
    ],
  ];
  test.each(table)("%s", (_, ordinal, changes) => {
    const decision = deciding(before, claimed, ...changes);
    expect(recordedBy(decision)).toMatchObject({
      epoch: 2,
      phase: "Establishing",
      established: config(3),
      pending: { primary: { ordinal, serverUuid: uuidOf(ordinal) }, ackCount: 1 },
      op: { kind: "failover", step: "Promote" },
    });
    expect(reasons(decision)).toContain("PrimaryElected");
    // What can be done without another look follows at once; a copy takes too long.
    expect(serverSteps(decision).filter(({ kind }) => kind === "Seed")).toEqual([]);
    expect(decision.lookAgainMs).toBe(0);
  });

  test("told with what everybody held", () => {
    const decision = deciding(before, claimed, silent(0), holding(1, written(99)), cut(2));
    const history = stepsOfKind(decision, "Record")[0]?.history.at(-1);
    expect(history?.considered).toEqual([`mysql-1: ${written(99)}`, `mysql-2: ${written(100)}`]);
    expect(history?.why).toBe(
      "mysql-2 becomes the primary in epoch 2: mysql-2 holds everything that 2 reached members hold; mysql-1 lack some of it.",
    );
  });

  test("looked at once more by what it holds itself, more than the old primary has too", () => {
    const byHand = `${written(100)},\n${uuidOf(2)}:1`;
    const closed = server(0, primaryFacts(3, { readOnly: true, executed: written(100) }));
    const shared = [1, 2].map((ordinal) => replica(ordinal, { received: byHand, executed: byHand }));
    const [confirm] = stepsOfKind(deciding(before, claimed, closed, ...shared), "Confirm");
    expect(confirm?.members.map(({ ordinal, atMost, atLeast }) => [ordinal, atMost, atLeast])).toEqual([
      [1, byHand, null],
      [0, written(100), null],
      // It holds all of the candidate's, and may go on receiving from the closed one.
      [2, null, byHand],
    ]);
  });

  test("told with nobody else when all hold the same", () => {
    expect(deciding(before, claimed, silent(0), cut(1, 2)).why).toBe(
      "mysql-1 becomes the primary in epoch 2: mysql-1 holds everything that 2 reached members hold.",
    );
  });

  test("the old primary of equals, also when another comes first by its number", () => {
    const second = state(revoking(3, "failover", { established: configOf(1, [0, 2]) }));
    const streams = [0, 2].map((ordinal) => replica(ordinal, {}, { sourceUuid: uuidOf(1) }));
    const back = server(1, replicaFacts(1, { channel: null }));
    expect(recordedBy(deciding(before, second, back, ...streams))?.pending?.primary.ordinal).toBe(1);
  });

  test("told also of one that held nothing", () => {
    const decision = deciding(before, claimed, silent(0), holding(1, ""), cut(2));
    const history = stepsOfKind(decision, "Record")[0]?.history.at(-1);
    expect(history?.considered).toEqual(["mysql-1: nothing", `mysql-2: ${written(100)}`]);
  });

  test("looked at once more in fenced sessions before it is recorded", () => {
    const decision = deciding(before, claimed, silent(0), holding(1, written(99)), cut(2));
    expect(decision.prelude.filter(({ kind }) => kind === "Confirm")).toEqual([
      {
        kind: "Confirm",
        members: [
          { ordinal: 1, closed: false, stopped: true, atMost: written(99), atLeast: null },
          { ordinal: 2, closed: true, stopped: true, atMost: written(100), atLeast: null },
        ],
        timeoutMs: 0,
      },
    ]);
    const old = deciding(before, claimed, server(0, primaryFacts(3, { readOnly: true })), cut(1));
    expect(stepsOfKind(old, "Confirm")[0]?.members).toEqual([
      { ordinal: 1, closed: false, stopped: true, atMost: written(100), atLeast: written(100) },
      { ordinal: 0, closed: true, stopped: true, atMost: written(100), atLeast: null },
    ]);
  });

  test("noted with the start of its process", () => {
    const decision = deciding(before, claimed, silent(0), cut(1, 2));
    expect(recordedBy(decision)?.primaryStartedAtMs).toBe(facts(1).startedAtMs);
  });
});

describe("nobody is elected", () => {
  const table: readonly (readonly [string, string, readonly Change[]])[] = [
    [
      "when each holds what the other lacks",
      "none of mysql-1, mysql-2 holds all that the others hold",
      [
        silent(0),
        replica(
          1,
          { received: `${written(100)},\n${uuidOf(1)}:1`, terms: [term(1, 1), term(1, 0)] },
          stopped,
        ),
        holding(2, written(101)),
      ],
    ],
    [
      "when the only one that holds everything cannot execute it",
      "mysql-1 alone holds everything and cannot execute it: 1032",
      [silent(0), replica(1, { received: written(101) }, { ...stopped, applierError: "1032" }), cut(2)],
    ],
    [
      "when the only one that holds everything cannot be managed",
      "mysql-2 alone holds everything and cannot execute it: it cannot be managed",
      [silent(0), cut(1), replica(2, { received: written(101), version: "8.0.41" }, stopped)],
    ],
    [
      "when it cannot be managed and never had a source",
      "mysql-2 alone holds everything and cannot execute it: it cannot be managed",
      [
        silent(0),
        cut(1),
        server(2, replicaFacts(2, { received: written(101), version: "8.0.41", channel: null })),
      ],
    ],
  ];
  test.each(table)("%s", (_, text, changes) => {
    const decision = deciding(before, claimed, ...changes);
    expect(decision.problems.at(-1)).toMatchObject({ code: "MembersDiverged", blocks: false });
    expect(decision.problems.at(-1)?.message).toContain(text);
    expect(recordedBy(decision)).toBeNull();
    expect(serverSteps(decision)).toEqual([]);
    expect(decision.lookAgainMs).toBeNull();
  });

  const early: readonly (readonly [string, readonly Change[]])[] = [
    ["while an acker receives still", [silent(0), cut(1)]],
    [
      "while an acker looks for its source still",
      [silent(0), cut(1), replica(2, {}, { receiver: "connecting" })],
    ],
    ["while an acker is away", [silent(0), cut(1), podless(2)]],
    [
      "while an acker's volume is another",
      [silent(0), cut(1), server(2, facts(2, { serverUuid: newUuidOf(2) }))],
    ],
    [
      // It speaks for nothing then, and one of two ackers may lack what was acknowledged.
      "while an acker is away and the old primary has lost something",
      [server(0, primaryFacts(3, { readOnly: true, executed: written(99) })), cut(1), silent(2)],
    ],
    ["while the old primary takes writes", [cut(1), silent(2)]],
    [
      "while commits wait on the old primary",
      [
        server(0, primaryFacts(3, { readOnly: true, acks: { ...primaryFacts(3).acks, waiters: 1 } })),
        cut(1),
        silent(2),
      ],
    ],
  ];
  test.each(early)("%s", (_, changes) => {
    expect(recordedBy(deciding(before, claimed, ...changes))).toBeNull();
  });
});

describe("its ackers are", () => {
  const ackers = (...changes: readonly Change[]) =>
    pending(...changes)?.ackers.map((acker) => acker.serverUuid);

  const table: readonly (readonly [string, readonly number[], readonly Change[]])[] = [
    ["those that hold nothing that it lacks", [2], [silent(0), cut(1, 2)]],
    [
      "not those with more",
      [],
      [silent(0), cut(1), replica(2, { received: `${written(100)},\n${uuidOf(2)}:1` }, stopped)],
    ],
    [
      "the old primary too, when it is closed and behind",
      [0, 2],
      [server(0, primaryFacts(3, { readOnly: true, executed: written(90) })), cut(1, 2)],
    ],
    ["not an old primary that takes writes", [2], [server(0, primaryFacts(3)), cut(1, 2)]],
    [
      "not one that is being copied into",
      [],
      [
        silent(0),
        cut(1),
        replica(2, { seeding: { kind: "running", bytes: 1, bytesExpected: 100, error: null } }, stopped),
      ],
    ],
    ["not one that cannot be managed", [], [silent(0), cut(1), replica(2, { version: "8.0.41" }, stopped)]],
    [
      "not one on which commits wait",
      [],
      [silent(0), cut(1), replica(2, { acks: { ...replicaFacts(2).acks, waiters: 1 } }, stopped)],
    ],
    [
      "those that could not be asked, since they may be acknowledging",
      [1],
      [
        server(0, primaryFacts(3, { readOnly: true, executed: written(101) })),
        silent(1),
        replica(2, { version: "8.0.41" }, stopped),
      ],
    ],
    [
      "those that receive from it now",
      [1],
      [
        server(0, primaryFacts(3, { readOnly: true })),
        replica(1, { version: "8.0.41" }),
        replica(2, { version: "8.0.41" }, { sourceUuid: uuidOf(1) }),
      ],
    ],
    [
      "each of them once, however it comes to be one",
      [2, 1],
      [server(0, primaryFacts(3, { readOnly: true })), silent(1)],
    ],
    [
      "not those without a source",
      [],
      [
        server(0, primaryFacts(3, { readOnly: true })),
        replica(1, { version: "8.0.41" }, stopped),
        server(2, replicaFacts(2, { version: "8.0.41", channel: null })),
      ],
    ],
  ];
  test.each(table)("%s", (_, ordinals, changes) => {
    expect(ackers(...changes)).toEqual(ordinals.map(uuidOf));
  });

  describe("of those outside of the recorded configuration", () => {
    const few = state(
      revoking(3, "failover", { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }),
    );
    const elected = (...changes: readonly Change[]) =>
      recordedBy(deciding(before, few, ...changes))?.pending?.ackers.map(({ ordinal }) => ordinal);

    test("nobody", () => {
      expect(elected(silent(0), cut(1, 2))).toEqual([]);
    });

    test("but whoever receives from it, as from an earlier term of its own", () => {
      const receiving = replica(2, {}, { sourceUuid: uuidOf(1) });
      expect(elected(silent(0), cut(1), receiving)).toEqual([2]);
    });
  });
});

test("five members need three of four ackers", () => {
  const five = settled(placed(5));
  const claim = state(revoking(5));
  const three = deciding(five, claim, silent(0), silent(4), cut(1, 2, 3));
  expect(recordedBy(three)?.pending).toMatchObject({ primary: { ordinal: 1 }, ackCount: 2 });
  const two = deciding(five, claim, silent(0), silent(4), cut(1, 2));
  expect(recordedBy(two)).toBeNull();
  expect(codes(two)).not.toContain("NoQuorum");
  expect(codes(deciding(five, claim, silent(0), silent(4), silent(3), cut(1, 2)))).toContain("NoQuorum");
});

test("an empty server that took the primary's place is no voter, and gets a seed later", () => {
  const empty = server(0, facts(0, { serverUuid: newUuidOf(0), executed: initial(newUuidOf(0)) }));
  const decision = deciding(before, claimed, empty, cut(1, 2));
  expect(recordedBy(decision)?.pending).toMatchObject({ primary: { ordinal: 1 } });
  expect(recordedBy(decision)?.pending?.ackers).toEqual([{ ordinal: 2, serverUuid: uuidOf(2) }]);
});
