/**
 * Makes pieces of a log of the packets in which a server sends it. Pure. The bytes of a transaction's events are never
 * changed; each is compared with its checksum before the transaction is said to be whole, and the transaction with the
 * length that it says it has. A compressed transaction stays compressed.
 */
import { crc32 } from "node:zlib";
import type { LogPiece } from "../../ports/log-stream.ts";
import {
  begunBy,
  begunByTagged,
  CHECKSUM_BYTES,
  HEADER_BYTES,
  lengthOf,
  MAGIC,
  typeOf,
} from "./log-fields.ts";

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
/** Events that are read, and not only passed on; they are short. */
const READ: ReadonlySet<number> = new Set([FORMAT, GTID, TAGGED_GTID]);
const READ_BYTES_MAX = 65_536;

/** A server whose checksums are off may send anything. */
const ONE_GTID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::[a-z_][a-z0-9_]{0,31})?:[1-9]\d{0,18}$/;

/** First bytes of a packet. */
const EVENT = 0x00;
const END = 0xfe;
const FAILURE = 0xff;

export type LogSign =
  | LogPiece
  /** The server has sent all. */
  | { readonly kind: "end" }
  /** The server says why it sends nothing more, in this packet. */
  | { readonly kind: "failure"; readonly packet: Buffer }
  /** One sentence that says why this cannot be a log. */
  | { readonly kind: "complaint"; readonly why: string };

/** An event whose bytes are passed on as they come. */
interface Passing {
  readonly type: number;
  readonly length: number;
  seen: number;
  crc: number;
  /** The last bytes so far, at most as many as a checksum has. */
  last: Buffer;
}

class NoLog extends Error {}

export class LogReading {
  /** Of a packet of which it is not known yet what it is, or that is read when it is there. */
  #held: Buffer = Buffer.alloc(0);
  #passing: Passing | null = null;
  #format: "none" | "checked" | "unchecked" = "none";
  /** Of the transaction under way; 0 = none is. */
  #leftBytes = 0;

  /** A part of a packet, the last one if it `ends`; null = nothing comes of it yet. Never throws for any bytes. */
  take(bytes: Buffer, ends: boolean): LogSign | null {
    try {
      return this.#passing === null ? this.#hold(bytes, ends) : this.#pass(this.#passing, bytes, ends);
    } catch (error) {
      if (error instanceof NoLog) return { kind: "complaint", why: error.message };
      if (error instanceof RangeError)
        return { kind: "complaint", why: "an event ends before its fields do" };
      throw error;
    }
  }

  #hold(bytes: Buffer, ends: boolean): LogSign | null {
    const packet = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const isEvent = packet[0] === EVENT;
    const isKnown = isEvent && packet.length > HEADER_BYTES;
    if (isKnown && !READ.has(typeOf(packet.subarray(1)))) {
      this.#held = Buffer.alloc(0);
      return this.#pass(this.#begin(packet.subarray(1)), packet.subarray(1), ends);
    }
    check(packet.length <= READ_BYTES_MAX, "an event is longer than such events are");
    // A copy: the bytes of a socket are gone with the next ones.
    this.#held = ends ? Buffer.alloc(0) : Buffer.from(packet);
    if (!ends) return null;
    if (packet[0] === FAILURE) return { kind: "failure", packet };
    if (packet[0] === END && packet.length < 9) {
      check(this.#leftBytes === 0, "a transaction ends before it is whole");
      return { kind: "end" };
    }
    check(isEvent, "not an event");
    return this.#read(packet.subarray(1));
  }

  #read(event: Buffer): LogPiece {
    check(event.length >= HEADER_BYTES + CHECKSUM_BYTES, "an event is not as long as it says");
    check(lengthOf(event) === event.length, "an event is not as long as it says");
    check(this.#leftBytes === 0, "a transaction ends before it is whole");
    if (typeOf(event) === FORMAT) {
      // It has a checksum itself, also where it says before it that the events after it have none.
      check(intact(event), "the format description does not fit its checksum");
      const method = event.readUInt8(event.length - CHECKSUM_BYTES - 1);
      this.#format = method === CRC32 ? "checked" : "unchecked";
      return { kind: "head", bytes: Buffer.concat([MAGIC, withoutStart(event)]) };
    }
    check(this.#format !== "none", "a transaction comes before the format description");
    check(this.#format === "unchecked" || intact(event), "an event does not fit its checksum");
    const { gtid, committedAtUs, bytes } = typeOf(event) === GTID ? begunBy(event) : begunByTagged(event);
    check(ONE_GTID.test(gtid), "a transaction has no GTID");
    this.#leftBytes = bytes - event.length;
    check(Number.isSafeInteger(bytes) && this.#leftBytes >= 0, "a transaction is longer than it says");
    return { kind: "transaction", gtid, committedAtUs, bytes: event, ends: this.#leftBytes === 0 };
  }

  #begin(start: Buffer): Passing {
    const [type, length] = [typeOf(start), lengthOf(start)];
    check(length >= HEADER_BYTES + CHECKSUM_BYTES, "an event is not as long as it says");
    check(type !== ANONYMOUS_GTID, "a transaction has no GTID");
    if (BETWEEN.has(type)) check(this.#leftBytes === 0, "a transaction ends before it is whole");
    else {
      check(this.#leftBytes > 0, `an event of type ${type} belongs to no transaction`);
      check(this.#leftBytes >= length, "a transaction is longer than it says");
      this.#leftBytes -= length;
    }
    this.#passing = { type, length, seen: 0, crc: 0, last: Buffer.alloc(0) };
    return this.#passing;
  }

  #pass(event: Passing, bytes: Buffer, ends: boolean): LogPiece | null {
    event.seen += bytes.length;
    check(
      event.seen <= event.length && ends === (event.seen === event.length),
      "an event is not as long as it says",
    );
    const tail = Buffer.concat([event.last, bytes.subarray(-CHECKSUM_BYTES)]).subarray(-CHECKSUM_BYTES);
    this.#count(event, bytes);
    event.last = tail;
    if (ends) {
      this.#passing = null;
      // The first event of a stream only names the file.
      const isChecked = this.#format === "checked";
      check(!isChecked || event.crc === event.last.readUInt32LE(0), "an event does not fit its checksum");
    }
    if (!BETWEEN.has(event.type)) return { kind: "more", bytes, ends: ends && this.#leftBytes === 0 };
    return ends && (event.type === HEARTBEAT || event.type === HEARTBEAT_V2) ? { kind: "quiet" } : null;
  }

  /** Everything before the last bytes, where the checksum itself is. */
  #count(event: Passing, bytes: Buffer): void {
    const before = event.length - CHECKSUM_BYTES - (event.seen - bytes.length);
    if (before > 0) event.crc = crc32(bytes.subarray(0, before), event.crc);
  }
}

function check(condition: boolean, why: string): asserts condition {
  if (!condition) throw new NoLog(why);
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
