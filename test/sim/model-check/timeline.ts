/**
 * A violation as a story: the steps from the first state to it, one line each, with names that stay the same from
 * line to line. The search forgets names, so the story is walked again from the start.
 */

import { canonicalise, settle } from "./canonical.ts";
import {
  CHECKED_STALE,
  cell,
  EPOCH,
  EXTRA,
  executorAt,
  KIND,
  LIVE,
  type Row,
  SOURCE,
  STAGE,
  TARGET,
} from "./cells.ts";
import { EFFECT_NAMES } from "./effects.ts";
import type { Rules } from "./rules.ts";
import { type Found, initialRow, steps, wrong } from "./search.ts";

function namesOf(set: number): string {
  const members: string[] = [];
  for (let member = 0; set >> member !== 0; member++) if (set & (1 << member)) members.push(`m${member}`);
  return `{${members.join(",")}}`;
}

/** What an executor is about, in words. */
function intent(row: Row, executor: number): string {
  const at = executorAt(executor);
  const kind = EFFECT_NAMES[cell(row, at + KIND)] ?? "";
  const target = `m${cell(row, at + TARGET) - 1}`;
  const source = cell(row, at + SOURCE);
  const extra = cell(row, at + EXTRA);
  if (kind === "attach") return `attach ${target} to m${source - 1}${extra & 1 ? " as an acker" : ""}`;
  if (kind === "rebuild") return `rebuild ${target} from m${source - 1}`;
  if (kind === "cut-off") return `cut m${source - 1} off on ${target}`;
  if (kind.includes("ack-count")) return `${kind} ${extra} (${target})`;
  return `${kind} ${target}`;
}

interface Step {
  readonly before: Row;
  readonly after: Row;
  readonly step: string;
  readonly numbers: readonly number[];
  /** The names of the transactions, in their present order. */
  readonly transactions: readonly string[];
}

function line({ before, after, step, numbers, transactions }: Step): string {
  const [a = 0, b = 0, c = 0] = numbers;
  const stale = cell(before, executorAt(a) + STAGE) === CHECKED_STALE ? " (planned in an older epoch)" : "";
  switch (step) {
    case "write":
      return `client: writes ${transactions[b]} on m${a}; it waits for acknowledgements if any are needed`;
    case "receive":
      return `m${a}: receives ${transactions[b]} from m${c}`;
    case "receive-ack":
      return `m${a}: receives ${transactions[b]} from m${c} and acknowledges`;
    case "complete":
      return `m${a}: enough acknowledgements for ${transactions[b]}: executed, OK to the client`;
    case "complete-term":
      return `m${a}: enough ackers hold the term row, its commit returns`;
    case "crash":
      return `m${a}: crashes; restarted it is read-only, receives from nobody, its tail is committed`;
    case "graceful-stop":
      return `m${a}: is stopped gracefully and says OK to every commit that waits`;
    case "executor-dies":
      return `x${a}: is killed before it could ${intent(before, a)}`;
    case "claim":
      return `record: CLAIM epoch ${cell(after, EPOCH)}, Revoking`;
    case "elect":
    case "elect-open":
      return `record: ELECT m${a}, pending = {m${a}, ackers ${namesOf(b)}, open: ${step === "elect-open"}}`;
    case "reopen":
      return `record: REOPEN m${a} in epoch ${cell(after, EPOCH)}`;
    case "record-open":
      return `record: pending of m${a}, open: true`;
    case "record-established":
      return `record: established = m${a}, Steady`;
    case "record-acker":
      return `record: m${a} is an acker`;
    case "plan":
      return `x${a}: reads the register, plans to ${intent(after, a)}`;
    case "lock":
      return `x${a}: holds the lock and has read the register, to ${intent(after, a)}`;
    case "act":
      return `x${a}: does it: ${intent(before, a)}${stale}`;
    default:
      return `x${a}: records: ${intent(before, a)}`;
  }
}

function pathTo(found: Found, index: number): readonly number[] {
  const path: number[] = [];
  for (let at = index; at !== 0; at = found.visited.parentOf(at)) path.push(at);
  return path.reverse();
}

const isSame = (one: Row, other: Row): boolean => one.every((value, at) => value === other[at]);

/** A new transaction is named when it is written, and keeps its name when others are forgotten. */
function nameNew(after: Row, names: readonly string[], counter: { next: number }): readonly string[] {
  const named = [...names];
  while (named.length < cell(after, LIVE)) {
    named.push(`t${counter.next++}`);
  }
  return named;
}

/** Walks to the violation: each step is the first that leads to what the search found. */
export function timeline(found: Found, rules: Rules): readonly string[] {
  const { violation } = found;
  if (violation === null) return [];
  const lines: string[] = [];
  const counter = { next: 1 };
  let row = initialRow(rules);
  let names: readonly string[] = [];
  const targets = [...pathTo(found, violation.parent).map((index) => found.visited.at(index)), null];
  for (const target of targets) {
    let taken: { readonly row: Row; readonly names: readonly string[] } | null = null;
    const before = row;
    steps(before, rules, (next, step, ...numbers) => {
      if (taken !== null) return;
      const after = next.slice();
      const gone = settle(next, rules);
      const form = next.slice();
      canonicalise(form, rules);
      const isIt = target === null ? wrong(before, next, rules) === violation.what : isSame(form, target);
      const fits = target === null ? isIt || wrong(before, next, rules) !== null : isIt;
      if (!fits) return;
      const transactions = nameNew(after, names, counter);
      lines.push(line({ before, after, step, numbers: numbers.map((value) => value ?? 0), transactions }));
      taken = { row: next, names: transactions.filter((_, index) => !gone.includes(index)) };
    });
    if (taken === null) throw new Error("the search found a state that no step leads to");
    ({ row, names } = taken as { readonly row: Row; readonly names: readonly string[] });
  }
  const last = wrong(row, row, rules) ?? violation.what;
  return [...lines, `violated: ${last}`];
}
