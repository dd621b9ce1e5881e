/** The claim of an epoch, what may hold it back, and how the acknowledgers are taken from the old primary. */
import { describe, expect, test } from "vitest";
import { LABEL } from "../../../shared/annotations/keys.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  but,
  type Change,
  config,
  facts,
  known,
  member,
  newUuidOf,
  placed,
  podless,
  primaryFacts,
  saying,
  server,
  silent,
  spec,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import {
  codes,
  configOf,
  connecting,
  cut,
  deciding,
  establishingState,
  instant,
  operation,
  reasons,
  recordedBy,
  replica,
  revoking,
  serverSteps,
} from "./support.ts";

const before = settled(placed(3));
/** Long enough for a claim. */
const dead: readonly Change[] = [silent(0), connecting(1, 2), known("PrimaryUnreachable", 3_000)];

describe("the claim", () => {
  test("is one record, and the first steps follow it", () => {
    const decision = deciding(before, ...dead);
    expect(recordedBy(decision)).toEqual({
      ...steadyState(3),
      seq: 8,
      epoch: 2,
      phase: "Revoking",
      op: { id: "failover-2", kind: "failover", step: "Revoke", startedAt: instant(0), target: null },
      failovers: [instant(0)],
    });
    expect(reasons(decision)).toEqual(["PrimaryUnreachable", "FailoverStarted"]);
    expect(decision.prelude.at(-1)?.kind).toBe("Record");
    expect(decision.tracks).toEqual([
      [expect.objectContaining({ kind: "EnsureService", role: "primary", name: "mysql-primary" })],
      [{ kind: "StopReceiving", ordinal: 1 }],
      [{ kind: "StopReceiving", ordinal: 2 }],
    ]);
    expect(stepsOfKind(decision, "EnsureService")[0]?.selector).toEqual({
      app: "mysql",
      [LABEL.role]: "primary",
      [LABEL.epoch]: "none",
    });
  });

  test("keeps the newest eight failovers and doubts", () => {
    const old = Array.from({ length: 8 }, (_, index) => instant(86_400_000 * (9 - index)));
    const doubted = Array.from({ length: 8 }, (_, index) => `uuid-${index}`);
    const many = state(steadyState(3, { failovers: old, unproven: doubted }));
    const claimed = recordedBy(
      deciding(before, podless(0), connecting(1, 2), many, known("PrimaryUnreachable", 60_000)),
    );
    expect(claimed?.failovers).toEqual([...old.slice(1), instant(0)]);
    expect(claimed?.unproven).toEqual([...doubted.slice(1), uuidOf(0)]);
  });

  test("forgets a configuration that was never opened, and counts on the ackers of one that was", () => {
    const next = [connecting(2), silent(0), silent(1), known("PrimaryUnreachable", 60_000)];
    const back = server(0, primaryFacts(3, { readOnly: true }));
    const unopened = deciding(before, state(establishingState(false)), ...next, back);
    expect(recordedBy(unopened)).toMatchObject({
      ...{ epoch: 3, phase: "Revoking", pending: null, established: config(3) },
      // It is one and the same failover for the pauses between them.
      failovers: [],
    });
    const opened = deciding(before, state(establishingState(true)), ...next, back);
    expect(recordedBy(opened)).toMatchObject({
      ...{ epoch: 3, phase: "Revoking", pending: null, established: configOf(1, [0, 2]) },
    });
  });
});

