/**
 * Recovery from the archive with real servers and a real bucket: a second server with what a backup held gets the segments
 * replayed by the server's own tools, up to one point after the other, and is compared with what the first one held
 * then: its transactions and the checksums of its tables.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { streamLog } from "../../shared/adapters/mysql/log.ts";
import { readLogFile } from "../../shared/adapters/mysql/log-file.ts";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { type Fetched, fetchReplays } from "../../shared/backup/archive/fetch.ts";
import { archiveOnce } from "../../shared/backup/archive/pass.ts";
import { readArchive } from "../../shared/backup/archive/recorded.ts";
import { planReplay, type Target } from "../../shared/backup/archive/recovery.ts";
import { askTip, lookAtLog } from "../../shared/backup/mysql/log-source.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import type { ConnectOptions, Server } from "../../shared/ports/server.ts";
import { archiveWork, putBackup } from "../support/archive.ts";
import { PLACE } from "../support/job-work.ts";
import { type MysqlHere, mysqlPrograms, startMysqlHere, whyNoMysqlHere } from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { newIdentity, patienceOf } from "../support/streams.ts";
import { value } from "./store-cases.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
const skipped = reason === null ? "" : ` (skipped: ${reason})`;

const identity = newIdentity();
const servers = createServers({ pool: false });

let bin: string;
let source: MysqlHere;
let other: MysqlHere;
let bucket: S3Server;
let store: ObjectStore;
let before: string;

/** What the source held at a point, and when by its own clock. */
interface Point {
  readonly executed: string;
  readonly atUs: number;
  readonly checksums: string;
}
const points: Point[] = [];

async function run(session: Server, sql: string, values: readonly (string | Uint8Array)[] = []) {
  return value(await session.query(sql, values));
}

async function executedBy(session: Server): Promise<string> {
  const [row] = await run(session, "SELECT @@GLOBAL.gtid_executed AS executed");
  return gtidSets.union(row?.["executed"] ?? "", "");
}

async function checksumsOf(session: Server): Promise<string> {
  const tables = await run(
    session,
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1",
  );
  const sums: string[] = [];
  for (const { name } of tables) {
    const [row] = await run(session, `CHECKSUM TABLE shop.\`${name}\` EXTENDED`);
    sums.push(`${name}=${row?.["Checksum"]}`);
  }
  return sums.join(" ");
}

function optionsOf({ port, authority, root }: MysqlHere): ConnectOptions {
  return {
    ...{ host: "127.0.0.1", port, authority, attributes: {}, credentials: root },
    ...{ connectTimeoutMs: 5_000, queryTimeoutMs: 10_000 },
  };
}

async function archivePass(segmentBytesMax: number): Promise<void> {
  const wish = { follow: false, silenceMsMax: 20_000, signal: new AbortController().signal };
  const clock = { now: Date.now, sleep: (ms: number) => sleep(ms).then(() => undefined) };
  const work = archiveWork(store, {
    ...{ segmentBytesMax, segmentAgeMsMax: 10_000, ageRecipients: [identity.recipient], clock },
    shape: { parallel: 1, partBytes: 5 * 1024 * 1024 },
    askTip: () => askTip(servers, optionsOf(source)),
  });
  value(await archiveOnce(work, () => lookAtLog({ servers, streamLog }, optionsOf(source), wish)));
}

/** The instant lies between the last commit before and the first after it. */
async function note(): Promise<void> {
  const { session } = source;
  await sleep(5);
  const { atUs } = value(await askTip(servers, optionsOf(source)));
  points.push({ executed: await executedBy(session), atUs, checksums: await checksumsOf(session) });
  await sleep(5);
}

async function writeAndNote(): Promise<void> {
  const { session } = source;
  await run(session, "CREATE TABLE shop.u (id INT PRIMARY KEY, n INT)");
  await run(session, "INSERT INTO shop.u VALUES (1, 0), (2, 0)");
  for (let round = 1; round <= 6; round += 1) {
    for (let row = 0; row < 15; row += 1) {
      await run(session, "INSERT INTO shop.t (b) VALUES (?)", [new Uint8Array(2_000).fill(row)]);
      await run(session, "UPDATE shop.u SET n = n + id");
    }
    if (round === 2) await run(session, "SET SESSION binlog_transaction_compression = ON");
    if (round === 3) await run(session, "SET SESSION gtid_next = 'AUTOMATIC:nightly'");
    if (round === 4) {
      await run(session, "SET SESSION gtid_next = 'AUTOMATIC', binlog_transaction_compression = OFF");
      await run(session, "ALTER TABLE shop.u ADD COLUMN note TEXT");
      await run(session, "INSERT INTO shop.t (b) VALUES (?)", [new Uint8Array(3_000_000).fill(7)]);
    }
    await note();
    // Some points are within a segment, some at the end of one.
    if (round % 2 === 0) await archivePass(round === 2 ? 20_000 : 10_000_000);
    if (round === 5) await run(session, "FLUSH BINARY LOGS");
  }
  await run(session, "DROP TABLE shop.u");
  await archivePass(10_000_000);
}

const env = () => ({ PATH: `${bin}:/usr/bin:/bin`, MYSQL_PWD: other.root.password });

