/** What is under way, in sentences: how far it is where a Job has told, else how long the last of its kind took. */
import { expect, test } from "vitest";
import type { Cluster, ClusterBackups, ClusterRestores } from "../../../shared/model/documents.ts";
import { howFar, shareOf } from "../../../shared/model/progress.ts";
import { worksOf } from "../../../shared/model/under-way.ts";

const HERE = { nowMs: Date.parse("2026-11-23T02:04:00Z") };
const SLOT = "2026-11-23T02:00:00Z";
const GIB = 1024 ** 3;

type Running = NonNullable<ClusterBackups["running"]>;
const running: Running = {
  ...{ slot: SLOT, attempt: 1, method: "physical", asked: "schedule", source: "mysql-2" },
  ...{ begunAt: SLOT, progress: null },
};
const last: NonNullable<ClusterBackups["last"]> = {
  ...{ slot: "2026-11-22T02:00:00Z", method: "physical" },
  ...{ begunAt: "2026-11-22T02:00:00Z", endedAt: "2026-11-22T02:13:00Z" },
};
const restoring: NonNullable<ClusterRestores["running"]> = {
  ...{ id: "r1", undo: false, phase: "Filling", attempt: 1, begunAt: SLOT, progress: null },
};
const progress = {
  isCopying: true,
  bytes: 3.2 * GIB,
  bytesExpected: 7.5 * GIB,
  bytesPerSecond: 0.2 * GIB,
} as const;

const backups = (more: Partial<ClusterBackups>) =>
  ({
    backups: { running: null, last: null, proving: null, proven: null, ...more },
    restores: null,
    operation: null,
  }) as Cluster;
const restores = (more: Partial<ClusterRestores>) =>
  ({
    backups: null,
    restores: { running: restoring, last: null, kept: null, ...more },
    operation: null,
  }) as Cluster;

const BACKUP = `The physical backup of ${SLOT} is taken from mysql-2 for 4m`;
const PROOF = `The backup of ${SLOT} is being proven for 4m`;
const proving = { slot: SLOT, begunAt: SLOT, progress: null };
const ended = { id: "r0", undo: false, begunAt: "2026-11-01T00:00:00Z", endedAt: "2026-11-01T03:10:00Z" };

test.each<[string, Cluster, string, number | null]>([
  ["a backup, the first", backups({ running }), `${BACKUP}.`, null],
  ["another attempt", backups({ running: { ...running, attempt: 2 } }), `${BACKUP}, attempt 2.`, null],
  ["after one by the same method", backups({ running, last }), `${BACKUP}; the last one took 13m.`, null],
  [
    "after one by another method",
    backups({ running, last: { ...last, method: "logical" } }),
    `${BACKUP}.`,
    null,
  ],
  [
    "after one of an earlier Ordinal",
    backups({ running, last: { ...last, begunAt: null } }),
    `${BACKUP}.`,
    null,
  ],
  [
    "that has told how far it is",
    backups({ running: { ...running, progress }, last }),
    `${BACKUP}: copying, 42 % (3.2 of 7.5 GiB), 21s left.`,
    3.2 / 7.5,
  ],
  [
    "that has told what is stored, of nobody knows how much",
    backups({ running: { ...running, progress: { ...progress, isCopying: false, bytesExpected: null } } }),
    `${BACKUP}: 3.2 GiB.`,
    null,
  ],
  [
    "a proof",
    backups({ proving, proven: { slot: SLOT, begunAt: "2026-11-22T03:00:00Z", at: "2026-11-22T03:01:00Z" } }),
    `${PROOF}; the last one took 60s.`,
    null,
  ],
  ["a restore", restores({}), "Restore r1 is under way for 4m, Filling.", null],
  [
    "a restore after one that was carried out",
    restores({ last: { ...ended, fault: null } }),
    "Restore r1 is under way for 4m, Filling; the last one took 3h.",
    null,
  ],
  [
    "a restore after one that was given up",
    restores({ last: { ...ended, fault: "no room" } }),
    "Restore r1 is under way for 4m, Filling.",
    null,
  ],
  [
    "an undoing after a restore",
    restores({ running: { ...restoring, undo: true }, last: { ...ended, fault: null } }),
    "Restore r1 is being undone for 4m, Filling.",
    null,
  ],
  [
    "an operation",
    {
      operation: { kind: "switchover", step: "drain", startedAt: SLOT },
      backups: null,
      restores: null,
    } as Cluster,
    "Under way for 4m: switchover, step drain.",
    null,
  ],
])("%s", (_, cluster, text, share) => {
  expect(worksOf(cluster, HERE).map((work) => [work.text, work.share])).toEqual([[text, share]]);
});

test("all that is under way, in the order in which it matters", () => {
  const operation = { kind: "switchover", step: "drain", startedAt: SLOT };
  const busy = { ...backups({ running, proving }), operation, restores: restores({}).restores };
  expect(worksOf(busy, HERE).map(({ key }) => key)).toEqual(["operation", "backup", "proof", "restore"]);
});

test.each([
  [0, 0, null, "0 B"],
  [512, null, null, "512 B"],
  [1, 1024 ** 2, 1 / 1024 ** 2, "0 % (0.0 of 1.0 MiB)"],
  [996, 1000, 0.996, "99 % (996 of 1000 B)"],
  [2048, 1024, 1, "100 % (2.0 of 1.0 KiB)"],
])("%d of %s bytes: what is said to be done is done", (bytes, bytesExpected, share, text) => {
  expect(shareOf({ bytes, bytesExpected })).toBe(share);
  expect(howFar({ bytes, bytesExpected })).toBe(text);
});
