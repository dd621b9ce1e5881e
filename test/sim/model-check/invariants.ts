/**
 * What must hold in every state, with the numbers of the design. Each returns what is wrong, or null.
 * I4 (the epoch only grows) is looked at along every step, by the search.
 */
import {
  ACK_COUNT,
  ACKED,
  ackersOf,
  acknowledges,
  cell,
  ESTABLISHING,
  has,
  NEED,
  newest,
  OPENED,
  of,
  PENDING_OPEN,
  PHASE,
  primaryOf,
  RECEIVER,
  type Row,
  refuses,
  STEADY,
  sourceOf,
  TERM,
  TERM_HELD,
  within,
  writable,
} from "./cells.ts";
import type { Rules } from "./rules.ts";

/**
 * I1, and the half of I2 that speaks of acknowledgements: from ELECT on, whatever any client is told OK for, by
 * whichever server, is held by the server that the newest record names.
 */
function acknowledgedIsKept(row: Row): string | null {
  const primary = primaryOf(row, newest(row));
  if (within(cell(row, ACKED), has(row, primary))) return null;
  return `I1: a transaction was acknowledged, and member ${primary}, the primary of the newest record, lacks it`;
}

/** I2: nobody but the recorded candidate was made writable in this epoch. */
function oneOpenedPerEpoch(row: Row): string | null {
  const opened = cell(row, OPENED) - 1;
  const recorded = primaryOf(row, newest(row));
  if (opened < 0 || opened === recorded) return null;
  return `I2: member ${opened} was opened in the epoch of member ${recorded}`;
}

/** I3, of the newest record's primary. */
function ackersAreRecorded(row: Row, rules: Rules): string | null {
  const config = newest(row);
  const primary = primaryOf(row, config);
  if (!writable(row, primary)) return null;
  for (let member = 0; member < rules.members; member++) {
    const receiver = of(row, member, RECEIVER);
    if (!acknowledges(receiver) || sourceOf(receiver) !== primary || refuses(row, primary, member)) continue;
    if ((ackersOf(row, config) & (1 << member)) === 0)
      return `I3: member ${member} acknowledges for member ${primary} and is not recorded`;
  }
  if (cell(row, ACK_COUNT) > of(row, primary, NEED))
    return `I3: commits on member ${primary} wait for fewer acknowledgements than recorded`;
  return null;
}

/** True when the plan to route clients to this epoch may be made. */
function mayRoute(row: Row, rules: Rules): boolean {
  if (cell(row, PHASE) === STEADY) return true;
  if (rules.variant !== "route-before-term" || cell(row, PHASE) !== ESTABLISHING) return false;
  return cell(row, PENDING_OPEN) === 1 && writable(row, primaryOf(row, newest(row)));
}

/** I7: the term row is held by as many recorded ackers as commits wait for before anybody is routed. */
function routedAfterTerm(row: Row, rules: Rules): string | null {
  if (!mayRoute(row, rules) || cell(row, TERM) === TERM_HELD) return null;
  return "I7: clients may be routed to this epoch, and its term row is not held by enough ackers";
}

export function violated(row: Row, rules: Rules): string | null {
  return (
    acknowledgedIsKept(row) ??
    oneOpenedPerEpoch(row) ??
    ackersAreRecorded(row, rules) ??
    routedAfterTerm(row, rules)
  );
}
