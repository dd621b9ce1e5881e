/** What people are told: who or what is concerned, what Ordinal does about it, and what they can do themselves. */
import { describe, expect, test } from "vitest";
import type { ProblemCode } from "../../../shared/model/condition.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  accounts,
  adopting,
  adoptingState,
  but,
  type Change,
  channelTo,
  config,
  facts,
  known,
  NOW_MS,
  newUuidOf,
  observed,
  onPod,
  placed,
  podless,
  primaryFacts,
  replicaFacts,
  saying,
  server,
  set,
  silent,
  spec,
  state,
  steadyState,
  uuidOf,
  wish,
  written,
} from "../../support/situation.ts";
import { changed, connecting, deciding, recordedBy, replica, term } from "./support.ts";

const taken = { kind: "taken" } as const;
const missing = { kind: "missing" } as const;
const denied = { kind: "denied", account: "root", reason: "1045" } as const;

type Row = readonly [ProblemCode, string, Change];

function sentence(code: ProblemCode, ...changes: readonly Change[]): string | undefined {
  const all = deciding(observed(3), ...changes).problems;
  return all.find((problem) => problem.code === code)?.message;
}

describe("of what was given to us", () => {
  const table: readonly Row[] = [
    [
      "ReplicasZero",
      "mysql has replicas: 0, so there is no server to manage; set replicas to 1 or more.",
      set({ replicas: 0 }),
    ],
    [
      "NoPersistentVolume",
      "mysql has no volumeClaimTemplates, so a restart loses its data; recreate it with a volume claim.",
      set({ claimTemplates: [] }),
    ],
    [
      "NoGoverningService",
      "mysql has no serviceName, so its pods have no names; add a headless Service.",
      set({ serviceName: "" }),
    ],
    [
      "NoGoverningService",
      'mysql has the serviceName "x\' OR 1", which no Service can have, so its pods have no names; add a headless Service.',
      set({ serviceName: "x' OR 1" }),
    ],
    [
      "NameTaken",
      "Secret mysql-ordinal belongs to somebody else; rename it so that Ordinal can keep its accounts there.",
      but({ accounts: taken }),
    ],
    [
      "NameTaken",
      "Service mysql-primary exists and is not ours; rename it so that Ordinal can publish mysql there.",
      but({ services: { primary: taken, replicas: missing } }),
    ],
    [
      "NameTaken",
      "Service mysql-replicas exists and is not ours; rename it so that Ordinal can publish mysql there.",
      but({ services: { primary: missing, replicas: taken } }),
    ],
    [
      "CredentialsMissing",
      "Secret mysql-root does not exist; create it with the keys username and password.",
      but({ credentials: missing }),
    ],
    [
      "CredentialsMissing",
      "Secret mysql-root cannot be used: it has no key password.",
      but({ credentials: { kind: "malformed", reason: "it has no key password" } }),
    ],
    [
      "StateForeign",
      "ordinal.dev/state was copied from another cluster; remove it (kubectl annotate sts mysql ordinal.dev/state-) to start anew.",
      but({ state: { kind: "foreign", clusterUid: "another" } }),
    ],
    [
      "StateTooNew",
      "ordinal.dev/state was written by a newer Ordinal (format 2); upgrade this one.",
      but({ state: { kind: "newer", version: 2 } }),
    ],
    [
      "StateInvalid",
      "ordinal.dev/state cannot be read: not JSON; remove it to let Ordinal look afresh.",
      but({ state: { kind: "invalid", reason: "not JSON" } }),
    ],
    [
      "Paused",
      "ordinal.dev/pause is true: Ordinal looks and changes nothing; remove it to go on.",
      spec({ paused: true }),
    ],
    [
      "CredentialsRejected",
      "mysql-1 refuses account root (1045); put the right password into the Secret.",
      saying(1, denied),
    ],
    ["EngineMismatch", "mysql-2: this is MariaDB, not MySQL.", server(2, facts(2, { flavor: "MariaDB" }))],
    [
      "WaitingForMembers",
      "1 of 3 members answer; waiting for mysql-1: its pod does not exist; mysql-2: timeout.",
      (of) => changed(of, podless(1), silent(2)),
    ],
  ];
  test.each(table)("%s: %s", (code, message, change) => {
    expect(sentence(code, change)).toBe(message);
  });

  test("the Secret of others is nobody's business without a wish for one", () => {
    const decision = deciding(observed(3, but({ credentials: missing }), wish({ spec: null })));
    expect(decision.problems).toEqual([]);
  });

  test("a primary beyond the replicas is named with the least number that brings it back", () => {
    const beyond = { ...config(3), primary: { ordinal: 4, serverUuid: "uuid-4" } };
    const told = (recorded: Change) => deciding(placed(3, recorded)).problems[0]?.message;
    const message = "The primary mysql-4 is beyond replicas: 3; set replicas to at least 5.";
    expect(told(state(steadyState(3, { established: beyond })))).toBe(message);
    const pending = { ...beyond, open: false };
    expect(told(state(steadyState(3, { epoch: 2, phase: "Establishing", pending })))).toBe(message);
  });
});

