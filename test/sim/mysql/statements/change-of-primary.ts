/** What ends one primary's time and begins another's: offline mode, SHUTDOWN, letting go of a source (facts L1, L7). */
import { dropRelayLog } from "../replication.ts";
import { Refused, type SimServer } from "../server.ts";
import type { Session } from "../session.ts";
import type { Statement } from "./statement.ts";

const APPLIER_THREAD = 2_000_000;

function isAdministrator(server: SimServer, account: string): boolean {
  const grants = server.data.users.get(account)?.grants;
  return grants === null || grants?.has("CONNECTION_ADMIN ON *.*") === true;
}

/** Applications lose their connections at once, also those whose commit waits; so do receivers. */
export function goOffline(server: SimServer): void {
  const { sessions, dumps } = server.process;
  for (const session of [...sessions]) if (!isAdministrator(server, session.account)) session.lose();
  for (const dump of [...dumps]) if (!isAdministrator(server, dump.account)) dump.end();
}

/** Null when this account may come in. */
export function offlineRefusal(server: SimServer, account: string): { code: number; message: string } | null {
  if (server.variable("offline_mode") !== "ON" || isAdministrator(server, account)) return null;
  return { code: 3032, message: "The server is currently in offline mode" };
}

export function killApplier(session: Session, id: number): boolean {
  if (id !== APPLIER_THREAD || !session.process.applier) return false;
  session.process.applier = false;
  return true;
}

export const CHANGE_STATEMENTS: readonly Statement[] = [
  {
    pattern: /^SELECT PROCESSLIST_ID AS id FROM performance_schema\.threads WHERE NAME = 'thread\/sql\/replica_sql'$/,
    run: ({ process }) => (process.applier ? [{ id: String(APPLIER_THREAD) }] : []),
  },
  {
    pattern: /^RESET REPLICA ALL$/,
    run: (session) => {
      session.need("REPLICATION_SLAVE_ADMIN");
      const { server, process } = session;
      if (process.receiver !== null || process.applier)
        throw new Refused(3081, "This operation cannot be performed with running replication threads");
      server.data.channel = null;
      dropRelayLog(server);
    },
  },
  {
    pattern: /^SHUTDOWN$/,
    run: (session) => {
      session.need("SHUTDOWN");
      session.server.terminate();
    },
  },
  {
    pattern: /^INSERT INTO ordinal\.heartbeat \(slot, beats\) VALUES \(CONNECTION_ID\(\) % 16, 1\) ON DUPLICATE KEY UPDATE /,
    run: async (session) => {
      session.need("INSERT", "ordinal.*", 1142);
      session.need("UPDATE", "ordinal.*", 1142);
      if (!session.server.data.tables.has("ordinal.heartbeat")) throw new Refused(1146, "no such table");
      await session.write(() => {});
    },
  },
];
