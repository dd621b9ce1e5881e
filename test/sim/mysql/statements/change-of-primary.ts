/** What ends one primary's time and begins another's: offline mode, SHUTDOWN, letting go of a source (facts L1, L7). */
import { dropRelayLog } from "../replication.ts";
import { Refused } from "../server.ts";
import type { Session } from "../session.ts";
import type { Statement } from "./statement.ts";

const APPLIER_THREAD = 2_000_000;

export function killApplier(session: Session, id: number): boolean {
  if (id !== APPLIER_THREAD || !session.process.applier) return false;
  session.process.applier = false;
  return true;
}

export const CHANGE_STATEMENTS: readonly Statement[] = [
  {
    pattern:
      /^SELECT PROCESSLIST_ID AS id FROM performance_schema\.threads WHERE NAME = 'thread\/sql\/replica_sql'$/,
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
      process.receiverFault = null;
      dropRelayLog(server, null);
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
    pattern:
      /^INSERT INTO ordinal\.heartbeat \(slot, beats\) VALUES \(CONNECTION_ID\(\) % 16, 1\) ON DUPLICATE KEY UPDATE /,
    run: async (session) => {
      session.need("INSERT", "ordinal.*", 1142);
      session.need("UPDATE", "ordinal.*", 1142);
      if (!session.server.data.tables.has("ordinal.heartbeat")) throw new Refused(1146, "no such table");
      await session.write(() => {});
    },
  },
];
