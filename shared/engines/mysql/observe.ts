/**
 * Reads one server in two statements (three with a survey) that lock nothing and write nothing, logged in
 * as the user's account or as ours. Their order carries meaning. What says that a server cannot move
 * (read-only, receiver off, nobody waiting) is read before the positions: while it holds, they are final.
 * What would show that a server holds somebody's data is read after them: data that came in between is then
 * seen as data and cannot hide behind an old, small position. Never reads a password hash.
 */
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Archive, Channel, ServerFacts, Survey, Term } from "../../model/server.ts";
import type { Standstill } from "../../ports/engine.ts";
import type { Row, Server } from "../../ports/server.ts";
import { CONTROL_ACCOUNT, REPLICATION_PREFIX } from "./accounts.ts";
import { gtidSets } from "./gtid.ts";
import { readRow, run } from "./run.ts";
import { SETTINGS } from "./settings.ts";

/** Read for facts and rules; the settings that are only checked come from their own table. */
const VARIABLES: readonly string[] = [
  ...new Set([
    ...SETTINGS.map((setting) => setting.name),
    "server_uuid",
    "version",
    "version_comment",
    "server_id",
    "read_only",
    "offline_mode",
    "log_bin",
    "log_replica_updates",
    "binlog_format",
    "performance_schema",
    "persisted_globals_load",
    "binlog_expire_logs_seconds",
    "gtid_mode",
    "enforce_gtid_consistency",
    "group_replication_group_name",
    "clone_valid_donor_list",
    "rpl_semi_sync_replica_enabled",
    "rpl_semi_sync_source_wait_for_replica_count",
  ]),
];
const COUNTERS = [
  "Uptime",
  "Rpl_semi_sync_source_clients",
  "Rpl_semi_sync_source_wait_sessions",
  "Rpl_semi_sync_replica_status",
] as const;

/** Only our own constants are ever listed. */
function listed(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(",");
}

/**
 * The tables of performance_schema answer for variables that no plugin brought yet with a missing row,
 * where `SELECT @@name` would fail. Uptime counts whole seconds up to the statement's own start, so it is
 * taken together with that start, and the difference is the same in every observation.
 */
const FLAGS = `SELECT JSON_OBJECTAGG(name, value) FROM (
 SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value
 FROM performance_schema.global_variables WHERE VARIABLE_NAME IN (${listed(VARIABLES)})
 UNION ALL SELECT CONCAT('status:', VARIABLE_NAME), VARIABLE_VALUE
 FROM performance_schema.global_status WHERE VARIABLE_NAME IN (${listed(COUNTERS)})
 UNION ALL SELECT CONCAT('persisted:', VARIABLE_NAME), VARIABLE_VALUE
 FROM performance_schema.persisted_variables WHERE VARIABLE_NAME IN (${listed(VARIABLES)})
 UNION ALL SELECT CONCAT('table:', TABLE_NAME), 'present'
 FROM information_schema.tables WHERE TABLE_SCHEMA = 'ordinal'
 UNION ALL SELECT 'now', UNIX_TIMESTAMP(NOW(6))) f`;

/** What a receiver writes into the error log when its stream breaks, is ended by the source, and begins (measured: 9.7). */
const STREAM_CUT = "MY-010557";
const STREAM_ENDED = "MY-010558";
const STREAM_BEGUN = "MY-014002";

/**
 * One object for each channel, with whatever its threads last complained of. A source without news sends a heartbeat every half
 * second; in the middle of a large transaction it sends none. A worker says what went wrong,
 * its coordinator only that a worker stopped, so the worker's words come first.
 */
