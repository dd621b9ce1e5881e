/** How far work is, in `kubectl ordinal status`: copies by what their servers said, Jobs by their logs. */
import { expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { clusterSchema } from "../../../shared/model/documents.ts";
import { memory } from "../../support/backups.ts";
import { healthy, healthyPods, ordinal, pod } from "./support.ts";

const slot = "2026-11-23T02:00:00Z";

test("a member that is made of a copy is told with how far it is", async () => {
  const copied = { bytes: 3 * 1024 ** 3, bytesExpected: 6 * 1024 ** 3 };
  const pods = [...healthyPods.slice(0, 2), pod(healthy, 2, { role: "none", note: "being seeded", copied })];
  const { out } = await ordinal("status mysql", { sets: [healthy], pods });
  expect(out).toMatch(/^mysql-2 .* {2}being seeded, 50 % \(3\.0 of 6\.0 GiB\)$/m);
});

test("how far a Job is, by the log of its Job, and how long the last one took", async () => {
  const begun = { slot, begunAt: "2026-11-23T10:00:00Z" };
  const remembered = encodeBackups({
    ...memory(),
    clusterUid: healthy.uid,
    last: { slot, begunAt: slot, endedAt: "2026-11-23T02:04:00Z", method: "physical" },
    running: { ...begun, attempt: 1, method: "physical", asked: "request", source: 2 },
    proving: begun,
  });
  const progress = {
    at: slot,
    message: "copying",
    bytes: 1,
    bytesPerSecond: 2,
    bytesExpected: 200,
  } as const;
  const annotations = { ...healthy.annotations, [ANNOTATION.backupStore]: "backups", ...remembered };
  const world = { sets: [{ ...healthy, annotations }], pods: healthyPods };
  const told = { ...world, progress: { "mysql-backup-20261123020000-1": progress } };
  const text = `  The physical backup of ${slot} is taken from mysql-2 for 5m`;
  expect((await ordinal("status mysql", world)).out).toContain(`${text}; the last one took 4m.\n`);
  expect((await ordinal("status mysql", told)).out).toContain(
    `${text}: copying, 0 % (1 of 200 B), 99s left.\n`,
  );
  const { backups } = clusterSchema.parse(JSON.parse((await ordinal("status mysql -o json", told)).out));
  expect(backups?.running?.progress).toEqual({
    ...{ isCopying: true, bytes: 1, bytesPerSecond: 2, bytesExpected: 200 },
  });
  expect(backups?.proving?.progress).toBeNull();
});
