/** What keeps a changed pod template from the members, and how that is told. The course itself is in test/sim/rollout.test.ts. */
import { describe, expect, test } from "vitest";
import type { Decision } from "../../../shared/model/decision.ts";
import type { Rollout } from "../../../shared/model/kube.ts";
import { asking, memory, remembering } from "../../support/backups.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  known,
  NOW_MS,
  onPod,
  placed,
  set,
  silent,
  wish,
  written,
} from "../../support/situation.ts";
import { running } from "./backup-support.ts";
import { deciding, reasons, replica } from "./support.ts";

const three = known("Ready", 60_000)(settled(placed(3)));

const rollout = (more: Partial<Rollout> = {}): Change =>
  set({
    rollout: {
      strategy: "RollingUpdate",
      partition: 33,
      revisions: { current: "old", wanted: "new" },
      ...more,
    },
  });

/** Of the pods of 0, 1 and 2. */
const pods =
  (...revisions: readonly string[]): Change =>
  (before) =>
    revisions.reduce(
      (world, revision, ordinal) =>
        onPod(ordinal, (pod) => ({
          ...pod,
          labels: { ...pod.labels, "controller-revision-hash": revision },
        }))(world),
      before,
    );

const partition = (decision: Decision) => stepsOfKind(decision, "Record")[0]?.partition ?? null;
const problem = (decision: Decision) =>
  decision.problems.flatMap(({ code, message }) =>
    code.startsWith("Rollout") ? [`${code}: ${message}`] : [],
  )[0];

test("the highest replica comes first, and the record that tells it lets Kubernetes begin", () => {
  const decision = deciding(three, rollout(), pods("old", "old", "old"));
  expect([partition(decision), reasons(decision), decision.phase]).toEqual([
    2,
    ["MemberReplaced"],
    "RollingOut",
  ]);
  const again = deciding(three, rollout({ partition: 2 }), pods("old", "old", "old"));
  expect([partition(again), reasons(again)]).toEqual([null, []]);
});

test("whoever deletes pods is told which one, and of which version", () => {
  const decision = deciding(
    three,
    rollout({ strategy: "OnDelete", partition: 0 }),
    pods("old", "old", "new"),
  );
  expect(stepsOfKind(decision, "DeletePod")).toMatchObject([
    { name: "mysql-1", seen: { uid: "uid-pod-1", resourceVersion: "5" } },
  ]);
  expect(partition(decision)).toBeNull();
});

test("a pod whose deletion failed is deleted once more, and told of once a template", () => {
  const onDelete = (wanted: string) =>
    rollout({ strategy: "OnDelete", partition: 0, revisions: { current: "old", wanted } });
  const first = deciding(three, onDelete("r2"), pods("old", "old", "r2"));
  expect(reasons(first)).toEqual(["MemberReplaced"]);
  const history = stepsOfKind(first, "Record")[0]?.history ?? [];
  const remembered: Change = (before) => ({ ...before, history });
  const again = deciding(three, remembered, onDelete("r2"), pods("old", "old", "r2"));
  expect(reasons(again)).toEqual([]);
  expect(stepsOfKind(again, "DeletePod")).toHaveLength(1);
  expect(stepsOfKind(again, "Record").map((record) => record.history)).not.toContainEqual([
    ...history,
    ...history,
  ]);
  expect(reasons(deciding(three, remembered, onDelete("r3"), pods("r2", "r2", "r3")))).toEqual([
    "MemberReplaced",
  ]);
});

describe("Kubernetes is kept from beginning by itself", () => {
  const rest = { revisions: { current: "old", wanted: "old" } };
  test("while nothing is to be rolled out, and not before it calls the last rollout complete", () => {
    const at = (more: Partial<Rollout>) =>
      partition(deciding(three, rollout(more), pods("old", "old", "old")));
    expect(at({ ...rest, partition: 0 })).toBe(33);
    expect(at(rest)).toBeNull();
    expect(at({ revisions: { current: "older", wanted: "old" }, partition: 0 })).toBeNull();
    expect(at({ ...rest, strategy: "OnDelete", partition: 0 })).toBeNull();
    expect(at({ revisions: null, partition: 0 })).toBeNull();
  });

  test("with a member whose turn has not come", () => {
    const others = deciding(three, rollout({ partition: 0 }), pods("old", "old", "new"), silent(2));
    expect(partition(others)).toBe(2);
  });

  test("until it is let go of", () => {
    const free = deciding(three, rollout(rest), wish({ managed: false }));
    expect(stepsOfKind(free, "Record").map((step) => step.partition)).toEqual([null]);
  });
});