/** As the tools do it: what one prints the other runs. */
async function replay({ files }: Fetched): Promise<void> {
  const stdio = ["pipe", "pipe", "pipe"] as const;
  const printing = spawn(
    join(bin, "mysqlbinlog"),
    ["--no-defaults", "--verify-binlog-checksum", ...files.map(({ path }) => path)],
    { env: env(), stdio: [...stdio] },
  );
  const login = ["-h", "127.0.0.1", `-P${other.port}`, "-u", "root", "--binary-mode"];
  const running = spawn(join(bin, "mysql"), ["--no-defaults", ...login], { env: env(), stdio: [...stdio] });
  printing.stdout.pipe(running.stdin);
  const ended = await Promise.all(
    [printing, running].map(
      (child) =>
        new Promise<string>((resolve) => {
          let said = "";
          child.stderr.on("data", (chunk: Buffer) => {
            said += chunk.toString();
          });
          child.once("close", (code) => resolve(`${code} ${said}`));
        }),
    ),
  );
  expect(ended).toEqual(["0 ", "0 "]);
}

/** From wherever the other server is to the target. */
async function recover(target: Target): Promise<Fetched> {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-recovery-"));
  try {
    const archive = value(await readArchive(store, PLACE, gtidSets));
    expect(archive.damage).toEqual([]);
    const base = await executedBy(other.session);
    const planned = planReplay(archive, { base, target }, gtidSets);
    if (planned.kind === "refused") throw new Error(`refused: ${JSON.stringify(planned)}`);
    const positions = gtidSets;
    const wish = { store, identity, patience: patienceOf(3), positions, readLogFile, folder };
    const fetched = value(await fetchReplays(planned.plan.replays, wish));
    if (fetched.files.length > 0) await replay(fetched);
    expect(await executedBy(other.session)).toBe(gtidSets.union(base, fetched.position));
    return fetched;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(reason !== null)(`recovery with real servers${skipped}`, { timeout: 300_000 }, () => {
  beforeAll(async () => {
    bin = await mysqlPrograms();
    [source, other, bucket] = [await startMysqlHere(bin), await startMysqlHere(bin), await startS3Server()];
    store = createS3Store(bucket.store);
    await run(source.session, "CREATE DATABASE shop");
    await run(source.session, "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)");
    await run(source.session, "INSERT INTO shop.t (b) VALUES ('in the backup')");
    before = await executedBy(source.session);
    await putBackup(store, before);
    // What the backup holds, on the other server.
    const login = ["-h", "127.0.0.1", `-P${source.port}`, "-u", "root"];
    const which = ["--single-transaction", "--set-gtid-purged=ON", "--databases", "shop"];
    const input = execFileSync(join(bin, "mysqldump"), ["--no-defaults", ...login, ...which], {
      env: env(),
      maxBuffer: 1e8,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await run(other.session, "RESET BINARY LOGS AND GTIDS");
    execFileSync(join(bin, "mysql"), ["--no-defaults", "-h", "127.0.0.1", `-P${other.port}`, "-u", "root"], {
      env: env(),
      input,
      stdio: ["pipe", "ignore", "pipe"],
    });
    expect(await executedBy(other.session)).toBe(before);
    await writeAndNote();
  }, 240_000);

  afterAll(async () => {
    servers.close();
    store?.close();
    await other?.stop();
    await source?.stop();
    await bucket?.close();
  });

  test("to one point after the other: by time, by the set that was executed, by one transaction", async () => {
    expect(points).toHaveLength(6);
    for (const [index, { executed, atUs, checksums }] of points.entries()) {
      const last = gtidSets.subtract(executed, points[index - 1]?.executed ?? before);
      const targets: readonly Target[] = [
        { kind: "time", atUs },
        { kind: "position", position: executed },
        { kind: "position", position: last },
      ];
      await recover(targets[index % 3] as Target);
      expect(await executedBy(other.session), `point ${index}`).toBe(executed);
      expect(await checksumsOf(other.session), `point ${index}`).toBe(checksums);
    }
  });

  test("where it is already, nothing is replayed", async () => {
    const { executed, atUs } = points.at(-1) as Point;
    for (const target of [
      { kind: "time", atUs },
      { kind: "position", position: executed },
    ] as const) {
      expect(await recover(target)).toEqual({ files: [], position: "", lastAtUs: null });
    }
  });

  test("the window reaches to the last look at a server that nobody writes to", async () => {
    await archivePass(1_000_000);
    const { window } = value(await readArchive(store, PLACE, gtidSets));
    const { atUs } = value(await askTip(servers, optionsOf(source)));
    expect(window.ranges).toHaveLength(1);
    expect(atUs - (window.ranges[0]?.toUs ?? 0)).toBeLessThan(2_000_000);
    await recover({ kind: "time", atUs: window.ranges[0]?.toUs ?? 0 });
    expect(await executedBy(other.session)).toBe(await executedBy(source.session));
    // The table was dropped at the very end.
    expect(await checksumsOf(other.session)).toBe(await checksumsOf(source.session));
    expect(await checksumsOf(source.session)).not.toContain("u=");
  });
});
