/** What was recorded is gone, and the servers remember: it is put together again, above all that they remember. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { State } from "../../../shared/model/state.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  adoptingState,
  but,
  type Change,
  CLUSTER_UID,
  channelTo,
  config,
  facts,
  known,
  member,
  newUuidOf,
  placed,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import {
  codes,
  configOf,
  deciding,
  establishingState,
  instant,
  reasons,
  recordedBy,
  revoking,
  serverSteps,
  term,
} from "./support.ts";

const wiped = but({ state: { kind: "none" } });
const before = settled(placed(3));

describe("a lost record", () => {
  test("is put together again around the last primary, in an epoch that nobody can be opening", () => {
    const remembering = server(0, primaryFacts(3, { terms: [term(1, 1), term(4, 0)] }));
    const decision = deciding(before, wiped, remembering);
    expect(reasons(decision)).toContain("StateReconstructed");
    expect(recordedBy(decision)).toMatchObject({
      epoch: 6,
      phase: "Establishing",
      pending: { primary: { ordinal: 0, serverUuid: uuidOf(0) }, open: false },
      op: { kind: "reconstruct" },
    });
    expect(serverSteps(decision)).toEqual([]);
  });

  test("that cannot be read is no problem where the servers remember, unless a newer version wrote it", () => {
    const remembering = server(0, primaryFacts(3, { terms: [term(4, 0)] }));
    const found = (one: Observed["state"]) => deciding(before, but({ state: one }), remembering);
    const foreign = found({ kind: "foreign", clusterUid: "another" });
    const invalid = found({ kind: "invalid", reason: "broken" });
    for (const decision of [foreign, invalid]) {
      expect(reasons(decision)).toContain("StateReconstructed");
      expect(codes(decision)).toEqual(codes(found({ kind: "none" })));
    }
    const newer = found({ kind: "newer", version: 2 });
    expect([codes(newer), serverSteps(newer), newer.phase]).toEqual([["StateTooNew"], [], "Blocked"]);
  });

  test("goes above another cluster's rows too, which name nobody here", () => {
    const foreign = { epoch: 9, clusterUid: "another", serverUuid: uuidOf(7), opened: 1 };
    const remembering = server(0, primaryFacts(3, { terms: [term(4, 0), foreign] }));
    expect(recordedBy(deciding(before, wiped, remembering))?.epoch).toBe(11);
  });

  test("in the middle of a change, with the last primary a replica already, begins with a revocation", () => {
    const following = server(0, replicaFacts(0, { channel: channelTo(1), terms: [term(4, 0)] }));
    const decision = deciding(before, wiped, following);
    expect(reasons(decision)).toContain("StateReconstructed");
    expect(recordedBy(decision)).toMatchObject({
      epoch: 6,
      phase: "Revoking",
      established: { ...configOf(0, [1, 2]), ackCount: 1 },
      pending: null,
    });
    expect(serverSteps(decision)).toEqual([]);
  });

  test("an empty server is no acker, and whoever was one in its place is missing", () => {
    const blank = server(2, facts(2));
    const there = recordedBy(deciding(before, wiped, blank));
    expect(there?.pending?.ackers.map(({ ordinal }) => ordinal)).toEqual([1]);
    const following = server(0, replicaFacts(0, { channel: channelTo(1), terms: [term(4, 0)] }));
    const ackers = recordedBy(deciding(before, wiped, following, blank))?.established?.ackers ?? [];
    expect(ackers.map(({ ordinal }) => ordinal)).toEqual([1, 2]);
    expect(ackers[1]?.serverUuid).not.toBe(uuidOf(2));
  });

  test("an older text of the same epoch is known by the term that it does not know of", () => {
    const standing = server(0, primaryFacts(3, { terms: [term(2, 0)] }));
    const older = state(revoking(3, "switchover", { epoch: 2 }));
    const decision = deciding(before, older, standing);
    expect(reasons(decision)).toContain("StateReconstructed");
    expect(recordedBy(decision)?.epoch).toBe(4);
  });

  test("in the middle of a change, goes on with whom the last primary follows, if that one has all of it", () => {
    const [mine, all] = [written(90), written(100)];
    const following = { channel: channelTo(1), executed: mine, terms: [term(4, 0)] };
    const next = (executed: string) => server(1, replicaFacts(1, { channel: null, executed }));
    const old = server(0, replicaFacts(0, following));
    expect(recordedBy(deciding(before, wiped, old, next(all)))).toMatchObject({
      phase: "Establishing",
      pending: { primary: { ordinal: 1 } },
    });
    const ahead = server(0, replicaFacts(0, { ...following, executed: written(101) }));
    expect(recordedBy(deciding(before, wiped, ahead, next(all)))?.phase).toBe("Revoking");
    // Whom nobody follows was not elected, whatever it has.
    const another = server(2, replicaFacts(2, { channel: null, executed: all }));
    const follows = server(1, replicaFacts(1, { executed: all }));
    expect(recordedBy(deciding(before, wiped, old, follows, another))?.phase).toBe("Revoking");
  });

  test("an older text of the same epoch is known by the volumes, while the servers are away", () => {
    const remembering = member(1, (one) => ({
      ...one,
      claim: one.claim && {
        ...one.claim,
        annotations: { ...one.claim.annotations, [ANNOTATION.epochSeen]: "2" },
      },
    }));
    const older = state(revoking(3, "switchover", { epoch: 2 }));
    const decision = deciding(before, older, remembering, silent(1), silent(2));
    expect(codes(decision)).toContain("StateLost");
    expect(recordedBy(decision)).toBeNull();
  });

  test("in the middle of a change, waits for every member whose transactions nobody knows", () => {
    const following = server(0, replicaFacts(0, { channel: channelTo(1), terms: [term(4, 0)] }));
    const decision = deciding(before, wiped, following, silent(2));
    expect(recordedBy(decision)).toBeNull();
    expect(decision.conditions?.find(({ type }) => type === "StateLost")?.message).toContain("mysql-2");
  });

  test("waits for the last primary while it is away", () => {
    const decision = deciding(before, wiped, silent(0));
    expect(codes(decision)).toContain("StateLost");
    expect(recordedBy(decision)).toBeNull();
    expect(serverSteps(decision)).toEqual([]);
  });
});

/** The epoch that this member's volume claim remembers; null = none. */
function claimed(ordinal: number, epochSeen: string | null): Change {
  return member(ordinal, (of) => {
    if (of.claim === null) return of;
    const { [ANNOTATION.epochSeen]: _, ...others } = of.claim.annotations;
    const annotations = epochSeen === null ? others : { ...others, [ANNOTATION.epochSeen]: epochSeen };
    return { ...of, claim: { ...of.claim, annotations } };
  });
}