const CHANNELS = `SELECT JSON_ARRAYAGG(JSON_OBJECT('name', c.CHANNEL_NAME, 'host', c.HOST, 'account', c.USER,
 'autoPosition', c.AUTO_POSITION, 'tls', c.SSL_ALLOWED, 'sourceUuid', s.SOURCE_UUID,
 'receiver', s.SERVICE_STATE, 'receiverNumber', s.LAST_ERROR_NUMBER, 'receiverError', s.LAST_ERROR_MESSAGE,
 'received', s.RECEIVED_TRANSACTION_SET, 'applier', a.SERVICE_STATE,
 'silentMs', IF(s.SERVICE_STATE = 'ON' AND s.QUEUEING_TRANSACTION = '', TIMESTAMPDIFF(MICROSECOND,
  GREATEST(s.LAST_HEARTBEAT_TIMESTAMP, s.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP), NOW(6)) DIV 1000, NULL),
 'sourceLeft', IF(s.SERVICE_STATE = 'ON', NULL, (SELECT e.ERROR_CODE FROM performance_schema.error_log e
  WHERE e.ERROR_CODE IN ('${STREAM_CUT}', '${STREAM_ENDED}', '${STREAM_BEGUN}') ORDER BY e.LOGGED DESC LIMIT 1)),
 'applierError', COALESCE(
  (SELECT w.LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker w
   WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.LAST_ERROR_NUMBER <> 0 LIMIT 1),
  (SELECT o.LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator o
   WHERE o.CHANNEL_NAME = c.CHANNEL_NAME AND o.LAST_ERROR_NUMBER <> 0 LIMIT 1)),
 'applyingSince', (SELECT MIN(UNIX_TIMESTAMP(w.APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP))
  FROM performance_schema.replication_applier_status_by_worker w
  WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.APPLYING_TRANSACTION <> '')))
 FROM performance_schema.replication_connection_configuration c
 LEFT JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)
 LEFT JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)
 WHERE c.HOST <> '' OR c.CHANNEL_NAME <> ''`;

/** Each statement costs a resident host more than what is in it, so there are few, of one row, in JSON. */
const FIRST = `SELECT (${FLAGS}) AS flags, (${CHANNELS}) AS channels`;

/** What a thread writes into the error log that finds no room; it looks again each minute (my_write, measured: 9.7). */
const DISK_FULL = "e.ERROR_CODE = 'MY-000035' AND e.DATA LIKE 'Disk is full%'";

/**
 * The server does not say that there is room again. So the disk is full as long as the thread that said so still does
 * what it did then: the same commit, or the same transaction from its source. Whole seconds, hence one to spare.
 */
const FULL_DISK = `SELECT MAX(seconds) FROM (
 SELECT t.PROCESSLIST_TIME AS seconds FROM performance_schema.threads t
 WHERE t.PROCESSLIST_STATE = 'waiting for handler commit' AND EXISTS (SELECT 1 FROM performance_schema.error_log e
  WHERE ${DISK_FULL} AND e.THREAD_ID = t.PROCESSLIST_ID
  AND TIMESTAMPDIFF(SECOND, e.LOGGED, NOW(6)) <= t.PROCESSLIST_TIME + 1)
 UNION ALL SELECT TIMESTAMPDIFF(SECOND, s.QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP, NOW(6))
 FROM performance_schema.replication_connection_status s
 WHERE s.QUEUEING_TRANSACTION <> '' AND EXISTS (SELECT 1 FROM performance_schema.error_log e
  WHERE ${DISK_FULL} AND e.LOGGED >= s.QUEUEING_TRANSACTION_START_QUEUE_TIMESTAMP)) d`;

/** A follower is a thread that sends the binary log to somebody. A commit that waits says so in its thread's state. */
const SECOND = `SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged,
 (SELECT MAX(PROCESSLIST_TIME) FROM performance_schema.threads
  WHERE PROCESSLIST_STATE = 'Waiting for semi-sync ACK from replica') AS waiting,
 (${FULL_DISK}) AS fullDisk,
 (SELECT COUNT(*) FROM performance_schema.threads
  WHERE PROCESSLIST_COMMAND IN ('Binlog Dump', 'Binlog Dump GTID')) AS followers,
 (SELECT JSON_OBJECTAGG(CONCAT('account:', USER), ATTRIBUTE)
  FROM information_schema.user_attributes WHERE HOST = '%' AND (USER = '${CONTROL_ACCOUNT}'
  OR LEFT(USER, ${REPLICATION_PREFIX.length}) = '${REPLICATION_PREFIX}')) AS accounts`;
