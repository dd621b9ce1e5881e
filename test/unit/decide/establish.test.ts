/** From a recorded choice to the acknowledged primary of an epoch: one thing after the other, each seen first. */
import { describe, expect, test } from "vitest";
import { LABEL } from "../../../shared/annotations/keys.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { State } from "../../../shared/model/state.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  accounts,
  adoptingState,
  type Change,
  channelTo,
  config,
  facts,
  known,
  observed,
  placed,
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
  establishingState,
  operation,
  reasons,
  recordedBy,
  replica,
  serverSteps,
  term,
} from "./support.ts";

const before = settled(placed(3));

/** mysql-1, promoted and armed, still closed, with both others connected. */
function next(more: Partial<ServerFacts> = {}): Change {
  const acks = { ...primaryFacts(3).acks };
  return server(
    1,
    replicaFacts(1, { channel: null, acks, settings: { server_id: "2", prepared: "primary" }, ...more }),
  );
}

/** Follows mysql-1 and acknowledges to it. */
function follower(ordinal: number, more: Partial<ServerFacts> = {}): Change {
  return replica(ordinal, more, { sourceUuid: uuidOf(1), sourceHost: "mysql-1.mysql.shop.svc" });
}

const followers = [follower(0), follower(2)];

function at(open: boolean, ...changes: readonly Change[]): Decision {
  return deciding(before, state(establishingState(open)), ...followers, ...changes);
}

