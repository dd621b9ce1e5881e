/** A server that answers as a test says, and remembers what it was told. */
import { type Failure, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { LoggedTransaction, Row, Server, Value } from "../../../shared/ports/server.ts";

/** Rows, a failure, or null: this time it is not meant. */
export type Answer = (sql: string, values: readonly Value[]) => readonly Row[] | Failure | null;

export interface Scripted {
  readonly server: Server;
  /** Statements in order; a log that is read is one too. */
  readonly told: string[];
  readonly values: (readonly Value[])[];
  readonly timeoutsMs: (number | undefined)[];
}

/** The first answer that is not null counts; no rows without one. */
export function scripted(answers: readonly Answer[], logged: readonly LoggedTransaction[] = []): Scripted {
  const told: string[] = [];
  const values: (readonly Value[])[] = [];
  const timeoutsMs: (number | undefined)[] = [];
  function answer<T>(
    sql: string,
    given: readonly Value[],
    timeoutMs: number | undefined,
    none: T,
  ): Outcome<T> {
    told.push(sql.replaceAll(/\s+/g, " "));
    values.push(given);
    timeoutsMs.push(timeoutMs);
    for (const each of answers) {
      const found = each(sql, given);
      if (found === null) continue;
      return "kind" in found ? { ok: false, failure: found as Failure } : succeed(found as T);
    }
    return succeed(none);
  }
  const server: Server = {
    authority: null,
    query: async (sql, given = [], options = {}) => answer<readonly Row[]>(sql, given, options.timeoutMs, []),
    readLog: async (except, { timeoutMs }) => answer(`LOG ${except}`, [], timeoutMs, logged),
    close: () => Promise.resolve(),
  };
  return { server, told, values, timeoutsMs };
}

/** One row to whatever holds `part`. */
export function row(part: string, of: Row): Answer {
  return (sql) => (sql.includes(part) ? [of] : null);
}

/** Fails the statement of this number, from 0, whatever it is. */
export function failingAt(number: number, failure: Failure): Answer {
  let seen = -1;
  return () => {
    seen += 1;
    return seen === number ? failure : null;
  };
}
