/**
 * Streams a server's binary log: on a connection of its own, since the server closes it at the end, and no faster than
 * it is read. What mysql2 knows of this is not used: see docs/adr/0026-the-log-over-our-own-packets.md.
 */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { BrokenStream, orBreak } from "../../model/broken-stream.ts";
import { type Failure, fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { LogPiece, LogWish } from "../../ports/log-stream.ts";
import type { ConnectOptions, LoggedTransaction } from "../../ports/server.ts";
import { mapFailure } from "./failures.ts";
import { LogReading, type LogSign } from "./log-events.ts";
import { logRequest } from "./log-request.ts";
import { Packets } from "./packets.ts";
import { openSession } from "./session.ts";

export interface LogLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/**
 * What the server takes from the session: that checksums are sent on; after how many nanoseconds with nothing to send it
 * says so; and whose stream it is, because it ends an older stream of the same receiver.
 */
const ANNOUNCEMENT =
  "SET @source_binlog_checksum = 'CRC32', @source_heartbeat_period = 500000000, @replica_uuid = ?";

export async function* streamLog(
  from: ConnectOptions,
  except: Position,
  wish: LogWish,
): AsyncGenerator<LogPiece> {
  const doing = `reading the binary log of ${from.host}`;
  const session = orBreak(await openSession(from));
  try {
    orBreak(await session.query(ANNOUNCEMENT, [randomUUID()], from.queryTimeoutMs));
    const stream = session.takeStream();
    stream.write(logRequest(except, wish.follow));
    const reading = new LogReading();
    for await (const signs of signsOf(stream, reading, { ...wish, doing })) {
      for (const sign of signs) {
        if (sign.kind === "end") return;
        if (sign.kind === "failure") throw new BrokenStream(refusalOf(sign.packet, doing));
        if (sign.kind === "complaint") {
          throw new BrokenStream({ kind: "refused", message: `${doing}: ${sign.why}` });
        }
        yield sign;
      }
    }
    throw new BrokenStream({ kind: "transient", message: `${doing}: the connection was lost` });
  } finally {
    session.close();
  }
}

type Watch = Pick<LogWish, "silenceMsMax" | "signal"> & { readonly doing: string };

/** What each arrival of bytes comes to. Nothing is read from the socket while nobody asks for more. */
async function* signsOf(
  stream: Socket,
  reading: LogReading,
  { silenceMsMax, signal, doing }: Watch,
): AsyncGenerator<readonly LogSign[]> {
  let signs: LogSign[] = [];
  const packets = new Packets((bytes, ends) => {
    const sign = reading.take(bytes, ends);
    if (sign !== null) signs.push(sign);
  });
  const giveUp = (why: string) =>
    stream.destroy(new BrokenStream({ kind: "transient", message: `${doing}: ${why}` }));
  const stop = () => giveUp("it was told to end");
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => giveUp(`nothing came for ${silenceMsMax} ms`), silenceMsMax);
      const step = await chunks.next().finally(() => clearTimeout(timer));
      if (step.done === true) return;
      packets.push(step.value as Buffer);
      yield signs;
      signs = [];
    }
  } catch (error) {
    if (error instanceof BrokenStream) throw error;
    throw new BrokenStream(mapFailure(error as Parameters<typeof mapFailure>[0], doing), { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Every transaction as a log file of its own, bounded in time and in bytes: what is too much is not read to its end. */
export async function readLog(
  from: ConnectOptions,
  except: Position,
  { bytesMax, timeoutMs }: LogLimits,
): Promise<Outcome<readonly LoggedTransaction[]>> {
  const doing = `reading the binary log of ${from.host}`;
  const signal = AbortSignal.timeout(timeoutMs);
  const done: LoggedTransaction[] = [];
  let head: Uint8Array = new Uint8Array(0);
  let open: { readonly gtid: string; readonly events: Uint8Array[] } = { gtid: "", events: [] };
  let bytes = 0;
  try {
    for await (const piece of streamLog(from, except, { follow: false, silenceMsMax: timeoutMs, signal })) {
      if (piece.kind === "quiet") continue;
      if (piece.kind === "head") {
        head = piece.bytes;
        continue;
      }
      bytes += piece.bytes.length;
      if (bytes > bytesMax)
        return fail("refused", `${doing}: the transactions take more than ${bytesMax} bytes`);
      if (piece.kind === "transaction") open = { gtid: piece.gtid, events: [] };
      open.events.push(Uint8Array.from(piece.bytes));
      if (piece.ends) done.push({ gtid: open.gtid, events: Buffer.concat([head, ...open.events]) });
    }
    return succeed(done);
  } catch (error) {
    if (!(error instanceof BrokenStream)) throw error;
    if (signal.aborted) return fail("transient", `${doing}: no end after ${timeoutMs} ms`);
    return { ok: false, failure: error.failure };
  }
}

/** After the first byte: the number, then a state of six characters, then words. */
export function refusalOf(packet: Buffer, doing: string): Failure {
  const message = packet.toString("utf8", 9);
  const errno = packet.length < 3 ? 0 : packet.readUInt16LE(1);
  const error = Object.assign(new Error(message), { code: "", fatal: true, errno });
  return mapFailure(error, doing);
}