describe("the next primary is", () => {
  test("promoted and armed while closed, having stopped receiving", () => {
    const steps = [
      { kind: "Promote", ordinal: 1, timeoutMs: 2_500 },
      { kind: "Arm", ordinal: 1, ackCount: 1 },
    ];
    const receiving = at(false, replica(1));
    expect(receiving.tracks[0]).toEqual([{ kind: "StopReceiving", ordinal: 1 }, ...steps]);
    expect(receiving.lookAgainMs).toBe(20);
    const stopped = at(false, cut(1));
    expect(stopped.tracks[0]).toEqual(steps);
    // Nothing is told beside it: writes wait.
    expect(stopped.prelude).toEqual([]);
    expect(stopped.conditions).toEqual(before.conditions);
  });

  test("let in again when it is the old one that was put out of service", () => {
    const offline = next({ offline: true, settings: { server_id: "2", prepared: "primary" } });
    const [track] = at(false, offline).tracks;
    // As a replica, so that a restart before it is opened brings it back closed.
    expect(track).toMatchObject([
      { kind: "Prepare", ordinal: 1, preparation: { parameters: { role: "replica" } } },
    ]);
    expect(at(false, next({ offline: false })).tracks[0]?.map(({ kind }) => kind)).not.toEqual(["Prepare"]);
  });

  test("closed first when somebody opened it by hand", () => {
    const following = next({ readOnly: false, channel: channelTo(0) });
    expect(at(false, following).tracks[0]?.map(({ kind }) => kind)).toEqual([
      "StopReceiving",
      "Demote",
      "Promote",
      "Arm",
    ]);
    // Recorded as open, it has still not been promoted, and is opened in the same breath.
    expect(at(true, following).tracks[0]?.map(({ kind }) => kind)).toEqual([
      "StopReceiving",
      "Demote",
      "Promote",
      "Arm",
      "Open",
      "LabelPod",
      "EnsureService",
    ]);
  });

  test("recorded as open at once when somebody opened it already", () => {
    const decision = at(false, next({ readOnly: false }));
    expect(recordedBy(decision)?.pending?.open).toBe(true);
    expect(serverSteps({ ...decision, tracks: [] })).toEqual([]);
  });

  test("armed at once while it is closed, whoever is connected", () => {
    const acks = { ...primaryFacts(3).acks, required: false, clients: 0 };
    expect(at(false, next({ acks })).tracks[0]).toEqual([{ kind: "Arm", ordinal: 1, ackCount: 1 }]);
    const few = { ...primaryFacts(3).acks, count: 0 };
    expect(at(false, next({ acks: few })).tracks[0]).toEqual([{ kind: "Arm", ordinal: 1, ackCount: 1 }]);
  });

  test("armed only once its ackers hold everything, when it is open", () => {
    const acks = { ...primaryFacts(3).acks, required: false };
    expect(at(true, next({ acks, readOnly: false, terms: [term(2, 1)] })).tracks[0]).toEqual([
      { kind: "AwaitHolders", primary: 1, holders: [0, 2], need: 1, timeoutMs: 10_000 },
      { kind: "Arm", ordinal: 1, ackCount: 1 },
    ]);
  });

  test("not opened before enough ackers are connected", () => {
    const decision = at(false, next({ acks: { ...primaryFacts(3).acks, clients: 0 } }));
    expect(decision.why).toBe("waiting for 1 acknowledging replicas (0 now)");
    expect(recordedBy(decision)).toBeNull();
    expect(serverSteps(decision)).toEqual([]);
  });

  test("not opened before enough of them acknowledge and have received all that it has", () => {
    const quiet = { ...replicaFacts(2).acks, active: false };
    for (const more of [{ received: written(99) }, { acks: quiet }]) {
      const decision = at(false, next(), follower(0, more), follower(2, more));
      expect(decision.why).toBe("waiting for 1 acknowledging replicas (0 now)");
      expect(recordedBy(decision)).toBeNull();
    }
    const strangers = state(
      establishingState(false, "failover", { pending: { ...configOf(1, []), open: false } }),
    );
    const decision = deciding(before, strangers, ...followers, next());
    expect(stepsOfKind(decision, "Confirm")).toEqual([]);
    expect(recordedBy(decision)?.pending).toMatchObject({ open: false, ackers: [{ ordinal: 0 }] });
    expect(decision.lookAgainMs).toBe(0);
    expect(decision.why).toBe("mysql-0 follows and is counted on from now on");
  });

  /** Routed to by the same plan: its term row was acknowledged when it is opened (INV-7). */
  const opened = [
    { kind: "Open", ordinal: 1, epoch: 2, ackCount: 1, timeoutMs: 3_000 },
    expect.objectContaining({ kind: "LabelPod", pod: "mysql-1" }),
    expect.objectContaining({ kind: "EnsureService", role: "primary" }),
  ];

  test("not opened where all others have transactions of their own: a person has to look", () => {
    const own = (ordinal: number) => {
      const position = `${written(100)},\n${uuidOf(7)}:${ordinal + 1}`;
      return server(
        ordinal,
        replicaFacts(ordinal, {
          ...{ received: position, executed: position, channel: null },
          acks: { ...replicaFacts(ordinal).acks, active: false },
        }),
      );
    };
    const stuck = at(false, next(), own(0), own(2));
    expect(stuck.problems[0]).toMatchObject({
      code: "MembersDiverged",
      message:
        "Nobody can acknowledge to mysql-1: mysql-0 and mysql-2 have transactions of their own; look at them, then delete the volume claim and pod of one.",
    });
    expect([stuck.lookAgainMs, stuck.tracks]).toEqual([null, []]);
    expect(codes(at(false, next(), own(0), follower(2)))).not.toContain("MembersDiverged");
  });

  test("recorded as open before it is opened, looked at once more", () => {
    const decision = at(false, next(), follower(0, { received: written(99) }));
    expect(recordedBy(decision)?.pending).toEqual({ ...configOf(1, [0, 2]), open: true });
    expect(decision.prelude.filter(({ kind }) => kind === "Confirm")).toEqual([
      {
        kind: "Confirm",
        members: [
          { ordinal: 1, closed: true, stopped: true, atMost: written(100), atLeast: null },
          { ordinal: 2, closed: false, stopped: false, atMost: null, atLeast: written(100) },
        ],
        timeoutMs: 0,
      },
    ]);
    expect(decision.prelude.at(-1)?.kind).toBe("Record");
    expect(decision.tracks).toEqual([opened]);
    expect([decision.why, decision.lookAgainMs]).toEqual(["opening mysql-1", 0]);
  });

  test("opened with its epoch and its count", () => {
    expect(at(true, next()).tracks[0]).toEqual(opened);
    // Once that is recorded, its own commit shows who follows.
    const behind = [0, 2].map((ordinal) => follower(ordinal, { received: written(99) }));
    expect(stepsOfKind(at(true, next(), ...behind), "Open")).toHaveLength(1);
  });

  test("opened again while its term row is missing, another's, or held by too few", () => {
    const wrong = [[], [term(1, 1)], [term(2, 0)], [{ ...term(2, 1), clusterUid: "another" }]];
    for (const terms of wrong) {
      expect(stepsOfKind(at(true, next({ readOnly: false, terms })), "Open")).toHaveLength(1);
    }
    const lone = { readOnly: false, terms: [term(2, 1)], executed: written(101), received: written(101) };
    expect(stepsOfKind(at(true, next(lone)), "Open")).toHaveLength(1);
    const older = follower(2, { terms: [{ ...term(2, 1), opened: 1 }] });
    const twice = { ...lone, terms: [{ ...term(2, 1), opened: 2 }] };
    expect(stepsOfKind(at(true, next(twice), older), "Open")).toHaveLength(1);
    const having = follower(2, { terms: [{ ...term(2, 1), opened: 2 }] });
    expect(recordedBy(at(true, next(twice), having))?.phase).toBe("Steady");
  });

  test("freed by another commit when the acknowledgement of its term row was lost", () => {
    const stuck = (waitingMs: number) =>
      next({ readOnly: false, acks: { ...primaryFacts(3).acks, waiters: 1, waitingMs }, terms: [] });
    expect(at(true, stuck(2_000)).tracks[0]).toEqual([{ kind: "Nudge", ordinal: 1 }]);
    expect(stepsOfKind(at(true, stuck(1_999)), "Open")).toHaveLength(1);
  });

  test("waited for while it does not answer", () => {
    const decision = at(false, silent(1));
    expect(decision.why).toContain("mysql-1, the next primary, does not answer");
    expect(serverSteps(decision)).toEqual([]);
  });
});

