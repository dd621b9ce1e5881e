/** Bytes of a binary log: how it is asked for, how packets and events are put together, what is not believed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LogReading } from "../../../shared/adapters/mysql/log-events.ts";
import { logRequest } from "../../../shared/adapters/mysql/log-request.ts";
import { Packets } from "../../../shared/adapters/mysql/packets.ts";
import { A_LOG } from "./a-log.ts";

const A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const MAGIC_BYTES = 4;

/** The format description, then the events of the transaction. */
function eventsOf(name: keyof typeof A_LOG): readonly Buffer[] {
  return eventsIn(A_LOG[name].file);
}

function eventsIn(file: Uint8Array): readonly Buffer[] {
  const bytes = Buffer.from(file);
  const events: Buffer[] = [];
  for (let at = MAGIC_BYTES; at < bytes.length; at += bytes.readUInt32LE(at + 9)) {
    events.push(bytes.subarray(at, at + bytes.readUInt32LE(at + 9)));
  }
  return events;
}

/** As the server sends an event. */
const sent = (event: Buffer): Buffer => Buffer.concat([Buffer.from([0]), event]);

interface Transaction {
  readonly gtid: string;
  readonly committedAtUs: number;
  readonly events: Buffer;
}

/** The first complaint, else the transactions that are whole. `pieceBytes`: in which the events arrive. */
function read(events: readonly Buffer[], pieceBytes = Number.POSITIVE_INFINITY): string | Transaction[] {
  const reading = new LogReading();
  const done: Transaction[] = [];
  let head = Buffer.alloc(0);
  let open: Transaction = { gtid: "", committedAtUs: 0, events: head };
  for (const packet of events.map(sent)) {
    for (let at = 0; at < packet.length; at += pieceBytes) {
      const sign = reading.take(packet.subarray(at, at + pieceBytes), at + pieceBytes >= packet.length);
      if (sign?.kind === "complaint") return sign.why;
      if (sign?.kind === "head") head = Buffer.from(sign.bytes);
      if (sign?.kind === "transaction") {
        const { gtid, committedAtUs } = sign;
        open = { gtid, committedAtUs, events: Buffer.concat([head, sign.bytes]) };
      } else if (sign?.kind === "more") {
        open = { ...open, events: Buffer.concat([open.events, sign.bytes]) };
      }
      if ((sign?.kind === "transaction" || sign?.kind === "more") && sign.ends) done.push(open);
    }
  }
  return done;
}

/** An event without a checksum. */
function bare(type: number, body = Buffer.alloc(8)): Buffer {
  const event = Buffer.concat([Buffer.alloc(19), body]);
  event.writeUInt8(type, 4);
  event.writeUInt32LE(event.length, 9);
  return event;
}

const ROTATE = 4;
const HEARTBEAT = 27;
const ANONYMOUS_GTID = 34;
const QUERY = 2;

