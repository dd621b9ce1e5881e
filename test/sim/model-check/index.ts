/**
 * The failover protocol as a small model, of which every reachable state is looked at.
 *
 * It is not the shipped code: it is what the shipped code must keep to, small enough to be exhausted. `world.ts` is
 * what happens without us, `records.ts` the swaps of the register, `effects.ts` the fenced sessions on servers,
 * `rules.ts` the bounds and the rules that can be left out, `invariants.ts` what must hold.
 *
 * What keeps it small, and why nothing is missed by it:
 * - Every step is possible and none is certain. So a cut of any link in any direction, a server that stays down, a
 *   lost acknowledgement and an executor that sees only some servers are runs in which steps are not taken, and their
 *   number is not bounded. A crash and the restart after it are one step, and their number is not bounded either.
 *   An epoch may be claimed at any time: safety must not rest on how good the evidence was.
 * - A replica's received and executed transactions are one set: a relay log is never lost, and who is elected has
 *   executed all of it before it is opened.
 * - A transaction that is on every disk and waits nowhere is forgotten, so the bound on transactions is on those that
 *   are told apart at one time. Who acknowledged is forgotten once they are enough.
 * - The term row is no transaction. Its commit returns when enough ackers hold all that its primary has, which is
 *   what it is for; as a tail it would do what a client's transaction does.
 * - Looking at servers and swapping the register are one step (`records.ts` says why), and so are looking and taking
 *   a lock; `plansApart` takes the latter apart.
 * - In the last epoch nobody is put into place any more: no election follows that it could harm.
 * - States that differ in the names of members or executors only are one state.
 *
 * Not in it: disks that are lost, other than by a rebuild; that a graceful stop answers OK to what waits, unless a
 * variant asks for it (a primary's hook must keep clients off before it is stopped); restarts that open by themselves.
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