function claims(epochSeen: string | null): Change {
  return (of) => [0, 1, 2].reduce((so, ordinal) => claimed(ordinal, epochSeen)(so), of);
}

/** Nobody has a row but mysql-0, which has these. */
function rows(...terms: ServerFacts["terms"]): Change {
  return (of) =>
    [
      server(0, primaryFacts(3, { terms })),
      server(1, replicaFacts(1, { terms: [] })),
      server(2, replicaFacts(2, { terms: [] })),
    ].reduce((so, change) => change(so), of);
}

function told(...changes: readonly Change[]): string | undefined {
  return deciding(before, wiped, ...changes).conditions.find(({ type }) => type === "StateLost")?.message;
}

describe("what remembers that the cluster was ours", () => {
  test("is a claim as well as a row; by a claim alone nobody knows who the primary was", () => {
    expect(told(rows())).toBe("ordinal.dev/state was lost in epoch 1: no server is the last primary.");
    expect(told(rows(), claimed(2, "17"))).toContain("lost in epoch 17:");
    expect(told(rows(), silent(1), silent(2))).toBe(
      "ordinal.dev/state was lost in epoch 1: waiting for mysql-1, mysql-2.",
    );
  });

  test.each(["", "0", "01", "-1", "1e3", "2x", "1234567890", " 1"])("is no claim that says %j", (text) => {
    const decision = deciding(before, wiped, rows(), claims(text));
    expect(codes(decision)).not.toContain("StateLost");
    expect(recordedBy(decision)).toMatchObject({ phase: "Adopting", epoch: 1 });
  });

  test("is a row of before, when the set was made anew around its volumes", () => {
    const old = { ...term(5, 0), clusterUid: "uid-before" };
    const decision = deciding(before, wiped, claims(null), rows(old));
    expect(recordedBy(decision)).toMatchObject({ epoch: 7, clusterUid: CLUSTER_UID, phase: "Establishing" });
    const away = deciding(before, wiped, claims(null), rows({ ...old, serverUuid: uuidOf(2) }), silent(2));
    expect(codes(away)).toEqual(["StateLost"]);
    const strangers = deciding(before, wiped, claims(null), rows({ ...old, serverUuid: uuidOf(7) }));
    expect(recordedBy(strangers)).toMatchObject({ phase: "Adopting", epoch: 6 });
  });

  test("is a row of this cluster also when the server that it names is gone", () => {
    expect(told(claims(null), rows(term(4, 7)))).toBe(
      "ordinal.dev/state was lost in epoch 4: no server is the last primary.",
    );
  });

  test("is the newest row, wherever it stands", () => {
    const alone = server(2, replicaFacts(2, { channel: null, terms: [] }));
    for (const terms of [
      [term(4, 0), term(1, 2)],
      [term(1, 2), term(4, 0)],
    ]) {
      expect(recordedBy(deciding(before, wiped, rows(...terms), alone))).toMatchObject({
        epoch: 6,
        pending: { primary: { ordinal: 0 } },
      });
    }
  });
});

