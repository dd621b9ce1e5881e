/** A primary that is alive hands over: to whom, when it refuses, and when it gives up and goes on. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  config,
  facts,
  member,
  NOW_MS,
  onPod,
  placed,
  primaryFacts,
  replicaFacts,
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
  deciding,
  instant,
  operation,
  reasons,
  recordedBy,
  replica,
  revoking,
  serverSteps,
} from "./support.ts";

const before = settled(placed(3));
const wanted = spec({ switchoverTo: "mysql-2" });

function lagging(ordinal: number, ms: number): Change {
  return replica(ordinal, { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - ms });
}

function stopping(...ordinals: readonly number[]): Change {
  return (of) =>
    ordinals.reduce((so, ordinal) => onPod(ordinal, (pod) => ({ ...pod, deleting: true }))(so), of);
}

describe("asked for, it", () => {
  test("is recorded, and the primary ends its writes in the same breath", () => {
    const decision = deciding(before, wanted);
    expect(recordedBy(decision)).toEqual({
      ...steadyState(3),
      ...{ seq: 8, epoch: 2, phase: "Revoking" },
      op: { id: "switchover-2", kind: "switchover", step: "Demote", startedAt: instant(0), target: 2 },
    });
    expect(reasons(decision)).toEqual(["SwitchoverStarted"]);
    expect(decision.why).toBe("mysql-0 hands over to mysql-2 in epoch 2, as asked.");
    expect(stepsOfKind(decision, "Record")[0]?.answered).toEqual([ANNOTATION.switchoverTo]);
    // Its name leads to it until the next one is there: it says at once that it takes no writes.
    expect(decision.tracks).toEqual([[{ kind: "Demote", ordinal: 0 }]]);
    expect([decision.phase, decision.lookAgainMs]).toEqual(["SwitchingOver", 0]);
    expect(decision.conditions[0]).toMatchObject({ status: "False", reason: "SwitchingOver" });
  });

  const acks = { ...replicaFacts(2).acks, active: false };
  const outside: Change = state(
    steadyState(3, { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }),
  );
  const table: readonly (readonly [string, string, readonly Change[]])[] = [
    [
      "somebody who is no member",
      "mysql-7 cannot become the primary: it is no member of mysql",
      [spec({ switchoverTo: "mysql-7" })],
    ],
    [
      "the primary itself",
      "mysql-0 cannot become the primary: it is the primary already",
      [spec({ switchoverTo: "mysql-0" })],
    ],
    ["a member that is away", "it is not a replica in good order (unreachable)", [wanted, silent(2)]],
    ["a replica that is far behind", "it is 12 s behind", [wanted, lagging(2, 12_000)]],
    [
      "a replica that does not acknowledge",
      "it does not acknowledge commits",
      [wanted, replica(2, { acks })],
    ],
    ["a replica that is not recorded yet", "it does not acknowledge commits", [wanted, outside]],
    [
      "anybody while the primary is closed",
      "mysql-0 takes no writes at present",
      [wanted, server(0, primaryFacts(3, { readOnly: true }))],
    ],
  ];
  test.each(table)("is refused to %s", (_, text, changes) => {
    const decision = deciding(before, ...changes);
    const problem = decision.problems.find(({ code }) => code === "SwitchoverRefused");
    expect(problem?.blocks).toBe(false);
    expect(problem?.message).toContain(text);
    expect(problem?.message).toContain("; name another member or remove ordinal.dev/switchover-to.");
    expect(reasons(decision)).not.toContain("SwitchoverStarted");
    expect(stepsOfKind(decision, "Demote")).toEqual([]);
    expect(stepsOfKind(decision, "Record").flatMap(({ answered }) => answered)).toEqual([]);
  });

  test("refused, degrades nothing; at the very limit of the lag it is granted", () => {
    expect(deciding(before, spec({ switchoverTo: "mysql-0" })).phase).toBe("Healthy");
    expect(recordedBy(deciding(before, wanted, lagging(2, 10_000)))?.op?.target).toBe(2);
  });

  test("a name of any length is told in part only", () => {
    const decision = deciding(before, spec({ switchoverTo: "x".repeat(200) }));
    expect(decision.problems[0]?.message).toContain(`${"x".repeat(63)} cannot become the primary`);
    expect(decision.problems[0]?.message).not.toContain("x".repeat(64));
  });
});

describe("a primary whose pod is being deleted hands over while it still answers", () => {
  const target = (...changes: readonly Change[]) => {
    const record = recordedBy(deciding(before, stopping(0), ...changes));
    return record?.op?.kind === "switchover" ? record.op.target : null;
  };
  const table: readonly (readonly [string, number | null, readonly Change[]])[] = [
    ["to the first of equals", 1, []],
    ["to the one that is least far behind", 2, [lagging(1, 5_000), lagging(2, 2_000)]],
    ["to one that has nothing left to apply", 2, [lagging(1, 1)]],
    ["not to one that is being deleted too", 2, [stopping(1)]],
    ["not to one that is too far behind", 2, [lagging(1, 11_000)]],
    ["not to anybody when all are too far behind", null, [lagging(1, 11_000), lagging(2, 11_000)]],
    ["not to one that does not follow", 2, [server(1, replicaFacts(1, { channel: null }))]],
    ["to one whose pod is not listed and that answers", 1, [member(1, (of) => ({ ...of, pod: null }))]],
    ["not to anybody when all are being deleted", null, [stopping(1, 2)]],
    ["not while it is closed", null, [server(0, primaryFacts(3, { readOnly: true }))]],
  ];
  test.each(table)("%s", (_, ordinal, changes) => {
    expect(target(...changes)).toBe(ordinal);
  });

  test("whatever else was asked for, which stays asked for", () => {
    const decision = deciding(before, stopping(0), wanted);
    expect(decision.why).toBe("mysql-0 hands over to mysql-1 in epoch 2, since its pod is being deleted.");
    expect(stepsOfKind(decision, "Record")[0]?.answered).toEqual([]);
    const same = deciding(before, stopping(0), spec({ switchoverTo: "mysql-1" }));
    expect(stepsOfKind(same, "Record")[0]?.answered).toEqual([ANNOTATION.switchoverTo]);
  });

  test("and not once it answers no more", () => {
    const decision = deciding(before, stopping(0), silent(0));
    expect(reasons(decision)).toEqual(["PrimaryUnreachable"]);
    expect(recordedBy(decision)).toBeNull();
  });
});

describe("under way", () => {
  const begun = (ms: number) => state(revoking(3, "switchover", { op: operation("switchover", 2, ms) }));
  const closed = server(0, primaryFacts(3, { readOnly: true }));

  test("the old primary ends its writes first", () => {
    const decision = deciding(before, begun(1_000));
    expect(decision.tracks).toEqual([[{ kind: "Demote", ordinal: 0 }]]);
    expect([decision.why, decision.lookAgainMs]).toEqual(["the primary ends its writes", 20]);
    expect(decision.prelude).toEqual([]);
  });

  test("the next primary receives the last of them, and nothing more is done meanwhile", () => {
    const behind = replica(2, { executed: written(90), received: written(90) });
    const decision = deciding(before, begun(1_000), closed, behind);
    expect(decision.tracks).toEqual([]);
    expect(decision.why).toBe("the next primary receives the last of them");
  });

  test("the wanted one is stopped receiving and looked at once more, with the old primary, before it is elected", () => {
    const decision = deciding(before, begun(1_000), closed);
    expect(recordedBy(decision)).toMatchObject({
      ...{ epoch: 2, phase: "Establishing" },
      // The old primary itself holds all of it, and is to acknowledge from now on.
      pending: { primary: { ordinal: 2, serverUuid: uuidOf(2) }, open: true },
      op: { kind: "switchover", step: "Promote", target: 2 },
    });
    const kinds = decision.prelude.map(({ kind }) => kind).filter((kind) => kind !== "Event");
    expect(kinds).toEqual(["StopReceiving", "Confirm", "Record"]);
    expect(stepsOfKind(decision, "Confirm")[0]?.members).toEqual([
      { ordinal: 2, closed: true, stopped: true, atMost: written(100), atLeast: null },
      { ordinal: 0, closed: true, stopped: false, atMost: written(100), atLeast: written(100) },
    ]);
  });

  test.each([
    ["too long ago", 20_001],
    ["far in the future", -20_001],
  ])("and begun %s, it is given up, and the primary goes on", (_, ms) => {
    const decision = deciding(before, begun(ms));
    expect(recordedBy(decision)).toMatchObject({
      ...{ epoch: 2, phase: "Establishing", primaryStartedAtMs: facts(0).startedAtMs },
      pending: { ...config(3), open: false },
      op: { kind: "switchover", step: "Establish", target: 2 },
    });
    expect(reasons(decision)).toEqual(["SwitchoverAbandoned"]);
    expect(decision.why).toBe("mysql-0 could not hand over in time and stays the primary, in epoch 2.");
    expect(serverSteps(decision)).toEqual([]);
    expect(decision.lookAgainMs).toBe(0);
  });

  test.each([20_000, -20_000])(
    "it has twenty seconds by a clock that may be off by as much (%s ms)",
    (ms) => {
      expect(reasons(deciding(before, begun(ms)))).not.toContain("SwitchoverAbandoned");
    },
  );

  test("an old primary that dies meanwhile is given up like any other", () => {
    const decision = deciding(before, begun(1_000), silent(0));
    expect(codes(decision)).toContain("PrimaryUnreachable");
    expect(serverSteps(decision)).toEqual([]);
  });
});
