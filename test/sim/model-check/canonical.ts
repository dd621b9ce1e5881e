/**
 * Puts states that differ in names only into one form: what can no longer matter is forgotten, members and
 * executors are sorted. Sound because every rule treats all members and all executors alike; whatever order is
 * chosen here, a state is only ever replaced by one that is the same up to names.
 */
import {
  ACKED,
  ACKS,
  ackersOf,
  acknowledges,
  cell,
  countBits,
  ESTABLISHED,
  EXECUTOR_SIZE,
  EXECUTORS,
  EXTRA,
  executorAt,
  FLAGS,
  HAS,
  has,
  KIND,
  LIVE,
  MEMBER,
  MEMBER_SIZE,
  memberAt,
  NEED,
  newest,
  OPENED,
  of,
  PENDING,
  PRIOR,
  primaryOf,
  put,
  RECEIVER,
  REFUSES,
  type Row,
  receiverOf,
  SOURCE,
  STAGE,
  setConfig,
  sourceOf,
  TARGET,
  TRANSACTIONS_MAX,
  WAITING,
  waiting,
  writable,
} from "./cells.ts";
import { ARM } from "./effects.ts";
import { OPEN } from "./records.ts";
import type { Rules } from "./rules.ts";

/** Takes one transaction out of a set and closes the gap in the numbering. */
const without = (mask: number, index: number): number =>
  (mask & ((1 << index) - 1)) | ((mask >> (index + 1)) << index);

function forget(row: Row, rules: Rules, index: number): void {
  row[ACKED] = without(cell(row, ACKED), index);
  row[LIVE] = cell(row, LIVE) - 1;
  row.copyWithin(ACKS + index, ACKS + index + 1, ACKS + TRANSACTIONS_MAX);
  row[ACKS + TRANSACTIONS_MAX - 1] = 0;
  for (let member = 0; member < rules.members; member++) {
    put(row, member, HAS, without(has(row, member), index));
    put(row, member, WAITING, without(waiting(row, member), index));
  }
}

/**
 * Who acknowledged is forgotten once they are enough. A closed server that is nobody's primary lets everybody in:
 * that allows more than it should, which can only find too much.
 */
function simplify(row: Row, rules: Rules): void {
  const all = (1 << rules.members) - 1;
  const primary = primaryOf(row, newest(row));
  for (let member = 0; member < rules.members; member++) {
    if (!writable(row, member) && member !== primary && waiting(row, member) === 0)
      put(row, member, REFUSES, 0);
  }
  for (let index = 0; index < cell(row, LIVE); index++) {
    if (countBits(cell(row, ACKS + index)) >= rules.ackCount) row[ACKS + index] = all;
  }
}

/**
 * Forgets acknowledgements that nobody waits for, and transactions that are on every disk or on none. Returns the
 * transactions that went, highest first, so that a timeline can keep their names.
 */
export function settle(row: Row, rules: Rules): readonly number[] {
  if (rules.scope === "failover") simplify(row, rules);
  let anywhere = 0;
  let everywhere = (1 << TRANSACTIONS_MAX) - 1;
  let waited = 0;
  for (let member = 0; member < rules.members; member++) {
    anywhere |= has(row, member);
    everywhere &= has(row, member);
    waited |= waiting(row, member);
  }
  const gone: number[] = [];
  for (let index = cell(row, LIVE) - 1; index >= 0; index--) {
    const bit = 1 << index;
    if ((waited & bit) === 0) row[ACKS + index] = 0;
    const isEverywhere = (everywhere & bit) !== 0 && (waited & bit) === 0;
    if (!isEverywhere && (anywhere & bit) !== 0) continue;
    forget(row, rules, index);
    gone.push(index);
  }
  return gone;
}

function acksOf(row: Row, member: number): number {
  let column = 0;
  for (let index = 0; index < TRANSACTIONS_MAX; index++) {
    if (cell(row, ACKS + index) & (1 << member)) column |= 1 << index;
  }
  return column;
}