describe("of whom to take for the primary", () => {
  const holding = (ordinal: number, ...schemas: readonly string[]): Change =>
    server(ordinal, facts(ordinal, { executed: `${uuidOf(ordinal)}:1-100`, survey: { schemas } }));
  const follows = (ordinal: number, source: number): Change =>
    server(ordinal, facts(ordinal, { executed: written(100), channel: channelTo(source) }));

  test("two trees are named, and two members with data with what they hold", () => {
    const trees = [holding(0, "a"), follows(1, 0), holding(2, "b"), follows(3, 2)];
    expect(deciding(observed(4, ...trees)).problems[0]?.message).toBe(
      "mysql-0 and mysql-2 each replicate to others; keep one tree before Ordinal takes over.",
    );
    const told = deciding(observed(3, holding(0, "shop"), holding(1, "a", "b", "c"))).problems[0];
    expect(told).toMatchObject({ code: "ForeignData", blocks: true });
    expect(told?.message).toContain(`mysql-0 (shop; ${uuidOf(0).slice(0, 8)}`);
    expect(told?.message).toContain(`mysql-1 (a, b; ${uuidOf(1).slice(0, 8)}`);
    expect(told?.message).toContain("one, empty the others.");
  });

  test.each<[string, readonly Change[]]>([
    ["mysql-0 is the primary of 3 members: no member has user data, so ordinal 0.", []],
    ["mysql-2 is the primary of 3 members: it is the only one with user data.", [holding(2, "shop")]],
    [
      "mysql-1 is the primary of 3 members: it already replicates to others.",
      [holding(1, "shop"), follows(2, 1)],
    ],
  ])("%s", (message, changes) => {
    const decision = deciding(observed(3, ...changes));
    expect([decision.why, decision.conditions[0]?.message]).toEqual([message, message]);
    expect(decision.lookAgainMs).toBe(0);
  });

  test("everybody who was considered is told with what it holds", () => {
    const decision = deciding(
      observed(3, holding(1, "a", "b", "c", "d"), server(2, facts(2, { executed: "", survey: null }))),
    );
    expect(stepsOfKind(decision, "Record")[0]?.history.at(-1)?.considered).toEqual([
      `mysql-0: no user data, transactions ${uuidOf(0)}:1-8`,
      `mysql-1: schemas a, b, c, transactions ${uuidOf(1)}:1-100`,
      "mysql-2: no user data, transactions none",
    ]);
  });
});

describe("of an adoption under way", () => {
  const why = (...changes: readonly Change[]) => deciding(adopting(3, ...changes)).why;

  test("what it waits for", () => {
    expect(why()).toBe("adoption waits for members to be seeded");
    expect(why(silent(0))).toBe("adoption waits for mysql-0");
    expect(why(server(0, facts(0)))).toBe("adoption goes on");
    expect(why(but({ accounts: missing }))).toBe("adoption goes on");
  });

  test("its end, with the number of acknowledgements", () => {
    const pending = { ...config(3), open: true };
    const recorded = state(adoptingState(3, { phase: "Establishing", pending }));
    const open = server(0, primaryFacts(3));
    const decision = deciding(observed(3, accounts, recorded, open, replica(1), replica(2)));
    expect(decision.why).toBe("mysql-0 takes writes in epoch 1; 1 acknowledgements per commit.");
    expect(stepsOfKind(decision, "Event").map(({ reason }) => reason)).toContain("AdoptionCompleted");
    expect(decision).toMatchObject({ phase: "Adopting", lookAgainMs: 0 });
  });
});

