/**
 * What a primary is told: how many acknowledgements its commits wait for, who may no longer receive from
 * it, and that it may be written to. INV-5: it is opened only on a session that has just read that commits
 * will wait. Switching the source off answers OK to commits that wait, so that is not done while any does. Lowering
 * its count answers those that so many have acknowledged, and no others (measured, and `AckContainer::resize`).
 */
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Row, Server } from "../../ports/server.ts";
import { readRow, run, runAll } from "./run.ts";
import { accountLiteral, countLiteral } from "./text.ts";

export const ACKNOWLEDGEMENTS = `SELECT @@GLOBAL.rpl_semi_sync_source_enabled AS required,
 @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count AS count,
 @@GLOBAL.rpl_semi_sync_source_wait_point AS point,
 @@GLOBAL.rpl_semi_sync_source_wait_no_replica AS unattended,
 @@GLOBAL.rpl_semi_sync_source_timeout AS timeout,
 @@GLOBAL.read_only AS closed, @@GLOBAL.offline_mode AS offline,
 (SELECT VARIABLE_VALUE FROM performance_schema.global_status
  WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_clients') AS clients,
 (SELECT VARIABLE_VALUE FROM performance_schema.global_status
  WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions') AS waiters,
 (SELECT COUNT(*) FROM performance_schema.replication_connection_status
  WHERE SERVICE_STATE <> 'OFF') AS receiving`;

/** Each of them alone would let a commit go on without its acknowledgements. */
function strict(row: Row): boolean {
  return (
    row["point"] === "AFTER_SYNC" && row["unattended"] === "1" && Number(row["timeout"]) >= 4_294_967_295
  );
}

export async function arm(server: Server, ackCount: number): Promise<Outcome<null>> {
  const read = await readRow(server, ACKNOWLEDGEMENTS);
  if (!read.ok) return read;
  const row = read.value;
  const required = row["required"] === "1";
  const waiters = Number(row["waiters"]);
  const count = Number(row["count"]);
  if (ackCount === 0 ? !required : required && count === ackCount && strict(row)) return succeed(null);
  // Down to no acknowledgements goes only a cluster that was recorded as a single member before.
  if (ackCount === 0) return disarm(server, waiters);
  if (!required && row["closed"] === "0" && Number(row["clients"]) < ackCount) {
    return fail(
      "conflict",
      `${row["clients"]} acknowledging followers are connected; every write would wait`,
    );
  }
  // One statement, since writes may wait for it; in this order, whole or not at all (Reference Manual, "SET Syntax").
  return runAll(server, [
    `SET GLOBAL rpl_semi_sync_source_timeout = 4294967295, GLOBAL rpl_semi_sync_source_wait_no_replica = ON, GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC, GLOBAL rpl_semi_sync_source_wait_for_replica_count = ${countLiteral(ackCount)}, GLOBAL rpl_semi_sync_source_enabled = ON`,
  ]);
}

function disarm(server: Server, waiters: number): Promise<Outcome<null>> {
  if (waiters > 0) {
    return Promise.resolve(
      fail("transient", `${waiters} commits wait for an acknowledgement; it stays required`),
    );
  }
  return runAll(server, ["SET GLOBAL rpl_semi_sync_source_enabled = OFF"]);
}

const RELEASE = "SELECT RELEASE_ALL_LOCKS() AS released";

export async function unlock(server: Server): Promise<Outcome<null>> {
  const released = await run(server, RELEASE);
  return released.ok ? succeed(null) : released;
}

/** Counts how often an epoch was opened, so that the commit always has something to be acknowledged. */
const TERM = `INSERT INTO ordinal.term (epoch, cluster_uid, server_uuid, op_id, at)
 VALUES (?, ?, @@GLOBAL.server_uuid, ?, ?)
 ON DUPLICATE KEY UPDATE cluster_uid = VALUES(cluster_uid), server_uuid = VALUES(server_uuid),
 op_id = VALUES(op_id), at = VALUES(at), opened = opened + 1`;

export const REGISTERED = `SELECT SLEEP(0.01) AS waited, (SELECT VARIABLE_VALUE FROM performance_schema.global_status
 WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_clients') AS clients`;
/** With the pauses between them, half a second and more: longer than followers need that come at all. */
const LOOKS_MAX = 50;

/**
 * The thread that hears acknowledgements looks for new followers when one that it knows speaks, else once a second
 * (`Ack_receiver::run`, `listen_on_sockets`). A commit that needs two would wait for that second where the second
 * follower comes after the first one has answered. Whoever does not come is not waited for here.
 */
async function untilRegistered(server: Server, ackCount: number): Promise<Outcome<null>> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const read = await readRow(server, REGISTERED);
    if (!read.ok) return read;
    if (Number(read.value["clients"]) >= ackCount) break;
  }
  return succeed(null);
}