const TERMS = `(SELECT JSON_ARRAYAGG(JSON_OBJECT('epoch', epoch, 'clusterUid', cluster_uid,
 'serverUuid', server_uuid, 'opened', opened)) FROM (SELECT * FROM ordinal.term ORDER BY epoch DESC LIMIT 32) t) AS terms`;
/** The newest only: what is looked for is what a server of now holds. */
const ARCHIVED = `(SELECT JSON_ARRAYAGG(JSON_OBJECT('epoch', epoch, 'serverUuid', server_uuid, 'gtids', gtids))
 FROM (SELECT epoch, server_uuid, gtids FROM ordinal.archive ORDER BY epoch DESC LIMIT 32) a) AS archived`;
const SEEDING = `(SELECT JSON_OBJECT('state', STATE, 'error', CONCAT(ERROR_MESSAGE, ' (', ERROR_NO, ')'),
 'bytes', (SELECT SUM(DATA) FROM performance_schema.clone_progress),
 'expected', (SELECT SUM(ESTIMATE) FROM performance_schema.clone_progress))
 FROM performance_schema.clone_status LIMIT 1) AS seeding`;

/** Schemas with something in them: an empty one may well be made by the image itself (MYSQL_DATABASE). */
export const SURVEY = `SELECT DISTINCT 'd' AS kind, x.name AS name FROM (
 SELECT TABLE_SCHEMA AS name FROM information_schema.tables
 UNION ALL SELECT ROUTINE_SCHEMA FROM information_schema.routines
 UNION ALL SELECT EVENT_SCHEMA FROM information_schema.events) x
 WHERE x.name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'ordinal')`;

/** It looks at every table that there is. */
const SURVEY_TIMEOUT_MS = 15_000;

/** The server does not know the table: it is not a MySQL of our time. */
const NO_SUCH_TABLE = 1146;

type Settings = Record<string, string>;

interface ChannelRow {
  readonly name: string;
  readonly host: string;
  readonly account: string;
  readonly autoPosition: string;
  readonly tls: string;
  readonly sourceUuid: string;
  readonly receiver: string;
  readonly receiverNumber: number;
  readonly receiverError: string;
  readonly received: string;
  readonly applier: string;
  readonly silentMs: number | null;
  readonly sourceLeft: string | null;
  readonly applierError: string | null;
  readonly applyingSince: number | null;
}

export async function observe(
  server: Server,
  options: { readonly survey: boolean },
): Promise<Outcome<ServerFacts>> {
  const first = await readRow(server, FIRST);
  if (!first.ok) return first.failure.code === NO_SUCH_TABLE ? observeStranger(server) : first;
  const settings = parse<Settings>(first.value["flags"], {});
  const channels = parse<readonly ChannelRow[]>(first.value["channels"], []);
  const parts = [SECOND];
  if (settings["table:term"] !== undefined) parts.push(TERMS);
  if (settings["table:archive"] !== undefined) parts.push(ARCHIVED);
  // The plugin brings this variable and the two tables together.
  if (settings["clone_valid_donor_list"] !== undefined) parts.push(SEEDING);
  const second = await readRow(server, parts.join(",\n "));
  if (!second.ok) return second;
  Object.assign(settings, parse<Settings>(second.value["accounts"], {}));
  const stored = deletesLogs(settings) ? succeed(null) : await storedBytes(server);
  if (!stored.ok) return stored;
  const facts = { ...toFacts(settings, channels, second.value), storedBytes: stored.value };
  if (!options.survey) return succeed(facts);
  const survey = await run(server, SURVEY, [], { timeoutMs: SURVEY_TIMEOUT_MS });
  return survey.ok ? succeed({ ...facts, survey: toSurvey(survey.value) }) : survey;
}

