/** Which clusters a tick of the schedules wakes: those of which a pass would begin a backup, and no other. */
import { describe, expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { isBackupDue } from "../../../shared/hosts/due-backups.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import { memory } from "../../support/backups.ts";
import { setWith } from "../annotations/support.ts";

const WISH = {
  [ANNOTATION.engine]: "mysql",
  [ANNOTATION.credentials]: "mysql-root",
  [ANNOTATION.backupStore]: "backups",
  [ANNOTATION.backupSchedule]: "0 3 * * *",
  [ANNOTATION.backupTimezone]: "Europe/Berlin",
};
const TONIGHT = "2026-11-24T02:00:00Z";

function isDue(
  when: string,
  remembered: Partial<BackupMemory> | null,
  more: Readonly<Record<string, string>> = {},
): boolean {
  const backups = remembered && encodeBackups({ ...memory(), clusterUid: "uid-1", ...remembered });
  return isBackupDue(setWith({ ...WISH, ...backups, ...more }), Date.parse(when));
}

test("a slot is due from its instant on until it was begun or is too old", () => {
  expect(isDue("2026-11-24T01:59:59.999Z", {})).toBe(false);
  expect(isDue(TONIGHT, {})).toBe(true);
  expect(isDue("2026-11-24T08:00:00Z", {})).toBe(true);
  expect(isDue("2026-11-24T08:00:01Z", {})).toBe(false);
  expect(isDue("2026-11-24T02:00:01Z", { handled: TONIGHT })).toBe(false);
});

test("an attempt is due when its time has come", () => {
  const failed = { slot: TONIGHT, attempt: 2, method: "physical", asked: "schedule", reason: "x" } as const;
  const waiting = { handled: TONIGHT, retry: { ...failed, notBefore: "2026-11-24T02:10:00Z" } };
  expect(isDue("2026-11-24T02:09:59Z", waiting)).toBe(false);
  expect(isDue("2026-11-24T02:10:00Z", waiting)).toBe(true);
});

describe("nothing is due", () => {
  const running = {
    slot: "2026-11-23T02:00:00Z",
    attempt: 1,
    method: "physical",
    asked: "schedule",
  } as const;
  test.each<[string, Partial<BackupMemory> | null, Readonly<Record<string, string>>]>([
    ["while a backup runs", { running: { ...running, source: 2, begunAt: TONIGHT } }, {}],
    ["before a pass has seen the schedule", null, {}],
    ["where the schedule cannot be read", {}, { [ANNOTATION.backupSchedule]: "@daily" }],
    ["where the memory cannot be read", null, { [ANNOTATION.backups]: "{" }],
    ["of another cluster's memory", { clusterUid: "uid-0" }, {}],
  ])("%s", (_, remembered, more) => {
    expect(isDue(TONIGHT, remembered, more)).toBe(false);
  });
});
