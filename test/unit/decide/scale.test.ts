/** More or fewer members, as `ordinal.dev/replicas` says, and what becomes of them when somebody else decides it. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { Spec } from "../../../shared/model/spec.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  channelTo,
  config,
  known,
  NOW_MS,
  placed,
  primaryFacts,
  RULES,
  replicaFacts,
  server,
  set,
  silent,
  spec,
  state,
  steadyState,
  uuidOf,
} from "../../support/situation.ts";
import { codes, configOf, deciding, lastRecorded, reasons, recordedBy, replica } from "./support.ts";

const three = settled(placed(3));
const five = known("Ready", 60_000)(settled(placed(5)));

const wished = (replicas: Spec["replicas"]): Change => spec({ replicas });
/** Ackers and count as after a part of the way down. */
const recorded = (ackers: readonly number[], ackCount: number): Change =>
  state(steadyState(5, { established: configOf(0, ackers, ackCount) }));
const waitingFor = (count: number): Change =>
  server(0, primaryFacts(5, { acks: { ...primaryFacts(5).acks, required: count > 0, count } }));

function resized(...changes: readonly Change[]): number | null | undefined {
  return stepsOfKind(deciding(five, ...changes), "Record")[0]?.replicas;
}

describe("more members", () => {
  test("are asked of the StatefulSet by the record that tells it", () => {
    const decision = deciding(three, wished(5));
    expect(stepsOfKind(decision, "Record")).toMatchObject([
      { replicas: 5, phase: "Scaling", state: { scaledTo: 5, epoch: 1, established: config(3) } },
    ]);
    expect(reasons(decision)).toEqual(["ScaledUp"]);
    expect(decision.why).toBe("mysql is scaled from 3 to 5 members, as ordinal.dev/replicas says.");
    expect([decision.tracks, decision.lookAgainMs]).toEqual([[], 0]);
  });

  test("are left alone where there are as many, or nobody has asked", () => {
    expect(deciding(three, wished(3)).prelude).toEqual([]);
    expect(deciding(three, wished(null)).prelude).toEqual([]);
  });

  test("come back before anything else, for they may hold what a failover needs", () => {
    const lost = state(steadyState(5, { scaledTo: null }));
    const decision = deciding(five, lost, set({ replicas: 3 }), wished(5), silent(0), silent(3), silent(4));
    expect(stepsOfKind(decision, "Record")[0]?.replicas).toBe(5);
  });

  test("are not asked for while a person decides something else", () => {
    expect(deciding(three, spec({ replicas: 5, paused: true })).phase).toBe("Paused");
    expect(
      stepsOfKind(deciding(three, spec({ replicas: 5, paused: true })), "Record")[0]?.replicas,
    ).toBeNull();
  });

  test("do not hold up a failover: until they are there, as many acknowledge as before", () => {
    const growing = state(steadyState(3, { epoch: 2, phase: "Revoking", established: config(3) }));
    const stopped = [1, 2].map((ordinal) => replica(ordinal, {}, { receiver: "off" }));
    const decision = deciding(three, growing, set({ replicas: 5 }), silent(0), ...stopped);
    expect(recordedBy(decision)?.pending?.ackCount).toBe(1);
  });
});

