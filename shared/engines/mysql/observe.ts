/**
 * Reads one server in four statements that lock nothing and write nothing, logged in as the user's account
 * or as ours. Their order carries meaning. What says that a server cannot move (read-only, receiver off,
 * nobody waiting) is read before the positions: while it holds, the positions are final. What would show
 * that a server holds somebody's data is read after them: data that came in between is then seen as data
 * and cannot hide behind an old, small position. Never reads a password hash.
 */
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Channel, ServerFacts, Survey, Term } from "../../model/server.ts";
import type { Row, Server } from "../../ports/server.ts";
import { CONTROL_ACCOUNT, REPLICATION_PREFIX } from "./accounts.ts";
import { gtidSets } from "./gtid.ts";
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
    "log_bin",
    "log_replica_updates",
    "binlog_format",
    "performance_schema",
    "persisted_globals_load",
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
const FLAGS = `SELECT 'v' AS kind, VARIABLE_NAME AS name, VARIABLE_VALUE AS value
 FROM performance_schema.global_variables WHERE VARIABLE_NAME IN (${listed(VARIABLES)})
 UNION ALL SELECT 's', VARIABLE_NAME, VARIABLE_VALUE
 FROM performance_schema.global_status WHERE VARIABLE_NAME IN (${listed(COUNTERS)})
 UNION ALL SELECT 'p', VARIABLE_NAME, VARIABLE_VALUE
 FROM performance_schema.persisted_variables WHERE VARIABLE_NAME IN (${listed(VARIABLES)})
 UNION ALL SELECT 't', TABLE_NAME, '' FROM information_schema.tables WHERE TABLE_SCHEMA = 'ordinal'
 UNION ALL SELECT 'n', 'now', UNIX_TIMESTAMP(NOW(6))`;

/**
 * One row for each channel, with whatever its threads last complained of. A worker says what went wrong,
 * its coordinator only that a worker stopped, so the worker's words come first.
 */
const CHANNELS = `SELECT c.CHANNEL_NAME AS name, c.HOST AS host, c.USER AS account,
 c.AUTO_POSITION AS auto_position, c.SSL_ALLOWED AS tls, s.SOURCE_UUID AS source_uuid,
 s.SERVICE_STATE AS receiver, s.LAST_ERROR_NUMBER AS receiver_number, s.LAST_ERROR_MESSAGE AS receiver_error,
 s.RECEIVED_TRANSACTION_SET AS received, a.SERVICE_STATE AS applier,
 COALESCE(
  (SELECT w.LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker w
   WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.LAST_ERROR_NUMBER <> 0 LIMIT 1),
  (SELECT o.LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator o
   WHERE o.CHANNEL_NAME = c.CHANNEL_NAME AND o.LAST_ERROR_NUMBER <> 0 LIMIT 1)) AS applier_error,
 (SELECT MIN(UNIX_TIMESTAMP(w.APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP))
  FROM performance_schema.replication_applier_status_by_worker w
  WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.APPLYING_TRANSACTION <> '') AS applying_since
 FROM performance_schema.replication_connection_configuration c
 LEFT JOIN performance_schema.replication_connection_status s USING (CHANNEL_NAME)
 LEFT JOIN performance_schema.replication_applier_status a USING (CHANNEL_NAME)
 WHERE c.HOST <> '' OR c.CHANNEL_NAME <> ''`;

const POSITIONS = "SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged";

/** Threads that send the binary log to somebody. */
const FOLLOWERS = `SELECT 'f' AS kind, '' AS a, COUNT(*) AS b, '' AS c FROM performance_schema.threads
 WHERE PROCESSLIST_COMMAND IN ('Binlog Dump', 'Binlog Dump GTID')`;
const ACCOUNTS = `SELECT 'u', USER, ATTRIBUTE, '' FROM information_schema.user_attributes WHERE HOST = '%'
 AND (USER = '${CONTROL_ACCOUNT}' OR LEFT(USER, ${REPLICATION_PREFIX.length}) = '${REPLICATION_PREFIX}')`;
