/**
 * Every state that can be reached, breadth first, until none is new: then the bounded protocol has no other
 * behaviour. Breadth first, so the first violation found is one with the fewest steps.
 */

import { canonicalise, settle } from "./canonical.ts";
import {
  ACK_COUNT,
  cell,
  EPOCH,
  ESTABLISHED,
  FLAGS,
  memberAt,
  NEED,
  put,
  RECEIVER,
  type Row,
  receiverOf,
  rowSize,
  setConfig,
  TERM,
  TERM_HELD,
  WANTED,
  WRITABLE,
} from "./cells.ts";
import { effectSteps, survivors } from "./effects.ts";
import { violated } from "./invariants.ts";
import { recordSteps } from "./records.ts";
import type { Rules } from "./rules.ts";
import { Visited } from "./visited.ts";
import { type Emit, worldSteps } from "./world.ts";

export interface Found {
  readonly visited: Visited;
  readonly transitions: number;
  /** True when the search ended because nothing was left to look at. */
  readonly fixpoint: boolean;
  /** How often each kind of step was taken. */
  readonly taken: ReadonlyMap<string, number>;
  readonly violation: { readonly parent: number; readonly what: string } | null;
}

/** Steady, member 0 primary, all others acking, nothing written. */
export function initialRow(rules: Rules): Row {
  const row = new Uint8Array(rowSize(rules.members));
  row[ACK_COUNT] = rules.ackCount;
  row[WANTED] = rules.ackCount;
  row[TERM] = TERM_HELD;
  setConfig(row, ESTABLISHED, 0, (1 << rules.members) - 2);
  row[memberAt(0) + FLAGS] = WRITABLE;
  for (let member = 0; member < rules.members; member++) put(row, member, NEED, rules.ackCount);
  for (let member = 1; member < rules.members; member++) put(row, member, RECEIVER, receiverOf(0, true));
  return row;
}

export function steps(row: Row, rules: Rules, emit: Emit): void {
  worldSteps(row, rules, emit);
  recordSteps(row, rules, survivors(rules), emit);
  effectSteps(row, rules, emit);
}

/** What is wrong with a step, seen before names are forgotten: I4 first, then the state it leads to. */
export function wrong(before: Row, after: Row, rules: Rules): string | null {
  if (cell(after, EPOCH) < cell(before, EPOCH)) return "I4: the epoch went back";
  return violated(after, rules);
}

export function search(rules: Rules, statesMax: number): Found {
  const visited = new Visited(rowSize(rules.members));
  const initial = initialRow(rules);
  canonicalise(initial, rules);
  visited.add(initial, 0);
  const taken = new Map<string, number>();
  let violation: Found["violation"] = null;
  let transitions = 0;
  let index = 0;
  for (; index < visited.count && violation === null && visited.count < statesMax; index++) {
    const row = visited.at(index);
    steps(row, rules, (next, step) => {
      transitions += 1;
      taken.set(step, (taken.get(step) ?? 0) + 1);
      settle(next, rules);
      const what = wrong(row, next, rules);
      if (what !== null) violation ??= { parent: index, what };
      canonicalise(next, rules);
      visited.add(next, index);
    });
  }
  return { visited, transitions, fixpoint: index === visited.count, taken, violation };
}
