/**
 * One connection, from TCP to a session with known settings. It never reconnects; a statement that ran out
 * of time destroys it, because nobody can say whether the server still works on it.
 */
import { connect as connectTcp, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection, QueryError, RowDataPacket } from "mysql2";
import { type Failure, fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { ConnectOptions, Row, Value } from "../../ports/server.ts";
import { mismatch, presentedAuthority, tlsOptions } from "./authority.ts";
import { mapFailure } from "./failures.ts";

/** The part of mysql2 that its types leave out: the turn to TLS, which is where a certificate can be looked at. */
interface Internals {
  stream: TLSSocket;
  startTLS(onSecure: (error?: Error) => void): void;
}

export interface Session {
  readonly authority: string | null;
  /** False once the connection was lost or given up. */
  alive(): boolean;
  /** Called once, when it is no longer alive, whoever ended it; a later listener takes the place of an earlier one. */
  onEnd(listener: () => void): void;
  /** Asks for a sign of life; without one within `timeoutMs` the connection is given up. */
  ping(timeoutMs: number): void;
  query(sql: string, values: readonly Value[], timeoutMs: number): Promise<Outcome<readonly Row[]>>;
  /** For a command that mysql2 does not know: its caller reads all that comes, and no statement may follow. */
  takeStream(): TLSSocket;
  close(): void;
}

/**
 * Servers may have any default for these. Without backslash escapes mysql2's quoting of values would not
 * hold, instants are read as UTC, and a metadata lock must fail long before the query's own time is up.
 */
const KNOWN_SETTINGS =
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES', autocommit = 1, time_zone = '+00:00', lock_wait_timeout = 2, innodb_lock_wait_timeout = 2";

export async function openSession(options: ConnectOptions): Promise<Outcome<Session>> {
  const ssl = tlsOptions(options.authority);
  if (ssl === null) {
    const why = "the recorded authority is no certificate, so the server cannot be recognised";
    return fail("refused", `connecting to ${options.host}: ${why}`);
  }
  const { createConnection } = await import("./driver.ts");
  const socket = options.socket
    ? connectTcp(options.socket)
    : connectTcp(options.port, options.host).setNoDelay(true);
  const connection = createConnection({
    stream: socket,
    host: options.host,
    port: options.port,
    user: options.credentials.username,
    password: options.credentials.password,
    connectTimeout: options.connectTimeoutMs,
    connectAttributes: { ...options.attributes },
    ...(options.socket === undefined && { ssl }),
    multipleStatements: false,
    flags: ["-LOCAL_FILES"],
    // Numbers and dates stay the text that the server sent, so that no digit is lost. The name differs from
    // mysql2's own for the same encoding, because it logs a warning for each JSON value otherwise.
    typeCast: (field: { string(encoding: string): string | null }) => field.string("utf-8"),
  });
  const { host } = options;
  const state: ConnectionState = { connection, socket, host, alive: true, waiting: new Set(), ended() {} };
  const trust = watchHandshake(connection, options.authority);
  const failure = await connected(state, trust);
  if (failure !== null) {
    discard(state);
    return { ok: false, failure };
  }
  // Whatever ends an idle connection ends up here; statements under way get the error themselves.
  connection.on("error", () => discard(state));
  socket.on("close", () => discard(state));
  const known = await query(state, KNOWN_SETTINGS, [], options.queryTimeoutMs);
  if (!known.ok) {
    discard(state);
    return known;
  }
  return succeed({
    authority: options.authority ?? trust.authority,
    alive: () => state.alive,
    onEnd(listener) {
      state.ended = listener;
    },
    ping: (timeoutMs) => ping(state, timeoutMs),
    query: (sql, values, timeoutMs) => query(state, sql, values, timeoutMs),
    takeStream() {
      const { stream } = connection as unknown as Internals;
      // Paused, so that nothing arrives before somebody reads it.
      return stream.removeAllListeners("data").pause();
    },
    close: () => discard(state),
  });
}

interface ConnectionState {
  readonly connection: Connection;
  readonly socket: Socket;
  readonly host: string;
  alive: boolean;
  /** Statements without an answer yet: mysql2 never answers those of a connection that was destroyed. */
  readonly waiting: Set<(outcome: Outcome<never>) => void>;
  ended: () => void;
}

interface Trust {
  authority: string | null;
  /** Set when the certificate, and not the network, ended the handshake. */
  distrust: string | null;
}

function watchHandshake(connection: Connection, authority: string | null): Trust {
  const trust: Trust = { authority: null, distrust: null };
  const internals = connection as unknown as Internals;
  const startTls = internals.startTLS.bind(connection);
  internals.startTLS = (onSecure) => {
    startTls((error) => {
      const socket = internals.stream;
      const wrong = error ?? mismatch(socket, authority);
      // Node says in `authorizationError` why a chain was not accepted; a broken connection leaves it empty.
      if (wrong !== undefined && (error === undefined || socket.authorizationError))
        trust.distrust = wrong.message;
      if (wrong === undefined && authority === null) trust.authority = presentedAuthority(socket);
      onSecure(wrong);
    });
  };
  return trust;
}

function connected(state: ConnectionState, trust: Trust): Promise<Failure | null> {
  return new Promise((resolve) => {
    state.connection.connect((error) => {
      resolve(error === null ? null : explain(error, state.host, trust));
    });
  });
}

function explain(error: QueryError, host: string, trust: Trust): Failure {
  const doing = `connecting to ${host}`;
  if (trust.distrust === null) return mapFailure(error, doing);
  const message = `${doing}: the server's certificate is not from the recorded authority (${trust.distrust})`;
  return { kind: "refused", message };
}

function query(
  state: ConnectionState,
  sql: string,
  values: readonly Value[],
  timeoutMs: number,
): Promise<Outcome<readonly Row[]>> {
  if (!state.alive) return Promise.resolve(lost(state));
  return new Promise((resolve) => {
    state.waiting.add(resolve);
    const answer = (error: QueryError | null, rows: unknown): void => {
      state.waiting.delete(resolve);
      resolve(
        error === null ? succeed(Array.isArray(rows) ? (rows as readonly Row[]) : []) : failed(state, error),
      );
    };
    const bound = values.length === 0 ? {} : { values: values.map(bindable) };
    state.connection.query<RowDataPacket[]>({ sql, ...bound, timeout: timeoutMs }, answer);
  });
}

function lost({ host }: ConnectionState): Outcome<never> {
  return fail("transient", `the connection to ${host} is lost`);
}

/** mysql2 writes a Buffer as a hexadecimal literal, and any other array of bytes as a list of numbers. */
function bindable(value: Value): string | number | bigint | Buffer | null {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

function ping(state: ConnectionState, timeoutMs: number): void {
  if (!state.alive) return;
  const timer = setTimeout(() => discard(state), timeoutMs).unref();
  state.connection.ping((error) => {
    clearTimeout(timer);
    // It is called without an argument when all is well, whatever its type says.
    if (error instanceof Error) discard(state);
  });
}

function failed(state: ConnectionState, error: QueryError): Outcome<never> {
  const failure = mapFailure(error, `a statement on ${state.host}`);
  if (failure.kind === "transient") discard(state);
  return { ok: false, failure };
}

/** The socket itself is destroyed: a stopped server would never answer an orderly goodbye. */
function discard(state: ConnectionState): void {
  if (!state.alive) return;
  state.alive = false;
  state.connection.destroy();
  state.socket.destroy();
  for (const answer of state.waiting) answer(lost(state));
  state.waiting.clear();
  state.ended();
}