describe("members that are not in place", () => {
  const acks = { ...primaryFacts(3).acks, clients: 0 };

  test("are made to follow meanwhile, and looked at again at once", () => {
    const decision = at(false, next({ acks }), replica(2, {}, { receiver: "off" }));
    expect(serverSteps(decision)).toEqual([{ kind: "Follow", ordinal: 2, source: 1, how: "full" }]);
    expect([decision.lookAgainMs, decision.prelude]).toEqual([20, []]);
  });

  test("are not copied to while something is done on the next primary, since a copy takes long", () => {
    const empty = server(2, facts(2));
    const others = (...changes: readonly Change[]) =>
      serverSteps(at(false, empty, ...changes)).filter((step) => "ordinal" in step && step.ordinal === 2);
    expect(others(replica(1))).toEqual([]);
    expect(others(next({ acks })).map(({ kind }) => kind)).toEqual(["Prepare", "Seed"]);
  });

  test("that are on their way are looked at less and less often", () => {
    const waited = (forMs: number) => {
      const long: Change = (of) => ({
        ...of,
        conditions: of.conditions.map((condition) => ({
          ...condition,
          lastTransitionAt: new Date(Date.parse(condition.lastTransitionAt) - forMs).toISOString(),
        })),
      });
      return at(false, next({ acks }), long).lookAgainMs;
    };
    expect([waited(0), waited(40_000), waited(600_000)]).toEqual([75, 1_000, 7_500]);
  });
});