const TERMS = "(SELECT 't', epoch, cluster_uid, server_uuid FROM ordinal.term ORDER BY epoch DESC LIMIT 32)";
const SEEDING = `SELECT 'c', STATE, (SELECT FLOOR(100 * SUM(DATA) / NULLIF(SUM(ESTIMATE), 0))
 FROM performance_schema.clone_progress), CONCAT(ERROR_MESSAGE, ' (', ERROR_NO, ')')
 FROM performance_schema.clone_status`;
/** Schemas with something in them: an empty one may well be made by the image itself (MYSQL_DATABASE). */
export const SURVEY = `SELECT DISTINCT 'd' AS kind, x.name AS a, '' AS b, '' AS c FROM (
 SELECT TABLE_SCHEMA AS name FROM information_schema.tables
 UNION ALL SELECT ROUTINE_SCHEMA FROM information_schema.routines
 UNION ALL SELECT EVENT_SCHEMA FROM information_schema.events) x
 WHERE x.name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema', 'ordinal')`;

/** The server does not know the table: it is not a MySQL of our time. */
const NO_SUCH_TABLE = 1146;

export async function observe(
  server: Server,
  options: { readonly survey: boolean },
): Promise<Outcome<ServerFacts>> {
  const flags = await server.query(FLAGS);
  if (!flags.ok) return flags.failure.code === NO_SUCH_TABLE ? observeStranger(server) : flags;
  const read = readFlags(flags.value);
  const channels = await server.query(CHANNELS);
  if (!channels.ok) return channels;
  const positions = await server.query(POSITIONS);
  if (!positions.ok) return positions;
  const parts = [FOLLOWERS, ACCOUNTS];
  if (read.tables.has("term")) parts.push(TERMS);
  // The plugin brings this variable and the two tables together.
  if (read.settings["clone_valid_donor_list"] !== undefined) parts.push(SEEDING);
  if (options.survey) parts.push(SURVEY);
  const rest = await server.query(parts.join("\n UNION ALL "));
  if (!rest.ok) return rest;
  return succeed(toFacts(read, channels.value, positions.value[0] ?? {}, rest.value, options.survey));
}

interface Flags {
  readonly settings: Record<string, string>;
  readonly counters: Readonly<Record<string, string>>;
  readonly tables: ReadonlySet<string>;
  readonly nowMs: number;
}

function readFlags(rows: readonly Row[]): Flags {
  const settings: Record<string, string> = {};
  const counters: Record<string, string> = {};
  const tables = new Set<string>();
  let nowMs = 0;
  for (const { kind, name, value } of rows) {
    const key = name ?? "";
    if (kind === "v") settings[key] = value ?? "";
    else if (kind === "p") settings[`persisted:${key}`] = value ?? "";
    else if (kind === "s") counters[key] = value ?? "";
    else if (kind === "t") tables.add(key);
    else nowMs = milliseconds(value);
  }
  return { settings, counters, tables, nowMs };
}

