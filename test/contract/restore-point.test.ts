/**
 * Restores to a time and to a GTID, by the program of Jobs, from backups of real servers and the archive of their logs in a
 * real bucket: what serves afterwards holds the transactions and the tables that there were at that point, whichever
 * backup it begins with and whichever server was the primary then.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { streamLog } from "../../shared/adapters/mysql/log.ts";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { archiveOnce } from "../../shared/backup/archive/pass.ts";
import { askTip, lookAtLog } from "../../shared/backup/mysql/log-source.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { instantOf } from "../../shared/model/instant.ts";
import type { BackupTask, Task } from "../../shared/model/job-order.ts";
import type { RestoreTarget } from "../../shared/model/restore.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import type { ConnectOptions, Server } from "../../shared/ports/server.ts";
import { archiveWork } from "../support/archive.ts";
import { type JobsHere, jobsHere } from "../support/job-here.ts";
import { BACKUP_TASK, CLUSTER } from "../support/job-work.ts";
import {
  type MysqlHere,
  mysqlPrograms,
  serveHere,
  startMysqlHere,
  whyNoMysqlHere,
} from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { newIdentity } from "../support/streams.ts";
import { value } from "./store-cases.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
/** Points that are restored to, and how often another server becomes the primary; the nightly tier tries more. */
const [TARGETS, FAILOVERS] = process.env["ORDINAL_NIGHTLY"] === "1" ? [30, 3] : [10, 1];
const NOTES_EACH = 6;

const ADMINISTRATOR = { username: "root", password: "Point-in-time-1" };
const BEGUN_AT = "2026-11-24T00:00:00.000Z";

/** What the primary held at a point, and when by its own clock. */
interface Point {
  readonly executed: string;
  readonly atUs: number;
  readonly holds: string;
}