const STILL = `SELECT @@GLOBAL.read_only AS closed,
 (SELECT VARIABLE_VALUE FROM performance_schema.global_status
  WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions') AS waiters,
 (SELECT COUNT(*) FROM performance_schema.replication_connection_status
  WHERE SERVICE_STATE <> 'OFF') AS receiving`;
const HELD = `SELECT @@GLOBAL.gtid_executed AS executed,
 (SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status
  WHERE CHANNEL_NAME = '') AS received`;

/** In the order in which the whole observation reads it. */
export async function standstill(server: Server): Promise<Outcome<Standstill>> {
  const still = await readRow(server, STILL);
  if (!still.ok) return still;
  const held = await readRow(server, HELD);
  if (!held.ok) return held;
  return succeed({
    closed: still.value["closed"] === "1",
    waiters: Number(still.value["waiters"] ?? 0),
    receiving: Number(still.value["receiving"]) > 0,
    received: gtidSets.union(held.value["executed"] ?? "", held.value["received"] ?? ""),
  });
}

function parse<T>(text: string | null | undefined, none: T): T {
  return text === null || text === undefined ? none : (JSON.parse(text) as T);
}

function toFacts(settings: Settings, channels: readonly ChannelRow[], second: Row): ServerFacts {
  const executed = second["executed"] ?? "";
  const channel = channels.find(({ name }) => name === "");
  const others = channels.filter(({ name }) => name !== "");
  if (others.length > 0) settings["other_channels"] = others.map(({ name }) => name).join(", ");
  const version = settings["version"] ?? "";
  const nowMs = milliseconds(settings["now"]);
  return {
    serverUuid: settings["server_uuid"] ?? "",
    version,
    flavor: /mariadb/i.test(`${version} ${settings["version_comment"]}`) ? "MariaDB" : "MySQL",
    startedAtMs: (Math.floor(nowMs / 1000) - Number(settings["status:Uptime"] ?? 0)) * 1000,
    nowMs,
    readOnly: settings["read_only"] === "ON",
    offline: settings["offline_mode"] === "ON",
    executed,
    received: channel === undefined ? executed : gtidSets.union(executed, channel.received),
    purged: second["purged"] ?? "",
    channel: channel === undefined ? null : toChannel(channel),
    // The server keeps 0 for a transaction of which it does not know the instant.
    applyingSinceMs: channel?.applyingSince ? milliseconds(channel.applyingSince) : null,
    followers: Number(second["followers"] ?? 0),
    logsKeptMs: Number(settings["binlog_expire_logs_seconds"] ?? 0) * 1_000 || null,
    deletesLogs: deletesLogs(settings),
    storedBytes: null,
    fullDiskMs: Number(second["fullDisk"] ?? 0) * 1_000,
    acks: toAcks(settings, second),
    seeding: toSeeding(parse<SeedingRow | null>(second["seeding"], null)),
    terms: parse<readonly Term[]>(second["terms"], []),
    archived: parse<readonly Archive[]>(second["archived"], []),
    survey: null,
    settings,
  };
}

function deletesLogs(settings: Settings): boolean {
  return settings["binlog_expire_logs_auto_purge"] !== "OFF";
}

/** Each table's file is looked at, and the list of logs is locked meanwhile: this is for servers whose logs grow without an end. */
const TABLE_BYTES = "SELECT SUM(FILE_SIZE) AS bytes FROM information_schema.INNODB_TABLESPACES";
const LOG_BYTES = "SHOW BINARY LOGS";

