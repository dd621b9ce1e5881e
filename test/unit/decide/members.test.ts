/** An established cluster: what each member's standing leads to, who joins and leaves, how many are waited for. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { viewMembers } from "../../../shared/decide/situation.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  channelTo,
  config,
  facts,
  member,
  NOW_MS,
  newUuidOf,
  observed,
  onPod,
  placed,
  podless,
  primaryFacts,
  RULES,
  replicaFacts,
  saying,
  server,
  set,
  silent,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { deciding, serverSteps } from "./support.ts";

function role(of: Observed, ordinal: number): string | undefined {
  return of.members[ordinal]?.pod?.labels[LABEL.role];
}

/** The volume of this acker was replaced by an empty one. */
function replaced(ordinal: number): Change {
  return server(ordinal, facts(ordinal, { serverUuid: newUuidOf(ordinal), readOnly: false }));
}

test("a settled cluster gets an empty decision", () => {
  for (const replicas of [1, 2, 3, 5]) {
    const decision = deciding(settled(placed(replicas)));
    expect(stepsOf(decision)).toEqual([]);
    expect(decision).toMatchObject({ phase: "Healthy", lookAgainMs: null });
    expect(decision.conditions[0]).toMatchObject({ type: "Ready", status: "True" });
  }
});

test("roles are published by labels and two Services of one epoch", () => {
  const decision = deciding(placed(3));
  expect(stepsOfKind(decision, "LabelPod").map((step) => [step.pod, step.labels[LABEL.role]])).toEqual([
    ["mysql-0", "primary"],
    ["mysql-1", "replica"],
    ["mysql-2", "replica"],
  ]);
  const selectors = stepsOfKind(decision, "EnsureService").map(({ name, selector }) => [name, selector]);
  expect(selectors).toEqual([
    ["mysql-primary", { app: "mysql", [LABEL.role]: "primary", [LABEL.epoch]: "1" }],
    ["mysql-replicas", { app: "mysql", [LABEL.role]: "replica", [LABEL.epoch]: "1" }],
  ]);
  // Writes do not wait for the labels of replicas.
  const kinds = decision.tracks.map((track) => track.map((step) => step.kind));
  expect(kinds.slice(0, 2)).toEqual([
    ["LabelPod", "EnsureService"],
    ["LabelPod", "LabelPod", "EnsureService"],
  ]);
});

describe("standing", () => {
  const STARVED = { receiver: "off", starved: true, receiverError: "Got fatal error 1236 (13114)" } as const;
  const table: readonly (readonly [string, string, ServerFacts])[] = [
    ["following", "following", replicaFacts(1)],
    ["following, a commit under way", "following", replicaFacts(1, { executed: written(101) })],
    ["no transactions of its own lost", "following", replicaFacts(1, { executed: written(50) })],
    ["opened by hand, though never the primary", "following", replicaFacts(1, { readOnly: false })],
    [
      "an error behind it",
      "following",
      replicaFacts(1, { channel: channelTo(0, { receiverError: "gone" }) }),
    ],
    ["not attached", "detached", replicaFacts(1, { channel: null })],
    ["threads stopped", "detached", replicaFacts(1, { channel: channelTo(0, { receiver: "off" }) })],
    ["with another account", "detached", replicaFacts(1, { channel: channelTo(0, { account: "repl" }) })],
    ["another source", "detached", replicaFacts(1, { channel: channelTo(2) })],
    ["by file position", "detached", replicaFacts(1, { channel: channelTo(0, { autoPosition: false }) })],
    ["locked out", "detached", replicaFacts(1, { channel: channelTo(0, { lockedOut: true }) })],
    ["connecting", "following", replicaFacts(1, { channel: channelTo(0, { receiver: "connecting" }) })],
    [
      "refused by the source",
      "broken",
      replicaFacts(1, { channel: channelTo(0, { receiver: "connecting", receiverError: "denied" }) }),
    ],
    ["starved", "broken", replicaFacts(1, { channel: channelTo(0, STARVED) })],
    ["starved by another source", "detached", replicaFacts(1, { channel: channelTo(2, STARVED) })],
    ["applier stopped", "broken", replicaFacts(1, { channel: channelTo(0, { applierError: "1032" }) })],
    ["own transactions", "errant", replicaFacts(1, { executed: `${written(100)},\n${uuidOf(1)}:1-3` })],
    ["empty", "blank", facts(1)],
    ["another's data", "foreign", facts(1, { survey: { schemas: ["crm"] } })],
    [
      "being copied",
      "seeding",
      facts(1, { seeding: { kind: "running", bytes: 3, bytesExpected: 100, error: null } }),
    ],
  ];
  test.each(table)("%s: %s", (_, kind, of) => {
    const situation = placed(3, server(1, of));
    expect(viewMembers(RULES, situation.members, config(3))[1]?.standing.kind).toBe(kind);
  });

  const silences: readonly (readonly [string, Change, string])[] = [
    ["no pod", podless(1), "its pod does not exist"],
    ["no answer", silent(1, "timeout"), "timeout"],
    [
      "denied",
      saying(1, { kind: "denied", account: "ordinal", reason: "1045" }),
      "it refuses account ordinal",
    ],
    ["starting", saying(1, { kind: "absent" }), "its pod is starting"],
    [
      "crashing",
      member(1, (before) => {
        const crashed = {
          name: "mysql",
          running: false,
          restartCount: 3,
          reason: "CrashLoopBackOff",
          exitCode: 1,
          ended: null,
        };
        const pod = before.pod === null ? null : { ...before.pod, containers: [crashed] };
        return { ...before, pod, server: { kind: "unreachable", reason: "x", closed: false } };
      }),
      "its container is not running (CrashLoopBackOff, exit code 1)",
    ],
    [
      "waiting for its image",
      (of) =>
        onPod(1, (pod) => ({
          ...pod,
          containers: pod.containers.map((container) => ({
            ...container,
            running: false,
            reason: "ImagePullBackOff",
          })),
        }))(silent(1)(of)),
      "its container is not running (ImagePullBackOff)",
    ],
  ];
  test.each(silences)("unreachable: %s", (_, change, reason) => {
    const decision = deciding(change(settled(placed(3))));
    const problem = decision.problems.find((one) => one.code === "MemberUnreachable");
    expect(problem).toMatchObject({ ordinal: 1, message: expect.stringContaining(reason) });
    expect(serverSteps(decision)).toEqual([]);
    expect(decision.phase).toBe("Degraded");
  });
});

