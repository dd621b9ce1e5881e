/**
 * What executors do to servers. An executor reads the register and looks at the servers (plan), takes the lock of
 * one server and reads the register again (lock: it goes on only if that is what it planned for, to the letter),
 * then acts in that session. It may be frozen or die between any two of these. Taking a lock ends the session that
 * held it, so a frozen executor's act fails then; one that nobody took the lock from still acts, however late.
 */
import {
  ACK_COUNT,
  ACKS,
  ackersOf,
  CHECKED,
  CHECKED_STALE,
  cell,
  EPOCH,
  ESTABLISHED,
  ESTABLISHING,
  EXECUTOR_SIZE,
  EXECUTORS,
  EXTRA,
  executed,
  executorAt,
  FLAGS,
  HAS,
  has,
  isQuiet,
  KIND,
  NEED,
  newest,
  OPENED,
  of,
  PENDING,
  PENDING_OPEN,
  PHASE,
  PLANNED,
  PRIOR,
  primaryOf,
  put,
  RECEIVER,
  REFUSES,
  REVOKING,
  type Row,
  receiverOf,
  refuses,
  SOURCE,
  STAGE,
  STEADY,
  setConfig,
  TARGET,
  TERM,
  TERM_HELD,
  TERM_NONE,
  TERM_RECOVERED,
  TERM_WAITING,
  TRANSACTIONS_MAX,
  WAITING,
  WANTED,
  WRITABLE,
  waiting,
  within,
  writable,
} from "./cells.ts";
import { COMMIT_TERM, holders, isLocked, OPEN, type Survives, supersedePlans } from "./records.ts";
import type { Rules } from "./rules.ts";
import { type Emit, endSessions } from "./world.ts";

const FENCE = 3;
const REVOKE = 4;
const ATTACH = 5;
const REBUILD = 6;
const CUT_OFF = 7;
const SET_ACK_COUNT = 8;
export const ARM = 9;
/** These end in a swap of the register and hold no lock. */
const REMOVE_ACKER = 10;
const RECORD_ACK_COUNT = 11;
const WANT_ACK_COUNT = 12;

export const EFFECT_NAMES: readonly string[] = [
  "",
  "open",
  "commit-term",
  "fence",
  "revoke",
  "attach",
  "rebuild",
  "cut-off",
  "set-ack-count",
  "arm",
  "remove-acker",
  "record-ack-count",
  "want-ack-count",
];

const all: Survives = () => true;
const none: Survives = () => false;
const receiverStarts: Survives = (kind) => kind === ATTACH;

/** Which plans are acted upon although the register changed; in the intact protocol none is. */
export function survivors({ variant }: Rules): Survives {
  if (variant === "no-fenced-recheck") return all;
  return variant === "stale-receiver-start" ? receiverStarts : none;
}

type Plan = (kind: number, target: number, source?: number, extra?: number) => void;

function attachable(row: Row, member: number, source: number): boolean {
  return isQuiet(row, member) && within(has(row, member), executed(row, source));
}

function planRevoking(row: Row, rules: Rules, plan: Plan): void {
  for (const config of [ESTABLISHED, PRIOR]) {
    const primary = primaryOf(row, config);
    if (primary < 0) continue;
    if (writable(row, primary) || isLocked(row, primary)) plan(FENCE, primary);
    for (let member = 0; member < rules.members; member++) {
      if ((ackersOf(row, config) & (1 << member)) === 0) continue;
      // A receiver that is off is revoked all the same while somebody may hold the lock to start it.
      if (of(row, member, RECEIVER) !== 0 || isLocked(row, member)) plan(REVOKE, member);
    }
  }
}

