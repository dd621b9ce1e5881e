/**
 * What a change of the primary asks of servers: the old one is put out of service, its acknowledgers stop
 * receiving, and the new one lets go of its source. None of it answers OK to a commit that waits (measured:
 * `offline_mode = ON` and KILL answer with a lost connection, a graceful stop answers OK), and none of it
 * discards what was received (INV-6). Opening the new one is in primary.ts, under INV-5.
 */
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Row, Server } from "../../ports/server.ts";
import { EXECUTED_ALL, readRow, run, runAll } from "./run.ts";

/** A lock was waited for in vain: commits wait for acknowledgements, and the statement had no effect. */
const LOCK_WAIT_TIMEOUT = 1205;

const CLOSE = "SET GLOBAL super_read_only = ON";

/**
 * Being offline takes effect at once and cuts the stream to the acknowledgers too. Read-only may hang behind
 * commits that wait; the session's lock_wait_timeout bounds it, and while it is pending nothing commits.
 */
export async function fence(server: Server): Promise<Outcome<null>> {
  // Also one that would take writes by itself after a restart stays closed from now on.
  const offline = await runAll(server, [
    "SET GLOBAL offline_mode = ON",
    "SET PERSIST_ONLY super_read_only = ON",
  ]);
  if (!offline.ok) return offline;
  const closed = await run(server, CLOSE);
  return closed.ok || closed.failure.code === LOCK_WAIT_TIMEOUT ? succeed(null) : closed;
}

/**
 * The acknowledgers are still there, so the commits under way end by themselves within the lock's bound. And they stay
 * there: one that would take writes by itself after a restart must not, once somebody else may be elected.
 */
export function demote(server: Server): Promise<Outcome<null>> {
  return runAll(server, ["SET PERSIST_ONLY super_read_only = ON", CLOSE]);
}

export const RECEIVED = `SELECT s.SERVICE_STATE AS receiver, a.SERVICE_STATE AS applier,
 s.RECEIVED_TRANSACTION_SET AS received,
 GTID_SUBSET(s.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed) AS applied,
 (SELECT COUNT(*) FROM performance_schema.replication_applier_status_by_worker w
  WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.APPLYING_TRANSACTION <> '') AS applying,
 @@GLOBAL.read_only AS closed
 FROM performance_schema.replication_connection_configuration c
 JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)
 JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)
 WHERE c.CHANNEL_NAME = '' AND c.HOST <> ''`;

/** `skip_replica_start` keeps it stopped over restarts; nobody but a later plan starts it again. */
export async function stopReceiving(server: Server): Promise<Outcome<null>> {
  const before = await readRow(server, RECEIVED);
  if (!before.ok) return before;
  if (before.value["receiver"] === undefined) return succeed(null);
  const stopped = await runAll(server, ["STOP REPLICA IO_THREAD"]);
  if (!stopped.ok) return stopped;
  if (before.value["applier"] === "ON") return succeed(null);
  const after = await readRow(server, RECEIVED);
  return after.ok ? goOnApplying(server, after.value) : after;
}

/** Stopped before or after its receiver was, the applier has work left that an election counts on. */
function goOnApplying(server: Server, { applier, applied }: Row): Promise<Outcome<null>> {
  const idle = applier === "ON" || applied === "1";
  return runAll(server, idle ? [] : ["START REPLICA SQL_THREAD"]);
}

/** The statement's own limit, and then some for the answer to come back. */
const MARGIN_MS = 2_000;

export async function promote(server: Server, timeoutMs: number): Promise<Outcome<null>> {
  const first = await readRow(server, RECEIVED);
  if (!first.ok) return first;
  const { receiver, received, closed } = first.value;
  if (receiver === undefined) return succeed(null);
  if (receiver !== "OFF") return fail("conflict", "this server receives from another one");
  if (closed !== "1") return fail("conflict", "this server takes writes already");
  const going = await goOnApplying(server, first.value);
  if (!going.ok) return going;
  const waited = await readRow(server, EXECUTED_ALL, [received ?? "", timeoutMs / 1_000], {
    timeoutMs: timeoutMs + MARGIN_MS,
  });
  if (!waited.ok) return waited;
  if (waited.value["late"] !== "0") return fail("transient", "not all that was received is executed yet");
  const ended = await endPartialTransaction(server);
  if (!ended.ok) return ended;
  return runAll(server, ["STOP REPLICA SQL_THREAD", "RESET REPLICA ALL"]);
}

/**
 * A receiver that was stopped in the middle of a transaction leaves an applier that waits for its end, and
 * stopping that takes 60 s (measured). All whole transactions are executed, so the applier's coordinator is
 * killed instead, which rolls the part back; the part was never acknowledged.
 */
async function endPartialTransaction(server: Server): Promise<Outcome<null>> {
  const state = await readRow(server, RECEIVED);
  if (!state.ok) return state;
  if (state.value["applying"] === "0" || state.value["applier"] !== "ON") return succeed(null);
  const thread = await readRow(
    server,
    "SELECT PROCESSLIST_ID AS id FROM performance_schema.threads WHERE NAME = 'thread/sql/replica_sql'",
  );
  if (!thread.ok) return thread;
  const id = thread.value["id"];
  if (id === undefined) return succeed(null);
  const killed = await run(server, "KILL ?", [Number(id)]);
  return killed.ok || killed.failure.code === NO_SUCH_THREAD ? succeed(null) : killed;
}

const NO_SUCH_THREAD = 1094;

export const OFFLINE = "SELECT @@GLOBAL.offline_mode AS offline";

/**
 * A graceful stop answers OK to every commit that waits, so it comes only when being offline has put out
 * whoever could be answered. Administrators' sessions stay, and do not count as applications.
 */
export async function restart(server: Server): Promise<Outcome<null>> {
  const state = await readRow(server, OFFLINE);
  if (!state.ok) return state;
  if (state.value["offline"] !== "1") return fail("conflict", "this server lets applications in");
  // A stop ends the wait when one acknowledger is missing. With two it waits for ever (measured), and answers nobody.
  const fewer = await run(server, "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1");
  if (!fewer.ok) return fewer;
  const ended = await run(server, "SHUTDOWN");
  // The server may be gone before it has answered.
  return ended.ok || ended.failure.kind === "transient" ? succeed(null) : ended;
}
