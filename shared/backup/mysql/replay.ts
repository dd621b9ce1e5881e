/**
 * What came after a backup, replayed by the server's own applier: files of the log stand where it keeps what a source has
 * sent, and no source is asked. That is what a replica does with the same bytes, so compressed transactions and
 * definitions need nothing of ours; and it takes less than half the time of feeding them to a session as statements.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { orBreak } from "../../model/broken-stream.ts";
import type { Server } from "../../ports/server.ts";
import type { LogReplay } from "../copies.ts";
import { unusable } from "../flow.ts";

const relayLog = ({ folder }: LogReplay) => join(folder, "replay");
const indexFile = ({ folder }: LogReplay) => join(folder, "replay.index");

const [MAGIC_BYTES, HEADER_BYTES, CRC_BYTES] = [4, 19, 4];
/** Of the fields of an event's header. */
const [TYPE_AT, LENGTH_AT, END_AT, FLAGS_AT] = [4, 9, 13, 17];
const PREVIOUS_GTIDS = 35;
const IGNORABLE = 0x80;
const CRC32 = 1;

/**
 * The start of a log file, and after it an event that says that nothing came before: segments of an archive have none
 * (MySQL Internals Manual, "Binary Log Event").
 */
async function startsOf(file: string): Promise<{ readonly head: Buffer; readonly event: Buffer }> {
  const handle = await open(file);
  try {
    const start = Buffer.alloc(MAGIC_BYTES + HEADER_BYTES);
    await handle.read(start, 0, start.length, 0);
    const head = Buffer.alloc(MAGIC_BYTES + start.readUInt32LE(MAGIC_BYTES + LENGTH_AT));
    await handle.read(head, 0, head.length, 0);
    // How events are checked stands before the head's own checksum.
    const isChecked = head.at(-CRC_BYTES - 1) === CRC32;
    const noGtids = Buffer.alloc(8);
    const event = Buffer.alloc(HEADER_BYTES + noGtids.length);
    const length = event.length + (isChecked ? CRC_BYTES : 0);
    event.writeUInt8(PREVIOUS_GTIDS, TYPE_AT);
    event.writeUInt32LE(length, LENGTH_AT);
    event.writeUInt32LE(head.length + length, END_AT);
    event.writeUInt16LE(IGNORABLE, FLAGS_AT);
    const sum = Buffer.alloc(isChecked ? CRC_BYTES : 0);
    if (isChecked) sum.writeUInt32LE(crc32(event));
    return { head, event: Buffer.concat([event, sum]) };
  } finally {
    await handle.close();
  }
}

/** The newest file is read when the log is opened, and has to say what came before it. */
async function complete(file: string): Promise<void> {
  const { head, event } = await startsOf(file);
  const beside = `${file}.part`;
  await writeFile(beside, Buffer.concat([head, event]));
  await pipeline(createReadStream(file, { start: head.length }), createWriteStream(beside, { flags: "a" }));
  await rename(beside, file);
}

/** What a server has to be started with to replay them. */
export async function standReady(replay: LogReplay): Promise<readonly string[]> {
  for (const file of replay.files.slice(-1)) await complete(file);
  await writeFile(indexFile(replay), replay.files.map((file) => `${file}\n`).join(""));
  return [
    ...[`--relay-log=${relayLog(replay)}`, `--relay-log-index=${indexFile(replay)}`],
    // The server that they are of may have had the number of this one.
    ...[
      "--replicate-same-server-id=ON",
      "--replica-parallel-workers=4",
      "--replica-preserve-commit-order=ON",
    ],
    // Accounts that were made while it was loaded.
    "--loose-mysql-native-password=ON",
  ];
}

const POLL_MS = 200;
/** Nobody is at work for so long, and nothing more comes. */
const STILL_MS = 30_000;

const STANDING = `SELECT @@GLOBAL.gtid_executed AS executed,
 GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS is_done,
 (SELECT SERVICE_STATE FROM performance_schema.replication_applier_status WHERE CHANNEL_NAME = '') AS state,
 (SELECT COUNT(*) FROM performance_schema.replication_applier_status_by_worker
  WHERE APPLYING_TRANSACTION <> '') AS busy,
 COALESCE(
  (SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker
   WHERE LAST_ERROR_NUMBER <> 0 ORDER BY LAST_ERROR_TIMESTAMP LIMIT 1),
  (SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator
   WHERE LAST_ERROR_NUMBER <> 0 LIMIT 1), '') AS fault`;

/** Until the server holds all that it is to hold. Throws `BrokenStream`, `refused`, with what the applier says. */
export async function replayLogs(
  server: Server,
  replay: LogReplay,
  count: (position: string) => bigint,
): Promise<void> {
  const ask = async (sql: string, values: readonly string[] = []) => orBreak(await server.query(sql, values));
  const [first = ""] = replay.files;
  await ask(
    "CHANGE REPLICATION SOURCE TO RELAY_LOG_FILE = ?, RELAY_LOG_POS = 4, SOURCE_HOST = 'none.invalid'",
    [basename(first)],
  );
  await ask("START REPLICA SQL_THREAD");
  let [held, stillMs] = ["", 0];
  for (;;) {
    const [{ executed, is_done, state, busy, fault } = {}] = await ask(STANDING, [replay.position]);
    const holds = executed ?? "";
    if (is_done === "1") break;
    if (fault) throw unusable(`The log could not be replayed: ${fault}`);
    stillMs = holds === held && busy === "0" ? stillMs + POLL_MS : 0;
    if (state !== "ON" || stillMs >= STILL_MS)
      throw unusable("The log was replayed to its end, and does not hold all that it should.");
    held = holds;
    replay.onReplayed(count(holds));
    await sleep(POLL_MS);
  }
  await ask("STOP REPLICA SQL_THREAD");
}
