/** When a restore is begun, what refuses it, and what is told of it. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { RestoreMemory, RestoreWish } from "../../../shared/model/restore.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import { podsFollow, restoreJobEnds, restoreOf, restoring, WISH } from "../../support/restores.ts";
import {
  but,
  type Change,
  CLUSTER_UID,
  facts,
  initial,
  NOW_MS,
  observed,
  placed,
  server,
  set,
  silent,
  spec,
  uuidOf,
} from "../../support/situation.ts";
import { changed, codes, deciding, reasons } from "./support.ts";

const STEADY = settled(placed(3));

function memory(more: Partial<RestoreMemory>): Change {
  const none = {
    v: 1,
    clusterUid: CLUSTER_UID,
    running: null,
    last: null,
    kept: null,
    ids: [] as string[],
  } as const;
  return (before) => ({ ...before, restore: { kind: "valid", memory: { ...none, ...more } } });
}

const AT = new Date(NOW_MS).toISOString();
const kept = { id: "wish-1", replicas: 3, until: "2026-11-30T10:00:00.000Z", forgetting: 0 };
const last = { wish: WISH, direction: "in", replicas: 3, before: null, endedAt: AT, fault: null } as const;

const empty = (ordinal: number): Change =>
  server(
    ordinal,
    facts(ordinal, { executed: initial(uuidOf(ordinal)), received: initial(uuidOf(ordinal)), terms: [] }),
  );
const blankCluster = changed(observed(3), empty(0), empty(1), empty(2));

function phaseOf(of: Observed): string | null {
  return restoreOf(of)?.running?.phase ?? null;
}

/** The Jobs that are under way end like this, and the pods follow. */
function next(of: Observed, end: "succeeded" | { readonly failed: string } = "succeeded"): Observed {
  const ended = of.jobs.restore.reduce(
    (so, job, at) =>
      job.kind === "found" && job.job.result === "active" ? restoreJobEnds(so, at, end, NOW_MS) : so,
    of,
  );
  return podsFollow(ended);
}

interface Course {
  readonly of: Observed;
  /** Reasons of its Events, in their order. */
  readonly told: readonly string[];
}

/** From its first step to its end; every Job ends like this. */
function course(from: Observed, end?: { readonly failed: string }): Course {
  let of = from;
  const told: string[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    const decision = deciding(of);
    told.push(...reasons(decision));
    of = carryOut(of, decision);
    if (phaseOf(of) === null) return { of: podsFollow(of), told };
    of = next(of, end);
  }
  throw new Error(`not at its end: ${told.join(", ")}`);
}

describe("a wish", () => {
  test("for a cluster in service begins with a check, in which it stays in service", () => {
    const decision = deciding(STEADY, restoring());
    expect(reasons(decision)).toEqual(["RestoreStarted"]);
    const begun = carryOut(changed(STEADY, restoring()), decision);
    expect([phaseOf(begun), begun.set.replicas, begun.set.annotations[ANNOTATION.phase]]).toEqual([
      "Checking",
      3,
      "Healthy",
    ]);
    const [job] = stepsOfKind(deciding(begun), "StartJob");
    expect(job?.task).toEqual({
      kind: "restore-check",
      id: "wish-1",
      store: "backups",
      from: null,
      target: WISH.target,
      begunAt: restoreOf(begun)?.running?.begunAt,
    });
    const checking = carryOut(begun, deciding(begun));
    expect(stepsOf(deciding(checking))).toEqual([]);
  });

  test.each<[string, Partial<RestoreWish>, Change, RegExp]>([
    ["on data without inPlace", { inPlace: false }, set({}), /^mysql holds data already; add "inPlace":true/],
    [
      "where volumes go with members",
      {},
      set({ keepsClaims: false }),
      /deletes volumes when it is scaled down; set .*whenScaled to Retain/,
    ],
    ["without volumes", {}, set({ claimTemplates: [] }), /has no volume claim template/],
    [
      "while old data is kept",
      {},
      memory({ kept: { ...kept, id: "before" } }),
      /still keeps the data from before restore before; annotate ordinal\.dev\/restore-forget=before/,
    ],
  ])("%s is refused and touches nothing", (_, wish, change, message) => {
    const decision = deciding(STEADY, restoring(wish), change);
    const told = decision.problems.find(({ code }) => code === "RestoreRefused");
    expect([told?.message, stepsOfKind(decision, "StartJob")]).toEqual([expect.stringMatching(message), []]);
    expect(carryOut(changed(STEADY, change), decision).set.replicas).toBe(3);
  });

  test("that was carried out is not carried out again, however often its manifest is applied", () => {
    const decision = deciding(
      STEADY,
      restoring(),
      memory({ ids: ["wish-1", "wish-2"], last: { ...last, wish: { ...WISH, id: "wish-2" } } }),
    );
    expect(stepsOf(decision)).toEqual([]);
  });

  test("that was given up is told for as long as it stands", () => {
    const failed = memory({ ids: ["wish-1"], last: { ...last, fault: "no such backup" } });
    expect(codes(deciding(STEADY, restoring(), failed))).toEqual(["RestoreFailed"]);
    expect(codes(deciding(STEADY, failed))).toEqual([]);
  });
});

