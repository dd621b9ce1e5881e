/** A member that was away until the logs of what it lacks were gone: when it is one, and what becomes of it. */
import { describe, expect, test } from "vitest";
import { viewMembers } from "../../../shared/decide/situation.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  channelTo,
  config,
  placed,
  primaryFacts,
  RULES,
  replicaFacts,
  server,
  silent,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { codes, deciding, replica, serverSteps, settledAckers, term, without } from "./support.ts";

const before = settled(placed(3));
const TAIL = `${uuidOf(2)}:1-3`;
const STARVED = { receiver: "off", starved: true, receiverError: "Got fatal error 1236 (13114)" } as const;

const away: readonly (readonly [string, string, ServerFacts])[] = [
  ["receives nothing", "outdated", replicaFacts(1, { channel: channelTo(0, { receiver: "off" }) })],
  ["has no source", "outdated", replicaFacts(1, { channel: null })],
  ["was told that it cannot be sent", "outdated", replicaFacts(1, { channel: channelTo(0, STARVED) })],
  ["still receives", "following", replicaFacts(1)],
  ["may still connect", "following", replicaFacts(1, { channel: channelTo(0, { receiver: "connecting" }) })],
  [
    "cannot execute what it has",
    "broken",
    replicaFacts(1, { channel: channelTo(0, { receiver: "off", applierError: "1032" }) }),
  ],
  [
    "has received it",
    "detached",
    replicaFacts(1, { channel: channelTo(0, { receiver: "off" }), received: written(60) }),
  ],
];
test.each(away)("needs purged logs and %s: %s", (_, kind, of) => {
  const received = of.received === of.executed ? written(50) : of.received;
  const primary = primaryFacts(3, { purged: written(60) });
  const situation = placed(3, server(0, primary), server(1, { ...of, executed: written(50), received }));
  const { standing } = viewMembers(RULES, situation.members, config(3))[1] ?? {};
  expect(standing?.kind).toBe(kind);
  if (standing?.kind === "outdated") expect(standing.missing).toBe(`${uuidOf(0)}:51-60`);
});

