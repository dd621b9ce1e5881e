/**
 * The archive of a real server's log in a real bucket: archivers that are killed again and again while the server is
 * written to leave segments that the server's own tool reads, with every transaction to the byte as the tool copies it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { streamLog } from "../../shared/adapters/mysql/log.ts";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { archivedBy } from "../../shared/backup/archive/inventory.ts";
import { mergeOnce } from "../../shared/backup/archive/merge.ts";
import { type ArchiveWork, archiveOnce } from "../../shared/backup/archive/pass.ts";
import { readDoubled } from "../../shared/backup/archive/unneeded.ts";
import { carryOutDeletions } from "../../shared/backup/holdings.ts";
import { lookAtLog } from "../../shared/backup/mysql/log-source.ts";
import { openSealed } from "../../shared/backup/seal.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import type { ConnectOptions } from "../../shared/ports/server.ts";
import { archiveWork, inventoryIn, putBackup } from "../support/archive.ts";
import { PLACE } from "../support/job-work.ts";
import { killedAfter } from "../support/killed.ts";
import { transactionBytes } from "../support/log-files.ts";
import { type MysqlHere, mysqlPrograms, startMysqlHere, whyNoMysqlHere } from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { collect, newIdentity, newIdentityText, patienceOf } from "../support/streams.ts";
import { value } from "./store-cases.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
const skipped = reason === null ? "" : ` (skipped: ${reason})`;

const KILLS = 50;
const identityText = newIdentityText();
const identity = newIdentity(identityText);
const servers = createServers({ pool: false });

let bin: string;
let server: MysqlHere;
let bucket: S3Server;
let store: ObjectStore;
let before: string;

const run = async (sql: string, values: readonly (string | Uint8Array)[] = []) =>
  value(await server.session.query(sql, values));

async function executed(): Promise<string> {
  const [row] = await run("SELECT @@GLOBAL.gtid_executed AS executed");
  return row?.["executed"] ?? "";
}

function toServer(): ConnectOptions {
  return {
    ...{ host: "127.0.0.1", port: server.port, authority: server.authority, attributes: {} },
    ...{ credentials: server.root, connectTimeoutMs: 5_000, queryTimeoutMs: 10_000 },
  };
}

const LOAD_MS = 20_000;
const LOAD_PER_SECOND = 500;
const WRITERS = 10;

/** Each writer has a beat of its own, and leaves out none when it was late. */
async function writeFor(ms: number): Promise<{ readonly writes: number; readonly seconds: number }> {
  const begunAt = performance.now();
  let writes = 0;
  async function write(): Promise<void> {
    const session = value(await servers.connect({ ...toServer(), fresh: true }));
    const everyMs = (1_000 * WRITERS) / LOAD_PER_SECOND;
    for (let dueAt = begunAt; dueAt < begunAt + ms; dueAt += everyMs) {
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      value(await session.query("INSERT INTO shop.t (b) VALUES (?)", [new Uint8Array(500).fill(writes)]));
      writes += 1;
    }
    await session.close();
  }
  await Promise.all(Array.from({ length: WRITERS }, write));
  return { writes, seconds: (performance.now() - begunAt) / 1_000 };
}

const clock = {
  now: Date.now,
  sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
};

function workIn(into: ObjectStore, more: Partial<ArchiveWork> = {}): ArchiveWork {
  const limits = { segmentBytesMax: 256 * 1024, segmentAgeMsMax: 500, ageRecipients: [identity.recipient] };
  const shape = { parallel: 1, partBytes: 5 * 1024 * 1024 };
  return archiveWork(into, { ...limits, shape, clock, ...more });
}

const askSource = (follow: boolean, signal: AbortSignal) => () =>
  lookAtLog({ servers, streamLog }, toServer(), { follow, silenceMsMax: 20_000, signal });

async function pass(into: ObjectStore, follow: AbortSignal | null = null) {
  const signal = follow ?? new AbortController().signal;
  return await archiveOnce(workIn(into), askSource(follow !== null, signal));
}

const merge = (into: ObjectStore) => mergeOnce(workIn(into), askSource(false, new AbortController().signal));