describe("an older text", () => {
  const standing = (...terms: ServerFacts["terms"]) => server(0, primaryFacts(3, { terms }));
  const outdated = (recorded: State, ...terms: ServerFacts["terms"]) =>
    reasons(deciding(before, state(recorded), standing(...terms))).includes("StateReconstructed");
  const closed = establishingState(false, "reopen", { pending: { ...config(3), open: false } });

  test("is known by a row of a later epoch, or of an epoch in which nobody was opened by it", () => {
    expect(outdated(steadyState(3), term(2, 0))).toBe(true);
    expect(outdated(closed, term(2, 0))).toBe(true);
    expect(outdated(revoking(3), term(2, 0))).toBe(true);
  });

  test("is not what a row of this cluster bears out, or of an earlier epoch, or of another cluster", () => {
    expect(outdated(steadyState(3), term(1, 0))).toBe(false);
    expect(outdated(closed, term(1, 0))).toBe(false);
    expect(outdated(revoking(3), term(1, 0))).toBe(false);
    expect(outdated(steadyState(3), { ...term(2, 0), clusterUid: "another" })).toBe(false);
    expect(outdated({ ...closed, pending: { ...config(3), open: true } }, term(2, 0))).toBe(false);
  });

  test("is not one that was begun before anything was established, nor one that was let go", () => {
    const adopted = { phase: "Establishing", pending: { ...config(3), open: false } } as const;
    expect(outdated(adoptingState(3, adopted), term(1, 0))).toBe(false);
    const released = steadyState(3, { phase: "Released", established: null });
    expect(outdated(released, term(2, 0))).toBe(false);
  });
});