function planEstablishing(row: Row, rules: Rules, plan: Plan): void {
  const candidate = primaryOf(row, PENDING);
  const wanted = receiverOf(candidate, true);
  for (let member = 0; member < rules.members; member++) {
    if ((ackersOf(row, PENDING) & (1 << member)) === 0) continue;
    if (writable(row, member)) plan(FENCE, member);
    const starts = of(row, member, RECEIVER) !== wanted || isLocked(row, member);
    if (starts && attachable(row, member, candidate)) plan(ATTACH, member, candidate, AS_ACKER);
  }
  const lockedOut = lockedOutOf(rules, candidate, ackersOf(row, PENDING));
  const armed = of(row, candidate, RECEIVER) === 0 && of(row, candidate, REFUSES) === lockedOut;
  if (!armed) plan(ARM, candidate, -1, ackersOf(row, PENDING));
  if (cell(row, PENDING_OPEN) === 0) return;
  if (!writable(row, candidate)) plan(OPEN, candidate, -1, ackersOf(row, PENDING));
  const unwritten = cell(row, TERM) === TERM_NONE || cell(row, TERM) === TERM_RECOVERED;
  if (writable(row, candidate) && unwritten) plan(COMMIT_TERM, candidate);
}

/** Every member in its place: ackers receive and acknowledge, others receive, whoever differs is rebuilt. */
function planSteady(row: Row, rules: Rules, plan: Plan): void {
  const primary = primaryOf(row, ESTABLISHED);
  const ackers = ackersOf(row, ESTABLISHED);
  for (let member = 0; member < rules.members; member++) {
    if (member === primary) continue;
    if (writable(row, member)) plan(FENCE, member);
    const isAcker = (ackers & (1 << member)) !== 0;
    const acks = isAcker || rules.variant === "enabled-before-recorded";
    if (attachable(row, member, primary)) {
      const inPlace = of(row, member, RECEIVER) === receiverOf(primary, acks);
      const letIn = refuses(row, primary, member) && !isAcker;
      if (!inPlace || letIn) plan(ATTACH, member, primary, (acks ? AS_ACKER : 0) | (isAcker ? 0 : LET_IN));
    } else if (!isAcker && !writable(row, member)) {
      planRebuild(row, rules, member, plan);
    }
  }
  if (rules.scope === "reconfigure") planReconfigure(row, rules, plan);
}

/** It holds what the primary does not: that tail was never acknowledged, and is archived before it is lost. */
function planRebuild(row: Row, rules: Rules, member: number, plan: Plan): void {
  if (waiting(row, member) !== 0) return;
  const primary = primaryOf(row, ESTABLISHED);
  for (let donor = 0; donor < rules.members; donor++) {
    if (donor === member) continue;
    if (donor === primary || ackersOf(row, ESTABLISHED) & (1 << donor)) plan(REBUILD, member, donor);
  }
}

function planReconfigure(row: Row, rules: Rules, plan: Plan): void {
  const primary = primaryOf(row, ESTABLISHED);
  const ackers = ackersOf(row, ESTABLISHED);
  const recorded = cell(row, ACK_COUNT);
  const tail = executed(row, primary);
  for (let member = 0; member < rules.members; member++) {
    const others = ackers & ~(1 << member);
    if (others === ackers || others === 0) continue;
    if (!refuses(row, primary, member)) plan(CUT_OFF, primary, member);
    if (!refuses(row, primary, member) && rules.variant !== "removed-without-lock-out") continue;
    const held = holders(row, rules, others, tail) >= recorded;
    if (held || rules.variant === "removed-without-catch-up") plan(REMOVE_ACKER, member);
  }
  planAckCount(row, rules, plan);
}

/**
 * Down: record, then the primary. Up: record that it is wanted, so that nobody lowers it any more, then the primary,
 * then enough hold everything, then record.
 */
