/**
 * The stream of a real server's log: to the byte what the server's own tool copies from it, for every kind of transaction;
 * followed, cut off, and refused where the server has no longer what is asked for.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { streamLog } from "../../shared/adapters/mysql/log.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import type { LogPiece, LogWish } from "../../shared/ports/log-stream.ts";
import type { ConnectOptions } from "../../shared/ports/server.ts";
import { transactionBytes } from "../support/log-files.ts";
import { type MysqlHere, mysqlPrograms, startMysqlHere, whyNoMysqlHere } from "../support/mysql-here.ts";
import { failureIn } from "../support/streams.ts";
import { value } from "./store-cases.ts";

const reason = whyNoMysqlHere();
const skipped = reason === null ? "" : ` (skipped: ${reason})`;

/** Longer than a packet of the protocol. */
const LONG = 20 * 1024 * 1024;

let bin: string;
let server: MysqlHere;
let before: string;

const never = new AbortController().signal;
const ENDING: LogWish = { follow: false, silenceMsMax: 20_000, signal: never };

function options(): ConnectOptions {
  return {
    ...{ host: "127.0.0.1", port: server.port, authority: server.authority, attributes: {} },
    credentials: { username: "ordinal_repl_0", password: "Test-repl-1" },
    ...{ connectTimeoutMs: 5_000, queryTimeoutMs: 10_000 },
  };
}

const run = async (sql: string, values: readonly (string | Uint8Array)[] = []) =>
  value(await server.session.query(sql, values));

async function executed(): Promise<string> {
  const [row] = await run("SELECT @@GLOBAL.gtid_executed AS executed");
  return row?.["executed"] ?? "";
}

/** Of every kind that a server logs in a way of its own. */
async function writeAll(): Promise<void> {
  const row = "INSERT INTO shop.t VALUES (?, ?)";
  await run("CREATE DATABASE shop");
  await run("CREATE TABLE shop.t (id VARCHAR(64) PRIMARY KEY, b LONGBLOB)");
  await run(row, ["plain", new Uint8Array([0, 39, 92, 255, 10])]);
  await run("SET SESSION gtid_next = 'AUTOMATIC:some_tag'");
  await run(row, ["tagged", "x"]);
  await run("SET SESSION gtid_next = 'AUTOMATIC', binlog_transaction_compression = ON");
  await run(row, ["compressed", new Uint8Array(5_000)]);
  await run("SET SESSION binlog_transaction_compression = OFF");
  await run("SET GLOBAL binlog_checksum = NONE");
  await run(row, ["without checksum", "x"]);
  await run("SET GLOBAL binlog_checksum = CRC32");
  await run("FLUSH BINARY LOGS");
  await run(row, ["long", new Uint8Array(LONG).fill(255)]);
  await run("ALTER TABLE shop.t ADD COLUMN note TEXT");
  await run("XA START 'a'");
  await run("INSERT INTO shop.t VALUES ('xa', 'x', NULL)");
  await run("XA END 'a'");
  await run("XA PREPARE 'a'");
  await run("XA COMMIT 'a'");
  await run("CREATE USER 'somebody'@'%' IDENTIFIED BY 'Test-some-1'");
}

interface Read {
  readonly gtids: string[];
  readonly committed: number[];
  readonly bytes: Buffer;
  readonly heads: number;
}

async function read(except: string): Promise<Read> {
  const [gtids, committed, parts]: [string[], number[], Buffer[]] = [[], [], []];
  let heads = 0;
  for await (const piece of streamLog(options(), except, ENDING)) {
    if (piece.kind === "head") heads += 1;
    if (piece.kind === "transaction") {
      gtids.push(piece.gtid);
      committed.push(piece.committedAtUs);
    }
    if (piece.kind === "transaction" || piece.kind === "more") parts.push(Buffer.from(piece.bytes));
  }
  return { gtids, committed, heads, bytes: Buffer.concat(parts) };
}

