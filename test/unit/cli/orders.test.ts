/** Verbs that ask for something: what they write, what they wait for, and how they end. */
import { describe, expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { run } from "../../../shared/cli/program.ts";
import type { Progress } from "../../../shared/cli/progress.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import type { Condition } from "../../../shared/model/condition.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Kube, Patch } from "../../../shared/ports/kube.ts";
import { memory } from "../../support/backups.ts";
import { condition } from "../annotations/support.ts";
import { healthy, NOW, NOWHERE } from "./support.ts";

interface Told {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly patches: readonly Patch[];
}

type World = (set: StatefulSet, spentMs: number) => StatefulSet;

interface Surroundings {
  readonly before?: StatefulSet;
  /** What the log of a Job says. */
  readonly progress?: Progress;
  /** What a terminal shows on its last line, one after the other. */
  readonly bars?: string[];
}

/** Runs a verb against a cluster that changes with time as `world` says. */
async function verb(
  args: readonly string[],
  world: World = (set) => set,
  { before = healthy, progress, bars }: Surroundings = {},
): Promise<Told> {
  let nowMs = Date.parse(NOW);
  let set: StatefulSet = before;
  let [out, err] = ["", ""];
  const patches: Patch[] = [];
  const seen = () => world(set, nowMs - Date.parse(NOW));
  const kube = {
    read: async (_kind: string, ref: { readonly name: string }): Promise<Outcome<StatefulSet>> =>
      ref.name === set.name ? succeed(seen()) : fail("gone", "not found"),
    list: async () => succeed([]),
    patch: async (_kind: string, _ref: object, patch: Patch): Promise<Outcome<StatefulSet>> => {
      patches.push(patch);
      const annotations = Object.entries({ ...set.annotations, ...patch.annotations });
      set = {
        ...set,
        annotations: Object.fromEntries(annotations.filter(([, value]) => value !== null)) as never,
      };
      return succeed(set);
    },
  };
  const exitCode = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    colour: false,
    version: "1.2.3",
    ...(bars && { overwrite: (text: string) => void bars.push(text) }),
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    connect: () => ({
      ...NOWHERE,
      ...(progress && { progressOf: ({ name }) => (name.startsWith("mysql-") ? progress : null) }),
      ...{ kube: kube as unknown as Kube, namespace: "shop", close() {} },
    }),
  });
  return { exitCode, out, err, patches };
}

const phase = (set: StatefulSet, word: string): StatefulSet => ({
  ...set,
  annotations: { ...set.annotations, [ANNOTATION.phase]: word },
});

describe("scale", () => {
  test("writes the wish and says so", async () => {
    const { exitCode, out, patches } = await verb(["scale", "mysql", "--replicas", "5"]);
    expect(patches).toEqual([{ uid: "uid-mysql", annotations: { "ordinal.dev/replicas": "5" } }]);
    expect([exitCode, out]).toEqual([0, "shop/mysql is to have 5 members.\n"]);
  });

  test("waits until the members are there, and says every ten seconds how it is", async () => {
    const growing: World = (set, spentMs) =>
      phase({ ...set, replicas: spentMs < 2_000 ? 3 : 5 }, spentMs < 15_000 ? "Scaling" : "Healthy");
    const { exitCode, out, err } = await verb(["scale", "mysql", "--replicas", "5", "--wait"], growing);
    expect([exitCode, out]).toEqual([0, "Done in 15.0 s.\n"]);
    expect(err).toBe("shop/mysql is to have 5 members.\n10 s: Scaling\n");
  });

  test("that stands in the way of something ends with 2 and the reason, not with that of an earlier wish", async () => {
    const refused = condition({
      ...{ type: "ScaleRefused", reason: "ScaleRefused" },
      message: "mysql keeps 3 members: too few follow.",
    });
    const blocked: World = (set) => ({
      ...set,
      annotations: { ...set.annotations, [ANNOTATION.conditions]: encodeConditions([refused]) },
    });
    const { exitCode, err } = await verb(["scale", "mysql", "--replicas", "1", "--wait"], blocked);
    expect(exitCode).toBe(2);
    expect(err).toContain("mysql keeps 3 members: too few follow.");
  });

  test("ends with 3 when it takes too long, and says how to follow it", async () => {
    const { exitCode, err } = await verb(["scale", "mysql", "--replicas", "5", "--wait", "--timeout", "30s"]);
    expect(exitCode).toBe(3);
    expect(err).toContain(
      "Not done within 30 s; it goes on. Follow it with: kubectl ordinal status mysql -n shop",
    );
  });

  test.each([
    [["scale", "mysql"], "required option"],
    [["scale", "mysql", "--replicas", "0"], "Write a whole number from 1 to 33."],
    [["scale", "mysql", "--replicas", "many"], "Write a whole number from 1 to 33."],
    [["scale", "mysql", "--replicas", "5", "--timeout", "soon"], "Write a whole number with s, m or h"],
    [["scale", "nobody", "--replicas", "5"], "There is no StatefulSet nobody"],
  ])("%j is refused and writes nothing", async (args, message) => {
    const { exitCode, err, patches } = await verb(args);
    expect([exitCode, patches]).toEqual([2, []]);
    expect(err).toContain(message);
  });
});