/** Every segment as the file that a person would get of it. */
async function files(): Promise<readonly Buffer[]> {
  const { segments, damage, gap } = await inventoryIn(store);
  expect([damage, gap]).toEqual([[], null]);
  const opened: Buffer[] = [];
  for (const { parts } of segments) {
    const objects = parts.map(({ key, bytes, sha256, plainBytes, plainSha256 }) => ({
      key,
      stored: { size: bytes, sha256 },
      plain: { size: plainBytes, sha256: plainSha256 },
    }));
    opened.push(await collect(openSealed({ store, objects, identity, patience: patienceOf(3) })));
  }
  return opened;
}

function tool(args: readonly string[]): string {
  const env = { PATH: `${bin}:/usr/bin:/bin`, MYSQL_PWD: "Test-repl-1" };
  const options = { env, encoding: "utf8", maxBuffer: 1e9, stdio: "pipe" } as const;
  return execFileSync(join(bin, "mysqlbinlog"), ["--no-defaults", ...args], options);
}

async function inFolder<T>(work: (folder: string) => T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-archive-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const copied = (except: string): Promise<Buffer> =>
  inFolder((folder) => {
    const login = ["-h", "127.0.0.1", `-P${server.port}`, "-u", "ordinal_repl_0"];
    const which = [
      "--read-from-remote-source=BINLOG-DUMP-GTIDS",
      `--exclude-gtids=${except.replaceAll(/\s/g, "")}`,
    ];
    tool([...which, "--raw", "--to-last-log", `--result-file=${folder}/`, ...login, "binlog.000001"]);
    return transactionBytes(
      readdirSync(folder)
        .sort()
        .map((name) => readFileSync(join(folder, name))),
    );
  });

async function expectWhole(): Promise<void> {
  const { segments } = await inventoryIn(store);
  const opened = await files();
  // A segment that was stored and not counted any more may be there twice: the first of each place counts.
  const inOrder = [...opened.keys()].toSorted(
    (a, b) => (segments[a]?.firstAtUs ?? 0) - (segments[b]?.firstAtUs ?? 0),
  );
  const bytes = transactionBytes(inOrder.map((index) => opened[index] ?? Buffer.alloc(0)));
  expect(bytes.equals(await copied(before))).toBe(true);
  await inFolder((folder) => {
    for (const [index, file] of opened.entries()) {
      const path = join(folder, String(index));
      writeFileSync(path, file);
      const printed = tool(["--verify-binlog-checksum", path]);
      expect(printed.match(/SET @@SESSION.GTID_NEXT= '[0-9a-f]/g)).toHaveLength(
        segments[index]?.transactions ?? 0,
      );
    }
  });
}

describe.skipIf(reason !== null)(`the archive of a real server${skipped}`, { timeout: 300_000 }, () => {
  beforeAll(async () => {
    bin = await mysqlPrograms();
    server = await startMysqlHere(bin);
    bucket = await startS3Server();
    store = createS3Store(bucket.store);
    await run("CREATE DATABASE shop");
    await run("CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)");
    before = await executed();
    await putBackup(store, before);
  }, 240_000);

  afterAll(async () => {
    servers.close();
    store?.close();
    await server?.stop();
    await bucket?.close();
  });

  test(`killed ${KILLS} times while the server is written to, it loses nothing and counts nothing twice`, async () => {
    let isOver = false;
    const writing = (async () => {
      for (let row = 0; !isOver; row += 1) {
        if (row % 40 === 0) await run("FLUSH BINARY LOGS");
        await run("INSERT INTO shop.t (b) VALUES (?)", [
          new Uint8Array(1 + ((row * 7_919) % 30_000)).fill(row),
        ]);
      }
    })();
    let kills = 0;
    for (let round = 0; kills < KILLS; round += 1) {
      // One in two was to follow the log for ever.
      const stop = new AbortController();
      const follow = round % 2 === 0 ? null : stop.signal;
      const died = await killedAfter(store, 2 + ((round * 13) % 37), (dying) => pass(dying, follow));
      stop.abort();
      if (died) kills += 1;
    }
    isOver = true;
    await writing;
    value(await pass(store));
    const { segments } = await inventoryIn(store);
    expect(archivedBy(segments, gtidSets)).toBe(gtidSets.subtract(await executed(), before));
  });

  test(
    "its segments are to the byte what mysqlbinlog --raw copies, and the tool reads each of them",
    expectWhole,
  );

  test("killed while they are merged, and when the small ones are gone, they are the same to the byte", async () => {
    const small = (await inventoryIn(store)).segments.length;
    // Of what is held twice the chain of a later second stays.
    await sleep(1_100);
    let kills = 0;
    for (let calls = 6; kills < 5; calls += 6) {
      if (!(await killedAfter(store, calls, merge))) break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(1);
    await sleep(1_100);
    value(await merge(store));
    const doubled = value(await readDoubled(store, PLACE, Date.now() + 2 * 3_600_000, gtidSets));
    value(await carryOutDeletions(store, doubled));
    const { segments } = await inventoryIn(store);
    console.log(`${small} segments became ${segments.length}`);
    expect(segments.length).toBeLessThan(small / 2);
    await expectWhole();
    expect(value(await pass(store))).toMatchObject({ segments: 0 });
  });

  test("whoever follows stores what is committed within two seconds", async () => {
    const stop = new AbortController();
    const following = pass(store, stop.signal);
    const late: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      await run("INSERT INTO shop.t (b) VALUES ('x')");
      const [wanted, committedAt] = [gtidSets.subtract(await executed(), before), performance.now()];
      await expect
        .poll(async () => archivedBy((await inventoryIn(store)).segments, gtidSets), {
          timeout: 20_000,
          interval: 50,
        })
        .toBe(wanted);
      late.push(performance.now() - committedAt);
    }
    stop.abort();
    await following;
    expect(Math.max(...late)).toBeLessThan(2_000);
  });

  test("under 500 writes a second 99 of 100 are archived within two seconds", async () => {
    const late: number[] = [];
    /** When a segment counts, its first transaction has waited for the longest. */
    const watched = new Proxy(store, {
      get(target, name: keyof ObjectStore) {
        if (name !== "put") return target[name].bind(target);
        return async (key: string, bytes: Uint8Array) => {
          const done = await target.put(key, bytes);
          if (!key.endsWith(".json")) return done;
          const { firstAtUs, transactions } =
            JSON.parse(Buffer.from(bytes).toString()).segments?.at(-1) ?? {};
          if (transactions) late.push(...new Array(transactions).fill(Date.now() - firstAtUs / 1_000));
          return done;
        };
      },
    });
    const stop = new AbortController();
    const following = pass(watched, stop.signal);
    const { writes, seconds } = await writeFor(LOAD_MS);
    await sleep(2_000);
    stop.abort();
    await following;
    late.sort((a, b) => a - b);
    const p99 = late[Math.floor(late.length * 0.99)] ?? Number.POSITIVE_INFINITY;
    const p50 = late[Math.floor(late.length / 2)];
    console.log(
      `${Math.round(writes / seconds)} writes a second, archived after ${p50?.toFixed()} ms at the median, ${p99.toFixed()} ms p99`,
    );
    expect(writes / seconds).toBeGreaterThan(450);
    expect(late.length).toBeGreaterThanOrEqual(writes);
    expect(p99).toBeLessThan(2_000);
    const { segments } = await inventoryIn(store);
    expect(archivedBy(segments, gtidSets)).toBe(gtidSets.subtract(await executed(), before));
  });

  test("a log that was purged in between is a gap that is told", async () => {
    await run("INSERT INTO shop.t (b) VALUES ('lost')");
    const lost = gtidSets.subtract(
      gtidSets.subtract(await executed(), before),
      archivedBy((await inventoryIn(store)).segments, gtidSets),
    );
    // A log that somebody is still sent is not purged.
    const senders =
      "SELECT COUNT(*) AS n FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE 'Binlog Dump%'";
    await expect.poll(async () => (await run(senders))[0]?.["n"], { timeout: 20_000 }).toBe("0");
    await run("FLUSH BINARY LOGS");
    await run("PURGE BINARY LOGS TO ?", [(await run("SHOW BINARY LOGS")).at(-1)?.["Log_name"] ?? ""]);
    await run("INSERT INTO shop.t (b) VALUES ('kept')");
    expect(value(await pass(store))).toMatchObject({ lost, transactions: 1 });
  });
});
