/**
 * Errant tails on real servers: what is read from the binary logs is to the byte what the server's own tool
 * reads, for every kind of transaction, and a person gets each of them back out of the table with nothing
 * but the programs of the image, as docs/errant-transactions.md says.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { Outcome } from "../../shared/model/outcome.ts";
import type { Accounts, Tail } from "../../shared/ports/engine.ts";
import type { Server, Value } from "../../shared/ports/server.ts";
import { losing } from "../support/losing.ts";
import { type MysqlPods, ROOT, startMysqlPods } from "../support/mysql-pods.ts";

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"];
const needs = kubeconfig === undefined ? " (skipped: ORDINAL_TEST_KUBECONFIG names no cluster)" : "";

const AS = { epoch: 7, clusterUid: "uid-1", at: "2026-11-24T10:00:00.000Z" };
const NO_ACCOUNTS: Accounts = { control: ROOT, replication: () => ROOT };
const TABLES = { kind: "tables", text: "", parameters: { names: "term,tail,archive" } };
const LIMITS = { bytesMax: 64 * 1_048_576, timeoutMs: 20_000 };
const MAGIC_BYTES = 4;
/** Longer than a row of the table may be. */
const LONG = 700_000;

let pods: MysqlPods;
let tail: Tail;
/** By what is in its row. */
const gtids = new Map<string, string>();

function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

async function on<T>(ordinal: number, work: (server: Server) => Promise<T>): Promise<T> {
  const server = await pods.connect(ordinal);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}

const executedOn = (ordinal: number): Promise<string> =>
  on(ordinal, async (server) => unwrap(await mysql.executed(server)));

const SCHEMA = ["CREATE DATABASE shop", "CREATE TABLE shop.t (id VARCHAR(64) PRIMARY KEY, b LONGBLOB)"];

async function write(server: Server, id: string, bytes: Value): Promise<void> {
  const before = unwrap(await mysql.executed(server));
  unwrap(await server.query("INSERT INTO shop.t VALUES (?, ?)", [id, bytes]));
  gtids.set(id, gtidSets.subtract(unwrap(await mysql.executed(server)), before));
}

/** One transaction of every kind that a server of this version logs in a way of its own. */
async function writeAll(server: Server): Promise<void> {
  const set = async (sql: string): Promise<unknown> => unwrap(await server.query(sql));
  for (const sql of SCHEMA) await set(sql);
  await write(server, "plain", new Uint8Array([0, 39, 92, 255, 10]));
  await set("SET SESSION gtid_next = 'AUTOMATIC:some_tag'");
  await write(server, "tagged", null);
  await set("SET SESSION gtid_next = 'AUTOMATIC'");
  await set("SET SESSION binlog_transaction_compression = ON");
  await write(server, "compressed", new Uint8Array(5_000));
  await set("SET SESSION binlog_transaction_compression = OFF");
  await set("SET GLOBAL binlog_checksum = NONE");
  await write(server, "without checksum", null);
  await set("SET GLOBAL binlog_checksum = CRC32");
  await set("FLUSH BINARY LOGS");
  await write(server, "long", new Uint8Array(LONG).fill(255));
  await set("ALTER TABLE shop.t ADD COLUMN note TEXT");
}

/** All binary logs of a server, as its own tool copies them from it. */
async function rawLogs(ordinal: number): Promise<readonly Buffer[]> {
  const tool = "mysqlbinlog --read-from-remote-server --raw --to-last-log -h 127.0.0.1 -u root";
  const printed = await pods.shell(
    ordinal,
    `export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"; rm -f /tmp/raw-*
     first=$(mysql -u root -N -B -e "SHOW BINARY LOGS" | head -1 | cut -f 1)
     ${tool} --result-file=/tmp/raw- "$first" 2>/dev/null
     for file in /tmp/raw-*; do base64 -w 0 "$file"; echo; done`,
  );
  return printed
    .trim()
    .split("\n")
    .map((line) => Buffer.from(line, "base64"));
}

/** The events after the format description. */
function eventsOf(file: Uint8Array): Buffer {
  const bytes = Buffer.from(file);
  return bytes.subarray(MAGIC_BYTES + bytes.readUInt32LE(MAGIC_BYTES + 9));
}

/** What a person does to get one transaction of the table into a file of its own. */
const extract = (gtid: string): string =>
  `export MYSQL_PWD="$MYSQL_ROOT_PASSWORD"
   mysql -u root --batch --raw --skip-column-names -e "SELECT TO_BASE64(events) FROM ordinal.tail
     WHERE epoch = ${AS.epoch} AND gtid = '${gtid}' ORDER BY digest, part" | base64 -d > /tmp/transaction.log`;

