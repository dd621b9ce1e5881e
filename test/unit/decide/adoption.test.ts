/** From a plain StatefulSet to an established cluster: who becomes primary, and what is done next. */
import { describe, expect, test } from "vitest";
import type { Decision } from "../../../shared/model/decision.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import { stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  accounts,
  adopting,
  adoptingState,
  type Change,
  channelTo,
  config,
  facts,
  initial,
  member,
  NOW_MS,
  newUuidOf,
  observed,
  podless,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { deciding, recordedBy } from "./support.ts";

function withData(ordinal: number, ...schemas: readonly string[]): Change {
  const executed = `${uuidOf(ordinal)}:1-100`;
  return server(ordinal, facts(ordinal, { executed, survey: { schemas } }));
}

/** A replica of somebody's own making. */
function follows(ordinal: number, source: number): Change {
  const executed = `${uuidOf(source)}:1-100`;
  return server(
    ordinal,
    facts(ordinal, { executed, channel: channelTo(source), survey: { schemas: ["shop"] } }),
  );
}

describe("the primary is", () => {
  const chosen: readonly (readonly [string, number, Observed])[] = [
    ["ordinal 0 of empty members", 0, observed(3)],
    ["the only member", 0, observed(1)],
    ["the only one with user data", 2, observed(3, withData(2, "shop"))],
    ["the one that already replicates", 1, observed(3, withData(1, "shop"), follows(0, 1), follows(2, 1))],
    ["the top of a chain", 2, observed(3, withData(2, "shop"), follows(1, 2), follows(0, 1))],
  ];
  test.each(chosen)("%s", (_, ordinal, situation) => {
    const decision = deciding(situation);
    const [record] = stepsOfKind(decision, "Record");
    expect(record?.state).toMatchObject({
      epoch: 1,
      seq: 1,
      phase: "Adopting",
      established: null,
      pending: { primary: { ordinal, serverUuid: uuidOf(ordinal) }, ackers: [], open: false },
    });
    expect(decision.phase).toBe("Adopting");
    expect(stepsOfKind(decision, "Event").map((step) => step.reason)).toEqual(["AdoptionStarted"]);
    expect(record?.history.at(-1)?.considered).toHaveLength(situation.members.length);
  });

  const refused: readonly (readonly [string, string, Observed])[] = [
    ["unknown when two hold user data", "ForeignData", observed(3, withData(0, "shop"), withData(1, "crm"))],
    [
      "unknown when there are two trees",
      "PrimaryAmbiguous",
      observed(4, withData(0, "a"), follows(1, 0), withData(2, "b"), follows(3, 2)),
    ],
    ["not sought while a member is silent", "WaitingForMembers", observed(3, silent(1))],
    ["not sought while a member has no pod", "WaitingForMembers", observed(3, podless(2))],
  ];
  test.each(refused)("%s", (_, code, situation) => {
    const decision = deciding(situation);
    expect(decision.problems.map((problem) => problem.code)).toEqual([code]);
    expect(stepsOf(decision).map((step) => step.kind)).toEqual(["Event", "Record"]);
    expect(stepsOfKind(decision, "Record")[0]?.state).toBeNull();
  });

  test("not taken from others while ordinal 0 was not seen", () => {
    const unseen: Change = (of) => ({ ...of, members: of.members.slice(1) });
    const decision = deciding(observed(3, unseen));
    expect(decision.problems).toMatchObject([{ code: "PrimaryAmbiguous", blocks: true }]);
    expect(decision.why).toBe("No member has user data and ordinal 0 was not seen.");
    expect(stepsOfKind(decision, "Record")[0]?.state).toBeNull();
    // The only one with user data is the primary, whoever else is there.
    expect(stepsOfKind(deciding(observed(3, unseen, withData(2, "shop"))), "Record")[0]?.state).toMatchObject(
      {
        pending: { primary: { ordinal: 2 } },
      },
    );
  });

  test("is looked for again soon while members start, and only after a change else", () => {
    expect(deciding(observed(3, silent(1))).lookAgainMs).toBeGreaterThan(0);
    expect(deciding(observed(3, withData(0, "a"), withData(1, "b"))).lookAgainMs).toBeNull();
  });
});

