/**
 * How anything that touches the outside world answers. Operating errors are values, mapped by the
 * adapters to four kinds; whatever is not one of them is a bug and is thrown.
 */

/**
 * - `transient`: may work later. Whether the effect happened is unknown: observe before repeating it.
 * - `conflict`: the world is not what the caller believed (changed object, name taken). Observe again.
 * - `refused`: permission or validation; repeating it is useless until a person changes something.
 * - `gone`: the thing asked for does not exist.
 */
export type FailureKind = "transient" | "conflict" | "refused" | "gone";

export interface Failure {
  readonly kind: FailureKind;
  /** One sentence for a person. Never holds a password or a token. */
  readonly message: string;
  /** The far side's own code where it has one: a server error number or an HTTP status. */
  readonly code?: number;
  /** How long the far side asked us to wait, milliseconds. */
  readonly retryAfterMs?: number;
  /** The host answered that nobody listens there: no server process, and not a network that is slow. */
  readonly closed?: boolean;
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

export function succeed<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function fail(
  kind: FailureKind,
  message: string,
  more: Omit<Failure, "kind" | "message"> = {},
): Outcome<never> {
  return { ok: false, failure: { kind, message, ...more } };
}

/** Programmer errors only: a broken assumption stops the pass, an operating error never comes this way. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** For the default branch of a switch over a closed union. */
export function unreachable(value: never): never {
  throw new Error(`not a case: ${JSON.stringify(value)}`);
}