describe("a replica that", () => {
  test("stands still is started again", () => {
    const stopped = server(1, replicaFacts(1, { channel: channelTo(0, { applier: "off" }) }));
    expect(serverSteps(deciding(placed(3, stopped)))).toEqual([
      { kind: "Follow", ordinal: 1, source: 0, how: "start" },
    ]);
  });

  test("receives with an account that is not its own is given its own", () => {
    const shared = server(1, replicaFacts(1, { channel: channelTo(0, { account: "repl" }) }));
    expect(stepsOfKind(deciding(placed(3, shared)), "Follow")).toMatchObject([{ ordinal: 1, how: "full" }]);
  });

  test("was locked out is let in again, on a primary that takes writes", () => {
    const out = server(1, replicaFacts(1, { channel: channelTo(0, { lockedOut: true }) }));
    expect(serverSteps(deciding(placed(3, out)))).toEqual([
      { kind: "LockAccount", ordinal: 1, primary: 0, locked: false },
      { kind: "Follow", ordinal: 1, source: 0, how: "start" },
    ]);
    const pending = { ...config(3), open: false };
    const recorded = state(steadyState(3, { epoch: 2, phase: "Establishing", pending }));
    const closed = server(
      0,
      primaryFacts(3, { readOnly: true, acks: { ...primaryFacts(3).acks, clients: 0 } }),
    );
    expect(serverSteps(deciding(placed(3, recorded, closed, out)))).toEqual([
      { kind: "Follow", ordinal: 1, source: 0, how: "start" },
    ]);
  });

  test("follows somebody else is pointed to the primary", () => {
    const astray = server(1, replicaFacts(1, { channel: channelTo(2) }));
    expect(stepsOfKind(deciding(placed(3, astray)), "Follow")).toMatchObject([{ how: "full", source: 0 }]);
  });

  test("lags leaves the read Service and comes back at half the limit", () => {
    const behind = (ms: number): Change =>
      server(
        1,
        replicaFacts(1, { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - ms }),
      );
    const before = settled(placed(3));
    const away = carryOut(behind(11_000)(before), deciding(behind(11_000)(before)));
    expect([role(before, 1), role(away, 1)]).toEqual(["replica", undefined]);
    const nearly = carryOut(behind(8_000)(away), deciding(behind(8_000)(away)));
    const back = carryOut(behind(4_000)(away), deciding(behind(4_000)(away)));
    expect([role(nearly, 1), role(back, 1)]).toEqual([undefined, "replica"]);
    // Nothing else would wake it before the next look from afar, ten seconds later.
    expect(deciding(behind(8_000)(away)).lookAgainMs).toBe(1_000);
    expect(deciding(behind(8_000)(before)).lookAgainMs).toBeNull();
    expect(deciding(behind(11_000)(before)).problems[0]).toMatchObject({
      code: "ReplicaLagging",
      ordinal: 1,
    });
  });

  test("has transactions of its own serves no reads and is counted on no more", () => {
    const own = server(1, replicaFacts(1, { executed: `${written(100)},\n${uuidOf(1)}:1-3` }));
    const before = own(settled(placed(3)));
    const decision = deciding(before);
    expect(decision.problems[0]).toMatchObject({ code: "ErrantTransactions", ordinal: 1 });
    expect(serverSteps(decision)).toMatchObject([
      { kind: "LockAccount", ordinal: 1, primary: 0, locked: true },
      { kind: "AwaitHolders", primary: 0, holders: [2], need: 1 },
    ]);
    const left = carryOut(before, decision);
    expect(role(carryOut(left, deciding(left)), 1)).toBeUndefined();
  });

  test("is of an unsupported version is left alone", () => {
    const old = server(1, facts(1, { serverUuid: newUuidOf(1), version: "8.0.41" }));
    expect(stepsOfKind(deciding(placed(3, old)), "Seed")).toEqual([]);
  });

  test("does not acknowledge though recorded is switched on; one that is not recorded, off", () => {
    const off = {
      required: false,
      count: 1,
      clients: 0,
      waiters: 0,
      waitingMs: 0,
      given: false,
      active: false,
    };
    expect(
      stepsOfKind(deciding(placed(3, server(1, replicaFacts(1, { acks: off })))), "Acknowledge"),
    ).toEqual([{ kind: "Acknowledge", ordinal: 1, on: true }]);
    const [, second] = config(3).ackers;
    const lagging = replicaFacts(1, { executed: written(9), received: written(99), applyingSinceMs: 1 });
    const one = steadyState(3, { established: config(3, { ackers: second === undefined ? [] : [second] }) });
    const decision = deciding(placed(3, state(one), server(1, lagging)));
    expect(stepsOfKind(decision, "Acknowledge")).toEqual([{ kind: "Acknowledge", ordinal: 1, on: false }]);
  });
});

