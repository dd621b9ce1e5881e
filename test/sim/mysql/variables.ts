/** Global variables: what is compiled in, what plugins bring, which need a restart (facts L0). */

export const COMPILED: Readonly<Record<string, string>> = {
  binlog_expire_logs_auto_purge: "ON",
  binlog_expire_logs_seconds: "2592000",
  binlog_format: "ROW",
  enforce_gtid_consistency: "ON",
  gtid_mode: "ON",
  innodb_flush_log_at_trx_commit: "1",
  log_bin: "ON",
  log_replica_updates: "ON",
  max_connect_errors: "100",
  max_binlog_size: "1073741824",
  offline_mode: "OFF",
  performance_schema: "ON",
  persisted_globals_load: "ON",
  read_only: "OFF",
  relay_log_recovery: "OFF",
  replica_net_timeout: "60",
  replica_preserve_commit_order: "ON",
  server_id: "1",
  skip_replica_start: "OFF",
  super_read_only: "OFF",
  sync_binlog: "1",
  sync_relay_log: "10000",
  version: "9.7.4",
  version_comment: "MySQL Community Server - GPL",
};

export const PLUGIN_VARIABLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  rpl_semi_sync_source: {
    rpl_semi_sync_source_enabled: "OFF",
    rpl_semi_sync_source_timeout: "10000",
    rpl_semi_sync_source_wait_for_replica_count: "1",
    rpl_semi_sync_source_wait_no_replica: "ON",
    rpl_semi_sync_source_wait_point: "AFTER_SYNC",
  },
  rpl_semi_sync_replica: { rpl_semi_sync_replica_enabled: "OFF" },
  clone: { clone_valid_donor_list: "" },
};

/** Only SET PERSIST_ONLY is accepted for these. */
export const RESTART_ONLY: ReadonlySet<string> = new Set([
  "skip_replica_start",
  "relay_log_recovery",
  "log_replica_updates",
]);

/** `SELECT @@name` prints switches as numbers, the tables print words. */
export function asNumber(value: string): string {
  return value === "ON" ? "1" : value === "OFF" ? "0" : value;
}