/** A number that says all about a member that does not name other members. */
function weightOf(row: Row, member: number): number {
  let roles = 0;
  for (const config of [ESTABLISHED, PENDING, PRIOR]) {
    roles = roles * 4 + (primaryOf(row, config) === member ? 2 : 0) + ((ackersOf(row, config) >> member) & 1);
  }
  const receiver = of(row, member, RECEIVER);
  const receives = receiver === 0 ? 0 : acknowledges(receiver) ? 2 : 1;
  let weight = (roles * 256 + has(row, member)) * 256 + waiting(row, member);
  weight = ((weight * 8 + of(row, member, FLAGS)) * 4 + receives) * 4 + of(row, member, NEED);
  let sessions = 0;
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    if (cell(row, at + TARGET) === member + 1) sessions += cell(row, at + KIND) * 4 + cell(row, at + STAGE);
  }
  return weight * 128 + sessions;
}

function order(row: Row, rules: Rules): readonly number[] {
  const weights: number[] = [];
  const members: number[] = [];
  for (let member = 0; member < rules.members; member++) {
    const weight = weightOf(row, member);
    let at = member;
    while (
      at > 0 &&
      isBefore(row, { weight, member }, { weight: weights[at - 1] ?? 0, member: members[at - 1] ?? 0 })
    ) {
      weights[at] = weights[at - 1] ?? 0;
      members[at] = members[at - 1] ?? 0;
      at -= 1;
    }
    weights[at] = weight;
    members[at] = member;
  }
  return members;
}

interface Weighed {
  readonly weight: number;
  readonly member: number;
}

function isBefore(row: Row, one: Weighed, other: Weighed): boolean {
  if (one.weight !== other.weight) return one.weight > other.weight;
  return acksOf(row, one.member) > acksOf(row, other.member);
}

function renameSet(set: number, members: readonly number[]): number {
  let renamed = 0;
  for (let index = 0; index < members.length; index++) {
    if (set & (1 << (members[index] ?? 0))) renamed |= 1 << index;
  }
  return renamed;
}

function rename(row: Row, members: readonly number[]): void {
  const named = (cellValue: number): number => (cellValue === 0 ? 0 : members.indexOf(cellValue - 1) + 1);
  const disks = row.slice(MEMBER);
  for (let index = 0; index < members.length; index++) {
    const from = (members[index] ?? 0) * MEMBER_SIZE;
    row.set(disks.subarray(from, from + MEMBER_SIZE), memberAt(index));
    put(row, index, REFUSES, renameSet(of(row, index, REFUSES), members));
    const receiver = of(row, index, RECEIVER);
    if (receiver !== 0)
      put(row, index, RECEIVER, receiverOf(members.indexOf(sourceOf(receiver)), acknowledges(receiver)));
  }
  for (const config of [ESTABLISHED, PENDING, PRIOR]) {
    const primary = named(cell(row, config)) - 1;
    setConfig(row, config, primary, renameSet(ackersOf(row, config), members));
  }
  row[OPENED] = named(cell(row, OPENED));
  for (let index = 0; index < TRANSACTIONS_MAX; index++)
    row[ACKS + index] = renameSet(cell(row, ACKS + index), members);
  for (let executor = 0; executor < EXECUTORS; executor++) {
    const at = executorAt(executor);
    row[at + TARGET] = named(cell(row, at + TARGET));
    row[at + SOURCE] = named(cell(row, at + SOURCE));
    const kind = cell(row, at + KIND);
    if (kind === OPEN || kind === ARM) row[at + EXTRA] = renameSet(cell(row, at + EXTRA), members);
  }
}

function sortExecutors(row: Row): void {
  const first = executorAt(0);
  const second = executorAt(1);
  for (let offset = 0; offset < EXECUTOR_SIZE; offset++) {
    const difference = cell(row, first + offset) - cell(row, second + offset);
    if (difference > 0) return;
    if (difference === 0) continue;
    const kept = row.slice(first, first + EXECUTOR_SIZE);
    row.copyWithin(first, second, second + EXECUTOR_SIZE);
    row.set(kept, second);
    return;
  }
}

const isSorted = (members: readonly number[]): boolean => members.every((member, index) => member === index);

export function canonicalise(row: Row, rules: Rules): void {
  const members = order(row, rules);
  if (!isSorted(members)) rename(row, members);
  sortExecutors(row);
}
