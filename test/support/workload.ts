/**
 * The one writer of demo, benches and tests: inserts unique values at a set rate and writes down what became
 * of each, so that afterwards a set can be compared instead of a feeling. Bounded in time, in count and in
 * what is under way (one statement for each writer).
 *
 * A value is tried once. `acknowledged`: the server said yes. `refused`: the server said no before it did
 * anything, so the value must not be there. `unknown`: nobody can say, and either is right.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, createConnection } from "mysql2/promise";
import type { Login } from "./world.ts";

export interface WorkloadOptions extends Login {
  /** Address of the server to write to, asked again before each new connection; null = nobody at present. */
  readonly locate: () => Promise<string | null>;
  /** Absent = MySQL's own. */
  readonly port?: number;
  readonly writers: number;
  /** Of all writers together. */
  readonly perSecond: number;
  readonly secondsMax: number;
  /** Of one statement; beyond it the connection is given up and the value is `unknown`. */
  readonly timeoutMs: number;
  /** The first value; two workloads on one table need values of their own. Absent = 0. */
  readonly firstId?: number;
  /** Called for each acknowledgement. With it each new connection first asks whom it has reached. */
  readonly onAck?: (ack: Ack) => void;
}

export interface Ack {
  readonly id: number;
  /** Milliseconds since 1970, when the client read the answer. */
  readonly atMs: number;
  /** Identity of the server that answered. */
  readonly server: string;
}

export interface Ledger {
  readonly acked: readonly number[];
  readonly refused: readonly number[];
  readonly unknown: readonly number[];
  /** Connections that were not to be had or were lost; each is followed by another attempt. */
  readonly connectionsFailed: number;
  /** What was not acknowledged and what was not connected, by the server's or the network's code. */
  readonly failures: Readonly<Record<string, number>>;
  /** From the moment when a write was due, so that waiting behind a stalled one counts. */
  readonly latenciesMs: readonly number[];
  /** Longest time without an acknowledged write between the first and the end. */
  readonly longestGapMs: number;
}

export interface Workload {
  /** How many values were acknowledged, refused or left unknown so far, and the codes of failures. */
  progress(): Pick<Ledger, "failures"> & { readonly acked: number; readonly failed: number };
  /** Lets the statements under way end, and closes the books. Calling it again gives the same. */
  stop(): Promise<Ledger>;
}

/** A writer that is further behind than this lets what was due go by: load must not grow with a stall. */
const BEHIND_MAX_MS = 1_000;
const RECONNECT_MS = 20;
const PORT = 3306;

/** Errors that the server raises before a statement changes anything: read-only, offline, no rights, no table. */
const REFUSALS: ReadonlySet<number> = new Set([1044, 1045, 1049, 1062, 1142, 1146, 1290, 1792, 1836, 3032]);

const TABLE = "ordinal_check.writes";
export const WRITTEN_SCHEMA = "ordinal_check";

/** Makes an empty table: a ledger is about all values that are in it. */
export async function prepareTable(connection: Connection): Promise<void> {
  await connection.query(`CREATE DATABASE IF NOT EXISTS ${WRITTEN_SCHEMA}`);
  await connection.query(`DROP TABLE IF EXISTS ${TABLE}`);
  await connection.query(`CREATE TABLE ${TABLE} (
    id BIGINT PRIMARY KEY, writer INT NOT NULL, seq INT NOT NULL,
    at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))`);
}

export async function writtenIds(connection: Connection): Promise<ReadonlySet<number>> {
  const [rows] = await connection.query({ sql: `SELECT id FROM ${TABLE}`, rowsAsArray: true });
  return new Set((rows as unknown as readonly [number][]).map(([id]) => Number(id)));
}

interface Books {
  readonly acked: number[];
  readonly refused: number[];
  readonly unknown: number[];
  readonly latenciesMs: number[];
  readonly failures: Record<string, number>;
  connectionsFailed: number;
  lastAckAt: number | null;
  longestGapMs: number;
}

interface Shift {
  readonly options: WorkloadOptions;
  readonly books: Books;
  readonly startedAt: number;
  /** Aborted when the workload ends. */
  readonly over: AbortSignal;
}

export type Outcome = "refused" | "unknown";

/** What an error says about the value that was being written. */
export function outcomeOf(error: unknown): Outcome {
  const errno = typeof error === "object" && error !== null && "errno" in error ? error.errno : undefined;
  return typeof errno === "number" && REFUSALS.has(errno) ? "refused" : "unknown";
}

function noteFailure(books: Books, error: unknown): void {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "other";
  books.failures[code] = (books.failures[code] ?? 0) + 1;
}

