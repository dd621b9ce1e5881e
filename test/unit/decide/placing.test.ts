/** How a member is brought into its place: what is changed of what it has, from whom it is copied, who acknowledges. */
import { describe, expect, test } from "vitest";
import type { ServerFacts } from "../../../shared/model/server.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  config,
  facts,
  initial,
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
import { deciding, replica, serverSteps } from "./support.ts";

const before = settled(placed(3));
/** mysql-2 is counted on no more. */
const lone = state(steadyState(3, { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }));
const blank = server(2, facts(2, { serverUuid: newUuidOf(2), executed: initial(newUuidOf(2)) }));

function follows(...changes: readonly Change[]) {
  return stepsOfKind(deciding(before, ...changes), "Follow").map(({ ordinal, how }) => [ordinal, how]);
}

describe("a replica that stands still", () => {
  const off = { receiver: "off" } as const;

  test("is started as it is when all of it is right, and pointed anew when something is not", () => {
    expect(follows(replica(1, {}, off))).toEqual([[1, "start"]]);
    expect(follows(replica(1, {}, { applier: "off" }))).toEqual([[1, "start"]]);
    for (const wrong of [
      { autoPosition: false },
      { account: "repl" },
      { sourceHost: "elsewhere" },
      { sourceUuid: uuidOf(2) },
      { sourceUuid: null },
    ]) {
      expect(follows(replica(1, {}, { ...off, ...wrong }))).toEqual([[1, "full"]]);
    }
    expect(follows(server(1, replicaFacts(1, { channel: null })))).toEqual([[1, "full"]]);
  });

  test("is prepared before", () => {
    const unprepared = replica(1, { settings: { server_id: "2" } }, off);
    expect(serverSteps(deciding(before, unprepared)).map(({ kind }) => kind)).toEqual(["Prepare", "Follow"]);
  });
});

describe("acknowledging is", () => {
  const acks = (more: Partial<ServerFacts["acks"]>) => ({ ...replicaFacts(1).acks, ...more });
  const told = (...changes: readonly Change[]) =>
    serverSteps(deciding(before, ...changes)).map((step) =>
      step.kind === "Acknowledge" ? `${step.kind} ${step.on}` : step.kind,
    );

  test("switched on for whoever is recorded and does not do it, given or not", () => {
    expect(told(replica(1, { acks: acks({ active: false }) }))).toEqual(["Acknowledge true"]);
    expect(told(replica(1, { acks: acks({ given: false }) }))).toEqual(["Acknowledge true"]);
    expect(told(replica(1, { acks: acks({}) }))).toEqual([]);
  });

  test("switched off for whoever is not recorded, before it follows, and not for others", () => {
    const still = (given: boolean) => server(2, replicaFacts(2, { channel: null, acks: acks({ given }) }));
    expect(told(lone, still(true))).toEqual(["Acknowledge false", "Follow"]);
    expect(told(lone, still(false))).toEqual(["Follow"]);
    expect(told(still(true))).toEqual(["Follow"]);
  });

  test("a wrong server's business as little as anything else", () => {
    expect(told(replica(1, { version: "8.0.41", acks: acks({ given: false }) }))).toEqual([]);
  });
});

