/**
 * A store whose disk is full behind a real backup by the program of Jobs: it fails and says so, leaves nothing that takes
 * room, and the next attempt is made once there is room again.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import type { BackupMethod } from "../../shared/model/backup.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { backupOf, type JobRuns, openJobRuns, proofOf } from "../support/job-runs.ts";
import { bucketOf } from "../support/job-work.ts";
import { type MysqlHere, mysqlPrograms, startMysqlHere, whyNoMysqlHere } from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { value } from "./store-cases.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
/** Two parts of an upload and no third one. */
const ROOM = 12;
const ROOM_ENOUGH = 200;

const SCHEMA = [
  "CREATE DATABASE shop",
  "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, body BLOB)",
  ...Array.from(
    { length: 20 },
    () => `INSERT INTO shop.orders (body) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
 SELECT RANDOM_BYTES(1000) FROM n`,
  ),
];

describe.skipIf(reason !== null)(`full disk${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let mysql: MysqlHere;
  let s3: S3Server;
  let store: ObjectStore;
  let runs: JobRuns;

  beforeAll(async () => {
    const bin = await mysqlPrograms();
    [mysql, s3] = await Promise.all([startMysqlHere(bin), startS3Server({ room: ROOM })]);
    store = createS3Store(s3.store);
    runs = openJobRuns(mysql, bin, s3.store);
    for (const sql of SCHEMA) value(await mysql.session.query(sql));
  });
  afterAll(async () => {
    store?.close();
    await Promise.all([mysql?.stop(), s3?.close()]);
    runs?.close();
  });

  const whatIsThere = async () => {
    const { catalogue, uploads } = await bucketOf(store);
    const { backups, leftovers, gap } = catalogue;
    return { backups: backups.length, leftovers: leftovers.length, gap, uploads };
  };

  test.each([
    ["physical", 1],
    ["logical", 2],
  ] as const)(
    "a %s backup that does not fit fails with the reason, and leaves nothing",
    async (method, minute) => {
      const failed = await runs.start(backupOf(mysql, minute, { method })).done;
      expect([failed.code, failed.words], failed.log).toEqual([
        1,
        expect.stringMatching(
          /^Store backups: its disk is full; free space \(could not upload \S+ in bucket /,
        ),
      ]);
      expect(await whatIsThere()).toEqual({ backups: 0, leftovers: 0, gap: null, uploads: 0 });
    },
  );

  test("once there is room the next attempt is made, and proven", async () => {
    await s3.makeRoom(ROOM_ENOUGH);
    for (const [minute, method] of [
      [1, "physical"],
      [2, "logical"],
    ] as const satisfies readonly (readonly [number, BackupMethod])[]) {
      const made = await runs.start(backupOf(mysql, minute, { method, attempt: 2 })).done;
      expect(made.code, made.log).toBe(0);
      const proven = await runs.start(proofOf(minute)).done;
      expect(proven.code, proven.log).toBe(0);
    }
    expect(await whatIsThere()).toEqual({ backups: 2, leftovers: 0, gap: null, uploads: 0 });
  });
});