describe("a member that lacks what is in no log any more", () => {
  const LACKS = `${uuidOf(0)}:51-60`;
  const purged = server(0, primaryFacts(3, { purged: written(60) }));
  const outdated = (more: Parameters<typeof replicaFacts>[1] = {}): Change =>
    replica(2, { executed: written(50), terms: [term(1, 0)], ...more }, { receiver: "off" });
  const problemOf = (decision: ReturnType<typeof deciding>) =>
    decision.problems.find(({ ordinal }) => ordinal === 2);

  test("is made anew when the primary has all that it has, and it is told", () => {
    const decision = deciding(before, without, purged, outdated());
    expect(serverSteps(decision)).toMatchObject([
      { kind: "Prepare", ordinal: 2, preparation: { parameters: { role: "unseeded" } } },
      { kind: "Seed", ordinal: 2, donor: 1, covered: written(100) },
    ]);
    expect(stepsOfKind(decision, "Event").find(({ reason }) => reason === "MemberRebuilding")).toMatchObject({
      type: "Warning",
      message: `mysql-2 is made anew from mysql-1; mysql-0 has all that it had, and no longer the logs of what it lacks (${LACKS}).`,
    });
    expect(problemOf(decision)).toMatchObject({
      code: "ReplicaOutdated",
      message: `mysql-2 lacks ${LACKS}, whose logs mysql-0 no longer has; mysql-0 has all that it has, so it is made anew from a copy.`,
    });
    expect(serverSteps(deciding(before, without, purged, outdated({ channel: null })))).toHaveLength(2);
  });

  test("is copied from the primary where no replica is in its place, or a copy of one failed", () => {
    const seeding = { kind: "failed", bytes: 0, bytesExpected: 100, error: "no room" } as const;
    const failed = deciding(before, without, purged, outdated({ seeding }));
    expect(stepsOfKind(failed, "Seed")).toMatchObject([{ ordinal: 2, donor: 0 }]);
    expect(problemOf(failed)).toMatchObject({
      code: "SeedFailed",
      message: "Seeding mysql-2 failed (no room); trying again.",
    });
    const nobody = state(steadyState(3, { established: config(3, { ackers: [], ackCount: 0 }) }));
    const alone = deciding(before, nobody, purged, outdated(), silent(1));
    expect(stepsOfKind(alone, "Seed")).toMatchObject([{ ordinal: 2, donor: 0 }]);
  });

  test("waits while the only member to copy from is being copied from", () => {
    const nobody = state(steadyState(3, { established: config(3, { ackers: [], ackCount: 0 }) }));
    const both = [1, 2].map((ordinal) =>
      replica(ordinal, { executed: written(50), terms: [term(1, 0)] }, { receiver: "off" }),
    );
    const seeds = stepsOfKind(deciding(before, nobody, purged, ...both), "Seed");
    expect(seeds).toMatchObject([{ ordinal: 1, donor: 0 }]);
  });

  test("is looked at no further while there is no primary to compare it with", () => {
    const decision = deciding(before, without, purged, outdated(), silent(0));
    expect(stepsOfKind(decision, "Seed")).toEqual([]);
    expect(codes(decision)).toContain("PrimaryUnreachable");
  });

  test("has transactions of its own kept first", () => {
    const position = `${written(50)},\n${TAIL}`;
    const decision = deciding(before, without, purged, outdated({ executed: position, received: position }));
    expect(serverSteps(decision).map(({ kind }) => kind)).toEqual(["ArchiveTail"]);
  });

  test("is left as it is, and told why, when it holds what the primary does not, or never was here", () => {
    const newer = `${written(50)}:101`;
    for (const [more, why] of [
      [{ executed: newer, received: newer }, "mysql-0 does not have all that it has"],
      [
        { terms: [] },
        "it was never part of this cluster; to have it seeded, delete its volume claim and pod",
      ],
    ] as const) {
      const decision = deciding(before, without, purged, outdated(more));
      expect(serverSteps(decision)).toEqual([]);
      expect(problemOf(decision)?.message).toBe(
        `mysql-2 lacks ${LACKS}, whose logs mysql-0 no longer has; ${why}.`,
      );
    }
  });

  test("is no longer counted on first, where enough others are", () => {
    const decision = deciding(before, purged, outdated());
    expect(stepsOfKind(decision, "Seed")).toEqual([]);
    expect(serverSteps(decision)).toMatchObject([
      { kind: "LockAccount", ordinal: 2, locked: true },
      { kind: "AwaitHolders", holders: [1], need: 1 },
    ]);
    const [record] = stepsOfKind(decision, "Record");
    expect(record?.state?.established?.ackers).toEqual(settledAckers.ackers);
    expect(record?.history.at(-1)).toMatchObject({
      reason: "MemberLeft",
      why: "mysql-2 lacks what is in no log of the primary's any more, so it is no longer counted on; 1 of 1 other replicas hold everything.",
    });
  });

  test("is not touched where it is the only one to count on", () => {
    const two = settled(placed(2));
    const only = replica(1, { executed: written(50), terms: [term(1, 0)] }, { receiver: "off" });
    const decision = deciding(two, server(0, primaryFacts(2, { purged: written(60) })), only);
    expect(serverSteps(decision)).toEqual([]);
    expect(decision.problems.find(({ code }) => code === "ReplicaOutdated")?.message).toContain(
      "it is counted on until enough other replicas acknowledge.",
    );
  });

  test("may be the acknowledger that a next primary waits for, if nobody counts on it", () => {
    const pending = { ...settledAckers, open: false };
    const next = { established: settledAckers, phase: "Establishing", epoch: 2, pending } as const;
    const closed = primaryFacts(3, { purged: written(60), readOnly: true });
    const waiting = server(0, { ...closed, acks: { ...closed.acks, clients: 0 } });
    const decision = deciding(before, state(steadyState(3, next)), waiting, outdated(), silent(1));
    expect(stepsOfKind(decision, "Seed")).toMatchObject([{ ordinal: 2, donor: 0 }]);
  });
});
