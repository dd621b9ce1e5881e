/**
 * The compare-and-swaps of the protocol: what may be recorded when, from what was seen. Each is one step here,
 * although an executor looks first and swaps later: once true, what it looks for stays true until the register
 * changes, because every server it looks at is either closed, or revoked with nobody holding its lock, and disks
 * only grow. Where that does not hold (an acker that leaves, an ack count that rises) seeing and recording are two
 * steps, in effects.ts. Every swap makes all other executors' plans worthless.
 */
import {
  ACK_COUNT,
  ackersOf,
  acknowledges,
  CHECKED,
  CHECKED_STALE,
  cell,
  countBits,
  EPOCH,
  ESTABLISHED,
  ESTABLISHING,
  EXECUTOR_SIZE,
  EXECUTORS,
  executed,
  executorAt,
  FLAGS,
  has,
  isQuiet,
  KIND,
  OPENED,
  of,
  PENDING,
  PENDING_OPEN,
  PHASE,
  PLANNED,
  PRIOR,
  primaryOf,
  RECEIVER,
  REVOKING,
  type Row,
  STAGE,
  STEADY,
  STOPPED,
  setConfig,
  sourceOf,
  TARGET,
  TERM,
  TERM_HELD,
  TERM_NONE,
  TERM_RECOVERED,
  WANTED,
  waiting,
  within,
  writable,
} from "./cells.ts";
import type { Rules } from "./rules.ts";
import type { Emit } from "./world.ts";

/** True while an executor holds this server's lock, frozen or not. */
export function isLocked(row: Row, member: number): boolean {
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    if (cell(row, at + STAGE) >= CHECKED && cell(row, at + TARGET) === member + 1) return true;
  }
  return false;
}

/** The effects by which a server is opened and the term row written: their epoch is looked at. */
export const OPEN = 1;
export const COMMIT_TERM = 2;
const concernsEpoch = (kind: number): boolean => kind === OPEN || kind === COMMIT_TERM;

/** A plan made for another record has no effect any more: the fenced session reads the register again. */
export function supersedePlans(row: Row, survives: (kind: number) => boolean, epochLeft: boolean): void {
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    const stage = cell(row, at + STAGE);
    if (stage === PLANNED && !survives(cell(row, at + KIND))) row.fill(0, at, at + EXECUTOR_SIZE);
    const kind = cell(row, at + KIND);
    if (stage === CHECKED && epochLeft && concernsEpoch(kind)) row[at + STAGE] = CHECKED_STALE;
  }
}

export type Survives = (kind: number) => boolean;

function nextEpoch(row: Row, phase: number, survives: Survives): Row {
  const next = row.slice();
  next[EPOCH] = cell(row, EPOCH) + 1;
  next[PHASE] = phase;
  next[TERM] = TERM_NONE;
  next[WANTED] = cell(row, ACK_COUNT);
  next[OPENED] = 0;
  supersedePlans(next, survives, true);
  return next;
}

function dropPending(row: Row): void {
  setConfig(row, PENDING, -1, 0);
  row[PENDING_OPEN] = 0;
}

/**
 * CLAIM: a pending configuration that was not opened is dropped. One that was opened becomes the established one:
 * enough of its ackers were seen to hold everything before, so its quorum alone is enough from now on.
 */
function claim(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  if (cell(row, PHASE) === REVOKING || cell(row, EPOCH) >= rules.epochs) return;
  const next = nextEpoch(row, REVOKING, survives);
  if (cell(row, PENDING_OPEN) === 1) {
    const keeps = rules.variant === "opened-not-established" || rules.variant === "joint-quorum";
    setConfig(next, keeps ? PRIOR : ESTABLISHED, primaryOf(row, PENDING), ackersOf(row, PENDING));
  }
  dropPending(next);
  emit(next, "claim");
}

