/** The tables in which errant tails are kept. */
import { createHash } from "node:crypto";
import type { Value } from "../../../../shared/ports/server.ts";
import { Refused } from "../server.ts";
import type { Session } from "../session.ts";
import type { TailRow } from "../volume.ts";
import type { Statement } from "./statement.ts";

const COLUMNS = 8;

function needTable(session: Session, privilege: string, table: string): void {
  session.need(privilege, "ordinal.*", 1142);
  if (!session.server.data.tables.has(table)) throw new Refused(1146, `Table '${table}' doesn't exist`);
}

function bytesOf(value: Value | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error("a tail's events are no bytes");
}

function tailRows(values: readonly Value[]): readonly (readonly [key: string, row: TailRow])[] {
  return Array.from({ length: values.length / COLUMNS }, (_, at) => {
    const row = values.slice(at * COLUMNS, (at + 1) * COLUMNS);
    const [epoch, serverUuid, gtid, digest, part, , , events] = row;
    const kept: TailRow = {
      epoch: Number(epoch),
      serverUuid: String(serverUuid),
      gtid: String(gtid),
      digest: String(digest),
      part: Number(part),
      held: createHash("sha256").update(bytesOf(events)).digest("hex"),
    };
    return [`${epoch} ${serverUuid} ${gtid} ${digest} ${part}`, kept] as const;
  });
}

export const TAIL_STATEMENTS: readonly Statement[] = [
  {
    pattern:
      /^INSERT INTO ordinal\.tail \(epoch, server_uuid, gtid, digest, part, parts, place, events\) VALUES (\(\?(?:, \?){7}\)(?:, )?)+ ON DUPLICATE KEY UPDATE epoch = epoch$/,
    run: async (session, _, values) => {
      needTable(session, "INSERT", "ordinal.tail");
      needTable(session, "UPDATE", "ordinal.tail");
      const rows = tailRows(values);
      await session.write(({ tail }) => {
        for (const [key, row] of rows) if (!tail.has(key)) tail.set(key, row);
      });
    },
  },
  {
    pattern:
      /^SELECT gtid, digest, part, SHA2\(events, 256\) AS held FROM ordinal\.tail WHERE epoch = \? AND server_uuid = \?$/,
    run: (session, _, [epoch, serverUuid]) => {
      needTable(session, "SELECT", "ordinal.tail");
      return [...session.server.data.tail.values()]
        .filter((row) => row.epoch === epoch && row.serverUuid === serverUuid)
        .map(({ gtid, digest, part, held }) => ({ gtid, digest, part: String(part), held }));
    },
  },
  {
    pattern: /^SELECT gtids FROM ordinal\.archive WHERE epoch = \? AND server_uuid = \?$/,
    run: (session, _, [epoch, serverUuid]) => {
      needTable(session, "SELECT", "ordinal.archive");
      const row = session.server.data.archive.get(`${epoch} ${serverUuid}`);
      return row === undefined ? [] : [{ gtids: row.gtids }];
    },
  },
  {
    pattern:
      /^INSERT INTO ordinal\.archive \(epoch, server_uuid, cluster_uid, at, gtids\) VALUES \(\?(?:, \?){4}\) ON DUPLICATE KEY UPDATE /,
    run: async (session, _, [epoch, serverUuid, clusterUid, , gtids]) => {
      needTable(session, "INSERT", "ordinal.archive");
      needTable(session, "UPDATE", "ordinal.archive");
      const row = {
        epoch: Number(epoch),
        serverUuid: String(serverUuid),
        clusterUid: String(clusterUid),
        gtids: String(gtids),
      };
      await session.write(({ archive }) => void archive.set(`${epoch} ${serverUuid}`, row));
    },
  },
];