function planAckCount(row: Row, rules: Rules, plan: Plan): void {
  const primary = primaryOf(row, ESTABLISHED);
  const recorded = cell(row, ACK_COUNT);
  const wanted = cell(row, WANTED);
  const real = of(row, primary, NEED);
  if (recorded === rules.ackCount) {
    const lowersFirst = rules.variant === "lowered-on-primary-first" && real === recorded;
    plan(lowersFirst ? SET_ACK_COUNT : RECORD_ACK_COUNT, primary, -1, recorded - 1);
    return;
  }
  if (wanted === recorded) plan(WANT_ACK_COUNT, primary, -1, rules.ackCount);
  if (real !== wanted || isLocked(row, primary)) plan(SET_ACK_COUNT, primary, -1, wanted);
  if (wanted === recorded || real < wanted) return;
  if (isLocked(row, primary) && rules.variant !== "raised-without-session") return;
  const held = holders(row, rules, ackersOf(row, ESTABLISHED), executed(row, primary));
  if (held >= wanted || rules.variant === "raised-without-catch-up")
    plan(RECORD_ACK_COUNT, primary, -1, wanted);
}

function planSteps(row: Row, rules: Rules, executor: number, emit: Emit): void {
  const plan: Plan = (kind, target, source = -1, extra = 0) => {
    const next = row.slice();
    const at = executorAt(executor);
    next[at + KIND] = kind;
    next[at + STAGE] = PLANNED;
    next[at + TARGET] = target + 1;
    next[at + SOURCE] = source + 1;
    next[at + EXTRA] = extra;
    // Looked at and locked in one: what it looks for stays true, or the act changes nothing.
    const locks = !rules.plansApart && kind < REMOVE_ACKER;
    if (locks) takeLock(next, rules, executor);
    emit(next, locks ? "lock" : "plan", executor);
  };
  const phase = cell(row, PHASE);
  // Nobody is elected after the last epoch, so putting members in their places there harms nobody.
  if (phase === STEADY && cell(row, EPOCH) >= rules.epochs) return;
  if (phase === REVOKING) planRevoking(row, rules, plan);
  if (phase === ESTABLISHING) planEstablishing(row, rules, plan);
  if (phase === STEADY) planSteady(row, rules, plan);
}

/** Takes the lock; whoever held it is dead from now on. That the intent stands is what kept the plan alive. */
function takeLock(next: Row, rules: Rules, executor: number): void {
  const at = executorAt(executor);
  if (rules.variant !== "lock-survives-takeover") endSessions(next, cell(next, at + TARGET) - 1);
  next[at + STAGE] = CHECKED;
}

/** Everybody who is not recorded as an acker: one of them may have been told to acknowledge for it once. */
function lockedOutOf(rules: Rules, primary: number, ackers: number): number {
  if (rules.variant === "opened-without-lock-out") return 0;
  return ((1 << rules.members) - 1) & ~ackers & ~(1 << primary);
}

function openServer(next: Row, rules: Rules, member: number, ackers: number): void {
  // Read afresh in the session: a server that still receives is not opened.
  if (of(next, member, RECEIVER) !== 0) return;
  put(next, member, FLAGS, of(next, member, FLAGS) | WRITABLE);
  put(next, member, NEED, cell(next, ACK_COUNT));
  put(next, member, REFUSES, lockedOutOf(rules, member, ackers));
}

function rebuild(next: Row, member: number, donor: number): void {
  put(next, member, HAS, executed(next, donor));
  put(next, member, WAITING, 0);
  put(next, member, RECEIVER, 0);
}

/** Extra of an attach: whether it acknowledges, whether its account is unlocked after that. */
const AS_ACKER = 1;
const LET_IN = 2;

function attach(next: Row, member: number, source: number, extra: number): void {
  const acks = (extra & AS_ACKER) !== 0;
  const letsIn = (extra & LET_IN) !== 0;
  put(next, member, RECEIVER, receiverOf(source, acks));
  if (letsIn) put(next, source, REFUSES, of(next, source, REFUSES) & ~(1 << member));
}