test("the epoch is above every witness", () => {
  const terms = [{ epoch: 61, clusterUid: "another", serverUuid: newUuidOf(0), opened: 1 }];
  const released = steadyState(3, { phase: "Released", established: null, epoch: 50, seq: 9 });
  const found = deciding(observed(3, state(released), server(1, facts(1, { terms }))));
  expect(stepsOfKind(found, "Record")[0]?.state).toMatchObject({ epoch: 62, phase: "Adopting" });
  const again = deciding(observed(3, state(released)));
  expect(stepsOfKind(again, "Record")[0]?.state).toMatchObject({ epoch: 51, seq: 10 });
});

test("what was begun is recorded, with the failovers and doubts of before", () => {
  const failovers = [new Date(NOW_MS - 1_000).toISOString()];
  const released = steadyState(3, {
    ...{ phase: "Released", established: null },
    ...{ failovers, unproven: [uuidOf(2)] },
  });
  const again = recordedBy(deciding(observed(3, state(released))));
  expect(again).toMatchObject({
    ...{ failovers, unproven: [uuidOf(2)], primaryStartedAtMs: facts(0).startedAtMs },
    op: {
      id: "adopt-2",
      kind: "adopt",
      step: "Prepare",
      startedAt: new Date(NOW_MS).toISOString(),
      target: null,
    },
  });
  expect(recordedBy(deciding(observed(3)))).toMatchObject({ failovers: [], unproven: [] });
});

describe("once the intent is recorded", () => {
  test("the accounts come first", () => {
    const decision = deciding(observed(3, state(adoptingState(3))));
    expect(decision.tracks.flat()).toEqual([{ kind: "EnsureAccounts", ordinals: [0, 1, 2] }]);
  });

  test("the primary is prepared before anybody is seeded", () => {
    const decision = deciding(adopting(3, server(0, facts(0))));
    expect(decision.tracks.flat()).toMatchObject([{ kind: "Prepare", ordinal: 0 }]);
  });

  test("empty members are seeded, one copy of a donor at a time", () => {
    const decision = deciding(adopting(3));
    expect(stepsOfKind(decision, "Seed")).toEqual([{ kind: "Seed", ordinal: 1, donor: 0, covered: null }]);
    expect(stepsOfKind(decision, "Prepare").map((step) => step.ordinal)).toEqual([1, 2]);
  });

  test("a replica in place is the donor, and each replica is one", () => {
    const situation = adopting(5, server(1, replicaFacts(1)), server(2, replicaFacts(2)));
    const donors = stepsOfKind(deciding(situation), "Seed").map(({ ordinal, donor }) => [ordinal, donor]);
    expect(donors).toEqual([
      [3, 1],
      [4, 2],
    ]);
  });

  test("a seeded member follows the primary", () => {
    const seeded = facts(1, { executed: written(100), survey: { schemas: ["shop"] } });
    const decision = deciding(adopting(2, server(1, seeded)));
    const steps = stepsOf(decision).filter((step) => step.kind === "Follow" || step.kind === "Seed");
    expect(steps).toEqual([{ kind: "Follow", ordinal: 1, source: 0, how: "full" }]);
  });

  test("seeding is told once for each server, also for one whose pod is not listed any more", () => {
    const keys = (...changes: readonly Change[]) =>
      stepsOfKind(deciding(adopting(2, ...changes)), "Event")
        .filter((step) => step.reason === "MemberSeeding")
        .map(({ key, message }) => [key, message]);
    const message = "mysql-1 is empty and is being seeded from mysql-0.";
    expect(keys()).toEqual([[`MemberSeeding|uid-pod-1|${uuidOf(1)}`, message]]);
    const unlisted = member(1, (before) => ({ ...before, pod: null }));
    expect(keys(unlisted)).toEqual([[`MemberSeeding||${uuidOf(1)}`, message]]);
  });

  test("a member that copies at present is left alone", () => {
    const seeding = { kind: "running", bytes: 40, bytesExpected: 100, error: null } as const;
    const decision = deciding(adopting(2, server(1, facts(1, { seeding }))));
    expect(stepsOf(decision).filter((step) => "ordinal" in step && step.ordinal === 1)).toEqual([]);
    expect(decision.problems.map((problem) => problem.code)).toEqual(["WaitingForMembers"]);
  });

  test("a member with data of its own is reported and left alone, the others go on", () => {
    const decision = deciding(adopting(3, withData(2, "crm")));
    expect(decision.problems).toMatchObject([{ code: "ForeignData", ordinal: 2, blocks: false }]);
    expect(stepsOfKind(decision, "Seed").map((step) => step.ordinal)).toEqual([1]);
  });

  test("all members in place are recorded as ackers together, before any of them acknowledges", () => {
    const quiet = {
      required: false,
      count: 1,
      clients: 0,
      waiters: 0,
      waitingMs: 0,
      given: false,
      active: false,
    };
    const replicas = [1, 2].map((ordinal) => server(ordinal, replicaFacts(ordinal, { acks: quiet })));
    const decision = deciding(adopting(3, ...replicas));
    const [record] = stepsOfKind(decision, "Record");
    expect(record?.state?.pending?.ackers.map((acker) => acker.ordinal)).toEqual([1, 2]);
    expect(record?.state).toMatchObject({ phase: "Establishing", op: { kind: "adopt", step: "Establish" } });
    expect(decision.why).toBe("members are in place; arming the primary");
    expect(stepsOfKind(decision, "Acknowledge")).toEqual([]);
    // A release that was taken back leaves no operation behind.
    const again = state(adoptingState(3, { op: null }));
    const back = stepsOfKind(deciding(adopting(3, again, ...replicas)), "Record")[0]?.state;
    expect(back).toMatchObject({
      phase: "Establishing",
      op: null,
      pending: { ackers: [{ ordinal: 1 }, {}] },
    });
  });
});