describe("with the term row acknowledged", () => {
  const open = { readOnly: false, terms: [term(2, 1)] };

  test("it is established and routed in the same breath", () => {
    const decision = at(true, next(open));
    expect(recordedBy(decision)).toMatchObject({
      ...{ epoch: 2, phase: "Steady", pending: null, op: null },
      established: configOf(1, [0, 2]),
    });
    expect(decision.conditions[0]).toMatchObject({ type: "Ready", status: "True" });
    const roles = stepsOfKind(decision, "LabelPod").map((step) => [
      step.pod,
      step.labels[LABEL.role],
      step.labels[LABEL.epoch],
    ]);
    expect(roles).toEqual([
      ["mysql-1", "primary", "2"],
      ["mysql-0", "replica", "2"],
      ["mysql-2", undefined, "2"],
    ]);
    expect(stepsOfKind(decision, "EnsureService").map((step) => step.selector[LABEL.epoch])).toEqual([
      "2",
      "2",
    ]);
    expect(stepsOfKind(decision, "AnnotateClaim")).toHaveLength(3);
  });

  const table: readonly (readonly [string, string, State["op"]])[] = [
    ["FailoverCompleted", "a failover", operation("failover")],
    ["FailoverCompleted", "a reconstruction", operation("reconstruct")],
    ["SwitchoverCompleted", "a switchover", operation("switchover", 1)],
    ["PrimaryReopened", "a switchover that was given up", operation("switchover", 2)],
    ["PrimaryReopened", "a restart", operation("reopen")],
    ["PrimaryReopened", "an unknown beginning", null],
  ];
  test.each(table)("%s is told after %s", (reason, _, op) => {
    const done = deciding(
      before,
      state(establishingState(true, "failover", { op })),
      ...followers,
      next(open),
    );
    expect(reasons(done)).toEqual([reason]);
    // A request for a switchover is known to be fulfilled by the name that the sentence begins with.
    const why = expect.stringMatching(/^mysql-1 /);
    expect(stepsOfKind(done, "Record")[0]?.history.at(-1)).toMatchObject({ reason, epoch: 2, why });
  });
});

test("at adoption a source outside of the cluster is not dropped, and a row is not asked of anybody", () => {
  const outside = primaryFacts(3, { channel: replicaFacts(1).channel, terms: [term(1, 0)] });
  const recorded = state(adoptingState(3, { phase: "Establishing", pending: { ...config(3), open: true } }));
  const behind = [1, 2].map((ordinal) =>
    replica(ordinal, { received: written(90), executed: written(90), terms: [] }),
  );
  const decision = deciding(observed(3, accounts), recorded, server(0, outside), ...behind);
  expect(stepsOfKind(decision, "Promote")).toEqual([]);
  expect(recordedBy(decision)).toMatchObject({ phase: "Steady", established: config(3) });
});

test("at adoption the open primary is recorded as open without a second look, since it takes writes all the time", () => {
  const recorded = state(adoptingState(3, { phase: "Establishing", pending: { ...config(3), open: false } }));
  const decision = deciding(
    observed(3, accounts),
    recorded,
    server(0, primaryFacts(3, { terms: [] })),
    replica(1),
    replica(2),
  );
  expect(recordedBy(decision)?.pending?.open).toBe(true);
  expect(serverSteps(decision)).toEqual([]);
});

test("a single member has nobody to wait for", () => {
  const pending = { ...config(1), open: false };
  const recorded = state(establishingState(false, "reopen", { established: config(1), pending }));
  const closed = server(0, primaryFacts(1, { readOnly: true }));
  const decision = deciding(settled(placed(1)), recorded, closed);
  expect(recordedBy(decision)?.pending?.open).toBe(true);
  expect(codes(decision)).toEqual([]);
});

test("while the next primary is opened, one that dies is given up like any other", () => {
  const decision = at(
    true,
    silent(1),
    replica(0, {}, { receiver: "connecting", sourceUuid: uuidOf(1) }),
    replica(2, {}, { receiver: "connecting", sourceUuid: uuidOf(1) }),
    known("PrimaryUnreachable", 2_000),
  );
  expect(recordedBy(decision)).toMatchObject({ epoch: 3, established: configOf(1, [0, 2]) });
});