/** Its account is locked and its connection closed: an acknowledgement that was not read yet is never read. */
function cutOff(next: Row, primary: number, member: number): void {
  put(next, primary, REFUSES, of(next, primary, REFUSES) | (1 << member));
  for (let index = 0; index < TRANSACTIONS_MAX; index++) {
    if (waiting(next, primary) & (1 << index)) next[ACKS + index] = cell(next, ACKS + index) & ~(1 << member);
  }
}

/** The one statement of an effect, on the session that holds the lock. Returns false when it cannot be done. */
function act(next: Row, rules: Rules, kind: number, at: number): boolean {
  const target = cell(next, at + TARGET) - 1;
  const source = cell(next, at + SOURCE) - 1;
  const extra = cell(next, at + EXTRA);
  if (kind === FENCE) put(next, target, FLAGS, of(next, target, FLAGS) & ~WRITABLE);
  if (kind === REVOKE) put(next, target, RECEIVER, 0);
  if (kind === ATTACH) attach(next, target, source, extra);
  if (kind === ARM) {
    put(next, target, RECEIVER, 0);
    put(next, target, REFUSES, lockedOutOf(rules, target, extra));
  }
  if (kind === OPEN) openServer(next, rules, target, extra);
  if (kind === REBUILD) rebuild(next, target, source);
  if (kind === CUT_OFF) cutOff(next, target, source);
  if (kind === SET_ACK_COUNT) {
    if (extra < of(next, target, NEED) && waiting(next, target) !== 0) return false;
    put(next, target, NEED, extra);
  }
  if (kind === COMMIT_TERM) {
    if (!writable(next, target)) return false;
    // An older epoch's term row is nothing that anybody looks at.
    if (cell(next, at + STAGE) === CHECKED && cell(next, TERM) !== TERM_HELD) next[TERM] = TERM_WAITING;
  }
  return true;
}

function actStep(row: Row, rules: Rules, executor: number, emit: Emit): void {
  const at = executorAt(executor);
  const kind = cell(row, at + KIND);
  const next = row.slice();
  if (!act(next, rules, kind, at)) return;
  const target = cell(row, at + TARGET) - 1;
  const recorded = primaryOf(row, newest(row));
  const inEpoch = kind === OPEN && cell(row, at + STAGE) === CHECKED;
  if (inEpoch && writable(next, target) && target !== recorded) next[OPENED] = target + 1;
  next.fill(0, at, at + EXECUTOR_SIZE);
  emit(next, "act", executor);
}

/** The swap that ends a removal or a change of the ack count: it holds if the register is the one planned for. */
function swapStep(row: Row, rules: Rules, executor: number, emit: Emit): void {
  const at = executorAt(executor);
  const next = row.slice();
  const target = cell(row, at + TARGET) - 1;
  const primary = primaryOf(row, ESTABLISHED);
  const ackers = ackersOf(row, ESTABLISHED);
  if (cell(row, at + KIND) === REMOVE_ACKER) setConfig(next, ESTABLISHED, primary, ackers & ~(1 << target));
  else next[WANTED] = cell(row, at + EXTRA);
  if (cell(row, at + KIND) === RECORD_ACK_COUNT) next[ACK_COUNT] = cell(row, at + EXTRA);
  next.fill(0, at, at + EXECUTOR_SIZE);
  supersedePlans(next, survivors(rules), false);
  emit(next, "swap", executor);
}

export function effectSteps(row: Row, rules: Rules, emit: Emit): void {
  let planning = false;
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    const stage = cell(row, at + STAGE);
    const swaps = cell(row, at + KIND) >= REMOVE_ACKER;
    if (stage === PLANNED && swaps) swapStep(row, rules, executor, emit);
    else if (stage === PLANNED) {
      const next = row.slice();
      takeLock(next, rules, executor);
      emit(next, "lock", executor);
    } else if (stage === CHECKED || stage === CHECKED_STALE) actStep(row, rules, executor, emit);
    // Executors are alike, so of several idle ones the first one plans.
    else if (!planning) {
      planning = true;
      planSteps(row, rules, executor, emit);
    }
  }
}