describe.skipIf(kubeconfig === undefined)(`errant tails${needs}`, { timeout: 120_000 }, () => {
  beforeAll(async () => {
    pods = await startMysqlPods(kubeconfig ?? "");
    const before = await executedOn(0);
    await on(0, writeAll);
    tail = await on(0, async (server) => unwrap(await mysql.readTail(server, before)));
  });

  afterAll(() => pods?.remove());

  test("a tail has every kind of transaction, in the order of the log", () => {
    const found = tail.transactions.map(({ gtid }) => gtid);
    const ids = ["plain", "tagged", "compressed", "without checksum", "long"];
    // Two statements made the table and one changed it.
    expect(found.slice(SCHEMA.length, -1)).toEqual(ids.map((id) => gtids.get(id)));
    expect(gtids.get("tagged")).toContain(":some_tag:");
  });

  test("its events are to the byte what mysqlbinlog --raw copies", async () => {
    const logs = await rawLogs(0);
    for (const { gtid, events } of tail.transactions) {
      const places = logs.filter((log) => log.includes(eventsOf(events)));
      expect(places, gtid).toHaveLength(1);
    }
    const kept = tail.transactions.reduce((sum, { events }) => sum + eventsOf(events).length, 0);
    expect(kept).toBeGreaterThan(LONG);
  });

  test("the same transaction is the same file whatever was read before it", async () => {
    const all = await on(0, async (server) => unwrap(await server.readLog("", LIMITS)));
    expect(all.slice(-tail.transactions.length)).toEqual(tail.transactions);
  });

  test("a log that does not end in time is given up", async () => {
    const late = await on(0, (server) => server.readLog("", { ...LIMITS, timeoutMs: 0 }));
    expect(late).toMatchObject({ ok: false, failure: { kind: "transient" } });
  });

  test("it is kept on another server, once, also by a session that was cut off", async () => {
    await on(1, async (server) => {
      unwrap(await mysql.prepare(server, TABLES, NO_ACCOUNTS));
      // Looked, and wrote one of two statements.
      expect(await mysql.keepTail(losing(server, 2), tail, AS)).toMatchObject({ ok: false });
      unwrap(await mysql.keepTail(server, tail, AS));
      const facts = unwrap(await mysql.observe(server, { survey: false }));
      expect(facts.archived).toEqual([{ epoch: 7, serverUuid: tail.serverUuid, gtids: tail.gtids }]);
      const count = await server.query("SELECT COUNT(*) AS n, MAX(parts) AS parts FROM ordinal.tail");
      expect(unwrap(count)).toEqual([{ n: String(tail.transactions.length + 2), parts: "3" }]);
    });
    const before = await executedOn(1);
    await on(1, async (server) => unwrap(await mysql.keepTail(server, tail, AS)));
    expect(await executedOn(1)).toBe(before);
  });

  test("a row that is not what was written is noticed", async () => {
    const spoil = "UPDATE ordinal.tail SET events = CONCAT(events, 'x') WHERE place = 1";
    const mend = "UPDATE ordinal.tail SET events = LEFT(events, LENGTH(events) - 1) WHERE place = 1";
    await on(1, async (server) => {
      unwrap(await server.query(spoil));
      const outcome = await mysql.keepTail(server, tail, AS);
      unwrap(await server.query(mend));
      expect(outcome).toMatchObject({ ok: false, failure: { kind: "refused" } });
      unwrap(await mysql.keepTail(server, tail, AS));
    });
  });

  test("a person reads each transaction with mysqlbinlog", async () => {
    for (const { gtid, events } of tail.transactions) {
      const read = "mysqlbinlog --verify-binlog-checksum -vv /tmp/transaction.log";
      const text = await pods.shell(1, `${extract(gtid)}; ${read}; base64 -w 0 /tmp/transaction.log`);
      expect(text).toContain(`SET @@SESSION.GTID_NEXT= '${gtid}'`);
      expect(text.endsWith(Buffer.from(events).toString("base64")), gtid).toBe(true);
      const id = [...gtids].find(([, of]) => of === gtid)?.[0];
      if (id === undefined) continue;
      expect(text).toMatch(/^BINLOG '$/m);
      expect(text).toContain("### INSERT INTO `shop`.`t`");
      expect(text).toContain(`###   @1='${id}'`);
    }
  });

  test("a person applies one of them, once, under a GTID of the server that it is applied to", async () => {
    await on(1, async (server) => {
      for (const sql of SCHEMA) unwrap(await server.query(sql));
    });
    const apply = "mysqlbinlog --skip-gtids /tmp/transaction.log | mysql -u root";
    const script = `${extract(gtids.get("plain") ?? "")}; ${apply}`;
    await pods.shell(1, script);
    await expect(pods.shell(1, script)).rejects.toThrow("1062");
    await on(1, async (server) => {
      const rows = await server.query("SELECT id, HEX(b) AS b FROM shop.t");
      expect(unwrap(rows)).toEqual([{ id: "plain", b: "00275CFF0A" }]);
    });
    expect(gtidSets.contains(await executedOn(1), gtids.get("plain") ?? "")).toBe(false);
  });
});
