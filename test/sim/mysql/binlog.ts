/**
 * Reading a simulated server's binary log from a position on. A transaction's events are a text that names
 * it, as long as the real ones of a small row.
 */
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { LoggedTransaction } from "../../../shared/ports/server.ts";
import { Gtids } from "./gtids.ts";
import type { SimServer } from "./server.ts";
import type { Transaction } from "./volume.ts";

export const EVENTS_BYTES = 400;
/** The number for whatever keeps a source from sending its binary log. */
const SOURCE_FATAL = 1236;

function eventsOf({ gtid, at }: Transaction): Uint8Array {
  return new TextEncoder().encode(`binlog of ${gtid.uuid}:${gtid.number} at ${at}`.padEnd(EVENTS_BYTES));
}

/** Why a source sends nothing to somebody who has this; what still waits for an acknowledgement counts as had. */
export function refusalToSend({ data, volume }: SimServer, have: Gtids): string | null {
  if (!have.contains(data.purged)) return "the source purged required binary logs";
  const known = data.executed.of(volume.serverUuid);
  for (const { gtid } of data.binlog) if (gtid.uuid === volume.serverUuid) known.add(gtid);
  if (!known.contains(have.of(volume.serverUuid)))
    return "the replica has more GTIDs of the source than the source";
  return null;
}

export function readBinlog(
  server: SimServer,
  except: string,
  bytesMax: number,
): Outcome<readonly LoggedTransaction[]> {
  const have = Gtids.parse(except);
  const reason = refusalToSend(server, have);
  if (reason !== null) return fail("refused", reason, { code: SOURCE_FATAL });
  const wanted = server.data.binlog.filter(({ gtid }) => !have.has(gtid));
  if (wanted.length * EVENTS_BYTES > bytesMax) {
    return fail("refused", `the transactions take more than ${bytesMax} bytes`);
  }
  return succeed(
    wanted.map((transaction) => ({
      gtid: `${transaction.gtid.uuid}:${transaction.gtid.number}`,
      events: eventsOf(transaction),
    })),
  );
}
