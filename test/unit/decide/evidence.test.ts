/** What speaks for the primary being gone, and what is done about it: at once, after a while, or never. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../shared/decide/index.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import type { Termination } from "../../../shared/model/kube.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { Channel } from "../../../shared/model/server.ts";
import { settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  adoptingState,
  type Change,
  channelTo,
  config,
  facts,
  known,
  NOW_MS,
  newUuidOf,
  onPod,
  placed,
  podless,
  primaryFacts,
  RULES,
  replicaFacts,
  saying,
  server,
  silent,
  spec,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";

const STARTED_MS = steadyState(3).primaryStartedAtMs ?? 0;
const before = settled(placed(3));

function deciding(...changes: readonly Change[]): Decision {
  const of = changes.reduce<Observed>((so, change) => change(so), before);
  return decide(of, RULES, NOW_MS);
}

/** The replicas lost the stream, and the source left it so. */
function lostBy(first: Channel["sourceLeft"], second: Channel["sourceLeft"]): Change {
  const change = (ordinal: number, sourceLeft: Channel["sourceLeft"]) =>
    server(
      ordinal,
      replicaFacts(ordinal, {
        channel: channelTo(0, {
          receiver: "connecting",
          sourceLeft,
          account: RULES.replicationAccount(ordinal),
        }),
      }),
    );
  return (of) => change(2, second)(change(1, first)(of));
}

/** The replicas are connected, and have heard nothing for so long. */
function deafFor(first: number, second: number): Change {
  const change = (ordinal: number, silentMs: number) => {
    const channel = channelTo(0, { silentMs, account: RULES.replicationAccount(ordinal) });
    return server(ordinal, replicaFacts(ordinal, { channel }));
  };
  return (of) => change(2, second)(change(1, first)(of));
}

const closed: Change = saying(0, { kind: "unreachable", reason: "refused", closed: true });

function ended(more: Partial<Termination>): Change {
  const end = { exitCode: 137, startedAtMs: STARTED_MS, finishedAtMs: NOW_MS - 500, ...more };
  return onPod(0, (pod) => ({
    ...pod,
    containers: pod.containers.map((container) => ({ ...container, ended: end })),
  }));
}

function stopped(reason: string): Change {
  return onPod(0, (pod) => ({
    ...pod,
    containers: pod.containers.map((container) => ({ ...container, running: false, reason, exitCode: 1 })),
  }));
}

/** A second container that runs. */
const beside: Change = onPod(0, (pod) => {
  const another = { name: "exporter", running: true, restartCount: 0, reason: null, exitCode: null };
  return { ...pod, containers: [...pod.containers, { ...another, ended: null }] };
});

const nobody = [silent(0), lostBy(null, null)];
const ORDERLY = "may hold acknowledged writes alone";
const DEAD = "writes wait until a primary is there again";

describe("it is given up at once when", () => {
  const table: readonly (readonly [string, readonly Change[], string])[] = [
    ["its container was killed", [...nobody, ended({})], "container terminated, exit code 137"],
    ["it crashed", [...nobody, ended({ exitCode: 1 })], "exit code 1"],
    [
      "nobody listens and its replicas were cut",
      [closed, lostBy("cut", "cut")],
      "its replicas lost it at once",
    ],
    [
      "its volume was replaced",
      [server(0, facts(0, { serverUuid: newUuidOf(0) }))],
      "its volume was replaced",
    ],
    [
      "it came back without what a replica holds",
      [
        server(0, primaryFacts(3, { readOnly: true })),
        server(2, replicaFacts(2, { received: written(101), executed: written(100) })),
      ],
      "mysql-2 holds transactions that it lost",
    ],
    [
      "its replicas are connected and hear nothing",
      [silent(0), deafFor(2_000, 2_000), known("PrimaryUnreachable", 2_000)],
      "timeout",
    ],
    ["it was silent before", [...nobody, known("PrimaryUnreachable", 2_000)], "timeout"],
    ["its clock ran ahead when it fell silent", [...nobody, known("PrimaryUnreachable", -2_001)], "timeout"],
  ];
  test.each(table)("%s", (_, changes, text) => {
    const decision = deciding(...changes);
    const [record] = stepsOfKind(decision, "Record");
    expect(record?.state).toMatchObject({
      epoch: 2,
      phase: "Revoking",
      op: { kind: "failover" },
      unproven: [],
      scaledTo: null,
    });
    expect(decision.why).toContain(text);
    expect(decision.why).not.toContain("alone");
    expect(decision.phase).toBe("FailingOver");
    expect(decision.lookAgainMs).toBe(0);
    expect(stepsOfKind(decision, "StopReceiving").map((step) => step.ordinal)).toEqual([1, 2]);
  });
});