describe("it does not begin", () => {
  const missing = silent(2);
  const few: Change = state(
    steadyState(3, { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }),
  );
  const table: readonly (readonly [string, string, string, readonly Change[]])[] = [
    ["with too few of the ackers", "NoQuorum", "mysql-0 or mysql-2", [...dead, missing]],
    ["with too few to acknowledge afterwards", "NoQuorum", "beside it", [few, ...dead, missing]],
    [
      "without an approval",
      "FailoverAwaitsApproval",
      "ordinal.dev/approve=e2",
      [...dead, spec({ failover: "manual" })],
    ],
    [
      "with the approval of another epoch",
      "FailoverAwaitsApproval",
      "ordinal.dev/approve=e2",
      [...dead, spec({ failover: "manual", approvedEpoch: 3 })],
    ],
    [
      "shortly after the last one",
      "FailoverHeldBack",
      instant(-1),
      [...dead, state(steadyState(3, { failovers: [instant(599_999)] }))],
    ],
    [
      "after two of a day, for twice as long",
      "FailoverHeldBack",
      instant(-1),
      [...dead, state(steadyState(3, { failovers: [instant(80_000_000), instant(1_199_999)] }))],
    ],
    [
      "after three of a day",
      "FailoverHeldBack",
      "3 failovers of mysql within a day",
      [...dead, state(steadyState(3, { failovers: [86_399_999, 70_000_000, 60_000_000].map(instant) }))],
    ],
  ];
  test.each(table)("%s", (_, code, text, changes) => {
    const decision = deciding(before, ...changes);
    expect(decision.problems[0]).toMatchObject({ code, blocks: false });
    expect(decision.problems[0]?.message).toContain(text);
    expect(codes(decision)).toContain("PrimaryUnreachable");
    expect(recordedBy(decision)).toBeNull();
    expect(serverSteps(decision)).toEqual([]);
    expect([decision.phase, decision.lookAgainMs]).toEqual(["Degraded", null]);
    expect(decision.why).toBe(decision.problems[0]?.message);
  });

  test("with nobody to acknowledge: a single member, or none that is counted on", () => {
    expect(codes(deciding(settled(placed(1)), podless(0), known("PrimaryUnreachable", 60_000)))).toContain(
      "NoQuorum",
    );
    const alone = state(steadyState(3, { established: config(3, { ackers: [], ackCount: 0 }) }));
    expect(codes(deciding(before, ...dead, alone))).toContain("NoQuorum");
  });
});

describe("it begins all the same", () => {
  const held = { failovers: [instant(1_000)] };
  const table: readonly (readonly [string, readonly Change[]])[] = [
    ["when it is approved", [state(steadyState(3, held)), spec({ failover: "manual", approvedEpoch: 2 })]],
    ["when the pause is cut short by an approval", [state(steadyState(3, held)), spec({ approvedEpoch: 2 })]],
    ["when no pause is wanted", [state(steadyState(3, held)), spec({ failoverCooldownMs: 0 })]],
    ["when the pause is over", [state(steadyState(3, { failovers: [instant(600_000)] }))]],
    [
      "when those before were not today",
      [state(steadyState(3, { failovers: [1, 2, 3].map((n) => instant(n * 86_400_000)) }))],
    ],
    ["with too few ackers when the loss is accepted", [silent(2), spec({ lossAcceptedEpoch: 1 })]],
    [
      "when an empty server is in the primary's place and would acknowledge",
      [
        state(steadyState(3, { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) })),
        silent(2),
        server(0, facts(0, { serverUuid: newUuidOf(0) })),
      ],
    ],
  ];
  test.each(table)("%s", (_, changes) => {
    const decision = deciding(before, ...dead, ...changes);
    expect(recordedBy(decision)).toMatchObject({ epoch: 2, phase: "Revoking" });
  });

  test("while the next primary, opened already, dies and the one before it was given up just now", () => {
    const second = state(establishingState(true, "failover", { failovers: [instant(1_000)] }));
    const back = server(0, primaryFacts(3, { readOnly: true }));
    const decision = deciding(
      before,
      second,
      back,
      connecting(2),
      silent(1),
      spec({ failover: "manual" }),
      known("PrimaryUnreachable", 60_000),
    );
    expect(recordedBy(decision)).toMatchObject({ epoch: 3, phase: "Revoking" });
  });
});

