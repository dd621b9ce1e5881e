/**
 * Maps what mysql2 and the server call errors to the four kinds of outcome. `transient` means that the
 * connection is dead, and that whether the statement took effect is unknown; `refused` means that the
 * server answered no. Never copies the statement into a message: it may hold a password.
 */
import type { QueryError } from "mysql2";
import type { Failure } from "../../model/outcome.ts";

/** The server's numbers for "not now": the session ends, or never began, for a reason that passes. */
const PASSING: ReadonlySet<number> = new Set([
  1040, // too many connections
  1053, // the server is shutting down
  1129, // this host is blocked for its many failed connections
  1203, // too many connections of this account
  1226, // a limit of this account is used up
  3032, // the server is in offline mode
  3168, // the server is not available
  4031, // the server closed an idle session
]);

/** The server may quote the text near a syntax error; what is longer than this tells a person nothing more. */
const MESSAGE_MAX = 200;

/** `doing` says what was tried and with whom, e.g. `connecting to mysql-0.mysql`. */
export function mapFailure(error: QueryError, doing: string): Failure {
  const message = `${doing}: ${error.message.slice(0, MESSAGE_MAX)}`;
  // The system's own errors (connection refused, no route) carry negative numbers.
  if (error.errno !== undefined && error.errno > 0) {
    return { kind: PASSING.has(error.errno) ? "transient" : "refused", message, code: error.errno };
  }
  if (error.code === "HANDSHAKE_NO_SSL_SUPPORT") {
    return {
      kind: "refused",
      message: `${doing}: the server offers no TLS, and no password is sent without it`,
    };
  }
  return error.code === "ECONNREFUSED"
    ? { kind: "transient", message, closed: true }
    : { kind: "transient", message };
}
