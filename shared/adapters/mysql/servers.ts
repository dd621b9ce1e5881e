/**
 * Connections to MySQL servers. A resident host keeps the last connection to each member for reading, since
 * a handshake costs ten times what a look at a server does; a fenced session is always a new one and is
 * never kept, because its lock must end with it.
 */
import { createHash } from "node:crypto";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { ConnectOptions, Server, Servers } from "../../ports/server.ts";
import { readLog } from "./log.ts";
import { openSession, type Session } from "./session.ts";

/** A kept connection that nobody asked for during this time is closed. */
const IDLE_MS = 15 * 60_000;
const IDLE_MAX = 2_000;

interface Kept {
  readonly session: Session;
  readonly timer: NodeJS.Timeout;
}

export function createServers(options: { readonly pool: boolean }): Servers & { close(): void } {
  const kept = new Map<string, Kept>();

  function take(key: string): Session | null {
    const entry = kept.get(key);
    if (entry === undefined) return null;
    kept.delete(key);
    clearTimeout(entry.timer);
    return entry.session.alive() ? entry.session : null;
  }

  function giveBack(key: string, session: Session): void {
    if (!session.alive() || kept.has(key) || kept.size >= IDLE_MAX) {
      session.close();
      return;
    }
    const timer = setTimeout(() => take(key)?.close(), IDLE_MS).unref();
    kept.set(key, { session, timer });
  }

  return {
    async connect(to: ConnectOptions): Promise<Outcome<Server>> {
      const key = options.pool && to.fresh !== true ? keyOf(to) : null;
      const warm = key === null ? null : take(key);
      if (warm !== null) return succeed(asServer(warm, to, key, giveBack));
      const opened = await openSession(to);
      return opened.ok ? succeed(asServer(opened.value, to, key, giveBack)) : opened;
    },
    close() {
      for (const key of [...kept.keys()]) take(key)?.close();
    },
  };
}

function asServer(
  session: Session,
  options: ConnectOptions,
  key: string | null,
  giveBack: (key: string, session: Session) => void,
): Server {
  let open = true;
  return {
    authority: session.authority,
    query: (sql, values = [], more = {}) =>
      session.query(sql, values, more.timeoutMs ?? options.queryTimeoutMs),
    // Whoever answers there must be the server that this session talks to.
    readLog: (except, limits) => readLog({ ...options, authority: session.authority }, except, limits),
    close() {
      if (open && key !== null) giveBack(key, session);
      else if (open) session.close();
      open = false;
      return Promise.resolve();
    },
  };
}

/** Everything that decides who would be reached and as whom; the password only as a hash. */
function keyOf({ host, port, credentials, authority }: ConnectOptions): string {
  return createHash("sha256")
    .update(JSON.stringify([host, port, credentials.username, credentials.password, authority]))
    .digest("base64");
}
