/** The primary of an established cluster: kept as it was recorded, and what is told of it. */
import { describe, expect, test } from "vitest";
import type { ServerFacts } from "../../../shared/model/server.ts";
import { carryOut, settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  channelTo,
  config,
  facts,
  NOW_MS,
  newUuidOf,
  placed,
  podless,
  primaryFacts,
  replicaFacts,
  server,
  state,
  steadyState,
  written,
} from "../../support/situation.ts";
import { deciding, reasons, serverSteps } from "./support.ts";

describe("the primary", () => {
  const closed = (more: Partial<ServerFacts> = {}): Change => {
    const acks = {
      required: false,
      count: 1,
      clients: 2,
      waiters: 0,
      waitingMs: 0,
      given: false,
      active: false,
    };
    return server(0, primaryFacts(3, { readOnly: true, acks, ...more }));
  };

  test("that came back read-only is established again in the next epoch", () => {
    const first = deciding(closed()(settled(placed(3))));
    const recorded = stepsOfKind(first, "Record")[0]?.state;
    expect(recorded).toMatchObject({
      epoch: 2,
      phase: "Establishing",
      established: config(3),
      pending: { ...config(3), open: false },
      op: { kind: "reopen" },
    });
    expect([first.phase, reasons(first)]).toEqual(["Reopening", ["PrimaryReopening"]]);
    expect(serverSteps(first)).toEqual([]);
    const second = deciding(closed()(carryOut(settled(placed(3)), first)));
    expect(stepsOfKind(second, "Arm")).toEqual([{ kind: "Arm", ordinal: 0, ackCount: 1 }]);
  });

  test("waits for its replicas, whose threads are started", () => {
    const recorded = steadyState(3, {
      epoch: 2,
      phase: "Establishing",
      pending: { ...config(3), open: false },
      op: {
        id: "reopen-2",
        kind: "reopen",
        step: "Establish",
        startedAt: new Date(NOW_MS).toISOString(),
        target: null,
      },
    });
    const nobody = {
      required: false,
      count: 1,
      clients: 0,
      waiters: 0,
      waitingMs: 0,
      given: false,
      active: false,
    };
    const stopped = server(
      1,
      replicaFacts(1, { channel: channelTo(0, { receiver: "off", applier: "off" }) }),
    );
    const decision = deciding(placed(3, state(recorded), closed({ acks: nobody }), stopped));
    expect(serverSteps(decision)).toContainEqual({ kind: "Follow", ordinal: 1, source: 0, how: "start" });
    expect(stepsOfKind(decision, "Open")).toEqual([]);
    expect(decision.lookAgainMs).toBeGreaterThan(0);
  });

  test("that lost what a replica acknowledged is given up and stays read-only", () => {
    const ahead = server(1, replicaFacts(1, { received: written(120), executed: written(120) }));
    const decision = deciding(placed(3, closed(), ahead));
    expect(decision.problems).toMatchObject([{ code: "PrimaryLostTransactions", ordinal: 0 }]);
    expect(stepsOfKind(decision, "Record")[0]?.state).toMatchObject({
      epoch: 2,
      phase: "Revoking",
      unproven: [],
      scaledTo: null,
    });
    expect(serverSteps(decision)).toEqual([
      { kind: "StopReceiving", ordinal: 1 },
      { kind: "StopReceiving", ordinal: 2 },
    ]);
    expect(decision.conditions[0]).toMatchObject({ type: "Ready", status: "False" });
  });

  test("that does not answer is reported; nobody is moved", () => {
    const decision = deciding(podless(0)(settled(placed(3))));
    expect(decision.problems.map((problem) => problem.code)).toEqual(["PrimaryUnreachable"]);
    expect(serverSteps(decision)).toEqual([]);
    expect(stepsOfKind(decision, "LabelPod").flatMap((step) => Object.keys(step.labels))).toEqual([]);
  });

  test("whose volume was replaced is given up, and nothing is done to what is there instead", () => {
    const other = facts(0, { serverUuid: newUuidOf(0) });
    const decision = deciding(server(0, other)(settled(placed(3))));
    expect(decision.problems[0]).toMatchObject({ code: "PrimaryUnreachable" });
    expect(decision.phase).toBe("FailingOver");
    expect(serverSteps(decision)).toEqual([
      { kind: "StopReceiving", ordinal: 1 },
      { kind: "StopReceiving", ordinal: 2 },
    ]);
  });

  test("whose acknowledgements were switched off or settings were changed is set right", () => {
    const acks = {
      required: false,
      count: 1,
      clients: 2,
      waiters: 0,
      waitingMs: 0,
      given: false,
      active: false,
    };
    expect(serverSteps(deciding(placed(3, server(0, primaryFacts(3, { acks })))))).toEqual([
      { kind: "Arm", ordinal: 0, ackCount: 1 },
    ]);
    const drifted = primaryFacts(3, { settings: { server_id: "1", prepared: "replica" } });
    expect(serverSteps(deciding(placed(3, server(0, drifted))))).toMatchObject([
      { kind: "Prepare", ordinal: 0 },
    ]);
  });
});