describe("the ackers", () => {
  test("gain a follower: recorded first, alone in its decision", () => {
    const [, second] = config(3).ackers;
    const one = steadyState(3, { established: config(3, { ackers: second === undefined ? [] : [second] }) });
    const decision = deciding(placed(3, state(one)));
    expect(stepsOfKind(decision, "Record")[0]?.state?.established?.ackers).toHaveLength(2);
    expect(stepsOfKind(decision, "Event").map((step) => step.reason)).toContain("MemberJoined");
    expect(serverSteps(decision)).toEqual([]);
  });

  test("lose a member whose volume was replaced: locked out, the others hold everything, recorded", () => {
    const decision = deciding(placed(3, replaced(2)));
    const kinds = decision.prelude.map((step) => step.kind).filter((kind) => kind !== "Event");
    expect(kinds).toEqual(["LockAccount", "AwaitHolders", "Record"]);
    expect(stepsOfKind(decision, "AwaitHolders")[0]).toMatchObject({ holders: [1], need: 1 });
    expect(
      stepsOfKind(decision, "Record")[0]?.state?.established?.ackers.map((acker) => acker.ordinal),
    ).toEqual([1]);
    const after = deciding(carryOut(placed(3, replaced(2)), decision));
    expect(stepsOfKind(after, "Seed")).toEqual([{ kind: "Seed", ordinal: 2, donor: 1, covered: null }]);
  });

  test("keep a lost member while too few others hold everything; it is seeded all the same", () => {
    const decision = deciding(placed(2, replaced(1)));
    expect(stepsOfKind(decision, "Record").every((step) => step.state === null)).toBe(true);
    expect(stepsOfKind(decision, "Seed")).toEqual([{ kind: "Seed", ordinal: 1, donor: 0, covered: null }]);
  });

  test("do not lock out the successor of a lost member", () => {
    const successor = replicaFacts(1, { serverUuid: newUuidOf(1) });
    const both = config(2, { ackers: [...config(2).ackers, { ordinal: 1, serverUuid: newUuidOf(1) }] });
    const decision = deciding(placed(2, server(1, successor), state(steadyState(2, { established: both }))));
    expect(stepsOfKind(decision, "LockAccount")).toEqual([]);
    expect(stepsOfKind(decision, "Record")[0]?.state?.established?.ackers).toEqual([
      { ordinal: 1, serverUuid: newUuidOf(1) },
    ]);
  });

  test("do not lock out a successor that is seeded and not recorded yet", () => {
    for (const channel of [null, channelTo(0, { account: RULES.replicationAccount(2) })]) {
      const successor = replicaFacts(2, { serverUuid: newUuidOf(2), channel });
      const decision = deciding(placed(3, server(2, successor)));
      expect(stepsOfKind(decision, "LockAccount")).toEqual([]);
      expect(stepsOfKind(decision, "Record")[0]?.state?.established?.ackers).toHaveLength(1);
    }
  });

  test("are waited for in a greater number once enough of them hold everything", () => {
    const few = steadyState(5, { established: config(5, { ackCount: 1 }) });
    const decision = deciding(placed(5, state(few)));
    const kinds = stepsOf(decision).map((step) => step.kind);
    expect(kinds.filter((kind) => kind !== "Event")).toEqual(["Record", "Arm", "AwaitHolders", "Record"]);
    const counts = stepsOfKind(decision, "Record").map((step) => step.state?.established?.ackCount);
    expect(counts).toEqual([1, 2]);
    const alone = [2, 3, 4].map((ordinal) => silent(ordinal));
    expect(stepsOfKind(deciding(placed(5, state(few), ...alone)), "Arm")).toMatchObject([{ ackCount: 1 }]);
  });

  test("that are short are told to people", () => {
    const codes = deciding(placed(3, podless(1))).problems.map((problem) => problem.code);
    expect(codes).toEqual(["MemberUnreachable", "NoSpareCopy"]);
    const two = deciding(settled(placed(2)));
    expect(two).toMatchObject({ phase: "Healthy", problems: [{ code: "NoSpareCopy" }] });
  });
});