describe("fewer members", () => {
  test("leave one by one from the highest, once the others hold everything without them", () => {
    const decision = deciding(five, wished(3));
    expect(decision.phase).toBe("Scaling");
    expect(reasons(decision)).toEqual(["MemberRemoved"]);
    expect(decision.prelude.filter(({ kind }) => kind !== "Event")).toMatchObject([
      { kind: "LockAccount", ordinal: 4, primary: 0, locked: true },
      { kind: "AwaitHolders", primary: 0, holders: [1, 2], need: 2 },
      { kind: "Record", replicas: null, state: { established: configOf(0, [1, 2, 3], 2) } },
    ]);
    expect(decision.why).toBe(
      "mysql is to have 3 members and mysql-4 leaves, so it is no longer counted on; 2 of 3 other replicas hold everything.",
    );
  });

  test("lower the count after that, recorded first", () => {
    const decision = deciding(five, wished(3), recorded([1, 2], 2));
    expect(recordedBy(decision)?.established).toEqual(configOf(0, [1, 2], 1));
    expect(decision.tracks).toEqual([[{ kind: "Arm", ordinal: 0, ackCount: 1 }]]);
  });

  test("lower the count before where those that stay are fewer than it", () => {
    const decision = deciding(five, wished(2), recorded([1, 2, 3, 4], 2));
    expect(recordedBy(decision)?.established).toEqual(configOf(0, [1, 2, 3, 4], 1));
    // While commits still wait for two, the second one is kept.
    const still = deciding(five, wished(2), recorded([1, 2], 1), waitingFor(2));
    expect(recordedBy(still)).toBeNull();
    expect(still.tracks).toContainEqual([{ kind: "Arm", ordinal: 0, ackCount: 1 }]);
  });

  test("are taken away only when nobody counts on them, and their volumes are kept", () => {
    const decision = deciding(five, wished(3), recorded([1, 2], 1), waitingFor(1));
    const claims = stepsOfKind(decision, "AnnotateClaim");
    expect(claims.map(({ claim }) => claim)).toEqual(["data-mysql-3", "data-mysql-4"]);
    const until = new Date(NOW_MS + 30 * 86_400_000).toISOString();
    for (const { annotations } of claims) expect(annotations).toEqual({ [ANNOTATION.keepUntil]: until });
    expect(stepsOfKind(decision, "Record")).toMatchObject([
      { replicas: 3, phase: "Scaling", state: { scaledTo: 3 } },
    ]);
    expect(reasons(decision)).toEqual(["ScaledDown"]);
    expect(decision.why).toBe(
      `mysql is scaled from 5 to 3 members, as ordinal.dev/replicas says; the volumes of those that leave are kept until ${until.slice(0, 10)}.`,
    );
    expect(resized(wished(3), recorded([1, 2, 3], 1), waitingFor(1))).toBeNull();
    expect(resized(wished(3), recorded([1, 2], 1), waitingFor(2))).toBeNull();
  });

  test("are kept for some seconds after a change of the primary, for clients that still go to the one before", () => {
    const handedOver = (agoMs: number) =>
      deciding(five, wished(3), recorded([1, 2], 1), waitingFor(1), known("Ready", agoMs));
    const early = handedOver(4_900);
    expect(stepsOfKind(early, "Record").every(({ replicas }) => replicas === null)).toBe(true);
    expect([early.phase, early.lookAgainMs]).toEqual(["Scaling", 100]);
    // A time to come was written by another clock.
    for (const agoMs of [5_000, -60_000]) expect(reasons(handedOver(agoMs))).toEqual(["ScaledDown"]);
  });

  test("serve no reads any more, and are not let in again when they are no longer counted on", () => {
    const leaving = deciding(five, wished(3), recorded([1, 2], 1), waitingFor(2));
    const labels = stepsOfKind(leaving, "LabelPod").map(({ pod, labels: of }) => [pod, of[LABEL.role]]);
    expect(labels).toEqual([
      ["mysql-3", null],
      ["mysql-4", null],
    ]);
    const out = replica(4, {}, { receiver: "off", lockedOut: true });
    const decision = deciding(five, wished(3), recorded([1, 2], 1), waitingFor(2), out);
    expect(stepsOfKind(decision, "Follow")).toEqual([]);
    expect(stepsOfKind(decision, "LockAccount")).toEqual([]);
  });

  test("hand over first where the primary is among them, to one that stays", () => {
    const moved = state(steadyState(5, { established: configOf(4, [0, 1, 2, 3], 2) }));
    const follows = [0, 1, 2, 3].map((ordinal) => server(ordinal, followerOf(4, ordinal)));
    const last = server(4, leader(4));
    const decision = deciding(five, wished(3), moved, ...follows, last);
    expect(decision.phase).toBe("SwitchingOver");
    expect(recordedBy(decision)?.op).toMatchObject({ kind: "switchover", target: 0 });
    expect(decision.why).toBe("mysql-4 hands over to mysql-0 in epoch 2, since there are to be 3 members.");
    const broken = follows.slice(0, 3).map((_, ordinal) => silent(ordinal));
    const alone = server(4, { ...leader(4), acks: { ...leader(4).acks, count: 1 } });
    const lowered = state(steadyState(5, { established: configOf(4, [0, 1, 2, 3], 1) }));
    const stuck = deciding(five, wished(3), lowered, ...follows, alone, ...broken);
    expect(codes(stuck)).toContain("ScaleRefused");
    expect(stuck.problems.find(({ code }) => code === "ScaleRefused")?.message).toBe(
      "mysql keeps 5 members: mysql-4 is the primary, and no member that stays can take over.",
    );
  });

  test("are refused, with what is missing, while too few of those that stay acknowledge", () => {
    const quiet = [1, 2].map((ordinal) =>
      replica(ordinal, { acks: { ...replicaFacts(ordinal).acks, active: false } }),
    );
    const decision = deciding(five, wished(3), recorded([1, 2], 1), waitingFor(1), ...quiet);
    const refusal = decision.problems.find(({ code }) => code === "ScaleRefused");
    expect(refusal?.message).toBe(
      "mysql keeps 5 members: 0 of the members that stay acknowledge its writes, and 1 must.",
    );
    const behind = [1, 2].map((ordinal) => replica(ordinal, { applyingSinceMs: 0, executed: "" }));
    const counted = deciding(five, wished(3), recorded([1, 2, 3], 1), waitingFor(1), ...behind);
    expect(counted.problems.find(({ code }) => code === "ScaleRefused")?.message).toBe(
      "mysql keeps 5 members: mysql-3 is counted on until enough of those that stay have caught up.",
    );
  });

  test("a switchover to one that leaves is refused", () => {
    const decision = deciding(five, spec({ replicas: 3, switchoverTo: "mysql-4" }));
    expect(decision.problems.find(({ code }) => code === "SwitchoverRefused")?.message).toContain(
      "there are to be 3 members, and it leaves",
    );
  });
});

