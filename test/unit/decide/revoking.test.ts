/** An epoch is claimed: who is elected, who never is, and what people and the record are told of it. */
import { describe, expect, test } from "vitest";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { Step } from "../../../shared/model/step.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  placed,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  spec,
  state,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { cut, deciding, operation, reasons, recordedBy, replica, revoking, serverSteps } from "./support.ts";

const before = settled(placed(3));

describe("people are told that no writes are taken, until which epoch, and why", () => {
  test.each([
    ["failover", "mysql-0 is being replaced"],
    ["switchover", "mysql-0 is handing over"],
  ] as const)("%s", (kind, doing) => {
    const closed = server(0, primaryFacts(3, { readOnly: true }));
    const decision = deciding(before, state(revoking(3, kind, { op: operation(kind, 1) })), closed);
    expect(decision.conditions[0]?.message).toBe(
      `${doing}; mysql takes no writes until epoch 2 is established.`,
    );
  });

  test("whom it needs is an open problem, and stops nothing", () => {
    const decision = deciding(before, state(revoking(3)), silent(0), silent(2));
    expect(decision.problems.find(({ code }) => code === "NoQuorum")).toMatchObject({ blocks: false });
  });
});

describe("the elected", () => {
  test("is looked at once more before it is recorded", () => {
    const decision = deciding(before, state(revoking(3)), silent(0), cut(1, 2));
    expect(serverSteps({ ...decision, tracks: [] }).map(({ kind }) => kind)).toEqual(["Confirm"]);
  });

  test("waits for nothing, and the others begin to follow it in the same breath", () => {
    const closed = server(0, primaryFacts(3, { readOnly: true }));
    const { tracks } = deciding(before, state(revoking(3)), closed, cut(1, 2));
    expect(tracks[0]?.map(({ kind }) => kind)).toEqual(["Open", "LabelPod", "EnsureService"]);
    expect(tracks.slice(1)).toEqual([
      [{ kind: "Follow", ordinal: 1, source: 0, how: "start" }],
      [{ kind: "Follow", ordinal: 2, source: 0, how: "start" }],
    ]);
  });

  test("is recorded also when nobody knows any more what began it", () => {
    const decision = deciding(before, state(revoking(3, "failover", { op: null })), silent(0), cut(1, 2));
    expect(recordedBy(decision)).toMatchObject({ phase: "Establishing", op: null });
  });
});

describe("an acknowledger that takes writes while nobody is elected", () => {
  const opened = (more: Partial<ServerFacts>) =>
    replica(1, { readOnly: false, ...more }, { receiver: "off" });
  const waiting = { acks: { ...replicaFacts(1).acks, waiters: 1 } };
  const deciding3 = (one: Change) => deciding(before, state(revoking(3)), silent(0), one, cut(2));

  const table: readonly (readonly [
    string,
    Partial<ServerFacts>,
    readonly Step["kind"][],
    number | undefined,
  ])[] = [
    ["is closed, and the next epoch is claimed", {}, ["Demote"], 3],
    ["is put out of service where commits wait", waiting, ["Fence"], undefined],
    [
      "is restarted where they still wait then, and the next epoch is claimed",
      { ...waiting, offline: true },
      ["Restart"],
      3,
    ],
  ];
  test.each(table)("%s", (_, more, kinds, epoch) => {
    const decision = deciding3(opened(more));
    expect(serverSteps(decision).map(({ kind }) => kind)).toEqual(kinds);
    expect(recordedBy(decision)?.epoch).toBe(epoch);
    expect(recordedBy(decision)?.pending ?? null).toBeNull();
  });

  test("is named by the operation of the epoch that is claimed", () => {
    expect(recordedBy(deciding3(opened({})))?.op).toMatchObject({ id: "failover-3", kind: "failover" });
  });
});

test("of an accepted loss the epoch and the choice are told, and the newest eight doubts are kept", () => {
  const unproven = Array.from({ length: 7 }, (_, index) => `uuid-${index}`);
  const decision = deciding(
    before,
    state(revoking(3, "failover", { unproven })),
    ...[silent(0), silent(2), cut(1)],
    spec({ lossAcceptedEpoch: 2 }),
  );
  expect(decision.why).toBe(
    "A person accepted in epoch 2 that acknowledged writes may be lost: mysql-1 holds everything that 1 reached members hold.",
  );
  expect(recordedBy(decision)?.unproven).toEqual([...unproven.slice(1), uuidOf(0), uuidOf(2)]);
});

describe("in a hand-over nobody is elected", () => {
  const switching = state(revoking(3, "switchover", { op: operation("switchover", 1) }));

  test("while the old primary still takes writes, whoever has stopped receiving", () => {
    const decision = deciding(before, switching, cut(1, 2));
    expect(reasons(decision)).not.toContain("PrimaryElected");
    expect(recordedBy(decision)).toBeNull();
    expect(stepsOfKind(decision, "Demote")).toEqual([{ kind: "Demote", ordinal: 0 }]);
  });

  test("while nobody who could be a primary holds everything", () => {
    const odd = primaryFacts(3, { readOnly: true, settings: { odd: "1" } });
    const behind = [1, 2].map((ordinal) =>
      replica(ordinal, { received: written(99), executed: written(99) }),
    );
    const decision = deciding(before, switching, server(0, odd), ...behind);
    expect(recordedBy(decision)).toBeNull();
    expect(decision.why).toBe("the next primary receives the last of them");
  });
});