describe("a new cluster", () => {
  test("waits until every member was seen to be empty, and is then restored and not adopted", () => {
    const unseen = deciding(blankCluster, restoring({ inPlace: false }), silent(2));
    expect([codes(unseen), stepsOfKind(unseen, "StartJob")]).toEqual([["WaitingForMembers"], []]);
    const begun = carryOut(
      changed(blankCluster, restoring({ inPlace: false })),
      deciding(blankCluster, restoring({ inPlace: false })),
    );
    expect([phaseOf(begun), begun.state.kind]).toEqual(["Checking", "none"]);
    const checking = carryOut(begun, deciding(begun));
    expect([checking.state.kind, stepsOfKind(deciding(checking), "Prepare")]).toEqual(["none", []]);
  });

  test("whose members hold something is refused without inPlace", () => {
    const decision = deciding(placed(3), restoring({ inPlace: false }));
    expect(codes(decision)).toContain("RestoreRefused");
  });

  test.each([
    ["refused", set({ keepsClaims: false }), "RestoreRefused"],
    ["given up", memory({ ids: ["wish-1"], last: { ...last, fault: "no such backup" } }), "RestoreFailed"],
  ])("whose restore was %s is not adopted empty, until the wish goes", (_, change, code) => {
    const held = deciding(blankCluster, restoring({ inPlace: false }), change);
    expect([codes(held), held.phase, stepsOfKind(held, "Prepare")]).toEqual([[code], "Blocked", []]);
    expect(deciding(blankCluster, change).phase).toBe("Adopting");
  });
});

describe("what is told", () => {
  const whole = course(changed(STEADY, restoring()));

  test("of a restore: when it begins, when the cluster goes out of service, when it goes forward only, and its end", () => {
    expect(whole.told).toEqual([
      "RestoreStarted",
      "RestoreStopping",
      "RestoreExchanging",
      "RestoreCompleted",
    ]);
  });

  test("of its undoing, after which the cluster is the one that it was", () => {
    const { of, told } = course(changed(whole.of, spec({ restore: WISH, restoreUndo: WISH.id })));
    expect(told).toEqual(["RestoreStarted", "RestoreExchanging", "RestoreUndone"]);
    const [now, then] = [of.state, STEADY.state].map((one) => (one.kind === "valid" ? one.state : null));
    expect([of.set.replicas, now?.phase, now?.established]).toEqual([3, "Steady", then?.established]);
    expect(restoreOf(of)).toMatchObject({ last: { direction: "back", fault: null }, kept: { id: WISH.id } });
  });

  test("of one that cannot be carried out: that it was given up, and as a problem why", () => {
    const { of, told } = course(changed(STEADY, restoring()), { failed: "no such backup" });
    expect(told).toEqual(["RestoreStarted", "RestoreGivenUp"]);
    const [problem] = deciding(of).problems;
    expect(problem).toMatchObject({
      code: "RestoreFailed",
      message: expect.stringContaining("no such backup"),
    });
    expect([of.set.replicas, of.members.every(({ pod }) => pod !== null)]).toEqual([3, true]);
  });
});