export async function open(
  server: Server,
  term: {
    readonly epoch: number;
    readonly clusterUid: string;
    readonly opId: string;
    readonly ackCount: number;
    readonly at: string;
  },
  timeoutMs: number,
): Promise<Outcome<null>> {
  const registered = term.ackCount > 1 ? await untilRegistered(server, term.ackCount) : succeed(null);
  if (!registered.ok) return registered;
  const read = await readRow(server, ACKNOWLEDGEMENTS);
  if (!read.ok) return read;
  const row = read.value;
  if (Number(row["receiving"]) > 0) return fail("conflict", "this server still receives from another one");
  if (term.ackCount > 0 && !isArmed(row, term.ackCount))
    return fail("conflict", "this server does not require acknowledgements");
  if (term.ackCount === 0 && row["required"] === "1") {
    return fail("conflict", "this server requires acknowledgements, and nobody is recorded who gives them");
  }
  const opening = [
    // The sender looks through the newest file for each follower's place; a new file is short. And
    // `read_only = OFF` clears super_read_only too; the other way round read_only would stay.
    ...(row["closed"] === "1" ? ["FLUSH BINARY LOGS", "SET GLOBAL read_only = OFF"] : []),
    ...(row["offline"] === "1" ? ["SET GLOBAL offline_mode = OFF"] : []),
  ];
  // The lock is given back before the commit: a session whose commit waits would keep it even when it is killed.
  const opened = await runAll(server, [...opening, RELEASE]);
  if (!opened.ok) return opened;
  const values = [term.epoch, term.clusterUid, term.opId, term.at];
  const written = await run(server, TERM, values, { timeoutMs });
  return written.ok ? stillGoing(server, term.ackCount) : written;
}

function isArmed(row: Row, ackCount: number): boolean {
  return row["required"] === "1" && Number(row["count"]) >= ackCount && strict(row);
}

/** A graceful stop answers OK to a commit that nobody has acknowledged, and nothing more after that (measured: 9.7). */
async function stillGoing(server: Server, ackCount: number): Promise<Outcome<null>> {
  const read = await readRow(server, ACKNOWLEDGEMENTS);
  if (!read.ok) return read;
  if (ackCount === 0 || isArmed(read.value, ackCount)) return succeed(null);
  return fail("transient", "acknowledgements were switched off while the term row waited for them");
}

const HEARTBEAT = `INSERT INTO ordinal.heartbeat (slot, beats) VALUES (CONNECTION_ID() % 16, 1)
 ON DUPLICATE KEY UPDATE beats = beats + 1`;

/**
 * An acknowledgement that was lost on the way is made good by that of any later commit. Written late it does no
 * harm: a server that is no longer the primary is read-only.
 */
export async function nudge(server: Server, timeoutMs: number): Promise<Outcome<null>> {
  const released = await unlock(server);
  if (!released.ok) return released;
  const written = await run(server, HEARTBEAT, [], { timeoutMs });
  return written.ok ? succeed(null) : written;
}

export const SESSIONS =
  "SELECT PROCESSLIST_ID AS id FROM performance_schema.threads WHERE PROCESSLIST_USER = ?";

/**
 * First nobody can come in with it, then whoever is in is put out; an acknowledger could come back else. It
 * concerns this server alone and is not logged: logged, it would wait for an acknowledgement, which nobody
 * gives while the only replica is the one to be let in again.
 */
export async function lockAccount(server: Server, account: string, locked: boolean): Promise<Outcome<null>> {
  const quiet = await run(server, "SET SESSION sql_log_bin = OFF");
  if (!quiet.ok) return quiet;
  const changed = await runAll(server, [
    `ALTER USER ${accountLiteral(account)} ACCOUNT ${locked ? "LOCK" : "UNLOCK"}`,
  ]);
  // Also after a failure: what this session does next must be logged again.
  const logged = await run(server, "SET SESSION sql_log_bin = ON");
  if (!logged.ok) return logged;
  if (!changed.ok || !locked) return changed;
  const sessions = await run(server, SESSIONS, [account]);
  if (!sessions.ok) return sessions;
  for (const { id } of sessions.value) {
    const killed = await run(server, "KILL ?", [Number(id)]);
    if (!killed.ok && killed.failure.code !== NO_SUCH_THREAD) return killed;
  }
  return succeed(null);
}

const NO_SUCH_THREAD = 1094;

/** Settings for restarts only; what runs goes on as it does. Being managed again undoes all of it. */
export function handOver(
  server: Server,
  role: "primary" | "replica",
  ackCount: number,
): Promise<Outcome<null>> {
  if (role === "replica") {
    return runAll(server, [
      "SET PERSIST_ONLY skip_replica_start = OFF",
      "SET PERSIST_ONLY super_read_only = ON",
    ]);
  }
  const required = [
    `SET PERSIST_ONLY rpl_semi_sync_source_wait_for_replica_count = ${countLiteral(ackCount)}`,
    "SET PERSIST_ONLY rpl_semi_sync_source_enabled = ON",
  ];
  return runAll(server, [
    // Acknowledgements come first: cut off in between, a restart comes back closed and not unguarded.
    ...(ackCount > 0 ? required : ["RESET PERSIST IF EXISTS rpl_semi_sync_source_enabled"]),
    "RESET PERSIST IF EXISTS super_read_only",
    "SET PERSIST_ONLY skip_replica_start = OFF",
  ]);
}