describe("switchover", () => {
  test("asks for the named member", async () => {
    const { exitCode, out, patches } = await verb(["switchover", "shop/mysql", "--to", "mysql-2"]);
    expect(patches).toEqual([{ uid: "uid-mysql", annotations: { "ordinal.dev/switchover-to": "mysql-2" } }]);
    expect([exitCode, out]).toEqual([0, "mysql-2 is to be the primary of shop/mysql.\n"]);
  });

  test("does not take what is no name of a pod", async () => {
    const { exitCode, err, patches } = await verb(["switchover", "mysql", "--to", "mysql 2; DROP"]);
    expect([exitCode, patches]).toEqual([2, []]);
    expect(err).toContain("--to must be the name of a pod");
  });
});

test("pause and resume write and take away one annotation", async () => {
  const paused = await verb(["pause", "mysql"]);
  expect(paused.patches[0]?.annotations).toEqual({ "ordinal.dev/pause": "true" });
  expect(paused.out).toContain("is paused: Ordinal looks and changes nothing, failovers included.");
  const resumed = await verb(["resume", "mysql"]);
  expect(resumed.patches[0]?.annotations).toEqual({ "ordinal.dev/pause": null });
  expect(resumed.out).toBe("shop/mysql goes on.\n");
});

/** With a store, and the memory of last night's backup. */
const storing: StatefulSet = {
  ...healthy,
  annotations: { ...healthy.annotations, [ANNOTATION.backupStore]: "backups" },
};

function remembering(set: StatefulSet, more: Partial<BackupMemory>): StatefulSet {
  const {
    [ANNOTATION.backupNow]: _,
    [ANNOTATION.proveNow]: __,
    ...annotations
  } = set.annotations as Record<string, string>;
  return {
    ...set,
    annotations: { ...annotations, ...encodeBackups({ ...memory(), clusterUid: set.uid, ...more }) },
  };
}

const SLOT = "2026-11-23T10:05:02Z";
const physical = { slot: SLOT, method: "physical", asked: "request" } as const;
const running = { ...physical, attempt: 1, source: 2, begunAt: SLOT };
const last = { slot: SLOT, endedAt: "2026-11-23T10:05:30Z", method: "physical" } as const;
const GIB = 1024 ** 3;
const progress: Progress = {
  ...{ at: SLOT, message: "progress" },
  ...{ bytes: 3.4 * GIB, bytesPerSecond: 184 * 1024 ** 2, bytesExpected: 5 * GIB },
};

/** Taken after 2 s, complete after 31. */
const backingUp: World = (set, spentMs) => {
  if (spentMs < 2_000) return set;
  return spentMs < 31_000 ? remembering(set, { running }) : remembering(set, { last });
};

