/**
 * Errant tails: transactions that only one server holds, read from its binary logs before it is seeded
 * again, and kept as rows of the primary, so that every volume and every later copy has them. The row in
 * `ordinal.archive` is written last, after everything was read back: it alone says that a tail is kept
 * (INV-9). Nothing here decides what is errant, and nothing is ever deleted.
 */
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { Tail } from "../../ports/engine.ts";
import type { Server, Value } from "../../ports/server.ts";
import { sha256 } from "./digest.ts";
import { gtidSets } from "./gtid.ts";
import { readRow, run } from "./run.ts";

/** A longer tail is not the rest of an interrupted primary; what becomes of it is for a person to say. */
const TRANSACTIONS_MAX = 10_000;
const BYTES_MAX = 64 * 1_048_576;
const READ_TIMEOUT_MS = 20_000;

/**
 * One statement carries twice as much as text, which fits into a max_allowed_packet of 1 MiB. It is also the
 * most that one row holds; a multiple of three, so that parts in base64 can be joined as they are.
 */
const STATEMENT_BYTES_MAX = 255 * 1_024;
const STATEMENT_ROWS_MAX = 500;

const CHARS_SHOWN = 120;

export const OWN_POSITION = "SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_executed AS executed";

export async function readTail(server: Server, beyond: Position): Promise<Outcome<Tail>> {
  const read = await readRow(server, OWN_POSITION);
  if (!read.ok) return read;
  const executed = read.value["executed"] ?? "";
  const missing = gtidSets.subtract(executed, beyond);
  const count = gtidSets.count(missing);
  if (count > TRANSACTIONS_MAX) return tooMany(count);
  // The server refuses to send when it is told of more of its own transactions than it has.
  const shared = gtidSets.subtract(executed, missing);
  const logged = await server.readLog(shared, { bytesMax: BYTES_MAX, timeoutMs: READ_TIMEOUT_MS });
  if (!logged.ok) return logged;
  const found = setOf(logged.value.map(({ gtid }) => gtid));
  if (!gtidSets.contains(found, missing)) {
    const lost = gtidSets.shorten(gtidSets.subtract(missing, found), CHARS_SHOWN);
    return fail("refused", `the binary logs of this server lack transactions that it executed: ${lost}`);
  }
  // A commit that waits for an acknowledgement is logged and not executed yet; others may have it already.
  const gtids = gtidSets.subtract(found, beyond);
  const transactions =
    gtids === found ? logged.value : logged.value.filter(({ gtid }) => !gtidSets.contains(beyond, gtid));
  if (transactions.length > TRANSACTIONS_MAX) return tooMany(BigInt(transactions.length));
  return succeed({ serverUuid: read.value["uuid"] ?? "", gtids, transactions });
}

function tooMany(count: bigint): Outcome<never> {
  return fail(
    "refused",
    `only this server holds ${count} transactions; at most ${TRANSACTIONS_MAX} are kept in a table`,
  );
}

function setOf(gtids: readonly string[]): Position {
  return gtidSets.union(gtids.join(","), "");
}

interface Part {
  readonly gtid: string;
  /** Of the whole transaction. */
  readonly digest: string;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  /** Of the transaction in its tail, from 1. */
  readonly place: number;
  readonly events: Uint8Array<ArrayBuffer>;
}

async function split({ transactions }: Tail): Promise<readonly Part[]> {
  const all: Part[] = [];
  for (const [index, { gtid, events }] of transactions.entries()) {
    const bytes = new Uint8Array(events);
    const digest = await sha256(bytes);
    const parts = Math.ceil(bytes.length / STATEMENT_BYTES_MAX);
    for (let part = 1; part <= parts; part += 1) {
      const events = bytes.subarray((part - 1) * STATEMENT_BYTES_MAX, part * STATEMENT_BYTES_MAX);
      all.push({ gtid, digest, part, parts, place: index + 1, events });
    }
  }
  return all;
}

interface Place {
  readonly epoch: number;
  readonly serverUuid: string;
}

