/** What was recorded is gone, and the servers remember: it is put together again, above all that they remember. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { settled } from "../../support/carry-out.ts";
import {
  but,
  channelTo,
  facts,
  member,
  placed,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  state,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { codes, configOf, deciding, reasons, recordedBy, revoking, serverSteps, term } from "./support.ts";

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
