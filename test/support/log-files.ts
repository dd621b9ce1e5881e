/** Binary logs as files, read by the plain rules of the format: a magic number, then events that say how long they are. */

const MAGIC_BYTES = 4;
const [STOP, ROTATE, FORMAT, PREVIOUS_GTIDS] = [3, 4, 15, 35];
/** What a file has of its own, and no transaction. */
const OF_THE_FILE: ReadonlySet<number> = new Set([STOP, ROTATE, FORMAT, PREVIOUS_GTIDS]);

/** The events of all transactions in these files, one after the other. */
export function transactionBytes(files: readonly Uint8Array[]): Buffer {
  const events: Buffer[] = [];
  for (const file of files) {
    const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    for (let at = MAGIC_BYTES; at < bytes.length; at += bytes.readUInt32LE(at + 9)) {
      const event = bytes.subarray(at, at + bytes.readUInt32LE(at + 9));
      if (!OF_THE_FILE.has(event.readUInt8(4))) events.push(event);
    }
  }
  return Buffer.concat(events);
}