describe("it is waited for, up to the graceful wait, when", () => {
  const table: readonly (readonly [string, readonly Change[], string])[] = [
    ["its pod is gone", [podless(0), lostBy(null, null)], "its pod is gone"],
    [
      "its pod is being deleted",
      [...nobody, onPod(0, (pod) => ({ ...pod, deleting: true }))],
      "its pod is being deleted",
    ],
    ["it ended in good order", [...nobody, ended({ exitCode: 0 })], "container terminated, exit code 0"],
    ["it left one replica in good order", [closed, lostBy("cut", "orderly")], "it is not known how it ended"],
    ["one replica does not know", [closed, lostBy("cut", null)], "it is not known how it ended"],
    ["its container does not run", [...nobody, stopped("CrashLoopBackOff")], "CrashLoopBackOff, exit code 1"],
    [
      "its container does not run, though another of its pod does",
      [...nobody, stopped("CrashLoopBackOff"), beside],
      "CrashLoopBackOff",
    ],
    ["its pod is pending", [...nobody, onPod(0, (pod) => ({ ...pod, phase: "Pending" }))], "not running"],
  ];
  test.each(table)("%s", (_, changes, text) => {
    const first = deciding(...changes);
    expect(first.problems[0]).toMatchObject({ code: "PrimaryUnreachable", ordinal: 0, blocks: false });
    expect(first.problems[0]?.message).toContain(text);
    expect(first.problems[0]?.message).toContain(ORDERLY);
    expect(stepsOfKind(first, "Record").map((step) => step.state)).toEqual([null]);
    expect([first.phase, first.lookAgainMs]).toEqual(["Degraded", 50]);
    const known2 = deciding(...changes, known("PrimaryUnreachable", 2_000));
    expect(known2.lookAgainMs).toBe(1_000);
    const nearly = deciding(...changes, known("PrimaryUnreachable", 59_999));
    expect(nearly.lookAgainMs).toBe(1);
    expect(stepsOfKind(nearly, "StopReceiving")).toEqual([]);
    const over = deciding(...changes, known("PrimaryUnreachable", 60_000));
    expect(stepsOfKind(over, "Record")[0]?.state).toMatchObject({ phase: "Revoking", unproven: [uuidOf(0)] });
    expect(over.why).toContain("It may hold acknowledged writes alone");
  });
});

describe("how it ended is known by its acknowledgers alone:", () => {
  const told = (ordinal: number, source: number, sourceLeft: Channel["sourceLeft"]) => {
    const account = RULES.replicationAccount(ordinal);
    const channel = channelTo(source, { receiver: "connecting", sourceLeft, account });
    return server(ordinal, replicaFacts(ordinal, { channel }));
  };
  const [first] = config(3).ackers;
  const one = state(
    steadyState(3, { established: config(3, { ackers: first === undefined ? [] : [first] }) }),
  );

  test.each<[string, string, readonly Change[]]>([
    ["a replica of another server says nothing", "at once", [told(1, 0, "cut"), told(2, 1, "orderly")]],
    ["one that is being kept out says nothing", "at once", [one, told(1, 0, "cut"), told(2, 0, null)]],
    ["but that it was left in good order", "later", [one, told(1, 0, "cut"), told(2, 0, "orderly")]],
    ["nor does one that is kept out say it alone", "later", [one, silent(1), told(2, 0, "cut")]],
  ])("%s", (_, when, changes) => {
    const decision = deciding(closed, ...changes, spec({ lossAcceptedEpoch: 1 }));
    expect(decision.phase).toBe(when === "at once" ? "FailingOver" : "Degraded");
  });
});

describe("it is only silent, for two seconds, when", () => {
  const table: readonly (readonly [string, readonly Change[]])[] = [
    ["nobody answers", nobody],
    ["the end is that of a process before it", [...nobody, ended({ finishedAtMs: STARTED_MS - 1_501 })]],
    ["the end is that of a process after it", [...nobody, ended({ startedAtMs: STARTED_MS + 1_501 })]],
    [
      "it is not known which process was the primary",
      [...nobody, ended({}), state(steadyState(3, { primaryStartedAtMs: null }))],
    ],
    ["its replicas were cut and it is not known whether somebody listens", [silent(0), lostBy("cut", "cut")]],
  ];
  test.each(table)("%s", (_, changes) => {
    const first = deciding(...changes);
    expect(first.problems[0]?.message).toContain(DEAD);
    expect(stepsOfKind(first, "StopReceiving")).toEqual([]);
    expect(first.lookAgainMs).toBe(50);
    expect(deciding(...changes, known("PrimaryUnreachable", 1_999)).lookAgainMs).toBe(1);
    expect(
      stepsOfKind(deciding(...changes, known("PrimaryUnreachable", 2_000)), "StopReceiving"),
    ).toHaveLength(2);
  });

  test("the clocks of one node may differ by what a second is rounded to", () => {
    for (const more of [{ finishedAtMs: STARTED_MS - 1_500 }, { startedAtMs: STARTED_MS + 1_500 }]) {
      expect(stepsOfKind(deciding(...nobody, ended(more)), "StopReceiving")).toHaveLength(2);
    }
  });
});