test("an image that the servers cannot go on with touches no pod", () => {
  const older: Change = (before) =>
    set({ containers: before.set.containers.map((one) => ({ ...one, image: "mysql:1" })) })(before);
  const decision = deciding(three, rollout({ partition: 0 }), pods("old", "old", "old"), older);
  expect(problem(decision)).toBe(
    "RolloutRefused: The pod template of mysql is not rolled out: mysql:1 is older than 9.7.4.",
  );
  expect([partition(decision), decision.phase]).toEqual([33, "Healthy"]);
});

test.each(["MemberUnreachable", "WaitingForMembers"] as const)(
  "a member that does not come back (%s) holds the others back, which is told after a minute",
  (code) => {
    const stuck = [rollout({ partition: 2 }), pods("old", "old", "new"), silent(2)] as const;
    const soon = deciding(three, ...stuck, known(code, 59_000));
    expect([problem(soon), partition(soon), soon.phase]).toEqual([undefined, null, "RollingOut"]);
    const late = deciding(three, ...stuck, known(code, 60_000));
    expect(problem(late)).toBe(
      "RolloutHeldBack: The pod template of mysql is not rolled out further: mysql-2 is not in order (unreachable); mend it, or put the template back.",
    );
    expect(late.phase).toBe("Degraded");
  },
);

describe("a pod in which nothing can run", () => {
  const broken =
    (ordinal: number): Change =>
    (before) =>
      onPod(ordinal, (pod) => ({
        ...pod,
        ready: false,
        containers: pod.containers.map((one) => ({ ...one, running: false, reason: "ImagePullBackOff" })),
      }))(silent(ordinal)(before));
  const deleted = (...changes: readonly Change[]) =>
    stepsOfKind(deciding(three, ...changes), "DeletePod").map(({ name }) => name);

  test("is deleted when the template is another one again, whoever else is away", () => {
    const twice = [rollout({ partition: 1 }), pods("old", "bad", "bad")] as const;
    expect(deleted(...twice, broken(2))).toEqual(["mysql-2"]);
    expect(deleted(...twice, broken(1), broken(2))).toEqual(["mysql-1", "mysql-2"]);
    expect(deleted(...twice, broken(0), broken(1), broken(2))).toEqual(["mysql-1", "mysql-2"]);
  });

  test("stays where it would come back as it is, or where a server may run in it", () => {
    expect(deleted(rollout({ partition: 2 }), pods("old", "old", "new"), broken(2))).toEqual([]);
    expect(deleted(rollout(), pods("old", "old", "old"), broken(2))).toEqual([]);
    expect(deleted(rollout({ partition: 2 }), pods("old", "old", "bad"), silent(2))).toEqual([]);
  });
});

test("the primary hands over once a member has caught up, or none does for a minute", () => {
  const last = [rollout({ partition: 1 }), pods("old", "new", "new")] as const;
  const behind = (lagMs: number, startedBeforeMs: number) =>
    [1, 2].map((ordinal) =>
      replica(ordinal, {
        ...{ executed: written(90), received: written(100), applyingSinceMs: NOW_MS - lagMs },
        ...{ nowMs: NOW_MS, startedAtMs: NOW_MS - startedBeforeMs },
      }),
    );
  const phase = (...changes: readonly Change[]) => deciding(three, ...last, ...changes).phase;
  expect(phase()).toBe("SwitchingOver");
  expect(phase(...behind(200, 5_000))).toBe("SwitchingOver");
  expect(phase(...behind(0, 4_999))).toBe("RollingOut");
  expect(phase(...behind(201, 59_999))).toBe("RollingOut");
  expect(phase(...behind(201, 60_000))).toBe("SwitchingOver");
});

test("no other member is made anew while one has only just started, since commits may need it", () => {
  const first = [rollout({ partition: 2 }), pods("old", "old", "new")] as const;
  const startedBefore = (startedBeforeMs: number) =>
    replica(2, { nowMs: NOW_MS, startedAtMs: NOW_MS - startedBeforeMs });
  expect(partition(deciding(three, ...first, startedBefore(4_999)))).toBeNull();
  expect(partition(deciding(three, ...first, startedBefore(5_000)))).toBe(1);
});

test("while a backup is made no member is touched", () => {
  const busy = [asking(), remembering(running())] as const;
  expect(partition(deciding(three, rollout(), pods("old", "old", "old"), ...busy))).toBeNull();
  const idle = [asking(), remembering(memory())] as const;
  expect(partition(deciding(three, rollout(), pods("old", "old", "old"), ...idle))).toBe(2);
});
