/**
 * A connection to a database server. It never reconnects by itself: a lost connection is a lost session,
 * and with it the lock that the session held.
 */
import type { Outcome } from "../model/outcome.ts";
import type { Position } from "../model/server.ts";

export type Value = string | number | bigint | Uint8Array | null;
/** Column name as selected -> text (numbers and dates come as text, so that no digit is lost). */
export type Row = Readonly<Record<string, string | null>>;

/** One transaction as a server logged it. */
export interface LoggedTransaction {
  /** Its own position, e.g. a single GTID. */
  readonly gtid: string;
  /** A complete little log file with nothing else in it, which the server's own tools read. */
  readonly events: Uint8Array;
}

export interface Server {
  /**
   * One statement. Failures carry the server's error number in `code`; `refused` for errors that the server
   * itself raised, `transient` for a lost connection or a timeout (then the connection is dead, and whether
   * the statement took effect is unknown).
   */
  query(
    sql: string,
    values?: readonly Value[],
    options?: { readonly timeoutMs?: number },
  ): Promise<Outcome<readonly Row[]>>;
  /**
   * Every transaction in the server's own logs that is not in `except`, in their order, over a connection of
   * its own that is opened by the same rules as this one. `refused` when they take more than `bytesMax`, and
   * when the server no longer has some of them.
   */
  readLog(
    except: Position,
    limits: { readonly bytesMax: number; readonly timeoutMs: number },
  ): Promise<Outcome<readonly LoggedTransaction[]>>;
  /** The certificate authority (PEM) that the server presented, to be pinned; null without TLS. */
  readonly authority: string | null;
  close(): Promise<void>;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Path of a Unix socket in place of host and port, for a server of our own beside us: there is no TLS on it. */
  readonly socket?: string;
  readonly credentials: Credentials;
  /** Pinned authority, PEM. Null = first use: TLS without verification, and the caller records `authority`. */
  readonly authority: string | null;
  readonly connectTimeoutMs: number;
  readonly queryTimeoutMs: number;
  /** Shown by the server to people who look at its sessions. No secrets. */
  readonly attributes: Readonly<Record<string, string>>;
  /** True for a fenced session: always a new connection, and never kept for anybody else. */
  readonly fresh?: boolean;
}

export interface Servers {
  /** `refused` with the server's code when the account is not let in, `transient` when nobody answers. */
  connect(options: ConnectOptions): Promise<Outcome<Server>>;
}