function noteAck({ books, options }: Shift, { id, dueAt }: Write, server: string): void {
  const now = performance.now();
  books.acked.push(id);
  options.onAck?.({ id, atMs: performance.timeOrigin + now, server });
  books.latenciesMs.push(now - dueAt);
  if (books.lastAckAt !== null) books.longestGapMs = Math.max(books.longestGapMs, now - books.lastAckAt);
  books.lastAckAt = now;
}

interface Line {
  readonly connection: Connection;
  /** Identity of the server at its end; empty when nobody wants to know. */
  readonly server: string;
}

async function dial(host: string, options: WorkloadOptions): Promise<Line> {
  const { user, password, timeoutMs, port = PORT } = options;
  const connection = await createConnection({
    ...{ host, port, user, password },
    connectTimeout: timeoutMs,
  });
  // A connection that is lost while nothing is under way; the next statement finds out.
  connection.on("error", () => undefined);
  if (options.onAck === undefined) return { connection, server: "" };
  try {
    const sql = "SELECT @@server_uuid";
    const [rows] = await connection.query({ sql, rowsAsArray: true, timeout: timeoutMs });
    return { connection, server: String((rows as unknown as readonly [string][])[0]?.[0]) };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Tries until there is a connection or the shift is over. */
async function open({ options, books, over }: Shift): Promise<Line | null> {
  while (!over.aborted) {
    try {
      const host = await options.locate();
      if (host !== null) return await dial(host, options);
    } catch (error) {
      books.connectionsFailed += 1;
      noteFailure(books, error);
    }
    await sleep(RECONNECT_MS);
  }
  return null;
}

/** True while the connection can go on being used. */
async function insert({ connection, server }: Line, shift: Shift, write: Write): Promise<boolean> {
  const { books, options } = shift;
  const { id, writer, seq } = write;
  const sql = `INSERT INTO ${TABLE} (id, writer, seq) VALUES (?, ?, ?)`;
  try {
    await connection.query({ sql, values: [id, writer, seq], timeout: options.timeoutMs });
    noteAck(shift, write, server);
    return true;
  } catch (error) {
    noteFailure(books, error);
    books[outcomeOf(error)].push(id);
    // After a refusal too: the primary may be another server by now, and only a new look finds it.
    connection.destroy();
    return false;
  }
}

interface Write {
  readonly id: number;
  readonly writer: number;
  readonly seq: number;
  readonly dueAt: number;
}

async function work(shift: Shift, writer: number): Promise<void> {
  const { options, startedAt, over } = shift;
  const everyMs = 1000 / options.perSecond;
  let line: Line | null = null;
  for (let seq = 0; !over.aborted; seq += 1) {
    const place = seq * options.writers + writer;
    const id = (options.firstId ?? 0) + place;
    const dueAt = startedAt + place * everyMs;
    const early = dueAt - performance.now();
    // Ending the shift ends this wait, which is then no failure.
    if (early > 0) await sleep(early, undefined, { signal: over }).catch(() => undefined);
    else if (-early > BEHIND_MAX_MS) continue;
    line ??= await open(shift);
    if (line === null || over.aborted) break;
    if (!(await insert(line, shift, { id, writer, seq, dueAt }))) line = null;
  }
  line?.connection.destroy();
}

export function startWorkload(options: WorkloadOptions): Workload {
  const books: Books = {
    ...{ acked: [], refused: [], unknown: [], latenciesMs: [], failures: {} },
    ...{ connectionsFailed: 0, lastAckAt: null, longestGapMs: 0 },
  };
  const ending = new AbortController();
  const over = AbortSignal.any([ending.signal, AbortSignal.timeout(options.secondsMax * 1000)]);
  const shift: Shift = { options, books, startedAt: performance.now(), over };
  const ended = Promise.all(Array.from({ length: options.writers }, (_, writer) => work(shift, writer)));
  return {
    progress: () => ({
      ...{ acked: books.acked.length, failed: failedWrites(books) },
      failures: { ...books.failures },
    }),
    async stop() {
      const stoppedAt = performance.now();
      ending.abort();
      await ended;
      const { lastAckAt, ...ledger } = books;
      const tail = lastAckAt === null || over.reason?.name === "TimeoutError" ? 0 : stoppedAt - lastAckAt;
      return { ...ledger, longestGapMs: Math.max(ledger.longestGapMs, tail) };
    },
  };
}

/** Writes whose client did not get a yes, whatever became of them, and connections that were not to be had. */
export function failedWrites(books: Pick<Ledger, "refused" | "unknown" | "connectionsFailed">): number {
  return books.refused.length + books.unknown.length + books.connectionsFailed;
}
