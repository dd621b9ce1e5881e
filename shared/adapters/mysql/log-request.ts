/**
 * The request for a server's binary log from a GTID set on, as bytes: COM_BINLOG_DUMP_GTID with the set in
 * the server's own encoding. Pure. A text that is no GTID set is a programmer's error and is thrown.
 */
import { assert } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";

const COMMAND = 0x1e;
/** Ends at the end of the log instead of waiting for more. */
const NON_BLOCKING = 0x01;
/** What follows is a GTID set. */
const THROUGH_GTID = 0x04;
const LOG_START = 4n;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d{1,19})(?:-(\d{1,19}))?$/;

interface Origin {
  readonly uuid: string;
  /** Empty for transactions without one. */
  readonly tag: string;
  readonly intervals: (readonly [start: bigint, end: bigint])[];
}

function originsOf(set: Position): readonly Origin[] {
  const origins: Origin[] = [];
  for (const server of set.split(",").map((text) => text.trim().toLowerCase())) {
    if (server === "") continue;
    const [uuid = "", ...fields] = server.split(":");
    assert(UUID.test(uuid), "not a GTID set: it does not begin with a server's uuid");
    let origin: Origin | null = null;
    for (const field of fields) {
      const interval = INTERVAL.exec(field);
      assert(interval !== null || TAG.test(field), "not a GTID set: neither a tag nor numbers");
      if (interval === null || origin === null) {
        origin = { uuid, tag: interval === null ? field : "", intervals: [] };
        origins.push(origin);
      }
      if (interval === null) continue;
      const start = BigInt(interval[1] ?? "");
      origin.intervals.push([start, interval[2] === undefined ? start : BigInt(interval[2])]);
    }
  }
  return origins;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** The server's layout; since 8.3 one with tags when there are any, which its first and eighth byte announce. */
function encodeSet(set: Position): Buffer {
  const origins = originsOf(set);
  const tagged = origins.some(({ tag }) => tag !== "");
  const count = BigInt(origins.length);
  const parts = [int64(tagged ? (1n << 56n) | (count << 8n) | 1n : count)];
  for (const { uuid, tag, intervals } of origins) {
    parts.push(Buffer.from(uuid.replaceAll("-", ""), "hex"));
    if (tagged) parts.push(Buffer.from([tag.length << 1]), Buffer.from(tag, "latin1"));
    parts.push(int64(BigInt(intervals.length)));
    // The end of an interval is the first number that is not in it.
    for (const [start, end] of intervals) parts.push(int64(start), int64(end + 1n));
  }
  return Buffer.concat(parts);
}

/** To whoever says 0, as the server's own tool does, a server never waits for more. */
const ENDING_SERVER = 0;
/** The highest number there is. The server tells receivers apart by the uuid that they announce, and not by this. */
const FOLLOWING_SERVER = 0xff_ff_ff_ff;

/** One packet, the first of its exchange. `follow`: the server is to wait for more at the end of the log. */
export function logRequest(except: Position, follow: boolean): Buffer {
  const set = encodeSet(except);
  const head = Buffer.alloc(11);
  head.writeUInt8(COMMAND, 0);
  head.writeUInt16LE(follow ? THROUGH_GTID : NON_BLOCKING | THROUGH_GTID, 1);
  head.writeUInt32LE(follow ? FOLLOWING_SERVER : ENDING_SERVER, 3);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(set.length);
  const payload = Buffer.concat([head, int64(LOG_START), size, set]);
  assert(payload.length < 0xff_ff_ff, "a GTID set too long for one packet");
  const frame = Buffer.alloc(4);
  frame.writeUIntLE(payload.length, 0, 3);
  return Buffer.concat([frame, payload]);
}
