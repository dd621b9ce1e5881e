/**
 * The failover protocol as a small model, of which every reachable state is looked at.
 *
 * It is not the shipped code: it is what the shipped code must keep to, small enough to be exhausted. `world.ts` is
 * what happens without us, `records.ts` the swaps of the register, `effects.ts` the fenced sessions on servers.
 */
import type { Rules, Scope, Variant } from "./rules.ts";
import { search } from "./search.ts";
import { timeline } from "./timeline.ts";

export type { Scope, Variant } from "./rules.ts";

export interface ModelCheckOptions {
  readonly members?: number;
  readonly transactions?: number;
  readonly epochs?: number;
  readonly scope?: Scope;
  readonly variant?: Variant | null;
  readonly plansApart?: boolean;
  /** The search gives up beyond this many states, and says so in `fixpoint`. */
  readonly statesMax?: number;
}

export interface ModelCheckResult {
  readonly states: number;
  readonly transitions: number;
  /** True when every reachable state was looked at. */
  readonly fixpoint: boolean;
  /** Each as a timeline, its last line the invariant. */
  readonly violations: readonly (readonly string[])[];
  readonly taken: ReadonlyMap<string, number>;
  readonly seconds: number;
}

export function modelCheck(options: ModelCheckOptions = {}): ModelCheckResult {
  const startedAt = performance.now();
  const members = options.members ?? 3;
  const rules: Rules = {
    members,
    transactions: options.transactions ?? 3,
    epochs: options.epochs ?? 2,
    scope: options.scope ?? "failover",
    variant: options.variant ?? null,
    plansApart: options.plansApart ?? false,
    ackCount: Math.floor(members / 2),
  };
  const found = search(rules, options.statesMax ?? 20_000_000);
  return {
    states: found.visited.count,
    transitions: found.transitions,
    fixpoint: found.fixpoint,
    violations: found.violation === null ? [] : [timeline(found, rules)],
    taken: found.taken,
    seconds: (performance.now() - startedAt) / 1000,
  };
}