describe("it is left alone when only our own way to it is cut:", () => {
  const denied = saying(0, { kind: "denied", account: "ordinal", reason: "1045" });
  const table: readonly (readonly [string, readonly Change[], string])[] = [
    ["it refuses our account", [denied, lostBy(null, null)], "it refuses account ordinal"],
    ["a replica receives from it", [silent(0)], "mysql-1 still receives from it"],
    ["a replica hears from it", [silent(0), deafFor(2_000, 1_999)], "mysql-2 still receives from it"],
  ];
  test.each(table)("%s", (_, changes, text) => {
    const decision = deciding(...changes, known("PrimaryUnreachable", 4_999));
    const told = decision.problems.filter((problem) => problem.code.startsWith("Primary"));
    expect(told.map((problem) => problem.code)).toEqual(["PrimaryCutOff", "PrimaryUnreachable"]);
    expect(told[0]?.message).toContain(text);
    expect(decision.lookAgainMs).toBe(250);
    const long = deciding(...changes, known("PrimaryUnreachable", 600_000));
    expect(long.lookAgainMs).toBeNull();
    for (const one of [decision, long]) {
      expect(stepsOf(one).filter((step) => !["Event", "Record", "LabelPod"].includes(step.kind))).toEqual([]);
      expect(stepsOfKind(one, "Record").every((step) => step.state === null)).toBe(true);
    }
  });

  test("a stream from another server says nothing of it", () => {
    const astray = server(1, replicaFacts(1, { channel: channelTo(2) }));
    const decision = deciding(...nobody, astray, known("PrimaryUnreachable", 2_000));
    expect(decision.phase).toBe("FailingOver");
  });

  test("when its replicas lose it long after us, its silence is counted from then", () => {
    const cut = known("PrimaryCutOff", 31_000);
    const anew = deciding(...nobody, cut, known("PrimaryUnreachable", 30_001));
    expect(anew.problems.map((problem) => problem.code)).toEqual(["PrimaryCutOff"]);
    expect(anew.lookAgainMs).toBe(250);
    expect(stepsOfKind(anew, "StopReceiving")).toEqual([]);
    const begun = deciding(...nobody, cut);
    expect(begun.problems.map((problem) => problem.code)).toEqual(["PrimaryUnreachable"]);
    expect(begun.lookAgainMs).toBe(50);
    expect(deciding(...nobody, cut, known("PrimaryUnreachable", 30_000)).phase).toBe("FailingOver");
    expect(deciding(...nobody, known("PrimaryUnreachable", 30_001)).phase).toBe("FailingOver");
    // That it ended is known, however long our way was cut before.
    expect(deciding(...nobody, ended({}), cut, known("PrimaryUnreachable", 30_001)).phase).toBe(
      "FailingOver",
    );
  });
});

test("nothing is lost before anything was established", () => {
  const pending = { ...config(3), open: false };
  const adoption = state(adoptingState(3, { phase: "Establishing", pending }));
  const ahead = server(2, replicaFacts(2, { received: written(101) }));
  const decision = deciding(adoption, ahead, server(0, primaryFacts(3, { readOnly: true, terms: [] })));
  expect(decision.problems.map((problem) => problem.code)).not.toContain("PrimaryLostTransactions");
});

test("a primary that takes writes, or whose commits wait, lost nothing that its replicas have first", () => {
  const ahead = server(2, replicaFacts(2, { received: written(101), executed: written(100) }));
  const acks = { ...primaryFacts(3).acks, waiters: 1 };
  for (const more of [{ readOnly: false }, { readOnly: true, acks }]) {
    const decision = deciding(ahead, server(0, primaryFacts(3, more)));
    expect(stepsOfKind(decision, "StopReceiving")).toEqual([]);
    expect(decision.phase).not.toBe("FailingOver");
  }
});
