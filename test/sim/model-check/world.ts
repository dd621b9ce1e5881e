/**
 * What happens without us: clients write, binlogs travel, acknowledgements arrive, servers crash, executors die.
 * Every one of these is possible at any time and never certain. So a cut of any link in any direction, for any
 * while, is every run in which the steps over that link are not taken, and needs no state of its own; a server that
 * stays down is one that crashed and takes no step. This module must never look at what is recorded.
 */
import {
  ACKED,
  ACKS,
  ackersOf,
  acknowledges,
  CHECKED,
  CHECKED_STALE,
  cell,
  countBits,
  EXECUTORS,
  executorAt,
  FLAGS,
  HAS,
  has,
  KIND,
  LIVE,
  NEED,
  newest,
  of,
  primaryOf,
  put,
  RECEIVER,
  type Row,
  receiverOf,
  refuses,
  STAGE,
  STOPPED,
  sourceOf,
  TARGET,
  TERM,
  TERM_HELD,
  TERM_RECOVERED,
  TERM_WAITING,
  TRANSACTIONS_MAX,
  WAITING,
  WRITABLE,
  waiting,
  within,
  writable,
} from "./cells.ts";
import type { Rules } from "./rules.ts";

/** What a step is called in a timeline, with up to three numbers that its text names. */
export type Emit = (next: Row, step: string, a?: number, b?: number, c?: number) => void;

/** A new transaction at the end of this member's binlog; it waits when any acknowledgement is needed. */
export function append(row: Row, member: number): number {
  const transaction = cell(row, LIVE);
  row[LIVE] = transaction + 1;
  put(row, member, HAS, has(row, member) | (1 << transaction));
  if (of(row, member, NEED) > 0) put(row, member, WAITING, waiting(row, member) | (1 << transaction));
  else row[ACKED] = cell(row, ACKED) | (1 << transaction);
  return transaction;
}

/** Ends every fenced session on a server: its holder finds the connection dead. */
export function endSessions(row: Row, member: number): void {
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    const stage = cell(row, at + STAGE);
    const holds = stage === CHECKED || stage === CHECKED_STALE;
    if (holds && cell(row, at + TARGET) === member + 1) row.fill(0, at, at + 5);
  }
}

/** After a crash the server commits the tail of its binlog, comes back read-only and receives from nobody. */
export function restart(row: Row, member: number): void {
  if (cell(row, TERM) === TERM_WAITING && member === primaryOf(row, newest(row))) row[TERM] = TERM_RECOVERED;
  put(row, member, WAITING, 0);
  put(row, member, RECEIVER, 0);
  put(row, member, FLAGS, of(row, member, FLAGS) & ~WRITABLE);
  endSessions(row, member);
}

function isSessionOn(row: Row, member: number): boolean {
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    if (cell(row, at + STAGE) >= CHECKED && cell(row, at + TARGET) === member + 1) return true;
  }
  return false;
}

function clientWrites(row: Row, rules: Rules, member: number, emit: Emit): void {
  if (!writable(row, member)) return;
  if (cell(row, LIVE) >= rules.transactions) return;
  const next = row.slice();
  const transaction = append(next, member);
  emit(next, "write", member, transaction);
}

/** The receiver writes the next event to its disk and, as an acker, acknowledges everything up to it. */
function receive(row: Row, member: number, emit: Emit): void {
  const receiver = of(row, member, RECEIVER);
  const source = sourceOf(receiver);
  if (receiver === 0 || refuses(row, source, member)) return;
  const missing = has(row, source) & ~has(row, member);
  if (missing === 0) return;
  const event = missing & -missing;
  const next = row.slice();
  put(next, member, HAS, has(row, member) | event);
  if (acknowledges(receiver)) {
    const upTo = event | (event - 1);
    const acked = waiting(row, source) & upTo & of(next, member, HAS);
    for (let index = 0; index < TRANSACTIONS_MAX; index++) {
      if (acked & (1 << index)) next[ACKS + index] = cell(next, ACKS + index) | (1 << member);
    }
  }
  emit(next, acknowledges(receiver) ? "receive-ack" : "receive", member, 31 - Math.clz32(event), source);
}

/** Enough acknowledgements were read for the oldest commit that waits: it is executed and the client told OK. */
function complete(row: Row, member: number, emit: Emit): void {
  const tail = waiting(row, member);
  if (tail === 0) return;
  const oldest = tail & -tail;
  const index = 31 - Math.clz32(oldest);
  if (countBits(cell(row, ACKS + index)) < of(row, member, NEED)) return;
  const next = row.slice();
  put(next, member, WAITING, tail & ~oldest);
  next[ACKED] = cell(row, ACKED) | oldest;
  emit(next, "complete", member, index);
}

/**
 * The term row comes after all that the primary has, so whoever acknowledges it holds all of that. It is no
 * transaction of its own here: as a tail that is left behind it would do what a client's does.
 */
function completeTerm(row: Row, rules: Rules, emit: Emit): void {
  if (cell(row, TERM) !== TERM_WAITING) return;
  const config = newest(row);
  const primary = primaryOf(row, config);
  if (holdersOf(row, rules, primary, ackersOf(row, config)) < of(row, primary, NEED)) return;
  const next = row.slice();
  next[TERM] = TERM_HELD;
  emit(next, "complete-term", primary);
}

/** The recorded ackers that receive from this primary, acknowledge and hold all that it has. */
function holdersOf(row: Row, rules: Rules, primary: number, ackers: number): number {
  let count = 0;
  for (let member = 0; member < rules.members; member++) {
    if ((ackers & (1 << member)) === 0 || refuses(row, primary, member)) continue;
    if (of(row, member, RECEIVER) !== receiverOf(primary, true)) continue;
    if (within(has(row, primary), has(row, member))) count += 1;
  }
  return count;
}

function crash(row: Row, member: number, emit: Emit): void {
  const idle = !writable(row, member) && waiting(row, member) === 0 && of(row, member, RECEIVER) === 0;
  if (idle && !isSessionOn(row, member)) return;
  const next = row.slice();
  restart(next, member);
  emit(next, "crash", member);
}

/** Measured: on SIGTERM the server answers OK to commits that nobody has acknowledged. */
function stopGracefully(row: Row, member: number, emit: Emit): void {
  if (waiting(row, member) === 0) return;
  const next = row.slice();
  next[ACKED] = cell(row, ACKED) | waiting(row, member);
  restart(next, member);
  put(next, member, FLAGS, of(next, member, FLAGS) | STOPPED);
  emit(next, "graceful-stop", member);
}

function executorDies(row: Row, executor: number, emit: Emit): void {
  if (cell(row, executorAt(executor) + KIND) === 0) return;
  const next = row.slice();
  next.fill(0, executorAt(executor), executorAt(executor) + 5);
  emit(next, "executor-dies", executor);
}

export function worldSteps(row: Row, rules: Rules, emit: Emit): void {
  const lies = rules.variant === "graceful-stop" || rules.variant === "graceful-stop-waited-for";
  for (let member = 0; member < rules.members; member++) {
    clientWrites(row, rules, member, emit);
    receive(row, member, emit);
    complete(row, member, emit);
    crash(row, member, emit);
    if (lies) stopGracefully(row, member, emit);
  }
  completeTerm(row, rules, emit);
  for (let executor = 0; executor < EXECUTORS; executor++) executorDies(row, executor, emit);
}