/** The members of a configuration's ackers that are seen to be revoked. */
function revoked(row: Row, rules: Rules, ackers: number): number {
  let seen = 0;
  for (let member = 0; member < rules.members; member++) {
    if ((ackers & (1 << member)) === 0) continue;
    if (of(row, member, RECEIVER) !== 0 && rules.variant !== "receiver-still-on") continue;
    if (isLocked(row, member) && rules.variant !== "revoked-without-lock") continue;
    seen |= 1 << member;
  }
  return seen;
}

function isSettled(row: Row, rules: Rules, primary: number): boolean {
  if (writable(row, primary) || isLocked(row, primary)) return false;
  return waiting(row, primary) === 0 || rules.variant === "settled-with-waiters";
}

function quorum(row: Row, rules: Rules, ackers: number): number {
  const ackCount = cell(row, ACK_COUNT);
  if (ackCount === 0) return rules.members + 1;
  return rules.variant === "election-without-quorum" ? 1 : countBits(ackers) - ackCount + 1;
}

function holdsAllOf(row: Row, rules: Rules, candidate: number, reached: number): boolean {
  if (rules.variant === "election-not-of-the-newest") return true;
  for (let member = 0; member < rules.members; member++) {
    if (reached & (1 << member) && !within(has(row, member), has(row, candidate))) return false;
  }
  return true;
}

/** The candidate may follow this configuration: a quorum of it is revoked, or its primary is settled. */
function mayFollow(row: Row, rules: Rules, config: number, candidate: number): boolean {
  const primary = primaryOf(row, config);
  if (primary < 0) return true;
  const ackers = ackersOf(row, config);
  const bit = 1 << candidate;
  if (isSettled(row, rules, primary)) {
    const known = (ackers | (1 << primary)) & bit;
    // What it executed: nothing waits there, unless the variant looks past that.
    if (known && within(executed(row, primary), has(row, candidate))) return true;
  }
  const stopped = (of(row, primary, FLAGS) & STOPPED) !== 0;
  if (stopped && rules.variant === "graceful-stop-waited-for") return false;
  const reached = revoked(row, rules, ackers);
  return quorumFor(row, rules, { ackers, reached, candidate }) && (reached & bit) !== 0;
}

/** Whoever was not reached is not looked at: some part of the reached that is a quorum has to do. */
function quorumFor(
  row: Row,
  rules: Rules,
  { ackers, reached, candidate }: { ackers: number; reached: number; candidate: number },
): boolean {
  const needed = quorum(row, rules, ackers);
  for (let part = reached; part !== 0; part = (part - 1) & reached) {
    if ((part & (1 << candidate)) === 0 || countBits(part) < needed) continue;
    if (holdsAllOf(row, rules, candidate, part)) return true;
  }
  return false;
}

function mayElect(row: Row, rules: Rules, candidate: number): boolean {
  if (isLocked(row, candidate) && rules.variant !== "revoked-without-lock") return false;
  // It may be a primary of an older epoch that nobody has fenced.
  if (!isQuiet(row, candidate) && rules.variant !== "candidate-not-closed") return false;
  const prior = primaryOf(row, PRIOR) >= 0;
  if (rules.variant === "opened-not-established" && prior) return mayFollow(row, rules, PRIOR, candidate);
  return mayFollow(row, rules, ESTABLISHED, candidate) && mayFollow(row, rules, PRIOR, candidate);
}

/**
 * Who is recorded as an acker was reached by a fenced session in this epoch: else a frozen executor of an older one
 * may still rebuild it, and what it acknowledged meanwhile is gone.
 */
function reachable(row: Row, rules: Rules): number {
  let members = 0;
  for (let member = 0; member < rules.members; member++) {
    if (!isLocked(row, member) || rules.variant === "acker-without-session") members |= 1 << member;
  }
  return members;
}

