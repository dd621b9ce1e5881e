/** What the cases of the database contract are run on: three servers as their image made them, and a table. */
import type { Outcome } from "../../shared/model/outcome.ts";
import type { Accounts } from "../../shared/ports/engine.ts";
import type { Credentials, Row, Server } from "../../shared/ports/server.ts";

export interface ServerSubject {
  readonly root: Credentials;
  /** The name by which the other servers reach this one. */
  host(ordinal: number): string;
  /** A connection of its own; waits until the server answers. */
  connect(ordinal: number, credentials?: Credentials): Promise<Server>;
  /** One attempt. */
  tryConnect(ordinal: number, credentials: Credentials): Promise<Outcome<Server>>;
  /** Ends the server in good order; whoever started it starts it again. */
  restart(ordinal: number): Promise<void>;
  /** To the server's process; one that ends is started again. */
  signal(ordinal: number, signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void>;
  /** Nothing received is executed until the answer is called. */
  blockApplier(ordinal: number): Promise<() => Promise<void>>;
  /** What stands in `TABLE`; of the simulated server, in all tables. */
  values(ordinal: number): Promise<readonly string[]>;
  sleep(ms: number): Promise<void>;
  /** Runs a case to its end, whatever time that takes. */
  run<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Of one text column, on member 0. */
export const TABLE = "shop.orders";

/** May insert, and is no administrator. */
export const APP: Credentials = { username: "app", password: "app" };

export const accounts: Accounts = {
  control: { username: "ordinal", password: "C".repeat(32) },
  replication: (ordinal) => ({
    username: `ordinal_repl_${ordinal}`,
    password: `R${ordinal}`.padEnd(32, "x"),
  }),
};

export function got<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.failure.kind}: ${outcome.failure.message}`);
  return outcome.value;
}

/** The server's error number; null for success. */
export async function refusal(answer: Promise<Outcome<unknown>>): Promise<number | string | null> {
  const outcome = await answer;
  return outcome.ok ? null : (outcome.failure.code ?? outcome.failure.kind);
}

export async function rows(server: Server, sql: string): Promise<readonly Row[]> {
  return got(await server.query(sql));
}
