/**
 * The program of Jobs as a process of its own, against a real MySQL server and a real S3 server: backups by both methods are
 * made, proven, and never half there however the program ends.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import type { BackupTask } from "../../shared/model/job-order.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { createChance } from "../sim/clock.ts";
import { backupOf, type JobRuns, openJobRuns, proofOf, slotAt } from "../support/job-runs.ts";
import { backupIn, bucketOf } from "../support/job-work.ts";
import { type MysqlHere, mysqlPrograms, startMysqlHere, whyNoMysqlHere } from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
const KILLS = process.env["ORDINAL_NIGHTLY"] === "1" ? 30 : 4;
const KILL_MS_MAX = 60_000;
/** Repeats the moments of a run. */
const SEED = Number(process.env["ORDINAL_KILLS_SEED"] ?? 1);
const chance = createChance(SEED);

const ROWS = `INSERT INTO shop.orders (note, body)
 WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
 SELECT CONCAT('ordered by ', i, ' "quoted" \\\\ ünï'), RANDOM_BYTES(500) FROM n`;

const SCHEMA: readonly string[] = [
  "CREATE DATABASE shop",
  "CREATE DATABASE crm",
  "SET SESSION cte_max_recursion_depth = 10000",
  `CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200), body BLOB,
    len INT AS (CHAR_LENGTH(note)) STORED, KEY (note))`,
  "CREATE TABLE shop.log (at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, what TEXT)",
  "CREATE TABLE crm.`odd ``name` (id INT PRIMARY KEY)",
  "INSERT INTO crm.`odd ``name` VALUES (1), (2)",
  "CREATE VIEW shop.latest AS SELECT id, note FROM shop.orders ORDER BY id DESC LIMIT 10",
  "CREATE TRIGGER shop.noted AFTER INSERT ON shop.orders FOR EACH ROW INSERT INTO shop.log (what) VALUES ('order')",
  "CREATE PROCEDURE shop.tidy() DELETE FROM shop.log WHERE what = 'never'",
  "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO CALL shop.tidy()",
  ROWS,
  // As a replica has it.
  "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_USER = 'ordinal_repl_0', SOURCE_PASSWORD = 'x'",
];

describe.skipIf(reason !== null)(
  `the program of Jobs${reason === null ? "" : ` (skipped: ${reason})`}`,
  () => {
    let mysql: MysqlHere;
    let s3: S3Server;
    let runs: JobRuns;
    let store: ObjectStore;

    beforeAll(async () => {
      const bin = await mysqlPrograms();
      [mysql, s3] = await Promise.all([startMysqlHere(bin), startS3Server()]);
      store = createS3Store(s3.store);
      runs = openJobRuns(mysql, bin, s3.store);
      for (const sql of SCHEMA) {
        const done = await mysql.session.query(sql);
        if (!done.ok) throw new Error(done.failure.message);
      }
    });
    afterAll(async () => {
      store?.close();
      await Promise.all([mysql?.stop(), s3?.close()]);
      runs?.close();
    });

    const backup = (minute: number, more: Partial<BackupTask> = {}) => backupOf(mysql, minute, more);
    const found = (minute: number) => backupIn(store, slotAt(minute));
    const executed = async () => {
      const rows = await mysql.session.query("SELECT @@GLOBAL.gtid_executed AS p, @@GLOBAL.server_uuid AS u");
      return rows.ok ? { p: rows.value[0]?.["p"]?.replaceAll(/\s/g, ""), u: rows.value[0]?.["u"] } : {};
    };

    const methods = [
      [1, "physical", { method: "physical" }, false],
      [2, "physical and encrypted", { method: "physical" }, true],
      [3, "logical", { method: "logical" }, false],
      [4, "logical, of one database, and encrypted", { method: "logical", databases: ["shop"] }, true],
    ] as const;
    test.each(methods)("backup %i, %s, is made and proven", async (minute, _, more, encrypts) => {
      const made = await runs.start(backup(minute, more), { encrypts }).done;
      expect(made.words, made.log).toMatch(
        /^The (?:physical|logical) backup of .* holds \d+ bytes in \d+ objects/,
      );
      expect(made.code).toBe(0);
      const { p, u } = await executed();
      expect((await found(minute))?.manifest).toMatchObject({ position: p, serverUuid: u });
      const proven = await runs.start(proofOf(minute), { encrypts }).done;
      expect(proven.words, proven.log).toMatch(/restored and found whole: \d+ bytes, \d tables, \d+ rows\.$/);
      expect(proven.code).toBe(0);
      const rows = (await found(minute))?.proof?.checked.find(({ what }) => what === "rows")?.count;
      expect(rows).toBe("databases" in more ? 10_000 : 10_002);
      for (const { log } of [made, proven]) {
        for (const password of ["Test-root-1", "Test-repl-1", runs.ageIdentity])
          expect(log).not.toContain(password);
      }
    });

    test("a source that does not let it in, and one that is another one, are told of", async () => {
      const wrong = await runs.start(backup(10, { authority: s3.certificate.authority })).done;
      expect([wrong.code, wrong.words]).toEqual([
        1,
        expect.stringContaining("certificate is not from the recorded authority"),
      ]);
      expect(await found(10)).toBeUndefined();
    });

    test("tables that CLONE would leave empty are refused before anything is stored", async () => {
      await mysql.session.query("CREATE TABLE crm.old (id INT) ENGINE = MyISAM");
      const ran = await runs.start(backup(11)).done;
      await mysql.session.query("DROP TABLE crm.old");
      expect([ran.code, ran.words]).toEqual([1, expect.stringContaining("crm.old is kept by MyISAM")]);
    });

    test("told to end, it takes back what it has stored", async () => {
      const { child, done } = runs.start(backup(12));
      await sleep(1_500);
      child.kill("SIGTERM");
      const ran = await done;
      const { broken, uploads } = await bucketOf(store);
      expect([broken, uploads]).toEqual([0, 0]);
      if (ran.code !== 0) expect(await found(12)).toBeUndefined();
    });

    test("a store that is killed under way is waited for", async () => {
      const { done } = runs.start(backup(13));
      await sleep(1_000 + chance() * 3_000);
      await s3.kill();
      await sleep(2_000);
      await s3.start();
      const ran = await done;
      expect(ran.code, ran.log).toBe(0);
      const { broken, uploads } = await bucketOf(store);
      expect([broken, uploads]).toEqual([0, 0]);
    });

    test(
      `killed with all that it has started, at any moment of seed ${SEED}, it leaves no half of a backup`,
      async () => {
        for (let kill = 0; kill < KILLS; kill += 1) {
          const minute = 20 + kill;
          const { child, done } = runs.start(backup(minute, kill % 2 === 0 ? {} : { method: "logical" }));
          await sleep(500 + chance() * 5_000);
          if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
          await done;
          expect((await bucketOf(store)).broken, `kill ${kill}`).toBe(0);
          const again = await runs.start(backup(minute, { attempt: 2 })).done;
          expect(again.code, again.log).toBe(0);
          const { broken, uploads } = await bucketOf(store);
          expect([broken, uploads], `kill ${kill}`).toEqual([0, 0]);
        }
      },
      KILLS * KILL_MS_MAX,
    );
  },
);
