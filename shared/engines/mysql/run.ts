/**
 * How every verb talks to a server. What the adapter calls `refused` is sorted once more by the server's
 * own number, because some of these pass by themselves and some mean that the world has changed.
 */
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Row, Server, Value } from "../../ports/server.ts";

const KINDS: Readonly<Record<number, "transient" | "conflict">> = {
  1205: "transient", // a lock was held too long; the statement had no effect
  1213: "transient", // a deadlock, rolled back
  1290: "conflict", // the server is read-only
  1836: "conflict", // the same, said of a transaction that had begun
  3572: "transient", // a lock was held, and waiting was not wanted
};

export async function run(
  server: Server,
  sql: string,
  values: readonly Value[] = [],
  options: { readonly timeoutMs?: number } = {},
): Promise<Outcome<readonly Row[]>> {
  const outcome = await server.query(sql, values, options);
  if (outcome.ok || outcome.failure.kind !== "refused") return outcome;
  const kind = KINDS[outcome.failure.code ?? 0];
  return kind === undefined ? outcome : { ok: false, failure: { ...outcome.failure, kind } };
}

/** In order, up to the first failure. */
export async function runAll(server: Server, statements: readonly string[]): Promise<Outcome<null>> {
  for (const sql of statements) {
    const done = await run(server, sql);
    if (!done.ok) return done;
  }
  return succeed(null);
}

/** Waits until all of a position is executed; `0` when it is. */
export const EXECUTED_ALL = "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS late";

/** The first row of an answer; an empty one when there is none. */
export async function readRow(
  server: Server,
  sql: string,
  values: readonly Value[] = [],
  options: { readonly timeoutMs?: number } = {},
): Promise<Outcome<Row>> {
  const rows = await run(server, sql, values, options);
  return rows.ok ? succeed(rows.value[0] ?? {}) : rows;
}