describe("somebody else", () => {
  const three = state(steadyState(5, { scaledTo: 3 }));

  test("who writes replicas after us is told so, and is not fought", () => {
    const decision = deciding(five, wished(3), three, set({ replicasBy: "kubectl" }));
    expect(decision.problems.find(({ code }) => code === "ReplicasContested")?.message).toBe(
      "replicas of mysql was set to 5 by kubectl, and ordinal.dev/replicas says 3; let one of them decide and change or remove the other.",
    );
    expect(resized(wished(7), state(steadyState(5, { scaledTo: 7 })))).toBeNull();
  });

  test("who is an autoscaler is never fought at all", () => {
    for (const manager of ["kube-controller-manager", "keda-operator"])
      expect(codes(deciding(five, wished(7), set({ replicasBy: manager })))).toContain("ReplicasContested");
    expect(resized(wished(7), set({ replicasBy: "kubectl" }))).toBe(7);
  });

  test("is forgotten once something else is wished for", () => {
    const decision = deciding(five, wished(4), three);
    expect(recordedBy(decision)?.scaledTo).toBeNull();
    expect(reasons(decision)).toEqual([]);
    expect(lastRecorded(deciding(five, wished(null), three))?.scaledTo).toBeNull();
  });

  test("who takes members away that are counted on has them taken out of the count without a loss", () => {
    const decision = deciding(five, set({ replicas: 3 }), silent(4));
    expect(decision.phase).toBe("Scaling");
    expect(decision.prelude.filter(({ kind }) => kind !== "Event")).toMatchObject([
      { kind: "LockAccount", ordinal: 4 },
      { kind: "AwaitHolders", holders: [1, 2] },
      { kind: "Record", replicas: null, state: { established: { ackers: configOf(0, [1, 2, 3]).ackers } } },
    ]);
  });
});

/** Of five members, in epoch 1. */
function leader(ordinal: number): ServerFacts {
  return primaryFacts(5, { serverUuid: uuidOf(ordinal) });
}

function followerOf(primary: number, ordinal: number): ServerFacts {
  const account = RULES.replicationAccount(ordinal);
  return replicaFacts(ordinal, { channel: channelTo(primary, { account }) });
}
