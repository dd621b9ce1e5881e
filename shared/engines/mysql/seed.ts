/**
 * Copies another server's volume into this one with CLONE, which destroys what is here. INV-9: on the very
 * session that will do it, the server is asked once more whether it holds anything that is not its image's
 * own; with our schema it was a copy or a primary before, and may hold acknowledged transactions.
 */
import { type Failure, fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { Peer } from "../../ports/engine.ts";
import type { Row, Server } from "../../ports/server.ts";
import { SURVEY, toSurvey } from "./observe.ts";
import { readRow, run, runAll } from "./run.ts";
import { accountLiteral, hostLiteral, passwordLiteral, portLiteral } from "./text.ts";

/** The copy is complete; mysqld ends, and whoever started it (the kubelet) starts it again. */
const CANNOT_RESTART = 3707;
/** The donor said no; its own number stands at the beginning of the text. */
const DONOR_ERROR = 3862;
/** Another copy runs from this donor or into this server. */
const TOO_MANY_CLONES = 3634;

export const EMPTINESS = `${SURVEY}
 UNION ALL SELECT 'o', SCHEMA_NAME FROM information_schema.schemata WHERE SCHEMA_NAME = 'ordinal'
 UNION ALL SELECT 'r', STATE FROM performance_schema.clone_status WHERE STATE = 'In Progress'`;

/** Read-only and nobody waiting, so that what it has executed is all that it will ever have. */
export const COVERED = `SELECT GTID_SUBSET(@@GLOBAL.gtid_executed, ?) AS covered, @@GLOBAL.read_only AS closed,
 (SELECT VARIABLE_VALUE FROM performance_schema.global_status
  WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions') AS waiters`;

/** Everything on it is on the primary, or was copied from it to where every member has it. */
async function replaceable(server: Server, covered: Position): Promise<Outcome<null>> {
  const row = await readRow(server, COVERED, [covered]);
  if (!row.ok) return row;
  const { covered: all, closed, waiters } = row.value;
  if (closed !== "1" || (waiters ?? "0") !== "0")
    return fail("conflict", "this server still takes writes, or commits wait on it");
  return all === "1"
    ? succeed(null)
    : fail("conflict", "this server holds transactions that nobody else has");
}

async function empty(server: Server): Promise<Outcome<null>> {
  const held = await run(server, EMPTINESS);
  if (!held.ok) return held;
  return whyNot(held.value) ?? succeed(null);
}

/** `covered`: see the step `Seed`; null asks for an empty server. */
export async function seed(
  server: Server,
  donor: Peer,
  timeoutMs: number,
  covered: Position | null,
): Promise<Outcome<null>> {
  const permitted = await (covered === null ? empty(server) : replaceable(server, covered));
  if (!permitted.ok) return permitted;
  const host = hostLiteral(donor.host);
  const port = portLiteral(donor.port);
  const ready = await runAll(server, [
    // Applications stay out while super_read_only, which CLONE does not accept, is lifted.
    "SET GLOBAL read_only = ON",
    "SET GLOBAL super_read_only = OFF",
    `SET GLOBAL clone_valid_donor_list = '${donor.host}:${port}'`,
  ]);
  if (!ready.ok) return ready;
  const account = accountLiteral(donor.account.username).replace("'%'", host);
  const copied = await run(
    server,
    `CLONE INSTANCE FROM ${account}:${port} IDENTIFIED BY ${passwordLiteral(donor.account.password)} REQUIRE SSL`,
    [],
    { timeoutMs },
  );
  if (copied.ok || copied.failure.code === CANNOT_RESTART) return succeed(null);
  return { ok: false, failure: explain(copied.failure) };
}

function whyNot(rows: readonly Row[]): Outcome<null> | null {
  if (rows.some(({ kind }) => kind === "r")) return fail("transient", "a copy into this server is under way");
  if (rows.some(({ kind }) => kind === "o")) {
    return fail("conflict", "this server was seeded before and may hold acknowledged transactions");
  }
  const { schemas } = toSurvey(rows);
  if (schemas.length === 0) return null;
  return fail("conflict", `this server holds data of its own in ${schemas.slice(0, 5).join(", ")}`);
}

function explain(failure: Failure): Failure {
  if (failure.kind === "transient") {
    return {
      ...failure,
      message: "the copy takes longer, or the server has restarted already; it is looked at again",
    };
  }
  if (failure.code === TOO_MANY_CLONES) return { ...failure, kind: "transient", retryAfterMs: 5_000 };
  // The client's own numbers, 2000 to 2999, say that the donor could not be reached.
  const cause = Number(/Error: (\d+)/.exec(failure.message)?.[1] ?? 0);
  const passes = cause === TOO_MANY_CLONES || cause === 1040 || (cause >= 2_000 && cause < 3_000);
  return failure.code === DONOR_ERROR && passes
    ? { ...failure, kind: "transient", retryAfterMs: 5_000 }
    : failure;
}
