/** A binary log that is a file, as the pieces of a stream: the same checks, of what was stored instead of sent. */
import { BrokenStream } from "../../model/broken-stream.ts";
import type { LogPiece } from "../../ports/log-stream.ts";
import { LogReading, type LogSign } from "./log-events.ts";
import { HEADER_BYTES, lengthOf, MAGIC } from "./log-fields.ts";

/** In a packet an event is preceded by one byte, and a packet of another one says that there are no more. */
const EVENT = Buffer.from([0x00]);
const END = Buffer.from([0xfe]);

function unusable(why: string): BrokenStream {
  return new BrokenStream({ kind: "refused", message: `it is no binary log: ${why}` });
}

function pieceOf(sign: LogSign): LogPiece | null {
  if (sign.kind === "complaint") throw unusable(sign.why);
  return sign.kind === "end" || sign.kind === "failure" ? null : sign;
}

export async function* readLogFile(file: AsyncIterable<Uint8Array>): AsyncGenerator<LogPiece> {
  const reading = new LogReading();
  // What is read at once, and is known to be there as a whole: the magic number, then the header of each event.
  let [start, wanted] = [Buffer.alloc(0), MAGIC.length];
  /** Of the event under way; 0 = none is. */
  let leftBytes = 0;
  let isBegun = false;
  for await (const chunk of file) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < bytes.length; ) {
      let part = bytes.subarray(at, at + (leftBytes > 0 ? leftBytes : wanted - start.length));
      at += part.length;
      if (leftBytes > 0) leftBytes -= part.length;
      else {
        start = Buffer.concat([start, part]);
        if (start.length < wanted) continue;
        if (wanted === MAGIC.length) {
          if (!start.equals(MAGIC)) throw unusable("it does not begin like one");
          [start, wanted] = [Buffer.alloc(0), HEADER_BYTES];
          continue;
        }
        leftBytes = lengthOf(start) - HEADER_BYTES;
        if (leftBytes <= 0) throw unusable("an event is not as long as it says");
        isBegun = true;
        [part, start] = [Buffer.concat([EVENT, start]), Buffer.alloc(0)];
      }
      const sign = reading.take(part, leftBytes === 0);
      const piece = sign === null ? null : pieceOf(sign);
      if (piece !== null) yield piece;
    }
  }
  if (!isBegun || start.length > 0 || leftBytes > 0) throw unusable("it is cut off");
  const end = reading.take(END, true);
  if (end !== null) pieceOf(end);
}
