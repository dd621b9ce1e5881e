/**
 * What is read out of single events of a binary log. Pure. Every read is checked against the end of the event, and one
 * that is too short throws RangeError.
 */
/** A file begins with it. */
export const MAGIC: Buffer = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
export const HEADER_BYTES = 19;
export const CHECKSUM_BYTES = 4;

/** In the header: after an instant of 4 bytes; the whole length after the server's number of 4. */
const TYPE_AT = 4;
const LENGTH_AT = 9;

export const typeOf = (event: Buffer): number => event.readUInt8(TYPE_AT);
export const lengthOf = (event: Buffer): number => event.readUInt32LE(LENGTH_AT);

/** What the first event of a transaction says of it. */
export interface Begun {
  readonly gtid: string;
  /** Microseconds since 1970, by the clock of the server on which it was first committed. */
  readonly committedAtUs: number;
  /** All of its events, this one included. */
  readonly bytes: number;
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The highest bit of an instant of 7 bytes says that a second one follows: that of the first commit. */
const ANOTHER_INSTANT = 2 ** 55;
const INSTANT_BYTES = 7;

function readInstant(event: Buffer, at: number): number {
  return event.readUIntLE(at, 6) + event.readUInt8(at + 6) * 2 ** 48;
}

/**
 * After the header: flags (1 byte), the uuid, the number, a type (1), two numbers of the commit order (8 each), one or two
 * instants, and the length of the transaction.
 */
export function begunBy(event: Buffer): Begun {
  const at = HEADER_BYTES + 1;
  const gtid = `${uuidOf(event.subarray(at, at + 16))}:${event.readBigInt64LE(at + 16)}`;
  const instantAt = at + 16 + 8 + 1 + 8 + 8;
  const here = readInstant(event, instantAt);
  if (here < ANOTHER_INSTANT) {
    return { gtid, committedAtUs: here, bytes: protocolNumber(event, instantAt + INSTANT_BYTES) };
  }
  const committedAtUs = readInstant(event, instantAt + INSTANT_BYTES);
  return { gtid, committedAtUs, bytes: protocolNumber(event, instantAt + 2 * INSTANT_BYTES) };
}

/** As lengths are written in the protocol: one byte below 251, else a mark and 2, 3 or 8 bytes. */
function protocolNumber(from: Buffer, at: number): number {
  const first = from.readUInt8(at);
  if (first < 251) return first;
  if (first === 252) return from.readUInt16LE(at + 1);
  if (first === 253) return from.readUIntLE(at + 1, 3);
  return Number(from.readBigUInt64LE(at + 1));
}

/** Fields of the event with a tag, by their number; what is not here is of no use to us. */
const [FLAGS, UUID, NUMBER, TAG, LAST_COMMITTED, SEQUENCE, COMMITTED, FIRST_COMMITTED, LENGTH] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
];

/**
 * Written in a form of its own: fields by number in their order, some of which may be missing, every number in a length
 * that its first byte tells.
 */
export function begunByTagged(event: Buffer): Begun {
  let at = HEADER_BYTES;
  const next = (): bigint => {
    const { value, bytes } = packedNumber(event, at);
    at += bytes;
    return value;
  };
  // Version, size, and the last field that a reader must know.
  for (let skipped = 0; skipped < 3; skipped += 1) next();
  let [uuid, tag, number] = ["", "", 0n];
  let committedAtUs = 0;
  for (;;) {
    const field = Number(next());
    if (field === UUID) uuid = uuidOf(Buffer.from(Array.from({ length: 16 }, () => Number(next()))));
    // A signed number has its sign in the lowest bit.
    else if (field === NUMBER) number = next() >> 1n;
    else if (field === TAG) {
      const length = Number(next());
      tag = event.toString("latin1", at, at + length);
      at += length;
    } else if (field === COMMITTED || field === FIRST_COMMITTED) committedAtUs = Number(next());
    else if (field === LENGTH)
      return { gtid: `${uuid}:${tag}:${number}`, committedAtUs, bytes: Number(next()) };
    else if (field === FLAGS || field === LAST_COMMITTED || field === SEQUENCE) next();
    else throw new RangeError(`a field ${field} that is not known`);
  }
}

/** So many ones at the low end of the first byte, so many bytes follow; the rest is the number. */
function packedNumber(from: Buffer, at: number): { readonly value: bigint; readonly bytes: number } {
  let ones = 0;
  while (ones < 8 && ((from.readUInt8(at) >> ones) & 1) === 1) ones += 1;
  let value = 0n;
  for (let index = ones; index >= 0; index -= 1) value = (value << 8n) | BigInt(from.readUInt8(at + index));
  return { value: value >> BigInt(ones + 1), bytes: ones + 1 };
}