describe("an empty member is copied", () => {
  const donor = (...changes: readonly Change[]) =>
    stepsOfKind(deciding(before, lone, blank, ...changes), "Seed")[0]?.donor;
  const lag = (ms: number) =>
    replica(1, { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - ms });

  test("from a replica that is up to date, else from the primary", () => {
    expect([donor(), donor(lag(10_000)), donor(lag(10_001)), donor(silent(1))]).toEqual([1, 1, 0, 0]);
  });

  test("after it is prepared and its account is unlocked, which is told", () => {
    const decision = deciding(before, lone, blank);
    expect(serverSteps(decision)).toMatchObject([
      { kind: "Prepare", ordinal: 2, preparation: { parameters: { role: "unseeded" } } },
      { kind: "LockAccount", ordinal: 2, primary: 0, locked: false },
      { kind: "Seed", ordinal: 2, donor: 1, covered: null },
    ]);
    expect(stepsOfKind(decision, "Event").find(({ reason }) => reason === "MemberSeeding")).toMatchObject({
      type: "Normal",
      message: "mysql-2 is empty and is being seeded from mysql-1.",
      key: `MemberSeeding|uid-pod-2|${newUuidOf(2)}`,
    });
  });

  test("from the primary after a copy from another member failed", () => {
    const failed = { kind: "none", bytes: 0, bytesExpected: 0, error: "Account is locked" } as const;
    const seeds = (seeding: typeof failed | { kind: "none"; bytes: 0; bytesExpected: 0; error: null }) =>
      stepsOfKind(deciding(placed(3), server(2, facts(2, { seeding }))), "Seed").map(({ donor }) => donor);
    expect(seeds({ kind: "none", bytes: 0, bytesExpected: 0, error: null })).toEqual([1]);
    expect(seeds(failed)).toEqual([0]);
  });

  test("by one at a time from each, while the others are prepared", () => {
    const five = state(steadyState(5, { established: config(5, { ackers: [], ackCount: 0 }) }));
    const empty = [2, 3, 4].map((ordinal) => server(ordinal, facts(ordinal)));
    const alone = server(0, primaryFacts(1));
    const decision = deciding(placed(5), five, alone, ...empty, silent(1));
    expect(stepsOfKind(decision, "Seed").map(({ ordinal, donor }) => [ordinal, donor])).toEqual([[2, 0]]);
    expect(stepsOfKind(decision, "Prepare").map(({ ordinal }) => ordinal)).toEqual([2, 3, 4]);
  });
});

describe("whether writes are taken is told by", () => {
  const ready = (...changes: readonly Change[]) => deciding(before, ...changes).conditions[0];

  test("the primary alone: its own word, and no problem beside it", () => {
    expect(ready(silent(2))).toMatchObject({ status: "True", reason: "MemberUnreachable" });
    expect(ready(silent(2))?.message).toContain("2 of 3 members in place");
    expect(ready(silent(0))).toMatchObject({ status: "False", reason: "PrimaryCutOff" });
    expect(ready(silent(0))?.message).toContain("cannot be asked from here");
  });

  test("what holds a failover back, before all else", () => {
    const away = [silent(0), silent(2), replica(1, {}, { receiver: "connecting" })];
    const decision = deciding(before, ...away, known("PrimaryUnreachable", 3_000));
    expect(decision.conditions[0]).toMatchObject({ status: "False", reason: "NoQuorum" });
    expect(decision.problems[0]?.code).toBe("NoQuorum");
  });
});

test("while a failover is waited for, replicas are kept in their places, and not while it is under way", () => {
  const still = replica(1, {}, { applier: "off", receiver: "connecting" });
  const waiting = deciding(before, silent(0), still, replica(2, {}, { receiver: "connecting" }));
  expect(waiting.phase).toBe("Degraded");
  const pending = { ...config(3), open: true };
  const reopening = state(steadyState(3, { phase: "Establishing", epoch: 2, pending }));
  expect(deciding(before, reopening, silent(0), still, silent(2)).tracks).toEqual([]);
  expect(deciding(before, silent(0), still, silent(2), blank).tracks.length).toBeGreaterThan(0);
});

test("a replica that has received more than it applies, and applies nothing just now, is not behind", () => {
  const between = replica(1, { executed: written(90), received: written(100), applyingSinceMs: null });
  expect(deciding(before, between).problems).toEqual([]);
  expect(follows(between)).toEqual([]);
});

test("awaited members are looked for less and less often", () => {
  const at = (ms: number) => deciding(before, lone, silent(2), known("WaitingForMembers", ms)).lookAgainMs;
  expect([at(0), at(10_000), at(1_000_000)]).toEqual([300, 1_000, 30_000]);
  const primary = server(0, primaryFacts(3));
  expect(deciding(before, primary, silent(2)).lookAgainMs).toBeNull();
});