/** All logs of the server, copied by its own tool; only what is not in `except`. */
function copied(except: string): readonly Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-raw-"));
  try {
    const login = ["-h", "127.0.0.1", `-P${server.port}`, "-u", "ordinal_repl_0"];
    execFileSync(
      join(bin, "mysqlbinlog"),
      [
        ...["--no-defaults", "--read-from-remote-source=BINLOG-DUMP-GTIDS", "--raw", "--to-last-log"],
        ...[`--exclude-gtids=${except.replaceAll(/\s/g, "")}`, `--result-file=${folder}/`, ...login],
        "binlog.000001",
      ],
      {
        env: { PATH: `${bin}:/usr/bin:/bin`, MYSQL_PWD: "Test-repl-1" },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    return readdirSync(folder)
      .sort()
      .map((name) => readFileSync(join(folder, name)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(reason !== null)(`the log of a real server${skipped}`, { timeout: 240_000 }, () => {
  beforeAll(async () => {
    bin = await mysqlPrograms();
    server = await startMysqlHere(bin);
    before = await executed();
    await writeAll();
  }, 240_000);

  afterAll(() => server?.stop());

  test.each([
    ["from its beginning", () => ""],
    ["from a set on", () => before],
  ])("%s it is to the byte what mysqlbinlog --raw copies", async (_, exceptOf) => {
    const except = exceptOf();
    const found = await read(except);
    const raw = transactionBytes(copied(except));
    expect(found.bytes.length).toBeGreaterThan(LONG);
    expect(found.bytes.equals(raw)).toBe(true);
    const all = gtidSets.union(found.gtids.join(","), "");
    expect(all).toBe(gtidSets.subtract(await executed(), except));
    expect(found.gtids).toHaveLength(Number(gtidSets.count(all)));
    expect(found.gtids.some((gtid) => gtid.includes(":some_tag:"))).toBe(true);
  });

  test("transactions come in the order of their commits, which were now", async () => {
    const { committed } = await read(before);
    expect(committed).toEqual(committed.toSorted((a, b) => a - b));
    const agoMs = Date.now() - (committed.at(-1) ?? 0) / 1_000;
    expect(agoMs).toBeGreaterThan(0);
    expect(agoMs).toBeLessThan(240_000);
  });

  test("a transaction that is replayed from elsewhere keeps the instant of its first commit", async () => {
    const gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1";
    const have = await executed();
    await run(`SET SESSION gtid_next = '${gtid}', original_commit_timestamp = 1700000000123456`);
    await run("CREATE DATABASE replayed");
    await run("SET SESSION gtid_next = 'AUTOMATIC', original_commit_timestamp = DEFAULT");
    expect(await read(have)).toMatchObject({ gtids: [gtid], committed: [1_700_000_000_123_456] });
  });

  test("whoever follows is told when there is no more, and gets what is committed then", async () => {
    const stop = new AbortController();
    const pieces = streamLog(options(), await executed(), { ...ENDING, follow: true, signal: stop.signal });
    const seen: LogPiece["kind"][] = [];
    let committedAt = 0;
    const failure = await failureIn(async () => {
      for await (const piece of pieces) {
        seen.push(piece.kind);
        if (piece.kind === "quiet" && committedAt === 0) {
          committedAt = performance.now();
          await run("CREATE DATABASE followed");
        }
        if (piece.kind === "more" && piece.ends) {
          expect(performance.now() - committedAt).toBeLessThan(2_000);
          stop.abort();
        }
      }
    });
    expect(failure).toMatchObject({ kind: "transient", message: expect.stringContaining("told to end") });
    expect(seen.filter((kind) => kind === "transaction")).toHaveLength(1);
  });

  test("a second follower does not end the first", async () => {
    const have = await executed();
    const stop = new AbortController();
    const follow = () =>
      streamLog(options(), have, { ...ENDING, follow: true, signal: stop.signal })[Symbol.asyncIterator]();
    const [one, other] = [follow(), follow()];
    // Both are at the end of the log, and stay there.
    for (const each of [one, other, one, other, one]) {
      for (let piece = await each.next(); piece.value?.kind !== "quiet"; piece = await each.next()) {
        expect(piece.done).toBe(false);
      }
    }
    stop.abort();
    for (const each of [one, other]) expect((await failureIn(() => each.next())).kind).toBe("transient");
  });

  test("a reader that goes away in the middle leaves no stream on the server", async () => {
    for await (const piece of streamLog(options(), before, ENDING)) if (piece.kind === "more") break;
    const dumps =
      "SELECT COUNT(*) AS n FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE 'Binlog Dump%'";
    await expect.poll(async () => (await run(dumps))[0]?.["n"], { timeout: 20_000 }).toBe("0");
  });

  test("a reader that takes its time gets everything all the same", async () => {
    let [bytes, waited] = [0, 0];
    for await (const piece of streamLog(options(), before, { ...ENDING, silenceMsMax: 500 })) {
      if (piece.kind === "transaction" || piece.kind === "more") bytes += piece.bytes.length;
      // In the middle of the long row, for longer than the server may be silent.
      if (bytes > LONG / 2 && waited === 0) {
        waited = 1;
        await new Promise((resolve) => setTimeout(resolve, 1_500));
      }
    }
    expect(bytes).toBe((await read(before)).bytes.length);
  });

  test("what the server no longer has is refused with its own words", async () => {
    await run("FLUSH BINARY LOGS");
    const [last] = (await run("SHOW BINARY LOGS")).slice(-1);
    await run("PURGE BINARY LOGS TO ?", [last?.["Log_name"] ?? ""]);
    const failure = await failureIn(() => read(before));
    expect(failure).toMatchObject({ kind: "refused", code: 1236 });
  });
});