describe("a restore under way", () => {
  function upTo(phase: string): Observed {
    let of = changed(STEADY, restoring());
    for (let turn = 0; turn < 20 && phaseOf(of) !== phase; turn += 1) of = next(carryOut(of, deciding(of)));
    expect(phaseOf(of)).toBe(phase);
    return of;
  }

  test("fills beside members that serve, takes everybody away before it exchanges, and brings back as many", () => {
    let of = upTo("Filling");
    const filling = carryOut(of, deciding(of));
    expect([filling.set.replicas, filling.members.every(({ pod }) => pod !== null)]).toEqual([3, true]);
    expect([deciding(filling).phase, stepsOf(deciding(filling))]).toEqual([deciding(STEADY).phase, []]);
    of = upTo("Exchanging");
    expect([of.set.replicas, of.members.map(({ pod }) => pod)]).toEqual([0, [null, null, null]]);
    const started = stepsOfKind(deciding(of), "StartJob").map(({ task }) => task);
    expect(started).toEqual(
      [0, 1, 2].map((ordinal) => ({ kind: "restore-exchange", id: "wish-1", ordinal, direction: "in" })),
    );
    of = next(carryOut(of, deciding(of)));
    of = carryOut(of, deciding(of));
    expect([phaseOf(of), of.set.replicas, of.state.kind === "valid" && of.state.state.phase]).toEqual([
      null,
      3,
      "Released",
    ]);
    expect(of.members.map(({ claim }) => claim?.annotations[ANNOTATION.serverUuid])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(restoreOf(of)).toMatchObject({
      ids: ["wish-1"],
      kept: { id: "wish-1", replicas: 3 },
      last: { fault: null },
    });
  });

  test("is given up when its data cannot be made, and the cluster comes back as it was", () => {
    let of = upTo("Filling");
    const before = STEADY.state;
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      of = carryOut(of, deciding(of));
      of = next(of, { failed: "the disk is too small" });
      // Its pause is over.
      const running = restoreOf(of)?.running;
      if (running != null)
        of = memory({ ...restoreOf(of), running: { ...running, phaseAt: "2026-11-23T09:00:00.000Z" } })(of);
      of = carryOut(of, deciding(of));
    }
    expect([phaseOf(of), of.set.replicas, restoreOf(of)?.last?.fault]).toEqual([
      null,
      3,
      "the disk is too small",
    ]);
    const [now, then] = [of.state, before].map((one) => (one.kind === "valid" ? one.state : null));
    expect([now?.phase, now?.established]).toEqual([then?.phase, then?.established]);
  });

  test("is never given up once it is exchanging", () => {
    let of = upTo("Exchanging");
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      of = next(carryOut(of, deciding(of)), { failed: "something is in the way" });
      expect(codes(deciding(of))).toEqual(["RestoreHeldBack"]);
      const running = restoreOf(of)?.running;
      if (running != null)
        of = memory({ ...restoreOf(of), running: { ...running, phaseAt: "2026-11-23T09:00:00.000Z" } })(of);
      of = carryOut(of, deciding(of));
      expect([phaseOf(of), of.set.replicas, restoreOf(of)?.running?.attempt]).toEqual([
        "Exchanging",
        0,
        attempt + 1,
      ]);
    }
  });

  test("takes everybody away at once where nobody else may have a volume that a member has", () => {
    const exclusive = changed(STEADY, restoring(), set({ hasExclusiveVolumes: true }));
    let of = carryOut(exclusive, deciding(exclusive));
    of = carryOut(of, deciding(of));
    of = next(of);
    of = carryOut(of, deciding(of));
    expect([phaseOf(of), of.set.replicas]).toEqual(["Filling", 0]);
    expect(stepsOfKind(deciding(of), "StartJob").map(({ task }) => task.kind)).toEqual(["restore-fill"]);
  });

  test("goes on beside servers that run when what was remembered of the cluster is lost", () => {
    for (const phase of ["Checking", "Filling"] as const) {
      const of = upTo(phase);
      const decision = deciding(of, but({ state: { kind: "none" } }));
      expect(decision.phase).not.toBe("Restoring");
      expect(stepsOfKind(decision, "Record").filter(({ replicas }) => replicas !== null)).toEqual([]);
      expect(restoreOf(carryOut(of, decision))?.running?.phase).toBe(phase);
    }
  });

  test("is given up when the volume that was filled was replaced meanwhile", () => {
    let of = upTo("Stopping");
    of = {
      ...of,
      members: of.members.map((member) => ({
        ...member,
        claim: member.claim && { ...member.claim, uid: `another-${member.ordinal}` },
      })),
    };
    of = carryOut(of, deciding(of));
    expect([phaseOf(of), of.set.replicas, restoreOf(of)?.last?.fault]).toEqual([
      null,
      3,
      "the volume of mysql-0 was replaced while it was filled",
    ]);
  });

  test("scales down again what somebody has scaled up in its middle, and says who", () => {
    const of = upTo("Exchanging");
    const decision = deciding(of, set({ replicas: 3, replicasBy: "gitops" }));
    expect(decision.problems).toEqual([
      {
        code: "RestoreHeldBack",
        message: "mysql was scaled to 3 by gitops in the middle of restore wish-1, and is scaled to 0 again.",
        blocks: true,
      },
    ]);
    expect(carryOut(changed(of, set({ replicas: 3 })), decision).set.replicas).toBe(0);
  });
});

