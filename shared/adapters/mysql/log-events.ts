/**
 * Puts the events of a binary log together to transactions, each as a log file of its own. Pure. The bytes
 * of a transaction's events are never changed, and none is passed on whose checksum does not fit; a
 * compressed transaction stays compressed.
 */
import { crc32 } from "node:zlib";
import type { LoggedTransaction } from "../../ports/server.ts";

const MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const HEADER_BYTES = 19;
const CHECKSUM_BYTES = 4;
const CRC32 = 1;

const STOP = 3;
const ROTATE = 4;
const FORMAT = 15;
const HEARTBEAT = 27;
const GTID = 33;
const ANONYMOUS_GTID = 34;
const PREVIOUS_GTIDS = 35;
const HEARTBEAT_V2 = 41;
const TAGGED_GTID = 42;

/** Events of the file and of the connection, which belong to no transaction. */
const BETWEEN: ReadonlySet<number> = new Set([STOP, ROTATE, HEARTBEAT, PREVIOUS_GTIDS, HEARTBEAT_V2]);

interface Open {
  readonly gtid: string;
  readonly events: Buffer[];
}

export class LogReading {
  readonly #done: LoggedTransaction[] = [];
  #format: Buffer | null = null;
  #checksums = false;
  #open: Open | null = null;
  /** Of all events that were kept. */
  bytes = 0;

  /** Null, or one sentence that says why this cannot be an event of such a log. Never throws. */
  take(event: Buffer): string | null {
    try {
      return this.#take(event);
    } catch (error) {
      // Every read is checked against the end of the event, which is where one that is too short is noticed.
      if (error instanceof RangeError) return "an event ends before its fields do";
      throw error;
    }
  }

  #take(event: Buffer): string | null {
    if (event.length < HEADER_BYTES + CHECKSUM_BYTES || event.readUInt32LE(9) !== event.length) {
      return "an event is not as long as it says";
    }
    const type = event.readUInt8(4);
    if (type === FORMAT) return this.#begin(event);
    // The first event of a stream only names the file.
    if (type === ROTATE && this.#format === null) return null;
    if (this.#checksums && !intact(event)) return "an event does not fit its checksum";
    if (BETWEEN.has(type)) return null;
    if (type === ANONYMOUS_GTID) return "a transaction has no GTID";
    if (type === GTID || type === TAGGED_GTID) {
      this.#close();
      this.#open = { gtid: type === GTID ? gtidOf(event) : taggedGtidOf(event), events: [] };
    }
    if (this.#open === null) return `an event of type ${type} belongs to no transaction`;
    this.#open.events.push(event);
    this.bytes += event.length;
    return null;
  }

  /** To be called at the end of the log. */
  finish(): readonly LoggedTransaction[] {
    this.#close();
    return this.#done;
  }

  #begin(event: Buffer): string | null {
    // It has a checksum itself, also where it says before it that the events after it have none.
    if (!intact(event)) return "the format description does not fit its checksum";
    this.#close();
    this.#checksums = event.readUInt8(event.length - CHECKSUM_BYTES - 1) === CRC32;
    this.#format = withoutStart(event);
    return null;
  }

  #close(): void {
    if (this.#open === null || this.#format === null) return;
    const { gtid, events } = this.#open;
    this.#done.push({ gtid, events: Buffer.concat([MAGIC, this.#format, ...events]) });
    this.#open = null;
  }
}

/** In a format description, after the header: the version of the log and the server's, of 2 and 50 bytes. */
const START_AT = HEADER_BYTES + 52;

/**
 * The first file after a server's start says when that was, so that a reader gives up what the start has cut
 * off; in the middle of a stream the server leaves it out. Left out always, the same transaction is the same
 * file whatever was read before it.
 */
function withoutStart(format: Buffer): Buffer {
  const copy = Buffer.from(format);
  copy.writeUInt32LE(0, START_AT);
  const end = copy.length - CHECKSUM_BYTES;
  copy.writeUInt32LE(crc32(copy.subarray(0, end)), end);
  return copy;
}

function intact(event: Buffer): boolean {
  const end = event.length - CHECKSUM_BYTES;
  return crc32(event.subarray(0, end)) === event.readUInt32LE(end);
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** After the header: one byte of flags, the uuid, the number. */
function gtidOf(event: Buffer): string {
  const at = HEADER_BYTES + 1;
  return `${uuidOf(event.subarray(at, at + 16))}:${event.readBigInt64LE(at + 16)}`;
}

/**
 * Written in a form of its own: fields by number, every number in a length that its first byte tells. The
 * first fields are flags (0), the uuid byte by byte (1), the number (2) and the tag (3).
 */
function taggedGtidOf(event: Buffer): string {
  let at = HEADER_BYTES;
  const next = (): bigint => {
    const { value, bytes } = packedNumber(event, at);
    at += bytes;
    return value;
  };
  // Version, size, the last field that a reader must know, and the number and value of the flags.
  for (let skipped = 0; skipped < 5; skipped += 1) next();
  next();
  const uuid = Buffer.from(Array.from({ length: 16 }, () => Number(next())));
  next();
  // A signed number has its sign in the lowest bit.
  const number = next() >> 1n;
  next();
  const length = Number(next());
  return `${uuidOf(uuid)}:${event.toString("latin1", at, at + length)}:${number}`;
}

/** So many ones at the low end of the first byte, so many bytes follow; the rest is the number. */
function packedNumber(from: Buffer, at: number): { readonly value: bigint; readonly bytes: number } {
  let ones = 0;
  while (ones < 8 && ((from.readUInt8(at) >> ones) & 1) === 1) ones += 1;
  let value = 0n;
  for (let index = ones; index >= 0; index -= 1) value = (value << 8n) | BigInt(from.readUInt8(at + index));
  return { value: value >> BigInt(ones + 1), bytes: ones + 1 };
}
