/** SET, RESET PERSIST, INSTALL PLUGIN, FLUSH: with what MySQL refuses (facts L0, L4, L7). */

import { goOffline } from "../offline.ts";
import { releaseWaiters } from "../semisync.ts";
import { Refused } from "../server.ts";
import type { Session } from "../session.ts";
import { PLUGIN_VARIABLES, RESTART_ONLY } from "../variables.ts";
import type { Statement } from "./statement.ts";

async function setRunning(session: Session, name: string, value: string): Promise<void> {
  const { server, process } = session;
  const { globals } = process;
  if (RESTART_ONLY.has(name)) throw new Refused(1238, `'${name}' is a non persistent read only variable`);
  if (name === "replica_preserve_commit_order" && process.applier && globals.get(name) !== value) {
    throw new Refused(1198, "the applier has to be stopped first");
  }
  if ((name === "super_read_only" || name === "read_only") && value === "ON" && globals.get(name) !== "ON") {
    // Every change that has begun holds the lock, whatever it waits for: room, a new file, acknowledgements.
    // Asked once more when the wait is over: another change may have begun at that very moment.
    do {
      const free = await session.until(() => process.committing === 0, session.lockWaitMs);
      if (!free) throw new Refused(1205, "Lock wait timeout exceeded");
    } while (process.committing > 0);
  }
  globals.set(name, value);
  if (name === "offline_mode" && value === "ON") goOffline(server);
  if (name === "super_read_only" && value === "ON") globals.set("read_only", "ON");
  if (name === "read_only" && value === "OFF") globals.set("super_read_only", "OFF");
  if (name.startsWith("rpl_semi_sync_source")) releaseWaiters(server);
}

/** Several of them may stand in one statement. */
const ASSIGNMENT = /(GLOBAL|PERSIST|PERSIST_ONLY) (\w+) = (?:'([^']*)'|([^',]+))/g;

async function assign(session: Session, [, scope, name = "", text, word]: RegExpExecArray): Promise<void> {
  const value = text ?? word ?? "";
  session.need("SYSTEM_VARIABLES_ADMIN");
  if (name === "offline_mode") session.need("CONNECTION_ADMIN");
  if (scope === "PERSIST_ONLY") session.need("PERSIST_RO_VARIABLES_ADMIN");
  if (session.server.variable(name) === undefined) throw new Refused(1193, `Unknown variable '${name}'`);
  if (scope !== "PERSIST_ONLY") await setRunning(session, name, value);
  if (scope !== "GLOBAL") session.server.volume.persisted.set(name, value);
}

export const SETTING_STATEMENTS: readonly Statement[] = [
  {
    pattern: /^SET SESSION wait_timeout = (\d+)$/,
    run: (session, [, seconds]) => {
      session.waitTimeoutMs = Number(seconds) * 1_000;
    },
  },
  {
    pattern: /^SET SESSION sql_log_bin = (ON|OFF)$/,
    run: (session, [, value]) => {
      session.need("SYSTEM_VARIABLES_ADMIN");
      session.logs = value === "ON";
    },
  },
  {
    pattern: /^SET ((?:GLOBAL|PERSIST|PERSIST_ONLY) .+)$/,
    run: async (session, [, assignments = ""]) => {
      for (const match of assignments.matchAll(ASSIGNMENT)) await assign(session, match);
    },
  },
  {
    pattern: /^RESET PERSIST IF EXISTS (\w+)$/,
    run: (session, [, name = ""]) => {
      session.need("SYSTEM_VARIABLES_ADMIN");
      session.server.volume.persisted.delete(name);
    },
  },
  {
    pattern: /^INSTALL PLUGIN (\w+) SONAME '\w+\.so'$/,
    run: (session, [, plugin = ""]) => {
      session.need("INSERT", "mysql.plugin", 1142);
      const { server } = session;
      if (server.variable("super_read_only") === "ON") throw new Refused(1290, "--super-read-only");
      if (PLUGIN_VARIABLES[plugin] === undefined) throw new Error(`not a plugin: ${plugin}`);
      if (server.data.plugins.has(plugin)) throw new Refused(1125, `Function '${plugin}' already exists`);
      server.install(plugin);
    },
  },
  {
    pattern: /^FLUSH BINARY LOGS$/,
    run: async (session) => {
      session.need("RELOAD");
      await session.server.rotate();
    },
  },
  {
    pattern: /^PURGE BINARY LOGS BEFORE NOW\(\) \+ INTERVAL 1 DAY$/,
    run: (session) => {
      session.need("BINLOG_ADMIN");
      session.server.purgeLogs();
    },
  },
];
