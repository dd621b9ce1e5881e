/** The tables of a scratch server: how many rows each has, and what the server itself finds wrong with them. */
import { orBreak } from "../../model/broken-stream.ts";
import type { Server } from "../../ports/server.ts";
import type { Restored, TableCounts } from "../copies.ts";
import { unusable } from "../flow.ts";

interface Table {
  readonly database: string;
  readonly name: string;
}

const OF_USERS = `TABLE_TYPE = 'BASE TABLE'
 AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')`;

const TABLES = `SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name FROM information_schema.tables
 WHERE ${OF_USERS} ORDER BY TABLE_SCHEMA, TABLE_NAME`;

/** CLONE copies what InnoDB holds; of any other table there is the definition alone. */
const FOREIGN = `SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, ENGINE AS engine FROM information_schema.tables
 WHERE ${OF_USERS} AND ENGINE <> 'InnoDB' ORDER BY TABLE_SCHEMA, TABLE_NAME LIMIT 1`;

const quoted = (name: string) => `\`${name.replaceAll("`", "``")}\``;
const full = ({ database, name }: Table) => `${quoted(database)}.${quoted(name)}`;

async function tablesOf(server: Server): Promise<readonly Table[]> {
  const rows = orBreak(await server.query(TABLES));
  return rows.map(({ db, name }) => ({ database: db ?? "", name: name ?? "" }));
}

/** Throws when one of them would be missing from a physical copy. */
export async function onlyInnodb(server: Server): Promise<void> {
  const [found] = orBreak(await server.query(FOREIGN));
  if (found === undefined) return;
  const { db, name, engine } = found;
  throw unusable(
    `${db}.${name} is kept by ${engine}, which a physical backup does not hold; set ordinal.dev/backup-method: logical`,
  );
}

async function rowsOf(server: Server, table: Table): Promise<number> {
  const [row] = orBreak(await server.query(`SELECT COUNT(*) AS total FROM ${full(table)}`));
  return Number(row?.["total"]);
}

export async function countRows(server: Server): Promise<TableCounts> {
  const tables: TableCounts["tables"] = [];
  for (const table of await tablesOf(server)) {
    tables.push([table.database, table.name, await rowsOf(server, table)]);
  }
  return { v: 1, tables };
}

/** Every index of it is read; null = all is well. */
async function damageOf(server: Server, table: Table): Promise<string | null> {
  for (const row of orBreak(await server.query(`CHECK TABLE ${full(table)}`))) {
    const { Msg_type: type, Msg_text: text } = row;
    const isWell = type === "status" ? text === "OK" : type === "note" || type === "info";
    if (!isWell) return `${table.database}.${table.name}: ${text}`;
  }
  return null;
}

export async function executed(server: Server): Promise<string> {
  const [row] = orBreak(await server.query("SELECT @@GLOBAL.gtid_executed AS position"));
  return (row?.["position"] ?? "").replaceAll(/\s/g, "");
}

export interface Looking {
  /** What of a position is not as it should be. */
  readonly astray: (position: string) => string | null;
  readonly onLooking: (tables: number, expected: number) => void;
}

/** Which transactions a server holds that was restored; none of its tables is read. */
export async function lookAt(server: Server, { astray }: Looking): Promise<Restored> {
  return { astray: astray(await executed(server)), damage: null, counts: null };
}

/** All of it, up to the first fault; each table is read whole. */
export async function lookInto(server: Server, looking: Looking): Promise<Restored> {
  const { onLooking } = looking;
  const tables: TableCounts["tables"] = [];
  const found: Restored = { ...(await lookAt(server, looking)), counts: { v: 1, tables } };
  if (found.astray !== null) return found;
  const all = await tablesOf(server);
  for (const table of all) {
    const damage = await damageOf(server, table);
    if (damage !== null) return { ...found, damage };
    tables.push([table.database, table.name, await rowsOf(server, table)]);
    onLooking(tables.length, all.length);
  }
  return found;
}