/** ELECT: the candidate, and any set of others that is large enough. With enough holders among them it is opened at once. */
function elect(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  if (cell(row, PHASE) !== REVOKING) return;
  for (let candidate = 0; candidate < rules.members; candidate++) {
    if (!mayElect(row, rules, candidate)) continue;
    const others = reachable(row, rules) & ~(1 << candidate);
    for (let ackers = others; ackers !== 0; ackers = (ackers - 1) & others) {
      if (countBits(ackers) < cell(row, ACK_COUNT)) continue;
      const next = row.slice();
      next[PHASE] = ESTABLISHING;
      setConfig(next, PENDING, candidate, ackers);
      if (rules.variant === "opened-not-established") setConfig(next, PRIOR, -1, 0);
      supersedePlans(next, survives, false);
      emit(next, "elect", candidate, ackers);
      if (holders(row, rules, ackers, has(row, candidate)) < cell(row, ACK_COUNT)) continue;
      const opened = next.slice();
      opened[PENDING_OPEN] = 1;
      emit(opened, "elect-open", candidate, ackers);
    }
  }
}

/** REOPEN: the primary came back read-only, and nothing was elected meanwhile. */
function reopen(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  const primary = primaryOf(row, ESTABLISHED);
  if (cell(row, PHASE) !== STEADY || cell(row, EPOCH) >= rules.epochs || writable(row, primary)) return;
  const next = nextEpoch(row, ESTABLISHING, survives);
  setConfig(next, PENDING, primary, ackersOf(row, ESTABLISHED));
  emit(next, "reopen", primary);
}

/** How many of these hold all of it, each seen with nobody holding its lock. */
export function holders(row: Row, rules: Rules, ackers: number, transactions: number): number {
  let count = 0;
  for (let member = 0; member < rules.members; member++) {
    if ((ackers & (1 << member)) === 0 || isLocked(row, member)) continue;
    if (within(transactions, has(row, member))) count += 1;
  }
  return count;
}

function recordOpen(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  if (cell(row, PHASE) !== ESTABLISHING || cell(row, PENDING_OPEN) === 1) return;
  const candidate = primaryOf(row, PENDING);
  const unverified = rules.variant === "open-before-holders" || rules.variant === "joint-quorum";
  const held = holders(row, rules, ackersOf(row, PENDING), executed(row, candidate));
  if (!unverified && held < cell(row, ACK_COUNT)) return;
  const next = row.slice();
  next[PENDING_OPEN] = 1;
  supersedePlans(next, survives, false);
  emit(next, "record-open", candidate);
}

/** The term row is committed on the candidate, and enough of its ackers hold it. */
function recordEstablished(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  if (cell(row, PHASE) !== ESTABLISHING || cell(row, PENDING_OPEN) === 0) return;
  const candidate = primaryOf(row, PENDING);
  const term = cell(row, TERM);
  const stands = term === TERM_HELD || (term === TERM_RECOVERED && rules.variant === "term-row-unverified");
  if (!writable(row, candidate) || !stands) return;
  const next = row.slice();
  next[PHASE] = STEADY;
  setConfig(next, ESTABLISHED, candidate, ackersOf(row, PENDING));
  setConfig(next, PRIOR, -1, 0);
  dropPending(next);
  supersedePlans(next, survives, false);
  emit(next, "record-established", candidate);
}

/** A follower is recorded as an acker before it acknowledges. */
function recordAcker(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  if (cell(row, PHASE) !== STEADY) return;
  const primary = primaryOf(row, ESTABLISHED);
  const ackers = ackersOf(row, ESTABLISHED);
  for (let member = 0; member < rules.members; member++) {
    const receiver = of(row, member, RECEIVER);
    if (member === primary || ackers & (1 << member) || receiver === 0) continue;
    if (sourceOf(receiver) !== primary || isLocked(row, member)) continue;
    if (acknowledges(receiver) && rules.variant !== "enabled-before-recorded") continue;
    const next = row.slice();
    setConfig(next, ESTABLISHED, primary, ackers | (1 << member));
    supersedePlans(next, survives, false);
    emit(next, "record-acker", member);
  }
}

export function recordSteps(row: Row, rules: Rules, survives: Survives, emit: Emit): void {
  claim(row, rules, survives, emit);
  elect(row, rules, survives, emit);
  reopen(row, rules, survives, emit);
  recordOpen(row, rules, survives, emit);
  recordEstablished(row, rules, survives, emit);
  recordAcker(row, rules, survives, emit);
}