describe.skipIf(reason !== null)(
  `restores to a point${reason === null ? "" : ` (skipped: ${reason})`}`,
  () => {
    const root = mkdtempSync(join(tmpdir(), "ordinal-point-"));
    const servers = createServers({ pool: false });
    const points: Point[] = [];
    let bin: string;
    let s3: S3Server;
    let store: ObjectStore;
    let jobs: JobsHere;
    let primary: MysqlHere;
    /** Those before it; they end with the test. */
    const former: MysqlHere[] = [];

    async function ask(server: Server, sql: string, values: readonly (string | Uint8Array)[] = []) {
      return value(await server.query(sql, values));
    }

    async function executedBy(server: Server): Promise<string> {
      const [row] = await ask(server, "SELECT @@GLOBAL.gtid_executed AS executed");
      return gtidSets.union(row?.["executed"] ?? "", "");
    }

    /** Checksums of all tables, and which of the accounts there are. */
    async function holdingsOf(server: Server): Promise<string> {
      const tables = await ask(
        server,
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1",
      );
      const held: string[] = [];
      for (const { name } of tables) {
        const [row] = await ask(server, `CHECKSUM TABLE shop.\`${name}\` EXTENDED`);
        held.push(`${name}=${row?.["Checksum"]}`);
      }
      const users = await ask(
        server,
        "SELECT User AS name FROM mysql.user WHERE User LIKE 'late%' ORDER BY 1",
      );
      return [...held, ...users.map(({ name }) => name)].join(" ");
    }

    function toPrimary(): ConnectOptions {
      return {
        ...{ host: "127.0.0.1", port: primary.port, authority: primary.authority, attributes: {} },
        ...{ credentials: primary.root, connectTimeoutMs: 5_000, queryTimeoutMs: 30_000 },
      };
    }

    async function archivePass(segmentBytesMax: number): Promise<void> {
      const wish = { follow: false, silenceMsMax: 20_000, signal: new AbortController().signal };
      const clock = { now: Date.now, sleep: (ms: number) => sleep(ms).then(() => undefined) };
      const work = archiveWork(store, {
        ...{ segmentBytesMax, segmentAgeMsMax: 10_000, clock },
        ageRecipients: [newIdentity(jobs.ageIdentity).recipient],
        shape: { parallel: 1, partBytes: 5 * 1024 * 1024 },
        askTip: () => askTip(servers, toPrimary()),
      });
      value(await archiveOnce(work, () => lookAtLog({ servers, streamLog }, toPrimary(), wish)));
    }

    async function note(): Promise<void> {
      await sleep(5);
      const { atUs } = value(await askTip(servers, toPrimary()));
      const { session } = primary;
      points.push({ executed: await executedBy(session), atUs, holds: await holdingsOf(session) });
      await sleep(5);
    }

    async function write(round: number): Promise<void> {
      const { session } = primary;
      await ask(session, `SET SESSION binlog_transaction_compression = ${round % 2 === 0 ? "ON" : "OFF"}`);
      await ask(session, `SET SESSION gtid_next = 'AUTOMATIC${round % 3 === 2 ? ":nightly" : ""}'`);
      for (let row = 0; row < 15; row += 1) {
        await ask(session, "INSERT INTO shop.t (b) VALUES (?)", [new Uint8Array(2_000).fill(row)]);
        await ask(session, "UPDATE shop.t SET n = n + id WHERE id % 3 = 0");
      }
      if (round % 4 === 1) {
        await ask(session, `CREATE TABLE shop.u${round} (id INT PRIMARY KEY, note TEXT)`);
        await ask(session, `INSERT INTO shop.u${round} VALUES (1, 'one'), (2, NULL)`);
        await ask(session, `CREATE USER late${round}@'%' IDENTIFIED BY 'Late-password-1'`);
      }
      if (round % 4 === 2) await ask(session, `ALTER TABLE shop.t ADD COLUMN c${round} INT DEFAULT ${round}`);
      if (round % 4 === 3) {
        await ask(session, `DROP TABLE IF EXISTS shop.u${round - 2}`);
        await ask(session, "INSERT INTO shop.t (b) VALUES (?)", [new Uint8Array(3_000_000).fill(7)]);
      }
      await ask(session, "SET SESSION gtid_next = 'AUTOMATIC'");
    }

    async function writeAndNote(from: number): Promise<void> {
      for (let round = from; round < from + NOTES_EACH; round += 1) {
        await write(round);
        await note();
        // Some points are within a segment, some at the end of one.
        if (round % 2 === 0) await archivePass(round % 4 === 0 ? 20_000 : 10_000_000);
        if (round % 5 === 4) await ask(primary.session, "FLUSH BINARY LOGS");
      }
    }

    const at = (minute: number) => `2026-11-23T03:${String(minute).padStart(2, "0")}:00Z`;

    async function backup(minute: number, method: BackupTask["method"]): Promise<void> {
      const physical = method === "physical";
      const slot = { slot: at(minute), source: 0, authority: primary.authority, method };
      const task: Task = { ...BACKUP_TASK, ...slot };
      const username = physical ? "ordinal_repl_0" : null;
      const source = { host: "127.0.0.1", port: primary.port, username };
      const account = physical ? { password: "Test-repl-1" } : { ...primary.root };
      const order = { v: 1, cluster: CLUSTER, task, source } as const;
      const made = await jobs.start({ order, encrypts: true, account }).done;
      expect(made.code, made.log).toBe(0);
    }

    let volumes = 0;

    function run(kind: "restore-check" | "restore-fill", target: RestoreTarget, volume: string) {
      const source = { id: "p1", store: "backups", from: null, target, begunAt: BEGUN_AT };
      const task: Task = kind === "restore-check" ? { kind, ...source } : { kind, ordinal: 0, ...source };
      const order = { v: 1, cluster: CLUSTER, task, source: null } as const;
      return jobs.start({ order, volume, encrypts: true, account: ADMINISTRATOR }).done;
    }

    /** A server of its own, over what the Job has made. */
    async function restored(target: RestoreTarget): Promise<{ server: MysqlHere; words: string }> {
      volumes += 1;
      const volume = join(root, `v${volumes}`);
      mkdirSync(volume);
      const ran = await run("restore-fill", target, volume);
      expect(ran.code, `${ran.words} ${ran.log}`).toBe(0);
      const data = join(volume, ".ordinal/restore-p1/new");
      return {
        server: await serveHere(bin, { data, credentials: ADMINISTRATOR, overNetwork: true }),
        words: ran.words,
      };
    }

    /** Another server goes on from what was archived of the one before it. */
    async function failover(): Promise<void> {
      await archivePass(10_000_000);
      const { server } = await restored({ kind: "gtid", set: await executedBy(primary.session) });
      former.push(primary);
      primary = server;
    }

    beforeAll(async () => {
      bin = await mysqlPrograms();
      [primary, s3] = await Promise.all([startMysqlHere(bin), startS3Server()]);
      store = createS3Store(s3.store);
      jobs = jobsHere(bin, s3.store);
      const { session } = primary;
      await ask(session, "CREATE DATABASE shop");
      await ask(
        session,
        "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB, n INT DEFAULT 0)",
      );
      await ask(session, "INSERT INTO shop.t (b) VALUES ('in the backup')");
      await backup(1, "physical");
      await writeAndNote(0);
      await backup(2, "logical");
      await writeAndNote(NOTES_EACH);
      for (let change = 1; change <= FAILOVERS; change += 1) {
        await failover();
        await writeAndNote((change + 1) * NOTES_EACH);
      }
      await archivePass(10_000_000);
    }, 600_000);

    afterAll(async () => {
      servers.close();
      store?.close();
      jobs?.close();
      await Promise.all([...former, primary].map((server) => server?.stop()));
      await s3?.close();
      rmSync(root, { recursive: true });
    });

    /** In three ways to ask for it. */
    function targetOf(point: Point, way: number): RestoreTarget {
      const { executed, atUs } = point;
      const before = points[points.indexOf(point) - 1]?.executed ?? "";
      if (way === 0) return { kind: "time", at: instantOf(atUs) };
      return { kind: "gtid", set: way === 1 ? executed : gtidSets.subtract(executed, before) };
    }

    /** Each time another one, in an order that nobody has chosen; the last one is the tip. */
    function chosen(): readonly Point[] {
      const shuffled = points.slice(0, -1).toSorted(() => Math.random() - 0.5);
      return [...shuffled.slice(0, TARGETS - 1), ...points.slice(-1)];
    }

    test("the tables and the transactions are those of the point, from either backup", {
      timeout: 3_600_000,
    }, async () => {
      for (const [index, point] of chosen().entries()) {
        const target = targetOf(point, index % 3);
        const { server, words } = await restored(target);
        const which = `point ${points.indexOf(point)} by ${JSON.stringify(target)}: ${words}`;
        expect(await executedBy(server.session), which).toBe(point.executed);
        expect(await holdingsOf(server.session), which).toBe(point.holds);
        await server.stop();
        rmSync(join(root, `v${volumes}`), { recursive: true });
      }
    });

    test("the check says which backup it begins with, how much is replayed, and up to which commit", async () => {
      const point = points[1] as Point;
      const ran = await run("restore-check", targetOf(point, 0), root);
      expect(ran.words).toMatch(
        /^The physical backup of 2026-11-23T03:01:00Z of shop\/mysql .* can be restored\. On it \d+ transactions of the archive are to be replayed, up to the commit of [-0-9]+T[:0-9]+\.\d{6}Z\.$/,
      );
      const commit = / commit of (\S+)\.$/.exec(ran.words)?.[1] ?? "";
      expect(commit < instantOf(point.atUs)).toBe(true);
      const later = await run("restore-check", targetOf(points[NOTES_EACH + 1] as Point, 0), root);
      expect(later.words).toMatch(/^The logical backup of 2026-11-23T03:02:00Z /);
    });

    test("a time after all that is archived is refused with the last that can be had", async () => {
      const ran = await run("restore-check", { kind: "time", at: "2036-01-01T00:00:00Z" }, root);
      expect([ran.code, ran.words]).toEqual([
        1,
        expect.stringMatching(
          /^2036-01-01T00:00:00\.000000Z lies after all that is archived; the nearest that can be recovered: \S+\.\d{6}Z\.$/,
        ),
      ]);
    });

    test("a log that does not fit the backup is refused with what the applier says, and nothing stays", async () => {
      const { session } = primary;
      // What the server's log knows nothing of, and so no backup should be without.
      await ask(session, "SET SESSION sql_log_bin = OFF");
      await ask(session, "DELETE FROM shop.t WHERE id = 1");
      await backup(3, "logical");
      await ask(session, "INSERT INTO shop.t (id, b) VALUES (1, 'again')");
      await ask(session, "SET SESSION sql_log_bin = ON");
      await ask(session, "UPDATE shop.t SET n = 1 WHERE id = 1");
      await archivePass(10_000_000);
      const volume = join(root, "unfit");
      mkdirSync(volume);
      const ran = await run("restore-fill", { kind: "gtid", set: await executedBy(session) }, volume);
      expect([ran.code, ran.words], ran.log).toEqual([
        1,
        expect.stringMatching(/^The log could not be replayed: .*shop\.t/),
      ]);
      expect(readdirSync(volume)).toEqual([]);
    });
  },
);