describe("the next primary that was never opened", () => {
  const back = server(0, primaryFacts(3, { readOnly: true }));

  test.each([
    ["that is silent", silent(1)],
    ["whose pod is gone", podless(1)],
  ])("%s is given up after two seconds, however it ended", (_, gone) => {
    const waited = (forMs: number) =>
      deciding(
        before,
        state(establishingState(false)),
        back,
        connecting(2),
        gone,
        known("PrimaryUnreachable", forMs),
      );
    expect(waited(1_999)).toMatchObject({ phase: "Degraded", tracks: [], lookAgainMs: 1 });
    expect(recordedBy(waited(2_000))).toMatchObject({ epoch: 3, unproven: [], established: config(3) });
  });

  test("is given up at once when its volume was replaced", () => {
    const gone = server(1, facts(1, { serverUuid: newUuidOf(1) }));
    const decision = deciding(before, state(establishingState(false)), back, connecting(2), gone);
    expect(recordedBy(decision)).toMatchObject({ epoch: 3, phase: "Revoking" });
  });

  test("is given up also when only our way to it is cut, since nobody is served by it", () => {
    const follows = replica(2, {}, { sourceUuid: uuidOf(1), receiver: "on" });
    const at = (forMs: number) =>
      deciding(
        before,
        state(establishingState(false)),
        back,
        follows,
        silent(1),
        known("PrimaryUnreachable", forMs),
      );
    expect(at(0).problems[0]).toMatchObject({ code: "PrimaryUnreachable", ordinal: 1 });
    expect(recordedBy(at(2_000))).toMatchObject({ epoch: 3, phase: "Revoking" });
  });

  test("but may be opened is given up in the same way until it is routed to, and is left alone then", () => {
    const follows = replica(2, {}, { sourceUuid: uuidOf(1), receiver: "on" });
    const known2s = known("PrimaryUnreachable", 2_000);
    const at = (...more: readonly Change[]) =>
      deciding(before, state(establishingState(true)), back, follows, silent(1), known2s, ...more);
    expect(recordedBy(at())).toMatchObject({ epoch: 3, phase: "Revoking" });
    const { primary } = before.services;
    if (primary.kind !== "found") throw new Error("no Service");
    const selector = { ...primary.service.selector, [LABEL.epoch]: "2" };
    const routed = { ...primary, service: { ...primary.service, selector } };
    const labelled = member(1, (view) => ({
      ...view,
      pod: view.pod && { ...view.pod, labels: { ...view.pod.labels, [LABEL.epoch]: "2" } },
    }));
    for (const serving of [labelled, but({ services: { ...before.services, primary: routed } })]) {
      expect(recordedBy(at(serving))).toBeNull();
      expect(codes(at(serving))).toContain("PrimaryCutOff");
    }
  });

  test("is kept while too few of those that were opened last are reached", () => {
    const decision = deciding(
      before,
      state(establishingState(false)),
      silent(1),
      silent(0),
      connecting(2),
      known("PrimaryUnreachable", 60_000),
    );
    expect(codes(decision)).toContain("NoQuorum");
    expect(recordedBy(decision)).toBeNull();
  });
});