/** Null where the server does not tell us: it is no less there. */
async function storedBytes(server: Server): Promise<Outcome<number | null>> {
  const tables = await readRow(server, TABLE_BYTES);
  if (!tables.ok) return tables.failure.kind === "refused" ? succeed(null) : tables;
  const logs = await run(server, LOG_BYTES);
  if (!logs.ok) return logs.failure.kind === "refused" ? succeed(null) : logs;
  const sizes = logs.value.map((log) => Number(log["File_size"]));
  return succeed(sizes.reduce((sum, size) => sum + size, Number(tables.value["bytes"] ?? 0)));
}

function toAcks(settings: Settings, second: Row): ServerFacts["acks"] {
  return {
    required: settings["rpl_semi_sync_source_enabled"] === "ON",
    count: Number(settings["rpl_semi_sync_source_wait_for_replica_count"] ?? 0),
    clients: Number(settings["status:Rpl_semi_sync_source_clients"] ?? 0),
    waiters: Number(settings["status:Rpl_semi_sync_source_wait_sessions"] ?? 0),
    waitingMs: Number(second["waiting"] ?? 0) * 1_000,
    given: settings["rpl_semi_sync_replica_enabled"] === "ON",
    active: settings["status:Rpl_semi_sync_replica_status"] === "ON",
  };
}

const ACCOUNT_LOCKED = 3118;
/** The source answers 1236: it has purged what is lacking, or has less of its own transactions. */
const SOURCE_FATAL = 13_114;
const RECEIVER: Readonly<Record<string, Channel["receiver"]>> = { ON: "on", CONNECTING: "connecting" };

function toChannel(row: ChannelRow): Channel {
  return {
    sourceHost: row.host,
    sourceUuid: row.sourceUuid || null,
    receiver: RECEIVER[row.receiver] ?? "off",
    applier: row.applier === "ON" ? "on" : "off",
    account: row.account,
    autoPosition: row.autoPosition === "1",
    tls: row.tls === "YES",
    silentMs: Math.max(0, row.silentMs ?? 0),
    sourceLeft: row.sourceLeft === STREAM_CUT ? "cut" : row.sourceLeft === STREAM_ENDED ? "orderly" : null,
    lockedOut: row.receiverNumber === ACCOUNT_LOCKED,
    starved: row.receiverNumber === SOURCE_FATAL,
    receiverError: row.receiverNumber === 0 ? null : `${row.receiverError} (${row.receiverNumber})`,
    applierError: row.applierError || null,
  };
}

interface SeedingRow {
  readonly state: string;
  readonly error: string;
  readonly bytes: number | null;
  readonly expected: number | null;
}

const SEEDING_KINDS: Readonly<Record<string, ServerFacts["seeding"]["kind"]>> = {
  "In Progress": "running",
  Completed: "done",
  Failed: "failed",
};

/** The donor was busy with another copy: nothing began here, and trying again is all there is to do. */
const DONOR_BUSY = /Error: 3634\b/;

function toSeeding(row: SeedingRow | null): ServerFacts["seeding"] {
  const kind = DONOR_BUSY.test(row?.error ?? "") ? "none" : (SEEDING_KINDS[row?.state ?? ""] ?? "none");
  const error = kind === "failed" ? (row?.error ?? "") : null;
  return { kind, bytes: row?.bytes ?? 0, bytesExpected: row?.expected ?? 0, error };
}

export function toSurvey(rows: readonly Row[]): Survey {
  return { schemas: rows.filter(({ kind }) => kind === "d").map(({ name }) => name ?? "") };
}

/** Enough to say whom we met: a MariaDB, or a MySQL too old for anything else here. */
async function observeStranger(server: Server): Promise<Outcome<ServerFacts>> {
  const said = await readRow(server, "SELECT VERSION() AS version");
  return said.ok ? succeed(toFacts({ version: said.value["version"] ?? "" }, [], {})) : said;
}

/** From seconds with a fraction, as UNIX_TIMESTAMP prints them. */
function milliseconds(seconds: string | number | undefined): number {
  return Math.floor(Number(seconds ?? 0) * 1000);
}