function toFacts(
  { settings, counters, tables, nowMs }: Flags,
  channels: readonly Row[],
  positions: Row,
  rest: readonly Row[],
  surveyed: boolean,
): ServerFacts {
  const executed = positions["executed"] ?? "";
  const channel = channels.find((row) => row["name"] === "");
  const others = channels.filter((row) => row["name"] !== "").map((row) => row["name"]);
  if (others.length > 0) settings["other_channels"] = others.join(", ");
  if (tables.has("term")) settings["table:term"] = "present";
  for (const row of rest.filter(({ kind }) => kind === "u")) settings[`account:${row["a"]}`] = row["b"] ?? "";
  const version = settings["version"] ?? "";
  const applyingSince = milliseconds(channel?.["applying_since"]);
  return {
    serverUuid: settings["server_uuid"] ?? "",
    version,
    flavor: flavorOf(`${version} ${settings["version_comment"]}`),
    startedAtMs: (Math.floor(nowMs / 1000) - number(counters["Uptime"])) * 1000,
    nowMs,
    readOnly: settings["read_only"] === "ON",
    executed,
    received: channel === undefined ? executed : gtidSets.union(executed, channel["received"] ?? ""),
    purged: positions["purged"] ?? "",
    channel: channel === undefined ? null : toChannel(channel),
    applyingSinceMs: applyingSince === 0 ? null : applyingSince,
    followers: number(rest.find(({ kind }) => kind === "f")?.["b"]),
    acks: {
      required: settings["rpl_semi_sync_source_enabled"] === "ON",
      count: number(settings["rpl_semi_sync_source_wait_for_replica_count"]),
      clients: number(counters["Rpl_semi_sync_source_clients"]),
      waiters: number(counters["Rpl_semi_sync_source_wait_sessions"]),
      given: settings["rpl_semi_sync_replica_enabled"] === "ON",
      active: counters["Rpl_semi_sync_replica_status"] === "ON",
    },
    seeding: toSeeding(rest.find(({ kind }) => kind === "c")),
    terms: rest.filter(({ kind }) => kind === "t").map(toTerm),
    survey: surveyed ? toSurvey(rest) : null,
    settings,
  };
}

const RECEIVER = { ON: "on", CONNECTING: "connecting" } as const;

function toChannel(row: Row): Channel {
  const failed = number(row["receiver_number"]) !== 0;
  return {
    sourceHost: row["host"] ?? "",
    sourceUuid: row["source_uuid"] || null,
    receiver: RECEIVER[row["receiver"] as keyof typeof RECEIVER] ?? "off",
    applier: row["applier"] === "ON" ? "on" : "off",
    account: row["account"] ?? "",
    autoPosition: row["auto_position"] === "1",
    tls: row["tls"] === "YES",
    receiverError: failed ? `${row["receiver_error"]} (${row["receiver_number"]})` : null,
    applierError: row["applier_error"] || null,
  };
}

const SEEDING_KINDS: Readonly<Record<string, ServerFacts["seeding"]["kind"]>> = {
  "In Progress": "running",
  Completed: "done",
  Failed: "failed",
};

function toSeeding(row: Row | undefined): ServerFacts["seeding"] {
  const kind = SEEDING_KINDS[row?.["a"] ?? ""] ?? "none";
  const percent = kind === "running" ? Math.min(100, number(row?.["b"])) : kind === "done" ? 100 : 0;
  return { kind, percent, error: kind === "failed" ? (row?.["c"] ?? "") : null };
}

function toTerm(row: Row): Term {
  return { epoch: number(row["a"]), clusterUid: row["b"] ?? "", serverUuid: row["c"] ?? "" };
}

export function toSurvey(rows: readonly Row[]): Survey {
  return { schemas: rows.filter(({ kind }) => kind === "d").map(({ a }) => a ?? "") };
}

/** Enough to say whom we met: a MariaDB, or a MySQL too old for anything else here. */
async function observeStranger(server: Server): Promise<Outcome<ServerFacts>> {
  const said = await server.query("SELECT VERSION() AS version");
  if (!said.ok) return said;
  const version = said.value[0]?.["version"];
  if (typeof version !== "string") return fail("refused", "the server does not say its version");
  const flags: Flags = { settings: { version }, counters: {}, tables: new Set(), nowMs: 0 };
  return succeed(toFacts(flags, [], {}, [], false));
}

function flavorOf(said: string): string {
  return /mariadb/i.test(said) ? "MariaDB" : "MySQL";
}

/** From seconds with a fraction, as UNIX_TIMESTAMP prints them. */
function milliseconds(seconds: string | null | undefined): number {
  return Math.floor(Number(seconds ?? 0) * 1000);
}

function number(text: string | null | undefined): number {
  return Number(text ?? 0);
}