describe("put together again", () => {
  test("with the last primary there, whoever follows it or cannot be asked may acknowledge to it", () => {
    const astray = server(2, replicaFacts(2, { channel: channelTo(1) }));
    const decision = deciding(before, wiped, silent(1), astray);
    expect(recordedBy(decision)).toEqual({
      ...{ v: 1, seq: 1, clusterUid: CLUSTER_UID, epoch: 3, phase: "Establishing" },
      established: configOf(0, [1, 2]),
      pending: { ...configOf(0, [1]), open: false },
      op: { id: "reconstruct-3", kind: "reconstruct", step: "Revoke", startedAt: instant(0), target: null },
      primaryStartedAtMs: primaryFacts(3).startedAtMs,
      ...{ failovers: [], unproven: [], scaledTo: null },
    });
    expect(decision.why).toBe(
      "What was recorded of mysql was lost; it is put together again in epoch 3: mysql-0 is the last primary and is there.",
    );
    expect(stepsOfKind(decision, "Record")[0]?.history.at(-1)?.considered).toEqual([
      `mysql-0: ${written(100)}`,
      "mysql-1: away",
      `mysql-2: ${written(100)}`,
    ]);
    expect([decision.phase, decision.lookAgainMs]).toEqual(["FailingOver", 0]);
    expect(decision.conditions[0]).toMatchObject({ type: "Ready", status: "False", reason: "FailingOver" });
  });

  test("each acker counts alone until the next configuration stands, however many there are", () => {
    const five = recordedBy(deciding(settled(placed(5)), wiped));
    expect([five?.established?.ackCount, five?.pending?.ackCount]).toEqual([1, 2]);
    const one = recordedBy(deciding(settled(placed(1)), wiped));
    expect(one?.established).toEqual({ ...config(1), ackers: [], ackCount: 0 });
    expect(one?.pending).toEqual({ ...config(1), open: false });
  });

  test("with the last primary following another server, it says so", () => {
    const following = server(0, replicaFacts(0, { channel: channelTo(1), terms: [term(4, 0)] }));
    expect(deciding(before, wiped, following).why).toContain(
      "mysql-0 was the last primary and follows another server, all others are there",
    );
    expect(told(following, silent(2))).toBe(
      "ordinal.dev/state was lost in epoch 4: mysql-0, the last primary, follows another server; waiting for mysql-2.",
    );
  });

  test("without the last primary once it has been waited for, and all others are there", () => {
    const waited = (ms: number) => deciding(before, wiped, silent(0), known("StateLost", ms));
    expect(recordedBy(waited(59_999))).toBeNull();
    expect(waited(59_999).problems[0]?.message).toBe(
      "ordinal.dev/state was lost in epoch 1: waiting for mysql-0, the last primary.",
    );
    expect(recordedBy(waited(60_000))).toMatchObject({
      ...{ epoch: 3, phase: "Revoking", pending: null, established: configOf(0, [1, 2]) },
      primaryStartedAtMs: null,
    });
    expect(waited(60_000).why).toContain("mysql-0 was the last primary and is away, all others are there");
    const more = deciding(before, wiped, silent(0), silent(2), known("StateLost", 600_000));
    expect(recordedBy(more)).toBeNull();
    expect(more.problems[0]).toMatchObject({ code: "StateLost", blocks: true });
    expect(more.problems[0]?.message).toContain("waiting for mysql-0, or for mysql-2");
    expect([waited(40_000).lookAgainMs, more.lookAgainMs]).toEqual([4_000, 30_000]);
    const many = deciding(settled(placed(5)), wiped, silent(0), silent(1), silent(2));
    expect(many.problems[0]?.message).toContain("waiting for mysql-0, or for mysql-1, mysql-2.");
  });

  test("not around a row that a claim has outlived, while somebody is silent who may know more", () => {
    const later = [rows(term(1, 0)), claimed(1, "2")];
    expect(told(...later, silent(2))).toBe("ordinal.dev/state was lost in epoch 2: waiting for mysql-2.");
    expect(recordedBy(deciding(before, wiped, ...later))).toMatchObject({ epoch: 4, phase: "Establishing" });
  });

  test("the volume of a missing acker is remembered by its claim", () => {
    const blank = server(2, facts(2, { serverUuid: newUuidOf(2) }));
    expect(recordedBy(deciding(before, wiped, blank))?.established?.ackers).toEqual(
      configOf(0, [1, 2]).ackers,
    );
    const unclaimed = member(2, (of) => ({ ...of, claim: null }));
    const unknown = recordedBy(deciding(before, wiped, unclaimed, silent(2)))?.established?.ackers[1];
    expect(unknown).toEqual({ ordinal: 2, serverUuid: "00000000-0000-0000-0000-000000000000" });
    expect(recordedBy(deciding(before, wiped, blank, unclaimed))?.established?.ackers[1]).toEqual(unknown);
  });
});
