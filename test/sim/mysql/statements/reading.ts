/** Tables that are read with rows; what reads single values is in select.ts. */
import type { Row } from "../../../../shared/ports/server.ts";
import { EVENTS_BYTES } from "../binlog.ts";
import type { Session } from "../session.ts";
import { channelColumns } from "./select.ts";
import type { Statement } from "./statement.ts";

/** Of a table of few rows: what InnoDB begins a file with. */
const TABLE_BYTES = 112 * 1_024;

/** Schemas with something in them, other than the system's and ours. */
function survey({ server }: Session): readonly Row[] {
  const schemas = new Set([...server.data.tables].map((table) => table.split(".")[0] ?? ""));
  schemas.delete("ordinal");
  return [...schemas].map((name) => ({ kind: "d", name }));
}

const SURVEY =
  "SELECT DISTINCT 'd' AS kind, x\\.name AS name FROM \\( SELECT TABLE_SCHEMA AS name FROM " +
  "information_schema\\.tables UNION ALL SELECT ROUTINE_SCHEMA FROM information_schema\\.routines UNION ALL " +
  "SELECT EVENT_SCHEMA FROM information_schema\\.events\\) x WHERE x\\.name NOT IN \\('mysql', 'sys', " +
  "'information_schema', 'performance_schema', 'ordinal'\\)";

export const READ_STATEMENTS: readonly Statement[] = [
  { pattern: new RegExp(`^${SURVEY}$`), run: survey },
  {
    pattern: new RegExp(`^${SURVEY} UNION ALL SELECT 'o', .* UNION ALL SELECT 'r', STATE `),
    run: (session) => {
      const { data, volume } = session.server;
      const own = [...data.tables].some((table) => table.startsWith("ordinal."));
      const running = volume.clone?.state === "In Progress";
      return [
        ...survey(session),
        ...(own ? [{ kind: "o", name: "ordinal" }] : []),
        ...(running ? [{ kind: "r", name: "In Progress" }] : []),
      ];
    },
  },
  {
    pattern: /^SELECT SUM\(FILE_SIZE\) AS bytes FROM information_schema\.INNODB_TABLESPACES$/,
    run: (session) => {
      session.need("PROCESS");
      return [{ bytes: String(session.server.data.tables.size * TABLE_BYTES) }];
    },
  },
  {
    pattern: /^SHOW BINARY LOGS$/,
    run: (session) => {
      session.need("REPLICATION CLIENT");
      const bytes = session.server.data.binlog.length * EVENTS_BYTES;
      return [{ Log_name: "binlog.000001", File_size: String(bytes) }];
    },
  },
  {
    pattern: /^SELECT PLUGIN_NAME AS name FROM information_schema\.plugins$/,
    run: ({ server }) => [...server.data.plugins].map((name) => ({ name })),
  },
  {
    pattern:
      /^SELECT USER AS name, ATTRIBUTE AS attribute FROM information_schema\.user_attributes WHERE HOST = '%'$/,
    run: ({ server }) => [...server.data.users].map(([name, { attribute }]) => ({ name, attribute })),
  },
  {
    pattern:
      /^SELECT (.+) FROM performance_schema\.replication_connection_configuration c JOIN .* WHERE c\.CHANNEL_NAME = '' AND c\.HOST <> ''$/,
    run: (session, [, columns = ""]) => {
      session.need("SELECT", "performance_schema.*", 1142);
      return session.server.data.channel === null ? [] : [channelColumns(session, columns)];
    },
  },
];