describe("backup", () => {
  test("writes the wish by the method that is set, or by another one", async () => {
    const plain = await verb(["backup", "mysql"], undefined, { before: storing });
    expect(plain.patches).toEqual([{ uid: "uid-mysql", annotations: { "ordinal.dev/backup-now": "true" } }]);
    expect([plain.exitCode, plain.out]).toEqual([0, "A backup of shop/mysql is asked for.\n"]);
    const other = await verb(["backup", "mysql", "--method", "logical"], undefined, { before: storing });
    expect(other.patches[0]?.annotations).toEqual({ "ordinal.dev/backup-now": "logical" });
    expect(other.out).toBe("A logical backup of shop/mysql is asked for.\n");
  });

  test("without a store is refused and writes nothing", async () => {
    const { exitCode, err, patches } = await verb(["backup", "mysql"]);
    expect([exitCode, patches]).toEqual([2, []]);
    expect(err).toContain("ordinal.dev/backup-store is missing: set it to the name of the Secret of a store");
  });

  test("waits, in a log with a line of progress every ten seconds", async () => {
    const { exitCode, out, err } = await verb(["backup", "mysql", "--wait"], backingUp, {
      before: storing,
      progress,
    });
    expect(err.split("\n")).toEqual([
      "A backup of shop/mysql is asked for.",
      `The physical backup of ${SLOT} is taken from mysql-2.`,
      "10 s: 3.4 of 5.0 GiB, 184 MiB/s, 8s left",
      "20 s: 3.4 of 5.0 GiB, 184 MiB/s, 8s left",
      "30 s: 3.4 of 5.0 GiB, 184 MiB/s, 8s left",
      "",
    ]);
    expect([exitCode, out]).toEqual([0, `Done in 31.0 s. The physical backup of ${SLOT} is complete.\n`]);
  });

  test("waits, on a terminal with a bar that is taken away at the end", async () => {
    const bars: string[] = [];
    const { err } = await verb(["backup", "mysql", "--wait"], backingUp, { before: storing, progress, bars });
    expect(bars[0]).toBe("  1 s: Healthy");
    expect(bars).toContain("  █████████████░░░░░░░  68 %  3.4 of 5.0 GiB  184 MiB/s  8s left");
    expect(Math.max(...bars.map((bar) => bar.length))).toBeLessThan(80);
    expect(bars.at(-1)).toBe("");
    expect(err.split("\n")).toHaveLength(3);
  });

  test("that waits for a replica says for what; one that is given up ends with 1 and the reason", async () => {
    const message = "The backup of now waits: no replica is ready.";
    const held: World = (set) => ({
      ...set,
      annotations: {
        ...set.annotations,
        [ANNOTATION.conditions]: encodeConditions([condition({ type: "BackupHeldBack", message })]),
      },
    });
    const waited = await verb(["backup", "mysql", "--wait", "--timeout", "5s"], held, { before: storing });
    expect([waited.exitCode, waited.err.split(message)]).toEqual([
      3,
      [expect.any(String), expect.any(String)],
    ]);
    const failed = { slot: SLOT, attempt: 5, at: SLOT, reason: "the store is full" };
    const lost: World = (set, spentMs) => (spentMs < 2_000 ? set : remembering(set, { failed, failures: 1 }));
    const before = remembering(storing, {});
    const given = await verb(["backup", "mysql", "--wait"], lost, { before });
    expect([given.exitCode, given.err]).toEqual([
      1,
      expect.stringContaining(`The backup of ${SLOT} failed: the store is full.`),
    ]);
  });

  test("does not take an earlier backup for its own, whatever this machine's clock says", async () => {
    const later = { ...last, slot: "2026-11-23T12:00:00Z" };
    const before = remembering(storing, { last: later });
    const withdrawn: World = (set, spentMs) => (spentMs < 2_000 ? set : remembering(set, { last: later }));
    const { exitCode, err } = await verb(["backup", "mysql", "--wait"], withdrawn, { before });
    expect([exitCode, err]).toEqual([1, expect.stringContaining("It was withdrawn")]);
  });
});

describe("prove", () => {
  test.each([
    [["prove", "mysql"], "true", "The newest backup of shop/mysql is to be restored"],
    [["prove", "mysql", SLOT], SLOT, `The backup of ${SLOT} of shop/mysql is to be restored`],
    [["prove", "mysql", "20261123T100502Z"], SLOT, `The backup of ${SLOT} of shop/mysql is to be restored`],
  ])("%j", async (args, value, said) => {
    const { exitCode, out, patches } = await verb(args, undefined, { before: storing });
    expect(patches).toEqual([{ uid: "uid-mysql", annotations: { "ordinal.dev/prove-now": value } }]);
    expect([exitCode, out]).toEqual([0, expect.stringContaining(said)]);
  });

  test("waits for its end, good or bad", async () => {
    const begun = { slot: last.slot, begunAt: "2026-11-23T10:05:40Z" };
    const ending =
      (fault: string | null): World =>
      (set, spentMs) => {
        if (spentMs < 2_000) return set;
        const endedAt = spentMs < 20_000 ? null : SLOT;
        const demanded = { ...begun, endedAt, fault: endedAt && fault };
        return remembering(set, { demanded, proving: endedAt === null ? begun : null });
      };
    const well = await verb(["prove", "mysql", "--wait"], ending(null), { before: storing, progress });
    expect([well.exitCode, well.out]).toEqual([
      0,
      `Done in 20.0 s. The backup of ${SLOT} was restored and found whole.\n`,
    ]);
    expect(well.err).toContain("10 s: 3.4 of 5.0 GiB, 184 MiB/s, 8s left");
    const ill = await verb(["prove", "mysql", "--wait"], ending("table shop.orders differs"), {
      before: storing,
    });
    expect([ill.exitCode, ill.err]).toEqual([
      1,
      expect.stringContaining(`Restoring the backup of ${SLOT} failed: table shop.orders differs.`),
    ]);
  });

  test.each(["yesterday", "2026-02-30T03:00:00Z", "--all", "2026-11-23T03:00:00+01:00"])(
    "%s is no slot",
    async (slot) => {
      const { exitCode, patches } = await verb(["prove", "mysql", slot], undefined, { before: storing });
      expect([exitCode, patches]).toEqual([2, []]);
    },
  );
});

