/**
 * Restores by the program of Jobs as processes of its own, from backups of a real MySQL server in a real S3 server into
 * folders that hold another server's data: what was backed up serves afterwards, what was there before serves when it is
 * taken back, and wherever it is killed it is the one or the other.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import type { Manifest } from "../../shared/backup/manifest.ts";
import type { BackupTask, Task } from "../../shared/model/job-order.ts";
import type { Direction, RestoreSource } from "../../shared/model/restore.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import type { Server } from "../../shared/ports/server.ts";
import { type JobsHere, jobsHere } from "../support/job-here.ts";
import { BACKUP_TASK, bucketOf, CLUSTER, PLACE } from "../support/job-work.ts";
import {
  initialiseHere,
  type MysqlHere,
  mysqlPrograms,
  runEach,
  serveHere,
  startMysqlHere,
  whyNoMysqlHere,
} from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
/** Ways to be killed. */
const KILLS = Number(process.env["ORDINAL_KILLS"] ?? 10);

const SOURCE_SCHEMA: readonly string[] = [
  "CREATE DATABASE shop",
  "CREATE DATABASE crm",
  "SET SESSION cte_max_recursion_depth = 10000",
  "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200), body BLOB, KEY (note))",
  "CREATE TABLE crm.people (id INT PRIMARY KEY)",
  "INSERT INTO crm.people VALUES (1), (2)",
  "CREATE TABLE shop.log (at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, what TEXT)",
  "CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.log WHERE what = 'never'",
  `INSERT INTO shop.orders (note, body)
   WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
   SELECT CONCAT('ordered by ', i, ' "quoted" \\\\ ünï'), RANDOM_BYTES(500) FROM n`,
  "CREATE USER app@'%' IDENTIFIED BY 'App-password-1'",
  "GRANT SELECT ON shop.* TO app@'%'",
  "CREATE USER ordinal@'%' IDENTIFIED BY 'Control-password-1'",
  "CREATE USER ordinal_repl_1@'%' IDENTIFIED BY 'Repl-password-1'",
  // It may not be given the password that it has had.
  "ALTER USER root@'%' PASSWORD HISTORY 5",
  "CREATE USER root@'10.0.0.%' IDENTIFIED BY 'Another-1'",
];

/** With what a quoting that is none would break. */
const ADMINISTRATOR = { username: "root", password: 'New\'); DROP \\ "root" -- 1' };
const OLD_ROOT = { username: "root", password: "Old-root-1" };

