/**
 * Connections to MySQL servers. A resident host keeps the last connection to each member for reading, since
 * a handshake costs ten times what a look at a server does; a fenced session is never kept here, because its
 * lock must end with it.
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

/** Kept connections as sensors: their end is a sign that something happened, and never evidence of what. */
export interface Sensor {
  /** How often a sign of life is asked for, and how long it may take, milliseconds. */
  readonly pulseMs: number;
  readonly timeoutMs: number;
  /** With the attributes of the connection that ended by itself or gave no sign of life. */
  readonly onLost: (attributes: ConnectOptions["attributes"]) => void;
}

export interface ServersOptions {
  readonly pool: boolean;
  readonly sensor?: Sensor;
}

export function createServers(options: ServersOptions): Servers & { close(): void } {
  const kept = new Map<string, Kept>();
  const { sensor } = options;
  const pulse =
    sensor &&
    setInterval(() => {
      for (const { session } of kept.values()) session.ping(sensor.timeoutMs);
    }, sensor.pulseMs).unref();

  function take(key: string): Session | null {
    const entry = kept.get(key);
    if (entry === undefined) return null;
    kept.delete(key);
    clearTimeout(entry.timer);
    return entry.session.alive() ? entry.session : null;
  }

  function giveBack(key: string, session: Session, { attributes }: ConnectOptions): void {
    if (!session.alive() || kept.has(key) || kept.size >= IDLE_MAX) {
      session.close();
      return;
    }
    const timer = setTimeout(() => take(key)?.close(), IDLE_MS).unref();
    kept.set(key, { session, timer });
    session.onEnd(() => {
      if (kept.get(key)?.session !== session) return;
      take(key);
      sensor?.onLost(attributes);
    });
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
      clearInterval(pulse);
      for (const key of [...kept.keys()]) take(key)?.close();
    },
  };
}

function asServer(
  session: Session,
  options: ConnectOptions,
  key: string | null,
  giveBack: (key: string, session: Session, to: ConnectOptions) => void,
): Server {
  let open = true;
  return {
    authority: session.authority,
    query: (sql, values = [], more = {}) =>
      session.query(sql, values, more.timeoutMs ?? options.queryTimeoutMs),
    // Whoever answers there must be the server that this session talks to.
    readLog: (except, limits) => readLog({ ...options, authority: session.authority }, except, limits),
    close() {
      if (open && key !== null) giveBack(key, session, options);
      else if (open) session.close();
      open = false;
      return Promise.resolve();
    },
  };
}

/** Everything that decides who would be reached and as whom; the password only as a hash. */
function keyOf({ host, port, socket, credentials, authority }: ConnectOptions): string {
  return createHash("sha256")
    .update(JSON.stringify([host, port, socket, credentials.username, credentials.password, authority]))
    .digest("base64");
}
