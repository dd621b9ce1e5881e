/**
 * One state of the model: a short row of small cells, so that millions of them fit into memory and two can be
 * compared byte by byte. This module only knows where what is kept; it must never decide anything.
 *
 * Members and executors are numbered from 0; a cell that names one holds its number plus one, and 0 for nobody.
 * Sets of members and sets of transactions are bit masks. Transactions are numbered in the order of the binlog.
 */

export type Row = Uint8Array;

/** What is recorded: one register that changes by compare-and-swap only. */
export const PHASE = 0;
export const EPOCH = 1;
export const ACK_COUNT = 2;
/** Each of the three configurations is two cells: its primary, its set of ackers. */
export const ESTABLISHED = 3;
export const PENDING = 5;
/** A pending configuration that was opened and whose epoch was left: only the variants keep it. */
export const PRIOR = 7;
export const PENDING_OPEN = 9;

/** What the world knows besides: which transactions clients were told OK for, and how many are told apart. */
export const ACKED = 10;
export const LIVE = 11;
/** How far this epoch's term row got. */
export const TERM = 12;
/** Who was made writable and is not whom this epoch's record names. */
export const OPENED = 13;

/** The ack count that is to be reached; above the recorded one while it is raised. */
export const WANTED = 14;

export const EXECUTORS = 2;
export const EXECUTOR = 15;
export const EXECUTOR_SIZE = 5;
export const KIND = 0;
export const STAGE = 1;
export const TARGET = 2;
export const SOURCE = 3;
export const EXTRA = 4;

/** For every transaction the members whose acknowledgement is on its way to, or was read by, its primary. */
export const ACKS = EXECUTOR + EXECUTORS * EXECUTOR_SIZE;
export const TRANSACTIONS_MAX = 8;

export const MEMBER = ACKS + TRANSACTIONS_MAX;
export const MEMBER_SIZE = 6;
/** The transactions on this member's disk: received or written, executed or not. */
export const HAS = 0;
/** Those of them whose commit still waits for acknowledgements here. */
export const WAITING = 1;
/** 0: the receiver is off; else 1 + 2 * source + (1 when it acknowledges). */
export const RECEIVER = 2;
export const FLAGS = 3;
/** How many acknowledgements a commit here waits for. */
export const NEED = 4;
/** The members whose replication accounts this server has locked. */
export const REFUSES = 5;

export const WRITABLE = 1;
/** It was stopped gracefully and has answered OK to whatever waited. */
export const STOPPED = 2;

export const STEADY = 0;
export const REVOKING = 1;
export const ESTABLISHING = 2;

/** The term row: not written; its commit waits; committed by a restart, held by nobody; held by enough ackers. */
export const TERM_NONE = 0;
export const TERM_WAITING = 1;
export const TERM_RECOVERED = 2;
export const TERM_HELD = 3;

/** An executor has planned and not yet taken the lock; or it holds it and has read that its intent stands. */
export const PLANNED = 1;
export const CHECKED = 2;
/** Checked, and the epoch was left since; kept apart only where it makes a difference. */
export const CHECKED_STALE = 3;

export const rowSize = (members: number): number => MEMBER + members * MEMBER_SIZE;
export const memberAt = (member: number): number => MEMBER + member * MEMBER_SIZE;
export const executorAt = (executor: number): number => EXECUTOR + executor * EXECUTOR_SIZE;

export function cell(row: Row, at: number): number {
  return row[at] ?? 0;
}

export const of = (row: Row, member: number, field: number): number => cell(row, memberAt(member) + field);

export function put(row: Row, member: number, field: number, value: number): void {
  row[memberAt(member) + field] = value;
}

export const has = (row: Row, member: number): number => of(row, member, HAS);
export const waiting = (row: Row, member: number): number => of(row, member, WAITING);
export const executed = (row: Row, member: number): number => has(row, member) & ~waiting(row, member);
export const writable = (row: Row, member: number): boolean => (of(row, member, FLAGS) & WRITABLE) !== 0;
export const refuses = (row: Row, source: number, member: number): boolean =>
  (of(row, source, REFUSES) & (1 << member)) !== 0;
export const receiverOf = (source: number, acks: boolean): number => 1 + 2 * source + (acks ? 1 : 0);
export const sourceOf = (receiver: number): number => (receiver - 1) >> 1;
export const acknowledges = (receiver: number): boolean => receiver !== 0 && ((receiver - 1) & 1) === 1;
export const within = (part: number, whole: number): boolean => (part & ~whole) === 0;

export function countBits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** The primary of a configuration, -1 for a slot that is empty. */
export const primaryOf = (row: Row, config: number): number => cell(row, config) - 1;
export const ackersOf = (row: Row, config: number): number => cell(row, config + 1);

export function setConfig(row: Row, config: number, primary: number, ackers: number): void {
  row[config] = primary + 1;
  row[config + 1] = ackers;
}

/** The configuration that the newest record names. */
export function newest(row: Row): number {
  if (primaryOf(row, PENDING) >= 0) return PENDING;
  return primaryOf(row, PRIOR) >= 0 ? PRIOR : ESTABLISHED;
}

/** Closed, and no commit waits there: what it executed is all it has. */
export const isQuiet = (row: Row, member: number): boolean =>
  !writable(row, member) && waiting(row, member) === 0;
