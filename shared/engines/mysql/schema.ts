/**
 * The tables of the schema `ordinal`. They are made on the primary and replicate from there, so every volume
 * and every later copy has them. A table is never changed or dropped: a new version brings a new one, and
 * whoever lacks it gets it, with the rights that the control account has since its first day.
 */
import { assert } from "../../model/outcome.ts";

const TABLES = {
  // One row for each epoch; its commit proves that the new configuration acknowledges (INV-7).
  term: `epoch BIGINT UNSIGNED NOT NULL PRIMARY KEY,
 cluster_uid VARCHAR(64) NOT NULL,
 server_uuid VARCHAR(36) NOT NULL,
 op_id VARCHAR(64) NOT NULL,
 at VARCHAR(32) NOT NULL,
 opened INT UNSIGNED NOT NULL DEFAULT 1`,
  // One row for each transaction that only `server_uuid` held, or `parts` of them when it is long. Those of
  // one tail are in the order of `place`. The digest is that of the whole transaction and belongs to the key,
  // since a server that was seeded again may give the same GTID to another transaction.
  tail: `epoch BIGINT UNSIGNED NOT NULL,
 server_uuid VARCHAR(36) NOT NULL,
 gtid VARCHAR(96) NOT NULL,
 digest VARCHAR(64) NOT NULL,
 part INT UNSIGNED NOT NULL,
 parts INT UNSIGNED NOT NULL,
 place INT UNSIGNED NOT NULL,
 events LONGBLOB NOT NULL,
 PRIMARY KEY (epoch, server_uuid, gtid, digest, part)`,
  // One row for each tail of which everything is in `tail`. Every look at a server reads it, so it is small.
  archive: `epoch BIGINT UNSIGNED NOT NULL,
 server_uuid VARCHAR(36) NOT NULL,
 cluster_uid VARCHAR(64) NOT NULL,
 at VARCHAR(32) NOT NULL,
 gtids MEDIUMTEXT NOT NULL,
 PRIMARY KEY (epoch, server_uuid)`,
  // Small commits of ours that bring about an acknowledgement: one of sixteen rows, since a commit that waits
  // keeps its row locked.
  heartbeat: `slot TINYINT UNSIGNED NOT NULL PRIMARY KEY,
 beats BIGINT UNSIGNED NOT NULL`,
} as const;

export const TABLE_NAMES: readonly string[] = Object.keys(TABLES);

/** For the tables with these names, and the schema before them; each can be repeated. */
export function tableStatements(names: readonly string[]): readonly string[] {
  const tables = Object.entries(TABLES).filter(([name]) => names.includes(name));
  assert(tables.length === names.length, `not tables of ours: ${names.join(",")}`);
  return [
    "CREATE DATABASE IF NOT EXISTS ordinal",
    ...tables.map(([name, columns]) => `CREATE TABLE IF NOT EXISTS ordinal.${name} (\n ${columns})`),
  ];
}
