/**
 * What a replica is told: whom to follow, whether to acknowledge, and to say when it has executed enough.
 * INV-6: nothing here discards a transaction that was received and not executed. CHANGE REPLICATION SOURCE
 * deletes the relay log when both threads stand still, so that form is used only on an applied one.
 */
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { Peer } from "../../ports/engine.ts";
import type { Row, Server } from "../../ports/server.ts";
import { EXECUTED_ALL, readRow, runAll } from "./run.ts";
import { accountLiteral, hostLiteral, passwordLiteral, portLiteral } from "./text.ts";

export const CHANNEL = `SELECT c.HOST AS host, c.PORT AS port, c.USER AS account, c.AUTO_POSITION AS auto_position,
 c.SSL_ALLOWED AS tls, s.SERVICE_STATE AS receiver, a.SERVICE_STATE AS applier,
 GTID_SUBSET(s.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed) AS applied, d.DESIRED_DELAY AS delay
 FROM performance_schema.replication_connection_configuration c
 JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)
 JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)
 JOIN performance_schema.replication_applier_configuration d USING (CHANNEL_NAME)
 WHERE c.CHANNEL_NAME = '' AND c.HOST <> ''`;

/** Whatever it was before, it takes no writes from now on, and who reads from it may come in. */
const CLOSE = ["SET GLOBAL super_read_only = ON", "SET GLOBAL offline_mode = OFF"];

/** What may be changed while the applier runs. A lost source is tried again every second, without end. */
function receiverClauses({ host, port, account }: Peer): string {
  const user = accountLiteral(account.username).replace("@'%'", "");
  return `SOURCE_HOST = ${hostLiteral(host)}, SOURCE_PORT = ${portLiteral(port)},
 SOURCE_USER = ${user}, SOURCE_PASSWORD = ${passwordLiteral(account.password)}, SOURCE_SSL = 1,
 SOURCE_HEARTBEAT_PERIOD = 0.5, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 0`;
}

export async function follow(
  server: Server,
  source: Peer,
  how: "full" | "receiver" | "start",
): Promise<Outcome<null>> {
  if (how === "start") return runAll(server, ["START REPLICA"]);
  const channel = await readRow(server, CHANNEL);
  if (!channel.ok) return channel;
  if (isFollowing(channel.value, source)) return succeed(null);
  // An applier that is stopped while half a transaction was received may take 60 s to stop (measured), so
  // one that runs as it should is left running.
  const { applier, auto_position, delay } = channel.value;
  if (how === "full" && applier === "ON" && auto_position === "1" && delay === "0") {
    const closed = await runAll(server, CLOSE);
    return closed.ok ? repoint(server, source, channel.value) : closed;
  }
  return how === "full" ? followFully(server, source, channel.value) : repoint(server, source, channel.value);
}

function isFollowing(channel: Row, { host, port, account }: Peer): boolean {
  return (
    channel["host"] === host &&
    channel["port"] === String(port) &&
    channel["account"] === account.username &&
    channel["auto_position"] === "1" &&
    channel["tls"] === "YES" &&
    channel["receiver"] === "ON" &&
    channel["applier"] === "ON"
  );
}

async function followFully(server: Server, source: Peer, channel: Row): Promise<Outcome<null>> {
  if (channel["host"] !== undefined) {
    const stopped = await runAll(server, ["STOP REPLICA IO_THREAD"]);
    if (!stopped.ok) return stopped;
    // Only now is the set of received transactions final.
    const rest = await readRow(server, CHANNEL);
    if (!rest.ok) return rest;
    if (rest.value["applied"] !== "1") {
      const applying = await runAll(server, ["START REPLICA SQL_THREAD"]);
      if (!applying.ok) return applying;
      return fail("transient", "transactions that were received are still being executed", {
        retryAfterMs: 1_000,
      });
    }
  }
  return runAll(server, [
    ...(channel["host"] === undefined ? [] : ["STOP REPLICA SQL_THREAD"]),
    ...CLOSE,
    `CHANGE REPLICATION SOURCE TO ${receiverClauses(source)}, SOURCE_AUTO_POSITION = 1, SOURCE_DELAY = 0`,
    "START REPLICA",
  ]);
}

function repoint(server: Server, source: Peer, channel: Row): Promise<Outcome<null>> {
  if (channel["host"] === undefined)
    return Promise.resolve(fail("conflict", "this server follows nobody yet"));
  return runAll(server, [
    // With the applier running the relay log is kept.
    ...(channel["applier"] === "ON" ? [] : ["START REPLICA SQL_THREAD"]),
    "STOP REPLICA IO_THREAD",
    `CHANGE REPLICATION SOURCE TO ${receiverClauses(source)}`,
    "START REPLICA IO_THREAD",
  ]);
}

export const GIVEN = `SELECT @@GLOBAL.rpl_semi_sync_replica_enabled AS given,
 (SELECT VARIABLE_VALUE FROM performance_schema.global_status
  WHERE VARIABLE_NAME = 'Rpl_semi_sync_replica_status') AS active,
 (SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables
  WHERE VARIABLE_NAME = 'rpl_semi_sync_replica_enabled') AS kept,
 (SELECT SERVICE_STATE FROM performance_schema.replication_connection_status
  WHERE CHANNEL_NAME = '') AS receiver`;

/** A source learns only when a receiver connects whether it acknowledges. */
export async function acknowledge(server: Server, on: boolean): Promise<Outcome<null>> {
  const state = await readRow(server, GIVEN);
  if (!state.ok) return state;
  const { given, active, kept, receiver } = state.value;
  const wish = on ? "ON" : "OFF";
  const settled = given === (on ? "1" : "0") && kept === wish;
  if (settled && active === wish && (receiver === "ON" || !on)) return succeed(null);
  const reconnect = ["STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"];
  return runAll(server, [
    ...(settled ? [] : [`SET PERSIST rpl_semi_sync_replica_enabled = ${wish}`]),
    // A receiver that was stopped on purpose is not started in order to stop acknowledging.
    ...(on || (receiver ?? "OFF") !== "OFF" ? reconnect : []),
  ]);
}

export const EXECUTED = "SELECT @@GLOBAL.gtid_executed AS executed";

export async function executed(server: Server): Promise<Outcome<Position>> {
  const row = await readRow(server, EXECUTED);
  return row.ok ? succeed(row.value["executed"] ?? "") : row;
}

/** The statement's own limit, and then some for the answer to come back. */
const MARGIN_MS = 2_000;

export async function awaitExecuted(
  server: Server,
  position: Position,
  timeoutMs: number,
): Promise<Outcome<null>> {
  const limit = { timeoutMs: timeoutMs + MARGIN_MS };
  const row = await readRow(server, EXECUTED_ALL, [position, timeoutMs / 1_000], limit);
  if (!row.ok) return row;
  if (row.value["late"] === "0") return succeed(null);
  return fail("transient", `not everything was executed within ${timeoutMs} ms`);
}