describe("once claimed", () => {
  test("the old primary is put out of service while it takes writes or commits wait on it", () => {
    const acks = { ...primaryFacts(3).acks, waiters: 1 };
    for (const more of [{ readOnly: false }, { readOnly: true, acks }]) {
      const decision = deciding(before, state(revoking(3)), server(0, primaryFacts(3, more)));
      expect(serverSteps(decision)).toEqual([
        { kind: "Fence", ordinal: 0 },
        { kind: "StopReceiving", ordinal: 1 },
        { kind: "StopReceiving", ordinal: 2 },
      ]);
      expect(decision.lookAgainMs).toBe(20);
      expect(decision.why).toBe("taking the acknowledging replicas from the old primary");
    }
  });

  test("the old primary is restarted when it is needed and its commits wait for nobody", () => {
    const acks = { ...primaryFacts(3).acks, waiters: 1 };
    const stuck = server(0, primaryFacts(3, { readOnly: false, offline: true, acks }));
    const needed = deciding(before, state(revoking(3)), stuck, cut(1), silent(2));
    expect(serverSteps(needed)).toEqual([{ kind: "Restart", ordinal: 0 }]);
    // Applications may still be connected, and would be answered OK.
    const online = server(0, primaryFacts(3, { readOnly: false, acks }));
    const open = deciding(before, state(revoking(3)), online, cut(1), silent(2));
    expect(serverSteps(open)).toEqual([{ kind: "Fence", ordinal: 0 }]);
  });

  test("only recorded ackers are stopped, and only those that receive", () => {
    const one = state(
      revoking(3, "failover", { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }),
    );
    expect(serverSteps(deciding(before, one, silent(0)))).toEqual([{ kind: "StopReceiving", ordinal: 1 }]);
    const half = deciding(before, state(revoking(3)), silent(0), cut(1));
    expect(serverSteps(half)).toEqual([{ kind: "StopReceiving", ordinal: 2 }]);
  });

  test("the name of the primary is left where nobody listens, until somebody does again", () => {
    const closed = saying(0, { kind: "unreachable", reason: "refused", closed: true });
    for (const gone of [closed, podless(0)]) {
      const decision = deciding(before, state(revoking(3)), gone);
      expect(stepsOfKind(decision, "EnsureService")).toEqual([]);
    }
    const back = deciding(before, state(revoking(3)), server(0, primaryFacts(3, { readOnly: false })));
    expect(stepsOfKind(back, "EnsureService")).toHaveLength(1);
  });

  test("the name of the primary is withdrawn once, and only when it is ours", () => {
    const once = deciding(before, ...dead);
    const [ensure] = stepsOfKind(once, "EnsureService");
    const { primary } = before.services;
    if (primary.kind !== "found" || ensure === undefined) throw new Error("no Service to withdraw");
    const withdrawn = { ...primary, service: { ...primary.service, selector: ensure.selector } };
    for (const service of [withdrawn, { kind: "missing" } as const, { kind: "taken" } as const]) {
      const services = but({ services: { ...before.services, primary: service } });
      expect(stepsOfKind(deciding(before, ...dead, services), "EnsureService")).toEqual([]);
    }
  });

  test("without a quorum it says whom it needs, and how to do without", () => {
    const decision = deciding(before, state(revoking(3)), silent(0), silent(2));
    const problem = decision.problems.find(({ code }) => code === "NoQuorum");
    expect(problem?.message).toContain(
      "mysql-0, mysql-2, or accept the loss with ordinal.dev/accept-data-loss=e2",
    );
    expect(decision.lookAgainMs).toBeNull();
    expect(serverSteps(decision)).toEqual([{ kind: "StopReceiving", ordinal: 1 }]);
    expect(decision.conditions[0]).toMatchObject({ type: "Ready", status: "False", reason: "FailingOver" });
  });

  test.each([1, 2])(
    "a loss accepted in epoch %s is recorded, and what is away is never thrown away",
    (epoch) => {
      const decision = deciding(
        before,
        state(revoking(3)),
        silent(0),
        silent(2),
        cut(1),
        spec({ lossAcceptedEpoch: epoch }),
      );
      expect(recordedBy(decision)).toMatchObject({
        phase: "Establishing",
        pending: { primary: { ordinal: 1 }, open: false },
        unproven: [uuidOf(0), uuidOf(2)],
        op: { kind: "failover", step: "Promote" },
      });
      expect(reasons(decision)).toContain("DataLossAccepted");
      expect(decision.prelude[0]).toMatchObject({ kind: "Confirm" });
    },
  );

  test("a loss cannot be accepted for another epoch, nor while nobody is stopped", () => {
    const other = deciding(
      before,
      state(revoking(3)),
      silent(0),
      silent(2),
      cut(1),
      spec({ lossAcceptedEpoch: 3 }),
    );
    const early = deciding(before, state(revoking(3)), silent(0), silent(2), spec({ lossAcceptedEpoch: 2 }));
    const broken = replica(1, { received: written(101) }, { receiver: "off", applierError: "1032" });
    const stuck = deciding(
      before,
      state(revoking(3)),
      silent(0),
      silent(2),
      broken,
      spec({ lossAcceptedEpoch: 2 }),
    );
    for (const decision of [other, early, stuck]) expect(recordedBy(decision)).toBeNull();
  });

  test("what goes on is named after what began it", () => {
    const phases = (["failover", "reconstruct", "switchover", "reopen"] as const).map(
      (kind) => deciding(before, state(revoking(3, kind, { op: operation(kind, 1) }))).phase,
    );
    expect(phases).toEqual(["FailingOver", "FailingOver", "SwitchingOver", "Reopening"]);
  });
});