describe("status --wait", () => {
  const rolling = (set: StatefulSet, revisions: StatefulSet["rollout"]["revisions"]): StatefulSet => ({
    ...set,
    rollout: { strategy: "RollingUpdate", partition: 33, revisions },
  });
  const seenAt = (set: StatefulSet, observedGeneration: number, ...more: Condition[]): StatefulSet => ({
    ...set,
    annotations: {
      ...set.annotations,
      [ANNOTATION.conditions]: encodeConditions([
        condition({ observedGeneration, message: "3 of 3 members in place, primary mysql-1." }),
        ...more,
      ]),
    },
  });
  const WAIT = ["status", "mysql", "--wait"];

  test("ends when a changed template was seen, and has reached every member", async () => {
    const changed: World = (set, spentMs) => {
      const at = { ...set, generation: 2 };
      // As before: nobody has seen the change, neither Kubernetes nor a pass.
      if (spentMs < 5_000) return rolling(seenAt(at, 1), null);
      if (spentMs < 6_000) return rolling(seenAt(at, 1), { current: "old", wanted: "old" });
      if (spentMs < 7_000) return rolling(seenAt(at, 2), { current: "old", wanted: "new" });
      if (spentMs < 20_000)
        return rolling(phase(seenAt(at, 2), "RollingOut"), { current: "old", wanted: "new" });
      return rolling(seenAt(at, 2), { current: "new", wanted: "new" });
    };
    const { exitCode, out, err, patches } = await verb(WAIT, changed);
    expect([exitCode, out]).toEqual([0, "Done in 20.0 s. 3 of 3 members in place, primary mysql-1.\n"]);
    expect(err).toBe("3 of 3 members in place, primary mysql-1.\n10 s: RollingOut\n");
    expect(patches).toEqual([]);
  });

  test("looks at what is there for as long as Kubernetes may take to tell of a change", async () => {
    const still: World = (set) => rolling(seenAt(set, 1), { current: "old", wanted: "old" });
    expect((await verb(WAIT, still)).out).toMatch(/^Done in 3\.0 s\./);
  });

  test("says what is in the way, and ends with 2 where it stays in the way", async () => {
    const stuck = condition({
      type: "RolloutHeldBack",
      reason: "RolloutHeldBack",
      message: "mysql-2 is not in order.",
    });
    const held: World = (set) => phase(seenAt(set, 1, stuck), "Degraded");
    const waited = await verb([...WAIT, "--timeout", "20s"], held);
    expect([waited.exitCode, waited.err.split("mysql-2 is not in order.").length]).toEqual([3, 2]);
    const refusal = condition({
      type: "RolloutRefused",
      reason: "RolloutRefused",
      message: "mysql:1 is older.",
    });
    const refused = await verb(WAIT, (set) => seenAt(set, 1, refusal));
    expect([refused.exitCode, refused.err]).toEqual([2, "mysql:1 is older.\n"]);
  });

  test.each([
    [["status", "--wait"], "--wait goes with the name of one cluster."],
    [[...WAIT, "-o", "json"], "-o does not go with --wait."],
    [["status", "nobody", "--wait"], "There is no StatefulSet nobody"],
  ])("%j is refused", async (args, message) => {
    const { exitCode, err } = await verb(args);
    expect([exitCode, err.includes(message)]).toEqual([2, true]);
  });
});