describe("what was set aside", () => {
  const done = memory({ ids: ["wish-1"], last, kept });

  test("can be put back by its id alone, and by no other", () => {
    const undone = carryOut(
      changed(STEADY, done, spec({ restoreUndo: "wish-1" })),
      deciding(STEADY, done, spec({ restoreUndo: "wish-1" })),
    );
    expect([phaseOf(undone), undone.set.replicas, undone.wish.spec?.restoreUndo]).toEqual([
      "Stopping",
      0,
      null,
    ]);
    expect(codes(deciding(STEADY, done, spec({ restoreUndo: "wish-9" })))).toEqual(["RestoreRefused"]);
    const over = memory({ ids: ["wish-1"], last, kept: null });
    expect(codes(deciding(STEADY, over, spec({ restoreUndo: "wish-1" })))).toEqual(["RestoreRefused"]);
  });

  test.each<[string, Change]>([
    ["when somebody asks for it", spec({ restoreForget: "wish-1" })],
    [
      "when its time is over",
      memory({ ids: ["wish-1"], last, kept: { ...kept, until: "2026-11-23T09:00:00.000Z" } }),
    ],
  ])("is deleted %s, beside members that serve all the while", (_, change) => {
    let of = changed(STEADY, done, change);
    of = carryOut(of, deciding(of));
    expect([of.set.replicas, restoreOf(of)?.kept?.forgetting]).toEqual([3, 1]);
    const tasks = stepsOfKind(deciding(of), "StartJob").map(({ task }) => task);
    expect(tasks).toEqual([0, 1, 2].map((ordinal) => ({ kind: "restore-forget", id: "wish-1", ordinal })));
    of = carryOut(of, deciding(of));
    expect(stepsOf(deciding(of))).toEqual([]);
    of = next(of);
    const decision = deciding(of);
    expect([reasons(decision), restoreOf(carryOut(of, decision))?.kept]).toEqual([
      ["RestoreForgotten"],
      null,
    ]);
  });

  test("stays when nobody asks and its time is not over", () => {
    expect(stepsOf(deciding(STEADY, done))).toEqual([]);
  });
});