describe("what a volume claim remembers", () => {
  const claims = (...changes: readonly Change[]) =>
    stepsOfKind(deciding(placed(1, ...changes)), "AnnotateClaim").map((step) => step.annotations);
  const plain = saying(0, { kind: "read", facts: primaryFacts(1), authority: null });

  test("is who was on it, in which epoch, and with what authority", () => {
    expect(claims()).toEqual([
      {
        [ANNOTATION.serverUuid]: uuidOf(0),
        [ANNOTATION.epochSeen]: "1",
        [ANNOTATION.serverAuthority]: "PEM",
      },
    ]);
  });

  test("stays when it is asked without TLS, and begins with nothing then", () => {
    expect(claims(plain).map((annotations) => Object.keys(annotations))).toEqual([
      [ANNOTATION.serverUuid, ANNOTATION.epochSeen],
    ]);
    const before = settled(placed(1));
    expect(stepsOf(deciding(before, plain))).toEqual([]);
  });
});

test("a refusal is told once and stays told while the work is undone", () => {
  const stopped = server(1, replicaFacts(1, { channel: channelTo(0, { applier: "off" }) }));
  const refused: Change = (before) => ({ ...before, refusal: "making member 1 follow member 0: 1227" });
  const first = stopped(settled(placed(3)));
  const told = carryOut(first, deciding(refused(first)));
  expect(told.conditions.map((condition) => condition.type)).toContain("ActionRefused");
  expect(stepsOfKind(deciding(told), "Event")).toEqual([]);
  expect(stepsOfKind(deciding(told), "Record")).toEqual([]);
  const over = deciding(settled(server(1, replicaFacts(1))(told)));
  expect(over.problems).toEqual([]);
});

test("after a refusal nothing is decided but the news of it", () => {
  const refused: Change = (before) => ({ ...before, refusal: "locking: 1227" });
  const intents: readonly Observed[] = [
    placed(3, replaced(2), refused),
    placed(5, state(steadyState(5, { established: config(5, { ackCount: 1 }) })), refused),
    observed(3, state(steadyState(3, { phase: "Releasing" })), refused, (before) => ({
      ...before,
      wish: { ...before.wish, managed: false },
    })),
  ];
  for (const situation of intents) {
    const decision = deciding(situation);
    expect(serverSteps({ ...decision, tracks: [] })).toEqual([]);
    expect(stepsOfKind(decision, "Record").map((step) => step.state)).toEqual([null]);
  }
});

test("a larger set takes its new members in", () => {
  const grown = placed(
    3,
    server(0, primaryFacts(1, { followers: 0 })),
    state(steadyState(3, { established: config(1) })),
    server(1, facts(1)),
    server(2, facts(2)),
  );
  const decision = deciding(set({ replicas: 3 })(grown));
  expect(stepsOfKind(decision, "Seed")).toEqual([{ kind: "Seed", ordinal: 1, donor: 0, covered: null }]);
});
