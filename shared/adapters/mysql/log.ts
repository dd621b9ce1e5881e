/**
 * Reads a server's binary log: on a connection of its own, since the server closes it at the end, bounded in
 * time and in bytes. What is too much is given up at once and not read to its end.
 */
import type { TLSSocket } from "node:tls";
import { type Failure, fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { ConnectOptions, LoggedTransaction } from "../../ports/server.ts";
import { mapFailure } from "./failures.ts";
import { LogReading } from "./log-events.ts";
import { logRequest } from "./log-request.ts";
import { Packets } from "./packets.ts";
import { openSession } from "./session.ts";

export interface LogLimits {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** The server asks for this by name before it sends checksums on. */
const CHECKSUMS = "SET @source_binlog_checksum = 'CRC32'";

/** First bytes of a packet. */
const EVENT = 0x00;
const END = 0xfe;
const FAILURE = 0xff;

export async function readLog(
  from: ConnectOptions,
  except: Position,
  limits: LogLimits,
): Promise<Outcome<readonly LoggedTransaction[]>> {
  const opened = await openSession(from);
  if (!opened.ok) return opened;
  const session = opened.value;
  try {
    const announced = await session.query(CHECKSUMS, [], from.queryTimeoutMs);
    if (!announced.ok) return announced;
    return await dump(session.takeStream(), except, { ...limits, host: from.host });
  } finally {
    session.close();
  }
}

function dump(
  stream: TLSSocket,
  except: Position,
  { bytesMax, timeoutMs, host }: LogLimits & { readonly host: string },
): Promise<Outcome<readonly LoggedTransaction[]>> {
  const doing = `reading the binary log of ${host}`;
  const reading = new LogReading();
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => finish(fail("transient", `${doing}: no end after ${timeoutMs} ms`)),
      timeoutMs,
    );
    const lost = (): void => finish(fail("transient", `${doing}: the connection was lost`));
    let ended = false;
    function finish(outcome: Outcome<readonly LoggedTransaction[]>): void {
      ended = true;
      clearTimeout(timer);
      stream.off("close", lost);
      resolve(outcome);
    }
    const packets = new Packets((packet) => {
      if (ended) return;
      const first = packet[0];
      if (first === FAILURE) finish({ ok: false, failure: refusalOf(packet, doing) });
      else if (first === END && packet.length < 9) finish(succeed(reading.finish()));
      else {
        const complaint = first === EVENT ? reading.take(packet.subarray(1)) : "not an event";
        if (complaint !== null) finish(fail("refused", `${doing}: ${complaint}`));
      }
    });
    stream.on("data", (chunk: Buffer) => {
      if (ended) return;
      packets.push(chunk);
      if (ended || reading.bytes + packets.waitingBytes <= bytesMax) return;
      finish(fail("refused", `${doing}: the transactions take more than ${bytesMax} bytes`));
    });
    stream.on("close", lost);
    stream.write(logRequest(except));
  });
}

/** After the first byte: the number, then a state of six characters, then words. */
export function refusalOf(packet: Buffer, doing: string): Failure {
  const message = packet.toString("utf8", 9);
  const errno = packet.length < 3 ? 0 : packet.readUInt16LE(1);
  const error = Object.assign(new Error(message), { code: "", fatal: true, errno });
  return mapFailure(error, doing);
}
