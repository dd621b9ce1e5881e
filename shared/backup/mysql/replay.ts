/**
 * What came after a backup, replayed by the server's own applier: files of the log stand where it keeps what a source has
 * sent, and no source is asked. That is what a replica does with the same bytes, so compressed transactions and
 * definitions need nothing of ours; and it takes less than half the time of feeding them to a session as statements.
 */
import { open, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { orBreak } from "../../model/broken-stream.ts";
import type { Server } from "../../ports/server.ts";
import type { LogReplay } from "../copies.ts";
import { unusable } from "../flow.ts";

const relayLog = ({ folder }: LogReplay) => join(folder, "replay");
const indexFile = ({ folder }: LogReplay) => join(folder, "replay.index");

const [MAGIC_BYTES, HEADER_BYTES, LENGTH_AT, CRC_BYTES] = [4, 19, 9, 4];
const PREVIOUS_GTIDS = 35;
const IGNORABLE = 0x80;
const CRC32 = 1;

/**
 * A file of the log that says that nothing came before it, and ends: the last one has to say something of that, and
 * segments of an archive do not. Its head is that of `like` (MySQL Internals Manual, "Binary Log Event").
 */
async function lastFile(like: string): Promise<Uint8Array> {
  const handle = await open(like);
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
    event.writeUInt8(PREVIOUS_GTIDS, 4);
    event.writeUInt32LE(length, LENGTH_AT);
    event.writeUInt32LE(head.length + length, 13);
    event.writeUInt16LE(IGNORABLE, 17);
    const sum = Buffer.alloc(isChecked ? CRC_BYTES : 0);
    if (isChecked) sum.writeUInt32LE(crc32(event));
    return Buffer.concat([head, event, sum]);
  } finally {
    await handle.close();
  }
}

/** What a server has to be started with to replay them. */
export async function standReady(replay: LogReplay): Promise<readonly string[]> {
  const [last = ""] = replay.files.slice(-1);
  const number = Number(/\d+$/.exec(last)?.[0]) + 1;
  const end = `${relayLog(replay)}.${String(number).padStart(6, "0")}`;
  await writeFile(end, await lastFile(last));
  await writeFile(indexFile(replay), [...replay.files, end].map((file) => `${file}\n`).join(""));
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