describe("events", () => {
  test.each(["plain", "tagged", "unchecked"] as const)("a %s transaction is a file of its own", (name) => {
    const { gtid, file } = A_LOG[name];
    const transactions = read([bare(ROTATE), ...eventsOf(name)]);
    expect(transactions).toHaveLength(1);
    const [only] = typeof transactions === "string" ? [] : transactions;
    expect(only?.gtid).toBe(gtid);
    const start = MAGIC_BYTES + (eventsOf(name)[0]?.length ?? 0);
    const events = file.subarray(start);
    expect(Buffer.from(only?.events ?? []).subarray(start)).toEqual(events);
  });

  test("when each was committed is known from its first event, to the microsecond", () => {
    for (const name of ["plain", "tagged", "unchecked"] as const) {
      const [only] = read(eventsOf(name));
      const { committedAtUs } = only as Transaction;
      // The header has the second.
      expect(Math.floor(committedAtUs / 1_000_000), name).toBe(eventsOf(name)[1]?.readUInt32LE(0));
      expect(committedAtUs % 1_000, name).toBeGreaterThan(0);
    }
  });

  test.each(["plain", "tagged", "unchecked"] as const)(
    "a %s transaction in pieces of any size is the same",
    (name) => {
      const whole = read(eventsOf(name));
      for (let pieceBytes = 1; pieceBytes < 200; pieceBytes += 1) {
        expect(read(eventsOf(name), pieceBytes), `${pieceBytes} bytes`).toEqual(whole);
      }
    },
  );

  test("a transaction that lacks an event, or has one too many, is not taken", () => {
    const [format = Buffer.alloc(0), gtid = Buffer.alloc(0), ...rest] = eventsOf("tagged");
    expect(read([format, gtid, ...rest.slice(1)])).toEqual([]);
    expect(read([format, gtid, ...rest.slice(1), format])).toMatch(/ends before it is whole/);
    expect(read([format, gtid, ...rest.slice(1), gtid])).toMatch(/ends before it is whole/);
    const [last = Buffer.alloc(0)] = rest.slice(-1);
    expect(read([format, gtid, ...rest, last])).toMatch(/belongs to no transaction/);
    expect(read([format, gtid, ...rest.slice(0, -1), ...rest.slice(0, 1)])).toMatch(/longer than it says/);
  });

  test("transactions of several files, with what the connection puts in between", () => {
    const log = [...eventsOf("plain"), ...eventsOf("unchecked"), bare(HEARTBEAT), ...eventsOf("tagged")];
    const all = read(log);
    expect(typeof all === "string" ? all : all.map(({ gtid }) => gtid)).toEqual([
      A_LOG.plain.gtid,
      A_LOG.unchecked.gtid,
      A_LOG.tagged.gtid,
    ]);
    for (const transaction of typeof all === "string" ? [] : all) {
      expect(read(eventsIn(transaction.events))).toEqual([transaction]);
    }
  });

  test("when the server was started is left out, and nothing else of the format", () => {
    const [only] = read(eventsOf("plain"));
    const [format = Buffer.alloc(0)] = eventsOf("plain");
    const kept = Buffer.from(typeof only === "object" ? only.events : []).subarray(4, 4 + format.length);
    const different = [...format.keys()].filter((at) => format[at] !== kept[at]);
    // The four bytes of the start, and the checksum.
    expect(different.filter((at) => at < format.length - 4).every((at) => at >= 71 && at < 75)).toBe(true);
    expect(kept.readUInt32LE(71)).toBe(0);
    expect(format.readUInt32LE(71)).toBeGreaterThan(0);
  });

  test.each(["plain", "tagged"] as const)("one wrong bit anywhere in a %s transaction is noticed", (name) => {
    const events = eventsOf(name);
    for (const [index, event] of events.entries()) {
      for (let bit = 0; bit < event.length * 8; bit += 1) {
        const wrong = Buffer.from(event);
        wrong.writeUInt8(wrong.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const answer = read([...events.slice(0, index), wrong, ...events.slice(index + 1)]);
        expect(typeof answer, `bit ${bit} of event ${index}`).toBe("string");
      }
    }
  });

  test("what belongs to no transaction with a GTID is not taken for one", () => {
    const [format = Buffer.alloc(0), ...transaction] = eventsOf("unchecked");
    expect(read([format, bare(QUERY)])).toMatch(/belongs to no transaction/);
    expect(read([format, bare(ANONYMOUS_GTID)])).toMatch(/no GTID/);
    expect(read([...transaction])).toMatch(/before the format description/);
    expect(read([Buffer.alloc(3)])).toMatch(/not as long/);
  });
});

describe("the request", () => {
  /** Command, flags, server number, length of a file name, place in that file. */
  const HEAD = ["1e", "0500", "00000000", "00000000", "0400000000000000"].join("");
  const number = (value: number, bytes: number): string => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntLE(value, 0, Math.min(bytes, 6));
    return buffer.toString("hex");
  };
  const int = (value: number): string => number(value, 8);
  const hex = (uuid: string): string => uuid.replaceAll("-", "");

  /** Length and number of the packet, the command, the length of the set, the set. */
  const whole = (set: string): string => {
    const bytes = set.length / 2;
    return `${number(23 + bytes, 3)}00${HEAD}${number(bytes, 4)}${set}`;
  };

  test.each([
    ["everything", "", [int(0)]],
    [
      "beyond intervals of two servers, whose ends are the first numbers left out",
      `${A}:1-3:9,\n${B}:7`,
      [int(2), hex(A), int(2), int(1), int(4), int(9), int(10), hex(B), int(1), int(7), int(8)],
    ],
    [
      "beyond a set with tags, each of which is an origin of its own",
      `${A}:1-3:xy:2`,
      ["0102000000000001", hex(A), "00", int(1), int(1), int(4), hex(A), "047879", int(1), int(2), int(3)],
    ],
  ])("for %s", (_, set, bytes) => {
    expect(logRequest(set, false).toString("hex")).toBe(whole(bytes.join("")));
  });

  test("whoever follows says so, and has a number: to 0 the server never waits", () => {
    const ends = logRequest("", false).toString("hex");
    expect(logRequest("", true).toString("hex")).toBe(
      ends.replace(HEAD, HEAD.replace("1e050000000000", "1e0400ffffffff")),
    );
  });

  test.each(["x", `${A}:1;2`, `${A}:1-`, `${A}`.slice(1), `${A}:-1`, `${A}:${"t".repeat(33)}:1`])(
    "%j is no set, and nothing is asked",
    (set) => {
      expect(() => logRequest(set, false)).toThrow(/not a GTID set/);
    },
  );
});

describe("packets", () => {
  const packet = (payload: Buffer): Buffer => {
    const frame = Buffer.alloc(4);
    frame.writeUIntLE(payload.length, 0, 3);
    return Buffer.concat([frame, payload]);
  };

  /** Puts the parts together again. */
  function whole(): { readonly packets: Packets; readonly got: Buffer[]; open(): number } {
    const got: Buffer[] = [];
    let parts: Buffer[] = [];
    const packets = new Packets((bytes, ends) => {
      parts.push(Buffer.from(bytes));
      if (!ends) return;
      got.push(Buffer.concat(parts));
      parts = [];
    });
    return { packets, got, open: () => parts.reduce((sum, { length }) => sum + length, 0) };
  }

  test("whatever the pieces, they come whole and in order", () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)));
    fc.assert(
      fc.property(payloads, fc.integer({ min: 1, max: 50 }), (given, piece) => {
        const stream = Buffer.concat(given.map(packet));
        const { packets, got, open } = whole();
        for (let at = 0; at < stream.length; at += piece) packets.push(stream.subarray(at, at + piece));
        expect(got).toEqual(given);
        expect(open()).toBe(0);
      }),
    );
  });

  test("a long one is continued, and its parts are passed on before it ends", () => {
    const full = Buffer.alloc(0xff_ff_ff, 1);
    const { packets, got, open } = whole();
    packets.push(packet(full));
    expect([got.length, open()]).toEqual([0, full.length]);
    packets.push(packet(Buffer.alloc(5)));
    expect(got.map(({ length }) => length)).toEqual([full.length + 5]);
    packets.push(packet(full));
    packets.push(packet(Buffer.alloc(0)));
    expect(got.map(({ length }) => length)).toEqual([full.length + 5, full.length]);
  });
});