export async function keepTail(
  primary: Server,
  tail: Tail,
  as: { readonly epoch: number; readonly clusterUid: string; readonly at: string },
): Promise<Outcome<null>> {
  if (tail.transactions.length === 0) return succeed(null);
  const place: Place = { epoch: as.epoch, serverUuid: tail.serverUuid };
  const parts = await split(tail);
  const before = await kept(primary, place);
  if (!before.ok) return before;
  for (const statement of inStatements(parts.filter((part) => !before.value.has(keyOf(part))))) {
    const written = await insert(primary, place, statement);
    if (!written.ok) return written;
  }
  const after = await kept(primary, place);
  if (!after.ok) return after;
  for (const part of parts) {
    if (after.value.get(keyOf(part)) === (await sha256(part.events))) continue;
    return fail("refused", `ordinal.tail does not hold what was written to it: ${keyOf(part)}`);
  }
  return declareKept(primary, tail, as);
}

function keyOf({ gtid, digest, part }: Pick<Part, "gtid" | "digest" | "part">): string {
  return `${gtid} ${digest} ${part}`;
}

export const KEPT = `SELECT gtid, digest, part, SHA2(events, 256) AS held FROM ordinal.tail
 WHERE epoch = ? AND server_uuid = ?`;

/** What the table holds of this server in this epoch, by digest: the bytes themselves stay where they are. */
async function kept(primary: Server, place: Place): Promise<Outcome<ReadonlyMap<string, string>>> {
  const rows = await run(primary, KEPT, [place.epoch, place.serverUuid]);
  if (!rows.ok) return rows;
  return succeed(
    new Map(
      rows.value.map(({ gtid, digest, part, held }) => [
        keyOf({ gtid: gtid ?? "", digest: digest ?? "", part: Number(part) }),
        held ?? "",
      ]),
    ),
  );
}

function inStatements(parts: readonly Part[]): readonly (readonly Part[])[] {
  const statements: Part[][] = [];
  let room = 0;
  for (const part of parts) {
    let last = statements.at(-1);
    if (last === undefined || part.events.length > room || last.length >= STATEMENT_ROWS_MAX) {
      last = [];
      statements.push(last);
      room = STATEMENT_BYTES_MAX;
    }
    last.push(part);
    room -= part.events.length;
  }
  return statements;
}

/** Of a row of `ordinal.tail` as it is inserted. */
export const KEPT_COLUMNS = 8;

/** A row that is there already stays as it is; whatever else is wrong is an error, as it would not be with IGNORE. */
function insert(primary: Server, place: Place, parts: readonly Part[]): Promise<Outcome<unknown>> {
  const sql = `INSERT INTO ordinal.tail (epoch, server_uuid, gtid, digest, part, parts, place, events)
   VALUES ${parts.map(() => "(?, ?, ?, ?, ?, ?, ?, ?)").join(", ")} ON DUPLICATE KEY UPDATE epoch = epoch`;
  const values = parts.flatMap((one): Value[] => [
    place.epoch,
    place.serverUuid,
    one.gtid,
    one.digest,
    one.part,
    one.parts,
    one.place,
    one.events,
  ]);
  return run(primary, sql, values);
}

export const DECLARED = "SELECT gtids FROM ordinal.archive WHERE epoch = ? AND server_uuid = ?";

/** The last act. A tail of this epoch that has grown since, by a commit that was still waiting, is widened. */
async function declareKept(
  primary: Server,
  tail: Tail,
  as: { readonly epoch: number; readonly clusterUid: string; readonly at: string },
): Promise<Outcome<null>> {
  const read = await readRow(primary, DECLARED, [as.epoch, tail.serverUuid]);
  if (!read.ok) return read;
  const have = read.value["gtids"] ?? "";
  if (gtidSets.contains(have, tail.gtids)) return succeed(null);
  const written = await run(
    primary,
    `INSERT INTO ordinal.archive (epoch, server_uuid, cluster_uid, at, gtids) VALUES (?, ?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE cluster_uid = VALUES(cluster_uid), at = VALUES(at), gtids = VALUES(gtids)`,
    [as.epoch, tail.serverUuid, as.clusterUid, as.at, gtidSets.union(have, tail.gtids)],
  );
  return written.ok ? succeed(null) : written;
}