describe("establishing", () => {
  const establishing = adoptingState(3, { phase: "Establishing", pending: { ...config(3), open: false } });
  const opened = adoptingState(3, { phase: "Establishing", pending: { ...config(3), open: true } });
  const waiting = {
    required: false,
    count: 1,
    clients: 2,
    waiters: 0,
    waitingMs: 0,
    given: false,
    active: false,
  };
  const unarmed = { acks: waiting, terms: [] };
  const replicas = [server(1, replicaFacts(1)), server(2, replicaFacts(2))];

  function at(recorded: typeof opened, primary: Parameters<typeof primaryFacts>[1]): Decision {
    return deciding(observed(3, accounts, state(recorded), server(0, primaryFacts(3, primary)), ...replicas));
  }

  test("waits for the ackers", () => {
    const decision = at(establishing, { ...unarmed, acks: { ...waiting, clients: 0 } });
    expect(stepsOf(decision).filter((step) => step.kind === "Arm" || step.kind === "Open")).toEqual([]);
    expect(decision.why).toMatch(/waits for 1 acknowledging replicas/);
  });

  test("arms, records that it will open, opens, and is done when the term row stands", () => {
    expect(stepsOfKind(at(establishing, unarmed), "Arm")).toMatchObject([{ ordinal: 0, ackCount: 1 }]);
    const armed = at(establishing, { terms: [] });
    expect(stepsOfKind(armed, "Record")[0]?.state?.pending?.open).toBe(true);
    expect(stepsOfKind(armed, "Open")).toEqual([]);
    const open = at(opened, { terms: [] });
    expect(stepsOfKind(open, "Open")).toMatchObject([{ ordinal: 0, epoch: 1, ackCount: 1 }]);
    const done = stepsOfKind(at(opened, {}), "Record")[0]?.state;
    expect(done).toMatchObject({ phase: "Steady", pending: null, op: null, established: config(3) });
  });

  test("is not done with another cluster's term row", () => {
    const foreign = [{ epoch: 1, clusterUid: "another", serverUuid: uuidOf(0), opened: 1 }];
    expect(stepsOfKind(at(opened, { terms: foreign }), "Open")).toHaveLength(1);
  });

  test("a single member needs nobody", () => {
    const alone = adoptingState(1, { pending: { ...config(1), open: true } });
    const decision = deciding(observed(1, accounts, state(alone), server(0, primaryFacts(1))));
    expect(stepsOfKind(decision, "Record")[0]?.state?.established).toEqual(config(1));
  });

  test("another server under the chosen primary's name ends nothing", () => {
    const other = facts(0, { serverUuid: newUuidOf(0), executed: initial(newUuidOf(0)) });
    const decision = deciding(observed(3, accounts, state(opened), server(0, other), ...replicas));
    expect(decision.problems.map((problem) => problem.code)).toEqual(["PrimaryUnreachable"]);
    expect(stepsOf(decision).filter((step) => step.kind !== "Event" && step.kind !== "Record")).toEqual([]);
  });
});

test("the member's claim may be missing", () => {
  const bare = member(1, (before) => ({ ...before, claim: null }));
  expect(stepsOfKind(deciding(observed(3, bare)), "Record")).toHaveLength(1);
});
