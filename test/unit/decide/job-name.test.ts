/** Names of Jobs: the same for the same thing, different for different ones, and fit for Kubernetes. */
import { expect, test } from "vitest";
import { clusterOfJob } from "../../../shared/hosts/functions.ts";
import { backupJobName, proofJobName, restoreJobs } from "../../../shared/model/job-name.ts";
import { RESTORE_PHASES, type RestoreMemory, type RunningRestore } from "../../../shared/model/restore.ts";
import { WISH } from "../../support/restores.ts";

const slot = "2026-11-23T03:00:00Z";
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

test("of cluster, slot and attempt", () => {
  expect(backupJobName("mysql", { slot, attempt: 1 })).toBe("mysql-backup-20261123030000-1");
  expect(backupJobName("mysql", { slot: "2026-11-23T03:00:00.000Z", attempt: 1 })).toBe(
    "mysql-backup-20261123030000-1",
  );
  expect(backupJobName("mysql", { slot, attempt: 2 })).toBe("mysql-backup-20261123030000-2");
  const begunAt = "2026-11-23T03:05:00Z";
  expect(proofJobName("mysql", { slot, begunAt })).toBe("mysql-proof-20261123030000-20261123030500");
});

test("of 63 characters at most, told apart by a digest where they are cut", () => {
  const fits = "m".repeat(39);
  expect(backupJobName(fits, { slot, attempt: 1 })).toBe(`${fits}-backup-20261123030000-1`);
  expect(backupJobName(fits, { slot, attempt: 1 })).toHaveLength(63);
  const names = ["a", "b"].map((end) => backupJobName(`${"m".repeat(60)}${end}`, { slot, attempt: 1 }));
  expect(new Set(names).size).toBe(2);
  for (const name of names) expect(name).toMatch(/^m{30}-[0-9a-f]{8}-backup-20261123030000-1$/);
});

test("labels without dots, whatever the cluster's name", () => {
  const names = [
    "shop.db",
    "shop-db",
    `${"m".repeat(29)}-${"x".repeat(30)}`,
    "a.b.c",
    `${"m.".repeat(100)}m`,
  ];
  const made = names.flatMap((name) => [
    backupJobName(name, { slot, attempt: 5 }),
    proofJobName(name, { slot, begunAt: slot }),
    proofJobName(name, { slot, begunAt: "2026-11-24T03:00:00Z" }),
  ]);
  for (const name of made) expect(name).toMatch(label);
  expect(new Set(made).size).toBe(made.length);
});

const none: RestoreMemory = { v: 1, clusterUid: "uid", running: null, last: null, kept: null, ids: [] };

function restoring(more: Partial<RunningRestore>): RestoreMemory {
  const begunAt = "2026-11-23T03:00:00.000Z";
  const steady = {
    direction: "in",
    phase: "Checking",
    attempt: 1,
    replicas: 3,
    before: null,
    served: true,
    volume: null,
  } as const;
  return { ...none, running: { wish: WISH, begunAt, phaseAt: begunAt, ...steady, ...more } };
}

test("of a restore: by its phase, direction, attempt and member, and never those of another one", () => {
  const memories = [
    ...RESTORE_PHASES.flatMap((phase) =>
      [1, 12].flatMap((attempt) => [
        restoring({ phase, attempt }),
        restoring({ phase, attempt, begunAt: "2026-11-24T03:00:00.000Z" }),
      ]),
    ),
    restoring({ phase: "Exchanging", direction: "back" }),
    { ...none, kept: { id: "wish-1", replicas: 3, until: slot, forgetting: 1 } },
    { ...none, kept: { id: "wish-1", replicas: 3, until: slot, forgetting: 2 } },
  ];
  for (const cluster of ["mysql", "shop.db", "m-exchange-1", "m".repeat(70)]) {
    const made = memories.flatMap((memory) => restoreJobs(cluster, memory));
    expect(made).toHaveLength(4 + 4 + 4 * 3 + 3 + 6);
    expect(new Set(made).size).toBe(made.length);
    for (const name of made) expect(name).toMatch(label);
  }
  expect(restoreJobs("mysql", none)).toEqual([]);
  expect(restoreJobs("mysql", restoring({ phase: "Stopping" }))).toEqual([]);
  const [first = ""] = restoreJobs("mysql", restoring({ phase: "Exchanging", direction: "back" }));
  expect(first).toMatch(/^mysql-exchange-back-[0-9a-f]{8}-0-1$/);
});

test("tell the cluster, where the name was not cut", () => {
  const begunAt = "2026-11-23T03:05:00Z";
  const names = [
    backupJobName("my-sql", { slot, attempt: 1 }),
    proofJobName("my-sql", { slot, begunAt }),
    ...RESTORE_PHASES.flatMap((phase) => restoreJobs("my-sql", restoring({ phase, direction: "back" }))),
    ...restoreJobs("my-sql", { ...none, kept: { id: "wish-1", replicas: 2, until: slot, forgetting: 1 } }),
  ];
  expect(new Set(names.map(clusterOfJob))).toEqual(new Set(["my-sql"]));
  expect(clusterOfJob("nightly-report")).toBeNull();
});
