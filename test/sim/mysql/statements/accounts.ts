/** Accounts, our schema and its tables, and ending the sessions of others. */
import { Refused } from "../server.ts";
import type { Session } from "../session.ts";
import type { Data, User } from "../volume.ts";
import { killApplier } from "./change-of-primary.ts";
import type { Statement } from "./statement.ts";

function changeUser(data: Data, name: string, change: Partial<User>): void {
  const user = data.users.get(name);
  if (user !== undefined) data.users.set(name, { ...user, ...change });
}

async function alter(session: Session, name: string, change: Partial<User>): Promise<void> {
  session.need("CREATE USER");
  if (!session.server.data.users.has(name)) throw new Refused(1396, `ALTER USER failed for ${name}`);
  await session.write((data) => changeUser(data, name, change));
}

const LOGIN = "IDENTIFIED WITH caching_sha2_password BY '([^']+)' REQUIRE SSL PASSWORD EXPIRE NEVER";

export const ACCOUNT_STATEMENTS: readonly Statement[] = [
  {
    pattern:
      /^CREATE USER IF NOT EXISTS '([^']+)'@'%' IDENTIFIED WITH caching_sha2_password BY (?:'([^']+)'|RANDOM PASSWORD) REQUIRE SSL PASSWORD EXPIRE NEVER$/,
    run: async (session, [, name = "", password = "nobody knows"]) => {
      session.need("CREATE USER");
      const made: User = { password, locked: false, attribute: null, grants: new Set() };
      await session.write((data) => {
        if (!data.users.has(name)) data.users.set(name, made);
      });
      return password === "nobody knows" ? [{ user: name, host: "%", "generated password": "x" }] : [];
    },
  },
  {
    pattern: new RegExp(`^ALTER USER '([^']+)'@'%' ${LOGIN} ATTRIBUTE '([^']+)'$`),
    run: (session, [, name = "", password = "", attribute = ""]) =>
      alter(session, name, { password, attribute }),
  },
  {
    pattern: new RegExp(`^ALTER USER '([^']+)'@'%' ${LOGIN}$`),
    run: (session, [, name = "", password = ""]) => alter(session, name, { password }),
  },
  {
    pattern: /^ALTER USER '([^']+)'@'%' ATTRIBUTE '([^']+)'$/,
    run: (session, [, name = "", attribute = ""]) => alter(session, name, { attribute }),
  },
  {
    pattern: /^ALTER USER '([^']+)'@'%' ACCOUNT (LOCK|UNLOCK)$/,
    run: (session, [, name = "", how]) => alter(session, name, { locked: how === "LOCK" }),
  },
  {
    pattern: /^GRANT (.+) ON (\S+) TO '([^']+)'@'%'(?: WITH GRANT OPTION)?$/,
    run: async (session, [, privileges = "", on = "", name = ""]) => {
      for (const privilege of privileges.split(", ")) session.need(privilege, on, 1045);
      if (!session.server.data.users.has(name))
        throw new Refused(1410, "You are not allowed to create a user");
      await session.write((data) => {
        const before = data.users.get(name)?.grants ?? [];
        const added = privileges.split(", ").map((privilege) => `${privilege} ON ${on}`);
        changeUser(data, name, { grants: new Set([...before, ...added]) });
      });
    },
  },
  {
    pattern: /^CREATE DATABASE IF NOT EXISTS ordinal$/,
    run: async (session) => {
      session.need("CREATE", "ordinal.*", 1044);
      await session.write((data) => void data.tables.add("ordinal."));
    },
  },
  {
    pattern: /^CREATE TABLE IF NOT EXISTS (ordinal\.(?:term|tail|archive|heartbeat)) \(/,
    run: async (session, [, table = ""]) => {
      session.need("CREATE", "ordinal.*", 1142);
      await session.write((data) => void data.tables.add(table));
    },
  },
  {
    pattern:
      /^INSERT INTO ordinal\.term \(epoch, cluster_uid, server_uuid, op_id, at\) VALUES .* ON DUPLICATE KEY/,
    run: async (session, _, [epoch, clusterUid, opId]) => {
      session.need("INSERT", "ordinal.*", 1142);
      const key = Number(epoch);
      const { serverUuid } = session.server.volume;
      const row = { clusterUid: String(clusterUid), serverUuid, opId: String(opId) };
      // A commit that waits for an acknowledgement keeps its row locked.
      const { lockedTerms } = session.process;
      const free = await session.until(() => !lockedTerms.has(key), session.lockWaitMs);
      if (!free) throw new Refused(1205, "Lock wait timeout exceeded");
      lockedTerms.add(key);
      const written = session.write(
        ({ terms }) => {
          terms.set(key, { ...row, opened: (terms.get(key)?.opened ?? 0) + 1 });
        },
        { term: key },
      );
      await written.finally(() => lockedTerms.delete(key));
    },
  },
  {
    pattern: /^KILL \?$/,
    run: (session, _, [id]) => {
      session.need("CONNECTION_ADMIN");
      const { sessions, dumps } = session.process;
      const dump = [...dumps][Number(id) - DUMP_IDS];
      const victim = [...sessions].find((other) => other.id === Number(id));
      if (killApplier(session, Number(id))) return;
      if (dump === undefined && victim === undefined) throw new Refused(1094, `Unknown thread id: ${id}`);
      dump?.end();
      victim?.lose();
    },
  },
  {
    pattern: /^SELECT PROCESSLIST_ID AS id FROM performance_schema\.threads WHERE PROCESSLIST_USER = \?$/,
    run: (session, _, [account]) =>
      [...session.process.dumps].flatMap((dump, at) =>
        dump.account === account ? [{ id: String(DUMP_IDS + at) }] : [],
      ),
  },
  {
    pattern: /^INSERT INTO (\w+\.\w+) VALUES \(\?\)$/,
    run: async (session, [, table], [value]) => {
      session.need("INSERT", "*.*", 1142);
      const admin = session.user.grants === null;
      if (!admin && session.server.variable("read_only") === "ON") throw new Refused(1290, "--read-only");
      if (!session.server.data.tables.has(table ?? ""))
        throw new Refused(1146, `Table '${table}' doesn't exist`);
      const row = String(value);
      await session.write((data) => void data.rows.add(row), { row });
    },
  },
];

/** Dump threads have numbers of their own, so that they can be told from sessions. */
const DUMP_IDS = 1_000_000;
