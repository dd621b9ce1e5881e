/**
 * Database servers asked directly, by their own connections: what replicates from whom, and whether two
 * servers hold the same rows. Statements are spelt here and not taken from the engine, which is what is
 * being checked.
 */
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { Unmet } from "./wait.ts";
import type { Login } from "./world.ts";

export interface Address extends Login {
  readonly host: string;
}

const PORT = 3306;
const CONNECT_MS = 5_000;

type Row = Readonly<Record<string, string | number | null>>;

export interface Asked {
  ask(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** One connection for the length of `work`. Throws mysql2's error when the server does not answer. */
export async function withServer<T>(
  { host, user, password }: Address,
  work: (server: Asked, connection: Connection) => Promise<T>,
): Promise<T> {
  const options = { host, port: PORT, user, password, connectTimeout: CONNECT_MS, supportBigNumbers: true };
  const connection = await createConnection(options);
  try {
    const ask: Asked["ask"] = async (sql, values = []) => {
      const [rows] = await connection.query<RowDataPacket[]>(sql, [...values]);
      return rows as readonly Row[];
    };
    return await work({ ask }, connection);
  } finally {
    connection.destroy();
  }
}

/** Null when it follows somebody and both threads run, else what is not so. */
export function whyNotFollowing(replica: Address): Promise<string | null> {
  return withServer(replica, async ({ ask }) => {
    const [row] = await ask(
      `SELECT c.SERVICE_STATE AS receiver, a.SERVICE_STATE AS applier, @@global.super_read_only AS closed
         FROM performance_schema.replication_connection_status c
         JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)`,
    );
    if (row === undefined) return "it follows nobody";
    if (row["receiver"] !== "ON" || row["applier"] !== "ON") {
      return `its receiver is ${row["receiver"]} and its applier is ${row["applier"]}`;
    }
    return row["closed"] === 1 ? null : "it is not read-only";
  });
}

/** Null when it is writable and a commit waits for an acknowledgement of one of `replicas`, else what is not so. */
export function whyNotArmed(primary: Address, replicas: number): Promise<string | null> {
  return withServer(primary, async ({ ask }) => {
    const status = await ask("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_%'");
    const value = (name: string) =>
      status.find(({ Variable_name }) => Variable_name === `Rpl_semi_sync_source_${name}`)?.["Value"];
    if (value("status") !== "ON") return "its semi-synchronous replication is not on";
    if (value("clients") !== String(replicas))
      return `${value("clients")} of ${replicas} replicas acknowledge`;
    const [row] = await ask("SELECT @@global.read_only AS closed");
    return row?.["closed"] === 0 ? null : "it is read-only";
  });
}

export interface Comparison {
  readonly tables: number;
  readonly rows: number;
  readonly servers: number;
  /** One sentence each; empty when all servers hold the same. */
  readonly differences: readonly string[];
}

export interface CompareOptions {
  /** Schemas that are being written to, which no two looks find the same. */
  readonly except: readonly string[];
  readonly timeoutMs: number;
}

const SYSTEM = ["mysql", "sys", "information_schema", "performance_schema"];

interface Contents {
  readonly checksums: ReadonlyMap<string, string>;
  readonly rows: number;
}

async function contentsOf({ ask }: Asked, except: readonly string[]): Promise<Contents> {
  const tables = await ask(
    `SELECT TABLE_SCHEMA AS folder, TABLE_NAME AS name FROM information_schema.TABLES
      WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN (?) ORDER BY 1, 2`,
    [[...SYSTEM, ...except]],
  );
  const checksums = new Map<string, string>();
  let rows = 0;
  for (const { folder, name } of tables) {
    const [count] = await ask("SELECT COUNT(*) AS n FROM ??.??", [folder, name]);
    const [sum] = await ask("CHECKSUM TABLE ??.??", [folder, name]);
    rows += Number(count?.["n"]);
    checksums.set(`${folder}.${name}`, `${count?.["n"]} rows, checksum ${sum?.["Checksum"]}`);
  }
  return { checksums, rows };
}

/** Rows and checksum of each table of one server, by `schema.table`. */
export async function checksumsOf(
  address: Address,
  except: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { checksums } = await withServer(address, (server) => contentsOf(server, except));
  return checksums;
}

/** Waits until each replica has executed what the primary has, then compares every table by its checksum. */
export async function compareServers(
  primary: Address,
  replicas: readonly Address[],
  { except, timeoutMs }: CompareOptions,
): Promise<Comparison> {
  const { executed, wanted } = await withServer(primary, async (server) => {
    const [row] = await server.ask("SELECT @@global.gtid_executed AS executed");
    return { executed: row?.["executed"], wanted: await contentsOf(server, except) };
  });
  const found = await Promise.all(
    replicas.map((replica) =>
      withServer(replica, async (server) => {
        const wait = "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS late";
        const [row] = await server.ask(wait, [executed, timeoutMs / 1000]);
        if (row?.["late"] !== 0) {
          throw new Unmet(`${replica.host} did not catch up with ${primary.host} in ${timeoutMs / 1000} s`);
        }
        return await contentsOf(server, except);
      }),
    ),
  );
  const differences = found.flatMap(({ checksums }, index) =>
    [...new Set([...wanted.checksums.keys(), ...checksums.keys()])]
      .filter((table) => wanted.checksums.get(table) !== checksums.get(table))
      .map((table) => {
        const [here, there] = [wanted.checksums.get(table), checksums.get(table)];
        return `${table}: ${here ?? "missing"} on the primary, ${there ?? "missing"} on ${replicas[index]?.host}`;
      }),
  );
  return { tables: wanted.checksums.size, rows: wanted.rows, servers: replicas.length + 1, differences };
}
