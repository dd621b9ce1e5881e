/** Names of Jobs: the same for the same thing, different for different ones, and fit for Kubernetes. */
import { expect, test } from "vitest";
import { backupJobName, proofJobName } from "../../../shared/model/job-name.ts";

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
