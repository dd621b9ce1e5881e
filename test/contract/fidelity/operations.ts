/**
 * What is done to the simulated and to the real servers alike, and how a sequence of it is drawn from a seed.
 * What can be done next depends on what the model shows; whatever the servers answer to it is compared, so
 * an operation that is refused is as good as any other. Left out is what has no answer in bounded time on a
 * real server (docs/simulation.md).
 */
export type Operation =
  | { readonly kind: "write"; readonly on: number; readonly value: string }
  | {
      readonly kind: "threads";
      readonly on: number;
      readonly verb: "START" | "STOP";
      readonly thread: Thread;
    }
  | { readonly kind: "repoint"; readonly on: number; readonly to: number; readonly how: "receiver" | "full" }
  | { readonly kind: "forget-source"; readonly on: number }
  | { readonly kind: "acknowledge"; readonly on: number; readonly value: Switch }
  | { readonly kind: "require"; readonly on: number; readonly value: Switch }
  | { readonly kind: "count"; readonly on: number; readonly count: 1 | 2 }
  | { readonly kind: "close" | "open" | "flush"; readonly on: number }
  | { readonly kind: "offline"; readonly on: number; readonly value: Switch }
  | { readonly kind: "start-by-itself"; readonly on: number; readonly value: Switch }
  | { readonly kind: "copy"; readonly on: number; readonly to: number }
  | {
      readonly kind: "signal";
      readonly on: number;
      readonly signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT";
    };

export type Thread = "IO_THREAD" | "SQL_THREAD";
export type Switch = "ON" | "OFF";

/** What the drawing looks at, one for each server. */
export interface Seen {
  readonly frozen: boolean;
  readonly waiters: number;
  readonly receives: boolean;
  readonly channel: boolean;
  /** It has a channel that never had a connection. */
  readonly unmet: boolean;
  readonly readOnly: boolean;
}

export const MEMBERS = 3;

/** How often one is drawn, in comparison. Ends of processes and copies take seconds. */
const WEIGHTS: readonly (readonly [Operation["kind"], number])[] = [
  ["write", 30],
  ["threads", 14],
  ["repoint", 10],
  ["forget-source", 2],
  ["acknowledge", 6],
  ["require", 6],
  ["count", 5],
  ["close", 4],
  ["open", 8],
  ["flush", 2],
  ["offline", 4],
  ["start-by-itself", 2],
  ["copy", 2],
  ["signal", 9],
];

function pick<T>(chance: () => number, from: readonly T[]): T {
  const found = from[Math.floor(chance() * from.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
}

function weighted(chance: () => number): Operation["kind"] {
  let left = chance() * WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of WEIGHTS) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "write";
}

const ORDINALS = Array.from({ length: MEMBERS }, (_, ordinal) => ordinal);

/** The next one; `number` makes values that nobody else writes. */
export function draw(chance: () => number, seen: readonly Seen[], number: number): Operation {
  const frozen = seen.findIndex((one) => one.frozen);
  // A server that stands still goes on soon.
  if (frozen >= 0 && chance() < 0.4) return { kind: "signal", on: frozen, signal: "SIGCONT" };
  for (;;) {
    const kind = weighted(chance);
    const on = pick(chance, kind === "write" && chance() < 0.8 ? writable(seen) : ORDINALS);
    const operation = shape(chance, kind, on, number);
    if (sensible(operation, seen)) return operation;
  }
}

/** What a closed server answers is always the same. */
function writable(seen: readonly Seen[]): readonly number[] {
  const open = ORDINALS.filter((ordinal) => seen[ordinal]?.readOnly === false);
  return open.length === 0 ? ORDINALS : open;
}

function shape(chance: () => number, kind: Operation["kind"], on: number, number: number): Operation {
  const to = (on + pick(chance, [1, 2])) % MEMBERS;
  const value = pick(chance, ["ON", "OFF"] as const);
  switch (kind) {
    case "write":
      return { kind, on, value: `v${number}` };
    case "threads": {
      const thread = pick(chance, ["IO_THREAD", "SQL_THREAD"] as const);
      return { kind, on, verb: pick(chance, ["START", "START", "STOP"] as const), thread };
    }
    case "repoint":
      return { kind, on, to, how: pick(chance, ["receiver", "full"] as const) };
    case "count":
      return { kind, on, count: pick(chance, [1, 2] as const) };
    case "acknowledge":
    case "require":
      return { kind, on, value: chance() < 0.7 ? "ON" : "OFF" };
    case "offline":
      return { kind, on, value: chance() < 0.4 ? "ON" : "OFF" };
    case "start-by-itself":
      return { kind, on, value };
    case "copy":
      return { kind, on, to };
    case "signal":
      return { kind, on, signal: pick(chance, ["SIGKILL", "SIGTERM", "SIGSTOP"] as const) };
    default:
      return { kind, on };
  }
}

function sensible(operation: Operation, seen: readonly Seen[]): boolean {
  const on = seen[operation.on];
  if (on === undefined || on.frozen) return false;
  switch (operation.kind) {
    case "threads":
      // An applier that waits for an acknowledgement does not stop.
      return (
        on.channel && (operation.thread === "IO_THREAD" || operation.verb === "START" || on.waiters === 0)
      );
    case "repoint":
      return operation.how === "receiver" ? on.channel : on.waiters === 0;
    case "forget-source":
      return on.channel && on.waiters === 0;
    case "copy": {
      const donor = seen[operation.to];
      // A copy of a server on which commits wait begins when they are done, and one into an open server never does.
      // What becomes of a copied channel that never had a connection is not known well enough.
      if (donor === undefined || donor.frozen || donor.waiters > 0 || donor.unmet) return false;
      return on.readOnly && on.waiters === 0 && !on.receives;
    }
    case "signal":
      // An applier that waits for an acknowledgement does not stop, and so its server does not end.
      if (operation.signal === "SIGTERM") return on.waiters === 0 || !on.channel;
      // One at a time stands still.
      return operation.signal !== "SIGSTOP" || seen.every((one) => !one.frozen);
    default:
      return true;
  }
}