describe("of members", () => {
  const before = settled(placed(3));
  const lone = state(steadyState(3, { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }));
  const own = `${uuidOf(2)}:1-3`;
  const foreign = (schemas: readonly string[]) =>
    server(2, facts(2, { executed: `${newUuidOf(2)}:1-100`, survey: { schemas } }));
  const table: readonly Row[] = [
    ["MemberUnreachable", "mysql-2 does not answer: timeout.", silent(2)],
    ["WaitingForMembers", "mysql-2 is awaited: timeout.", (of) => changed(of, lone, silent(2))],
    [
      "WaitingForMembers",
      "mysql-2 is being seeded, at least 40 % copied.",
      server(2, facts(2, { seeding: { kind: "running", bytes: 40, bytesExpected: 100, error: null } })),
    ],
    [
      "SeedFailed",
      "Seeding mysql-2 failed (no room); trying again.",
      server(2, facts(2, { seeding: { kind: "failed", bytes: 0, bytesExpected: 100, error: "no room" } })),
    ],
    [
      "ForeignData",
      `mysql-2 holds schemas a, b, c and transactions ${newUuidOf(2)}:1-100 that the primary lacks; nothing is changed on it. Empty it or delete its volume claim.`,
      foreign(["a", "b", "c", "d"]),
    ],
    [
      "ForeignData",
      `mysql-2 holds transactions ${newUuidOf(2)}:1-100 that the primary lacks; nothing is changed on it. Empty it or delete its volume claim.`,
      foreign([]),
    ],
    [
      "ErrantTransactions",
      `mysql-2 has transactions of its own (${own}) and serves no reads; they are being archived.`,
      replica(2, { executed: `${written(100)},${own}`, received: `${written(100)},${own}` }),
    ],
    [
      "DurabilityUnproven",
      `mysql-2 has transactions of its own (${own}), which may have been acknowledged; look at ordinal.tail, then delete its volume claim and pod.`,
      (of) =>
        changed(
          of,
          state(steadyState(3, { unproven: [newUuidOf(1), uuidOf(2)] })),
          replica(2, { executed: `${written(100)},${own}`, received: `${written(100)},${own}` }),
        ),
    ],
    [
      "ReplicaBroken",
      "mysql-2 was the primary before and still takes writes; it is put out of service.",
      server(2, replicaFacts(2, { readOnly: false, terms: [term(1, 2)] })),
    ],
    ["ReplicaBroken", "mysql-2 does not replicate: 1032.", replica(2, {}, { applierError: "1032" })],
    [
      "ReplicaLagging",
      "mysql-2 is 12 s behind (limit 10 s) and serves no reads until it has caught up.",
      replica(2, { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - 11_600 }),
    ],
    [
      "NoSpareCopy",
      "1 of the 1 replicas that each write needs acknowledge; losing one more makes writes wait.",
      silent(2),
    ],
    [
      "NoSpareCopy",
      "0 of the 1 replicas that each write needs acknowledge; writes wait for it.",
      (of) => changed(of, silent(1), silent(2)),
    ],
  ];
  test.each(table)("%s: %s", (code, message, change) => {
    const problem = deciding(before, change).problems.find((one) => one.code === code);
    expect(problem).toMatchObject({ message, blocks: false });
    expect(problem?.ordinal).toBe(code === "NoSpareCopy" ? undefined : 2);
  });

  test("of what nobody has looked into, only the transactions are known", () => {
    const unseen = server(2, facts(2, { executed: `${newUuidOf(2)}:1-100`, survey: null }));
    const [problem] = deciding(before, unseen).problems;
    expect(problem?.message).toContain(
      `mysql-2 holds transactions ${newUuidOf(2)}:1-100 that the primary lacks`,
    );
  });

  test("a container that does not run and does not say why is told by its silence", () => {
    const mute = onPod(2, (pod) => ({
      ...pod,
      containers: pod.containers.map((container) => ({ ...container, running: false })),
    }));
    expect(deciding(before, mute, silent(2)).problems[0]?.message).toBe("mysql-2 does not answer: timeout.");
  });

  test("nothing is wrong with an empty one that is to be seeded, nor at the limits", () => {
    const told = (...changes: readonly Change[]) =>
      deciding(before, ...changes).problems.map(({ code }) => code);
    expect(told(lone, server(2, facts(2)))).toEqual(["NoSpareCopy"]);
    const limit = { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - 10_000 };
    expect(told(replica(2, limit))).toEqual([]);
    expect(told(replica(2, { ...limit, applyingSinceMs: NOW_MS - 10_001 }))).toEqual(["ReplicaLagging"]);
  });
});