describe.skipIf(reason !== null)(`restores${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let source: MysqlHere;
  let s3: S3Server;
  let bin: string;
  let store: ObjectStore;
  let jobs: JobsHere;
  /** A member's volume, to be copied. */
  let template: string;
  const root = mkdtempSync(join(tmpdir(), "ordinal-restore-"));

  beforeAll(async () => {
    bin = await mysqlPrograms();
    [source, s3] = await Promise.all([startMysqlHere(bin), startS3Server()]);
    store = createS3Store(s3.store);
    jobs = jobsHere(bin, s3.store);
    for (const sql of SOURCE_SCHEMA) await ask(source.session, sql);
    template = await memberData();
  });
  afterAll(async () => {
    store?.close();
    jobs?.close();
    await Promise.all([source?.stop(), s3?.close()]);
    rmSync(root, { recursive: true });
  });

  async function ask(server: Server, sql: string) {
    const done = await server.query(sql);
    if (!done.ok) throw new Error(`${sql}: ${done.failure.message}`);
    return done.value;
  }

  async function memberData(): Promise<string> {
    const data = join(root, "member");
    mkdirSync(data);
    await initialiseHere(bin, data);
    const member = await serveHere(bin, { data, credentials: { username: "root", password: "" } });
    await runEach(member.session, [
      "CREATE DATABASE old",
      "CREATE TABLE old.kept (id INT PRIMARY KEY)",
      "INSERT INTO old.kept VALUES (1), (2), (3)",
      "CREATE USER root@'%' IDENTIFIED BY 'Old-root-1'",
      "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION",
    ]);
    await member.end();
    return data;
  }

  let volumes = 0;
  function memberVolume(): string {
    volumes += 1;
    const volume = join(root, `v${volumes}`);
    execFileSync("cp", ["-a", template, volume]);
    return volume;
  }

  const run = (task: Task, volume: string, { encrypts = false } = {}) => {
    const order = { v: 1, cluster: CLUSTER, task, source: null } as const;
    return jobs.start({ order, volume, encrypts, account: ADMINISTRATOR });
  };
  const at = (minute: number) => `2026-11-23T03:${String(minute).padStart(2, "0")}:00Z`;
  const ID = "r1";
  const sourceOf = (minute: number): RestoreSource => ({
    ...{ id: ID, store: "backups", from: null },
    ...{ target: { kind: "backup", slot: at(minute) }, begunAt: "2026-11-24T00:00:00.000Z" },
  });
  const checkTask = (minute: number): Task => ({ kind: "restore-check", ...sourceOf(minute) });
  const fillTask = (minute: number): Task => ({ kind: "restore-fill", ordinal: 0, ...sourceOf(minute) });
  const exchangeTask = (direction: Direction): Task => ({
    ...{ kind: "restore-exchange", id: ID, ordinal: 0, direction },
  });
  const found = async (minute: number) =>
    (await bucketOf(store)).catalogue.backups.find(({ slotMs }) => slotMs === Date.parse(at(minute)))
      ?.manifest;

  async function backup(minute: number, more: Partial<BackupTask>, encrypts = false): Promise<Manifest> {
    const physical = more.method === "physical";
    const task: Task = { ...BACKUP_TASK, slot: at(minute), source: 0, authority: source.authority, ...more };
    const username = physical ? "ordinal_repl_0" : null;
    const order = {
      v: 1,
      cluster: CLUSTER,
      task,
      source: { host: "127.0.0.1", port: source.port, username },
    } as const;
    const account = physical ? { password: "Test-repl-1" } : { ...source.root };
    const made = await jobs.start({ order, encrypts, account }).done;
    expect(made.code, made.log).toBe(0);
    const manifest = await found(minute);
    if (!manifest) throw new Error("the backup is not there");
    return manifest;
  }

  async function checksums(server: Server, tables: readonly string[]) {
    return (await ask(server, `CHECKSUM TABLE ${tables.join(", ")}`)).map(({ Checksum: sum }) => sum);
  }

  /** Started over the volume as an image would; the account that was given lets in by the network. */
  async function serving<T>(
    volume: string,
    as: typeof OLD_ROOT,
    look: (server: MysqlHere) => Promise<T>,
  ): Promise<T> {
    const server = await serveHere(bin, { data: volume, credentials: as, overNetwork: true });
    try {
      return await look(server);
    } finally {
      await server.end();
    }
  }

  async function expectOldServes(volume: string): Promise<void> {
    await serving(volume, OLD_ROOT, async ({ session }) => {
      expect(await ask(session, "SELECT COUNT(*) AS n FROM old.kept")).toEqual([{ n: "3" }]);
    });
  }

  const succeeded = async (task: Task, volume: string, encrypts = false): Promise<string> => {
    const ran = await run(task, volume, { encrypts }).done;
    expect(ran.code, `${ran.words} ${ran.log}`).toBe(0);
    for (const secret of [ADMINISTRATOR.password, jobs.ageIdentity]) expect(ran.log).not.toContain(secret);
    return ran.words;
  };

  const methods = [
    [1, "physical and proven", { method: "physical" }, false],
    [2, "physical and encrypted", { method: "physical" }, true],
    [3, "logical", { method: "logical" }, false],
    [4, "logical, of one database", { method: "logical", databases: ["shop"] }, false],
  ] as const;
  test.each(methods)(
    "backup %i, %s, serves in place of what was there, and that serves again",
    async (...one) => {
      const [minute, , more, encrypts] = one;
      const isWhole = !("databases" in more);
      const tables = isWhole ? ["shop.orders", "shop.log", "crm.people"] : ["shop.orders", "shop.log"];
      const wanted = await checksums(source.session, tables);
      const { position, serverUuid } = await backup(minute, more, encrypts);
      await ask(source.session, "INSERT INTO shop.log (what) VALUES ('after the backup')");
      if (minute === 1)
        await succeeded({ kind: "proof", store: "backups", slot: at(minute) }, memberVolume());
      const volume = memberVolume();
      const oldIdentity = readFileSync(join(volume, "auto.cnf"), "utf8");

      expect(await succeeded(checkTask(minute), volume, encrypts)).toMatch(/ can be restored\./);
      expect(await succeeded(fillTask(minute), volume, encrypts)).toMatch(
        /on the volume and whole: \d+ bytes, \d tables, \d+ rows\.$/,
      );
      const made = readdirSync(join(volume, ".ordinal/restore-r1/new"));
      expect(made.filter((name) => /^(?:auto|backup)\.cnf$|\.pem$|binlog|relay/.test(name))).toEqual([]);
      await succeeded(exchangeTask("in"), volume);
      await serving(volume, ADMINISTRATOR, async ({ session }) => {
        const [server] = await ask(
          session,
          "SELECT @@GLOBAL.gtid_executed AS position, @@GLOBAL.server_uuid AS uuid",
        );
        expect(server?.["position"]?.replaceAll(/\s/g, "")).toBe(position);
        expect(server?.["uuid"]).not.toBe(serverUuid);
        expect(oldIdentity).not.toContain(server?.["uuid"]);
        expect(await checksums(session, tables)).toEqual(wanted);
        const accounts = await ask(
          session,
          "SELECT CONCAT(User, '@', Host) AS account FROM mysql.user ORDER BY 1",
        );
        const names = accounts.map(({ account }) => account);
        expect(names).toEqual(
          expect.arrayContaining(["root@%", "root@localhost", ...(isWhole ? ["app@%"] : [])]),
        );
        expect(names.filter((name) => name?.startsWith("ordinal"))).toEqual([]);
        expect(await ask(session, "SELECT User FROM mysql.user WHERE authentication_string = ''")).toEqual(
          [],
        );
        expect(await ask(session, "SHOW REPLICA STATUS")).toEqual([]);
        await ask(session, "CREATE DATABASE new");
      });
      if (isWhole) {
        const app = { username: "app", password: "App-password-1" };
        const rows = serving(
          volume,
          app,
          async ({ session }) => await ask(session, "SELECT COUNT(*) AS n FROM shop.orders"),
        );
        expect(await rows).toEqual([{ n: "5000" }]);
      }
      await succeeded(exchangeTask("back"), volume);
      expect(readFileSync(join(volume, "auto.cnf"), "utf8")).toBe(oldIdentity);
      await expectOldServes(volume);
      await succeeded({ kind: "restore-forget", id: ID, ordinal: 0 }, volume);
      expect(existsSync(join(volume, ".ordinal"))).toBe(false);
      await expectOldServes(volume);
      rmSync(volume, { recursive: true });
    },
  );

  test("a byte that was changed in the store is refused by the name of its object, and the old data serves", async () => {
    const part = (await found(1))?.parts[0]?.name ?? "";
    const file = join(s3.objects, "backups", "team", PLACE.clusterUid, "backups/20261123T030100Z/1", part);
    const before = readFileSync(file);
    const changed = Buffer.from(before);
    const middle = Math.floor(changed.length / 2);
    changed[middle] = (changed[middle] ?? 0) ^ 1;
    writeFileSync(file, changed);
    const volume = memberVolume();
    const names = readdirSync(volume);
    const ran = await run(fillTask(1), volume).done;
    writeFileSync(file, before);
    expect([ran.code, ran.words]).toEqual([1, expect.stringContaining(part)]);
    expect(readdirSync(volume)).toEqual(names);
    const refused = await run(exchangeTask("in"), volume).done;
    expect([refused.code, refused.words]).toEqual([1, expect.stringContaining("was not filled")]);
    await expectOldServes(volume);
    rmSync(volume, { recursive: true });
  });

  test("a volume without room is refused with the figures, and holds what it held", async () => {
    const volume = join(root, "small");
    mkdirSync(volume);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=200m", "tmpfs", volume]);
    try {
      execFileSync("cp", ["-a", `${template}/.`, volume]);
      const names = readdirSync(volume);
      const ran = await run(fillTask(1), volume).done;
      expect([ran.code, ran.words]).toEqual([
        1,
        expect.stringMatching(/^The volume has \d+ MiB free, and the backup needs \d+ MiB/),
      ]);
      expect(readdirSync(volume)).toEqual(names);
    } finally {
      execFileSync("umount", [volume]);
    }
  });

  async function killedAtRandom(task: Task, volume: string, msMax: number): Promise<void> {
    const { child, done } = run(task, volume);
    await sleep(100 + Math.random() * msMax);
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await done;
  }

  test("killed with all that it has started, at any moment, the old data serves until the new does", async () => {
    const volume = memberVolume();
    for (let kill = 0; kill < KILLS; kill += 1) {
      await killedAtRandom(fillTask(kill % 2 === 0 ? 1 : 3), volume, 12_000);
      if (kill % 5 === 4) await expectOldServes(volume);
    }
    const position = (await found(1))?.position;
    rmSync(join(volume, ".ordinal"), { recursive: true, force: true });
    await succeeded(fillTask(1), volume);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const direction = kill % 2 === 0 ? "in" : "back";
      await killedAtRandom(exchangeTask(direction), volume, 600);
    }
    await succeeded(exchangeTask("back"), volume);
    await expectOldServes(volume);
    await succeeded(exchangeTask("in"), volume);
    await serving(volume, ADMINISTRATOR, async ({ session }) => {
      const [server] = await ask(session, "SELECT @@GLOBAL.gtid_executed AS position");
      expect(server?.["position"]?.replaceAll(/\s/g, "")).toBe(position);
    });
  });
});