describe("of the primary", () => {
  const before = settled(placed(3));
  const gone = [silent(0), connecting(1, 2)];
  const stalled = { ...primaryFacts(3).acks, waiters: 1, waitingMs: 11_600 };
  const table: readonly (readonly [ProblemCode, string, readonly Change[]])[] = [
    [
      "PrimaryUnreachable",
      "The primary mysql-0 does not answer: timeout; writes wait until a primary is there again.",
      gone,
    ],
    [
      "PrimaryUnreachable",
      "The primary mysql-0 does not answer: its pod is gone; it may hold acknowledged writes alone and is waited for, up to 60 s.",
      [podless(0), connecting(1, 2)],
    ],
    [
      "PrimaryUnreachable",
      "The primary mysql-0 is gone: its volume was replaced.",
      [server(0, facts(0, { serverUuid: newUuidOf(0) }))],
    ],
    ["PrimaryUnreachable", "The primary mysql-0 does not answer us.", [silent(0)]],
    [
      "PrimaryCutOff",
      "The primary mysql-0 cannot be asked from here (mysql-1 still receives from it) and is left alone; look at the network or the account.",
      [silent(0)],
    ],
    [
      "PrimaryLostTransactions",
      "The primary mysql-0 stays read-only: mysql-1 holds transactions that it lost.",
      [server(0, primaryFacts(3, { readOnly: true, executed: written(99) }))],
    ],
    [
      "AcknowledgementsStalled",
      "A commit on mysql-0 has waited for 12 s although its replicas are there; a heartbeat is committed to free it.",
      [server(0, primaryFacts(3, { acks: stalled }))],
    ],
    [
      "FailoverAwaitsApproval",
      "mysql-0 would be failed over (timeout); annotate ordinal.dev/approve=e2 to let it happen.",
      [...gone, known("PrimaryUnreachable", 3_000), spec({ failover: "manual" })],
    ],
  ];
  test.each(table)("%s: %s", (code, message, changes) => {
    const problem = deciding(before, ...changes).problems.find((one) => one.code === code);
    expect(problem).toMatchObject({ message, ordinal: 0, blocks: false });
  });

  test("a stalled one is freed by a commit of ours after ten seconds, while enough of its replicas are there", () => {
    const freed = (more: object) =>
      stepsOfKind(deciding(before, server(0, primaryFacts(3, { acks: { ...stalled, ...more } }))), "Nudge");
    expect(freed({ waitingMs: 10_000 })).toEqual([{ kind: "Nudge", ordinal: 0 }]);
    expect(freed({ waitingMs: 9_999 })).toEqual([]);
    expect(freed({ clients: 1 })).toHaveLength(1);
    expect(freed({ clients: 0 })).toEqual([]);
  });

  test("given up, why, and what may have been lost", () => {
    const killed = deciding(before, ...gone, known("PrimaryUnreachable", 3_000));
    expect([killed.why, killed.conditions[0]?.message]).toEqual(
      Array(2).fill("mysql-0 is given up in epoch 2: timeout."),
    );
    const left = deciding(before, podless(0), connecting(1, 2), known("PrimaryUnreachable", 60_000));
    expect(left.why).toBe(
      "mysql-0 is given up in epoch 2: its pod is gone. It may hold acknowledged writes alone; what it has of its own is kept.",
    );
  });

  test("reopened after a restart, by whom and when", () => {
    const decision = deciding(before, server(0, primaryFacts(3, { readOnly: true })));
    expect(decision.why).toBe("mysql-0 is read-only after a restart; establishing it again in epoch 2.");
    expect(recordedBy(decision)?.op).toEqual({
      ...{ id: "reopen-2", kind: "reopen", step: "Establish", target: null },
      startedAt: new Date(NOW_MS).toISOString(),
    });
    expect(decision.conditions[0]).toMatchObject({ status: "False", reason: "PrimaryReadOnly" });
  });
});

describe("of the cluster as a whole", () => {
  test("who is in place, who the primary is, and for whom a commit waits", () => {
    const why = (replicas: number, ...changes: readonly Change[]) =>
      deciding(settled(placed(replicas)), ...changes).why;
    expect(why(3)).toBe(
      "3 of 3 members in place, primary mysql-0, epoch 1, a commit waits for 1 of 2 acknowledging replicas.",
    );
    expect(why(3, silent(2))).toBe(
      "2 of 3 members in place, primary mysql-0, epoch 1, a commit waits for 1 of 1 acknowledging replicas.",
    );
    expect(why(1)).toBe("1 of 1 members in place, primary mysql-0, epoch 1, no replica to wait for.");
  });
});
