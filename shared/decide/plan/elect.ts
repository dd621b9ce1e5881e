/**
 * Who becomes the primary once the old one can be acknowledged by nobody. Pure arithmetic over what was read
 * of members that have stopped receiving, so that nothing counted here can still change.
 *
 * INV-1: every acknowledged commit is held by W of the recorded ackers A, so |A| - W + 1 of them that were
 * reached hold all of them together; so does the old primary itself, read-only and with nobody waiting.
 */
import type { Position } from "../../model/server.ts";
import type { Config } from "../../model/state.ts";
import type { Confirmation } from "../../model/step.ts";
import {
  ackCountOfElected,
  isAcker,
  isLeaving,
  isRead,
  type ReadView,
  type Situation,
} from "../situation.ts";
import { holderOfLost, newestTerm, primariesOf } from "./evidence.ts";

export interface Quorum {
  /** Ackers that receive from nobody. */
  readonly revoked: readonly ReadView[];
  /** The old primary, when it can change no more. */
  readonly settled: ReadView | null;
  readonly needed: number;
  readonly reached: boolean;
  /** Pods of ackers that were not reached. */
  readonly missing: readonly string[];
}

/** Else it has no source, or has stopped receiving from it. */
export function isReceiving({ facts }: ReadView): boolean {
  return facts.channel !== null && facts.channel.receiver !== "off";
}

/** Read-only and nobody waiting: its transactions are final. What it lost, it does not speak for. */
export function settledPrimary(situation: Situation): ReadView | null {
  const { primary } = situation;
  if (!isRead(primary) || !primary.facts.readOnly || primary.facts.acks.waiters > 0) return null;
  return holderOfLost(situation) === null ? primary : null;
}

export function needed({ config }: Situation): number {
  return config.ackers.length - config.ackCount + 1;
}

export function quorumOf(situation: Situation): Quorum {
  const { members, config } = situation;
  const revoked = members.filter((view) => isAcker(config, view)).filter((view) => !isReceiving(view));
  const settled = settledPrimary(situation);
  const missing = config.ackers
    .filter((acker) => !members.some((view) => view.facts?.serverUuid === acker.serverUuid))
    .map((acker) => `${situation.observed.set.name}-${acker.ordinal}`);
  const count = needed(situation);
  return { revoked, settled, needed: count, missing, reached: settled !== null || revoked.length >= count };
}

export type Election =
  | {
      readonly kind: "elected";
      readonly candidate: ReadView;
      readonly config: Config;
      /** Enough of its ackers hold all that it holds: it may be opened without another look. */
      readonly held: boolean;
      /** What must still hold when this is recorded. */
      readonly confirmations: readonly Confirmation[];
      readonly considered: readonly string[];
      readonly why: string;
    }
  /** Nobody holds everything that the others hold, or nobody who does can be a primary. */
  | { readonly kind: "none"; readonly why: string };

function received({ facts }: ReadView): Position {
  return facts.received;
}

/**
 * Transactions that one voter alone has and that no primary ever began: written on a replica by hand. With one
 * voter there is nobody to compare with. And what is left of the primaries before this one.
 */
function strays(
  situation: Situation,
  voters: readonly ReadView[],
  reached: boolean,
): ReadonlyMap<ReadView, Position> {
  const { positions } = situation.rules;
  const primaries = primariesOf(situation);
  const byHand = (view: ReadView) => [...primaries].reduce(positions.without, received(view));
  const left = reached ? leftovers(situation, voters) : () => "";
  return new Map(
    voters.map((view) => {
      const others = voters.filter((other) => other !== view).map(byHand);
      const alone =
        others.length === 0 ? "" : positions.subtract(byHand(view), others.reduce(positions.union));
      return [view, positions.union(alone, left(view))];
    }),
  );
}

/**
 * What a voter received from an earlier primary and the present one never had: it was away at that election, and the
 * others proved then that nobody acknowledged it. Whoever has the term row of the present primary has received all
 * that was before it, and with a quorum at least one such voter is there.
 */
function leftovers(
  { rules: { positions }, config }: Situation,
  voters: readonly ReadView[],
): (view: ReadView) => Position {
  const { serverUuid } = config.primary;
  const newest = newestTerm(voters.flatMap(({ facts }) => facts.terms));
  const having = voters.filter(({ facts }) => facts.terms.some(({ epoch }) => epoch === newest?.epoch));
  if (newest?.serverUuid !== serverUuid) return () => "";
  const before = having.map(received).reduce(positions.union, "");
  return (view) => positions.without(positions.subtract(received(view), before), serverUuid);
}

/** Applied everything first, then the old primary itself (nothing of it has to be thrown away), then by ordinal. */
function preferred(
  situation: Situation,
  target: number | null,
  views: readonly ReadView[],
): ReadView | undefined {
  const { positions } = situation.rules;
  const rank = (view: ReadView): number => {
    if (view.ordinal === target) return 0;
    if (isLeaving(situation, view)) return 4;
    if (view === situation.primary) return 1;
    return positions.contains(view.facts.executed, received(view)) ? 2 : 3;
  };
  return views.toSorted((a, b) => rank(a) - rank(b) || a.ordinal - b.ordinal)[0];
}

function canApply({ facts }: ReadView, situation: Situation): boolean {
  if (situation.rules.unsupported(facts) !== null) return false;
  return (
    facts.channel?.applierError == null || situation.rules.positions.contains(facts.executed, facts.received)
  );
}

function describe(situation: Situation, view: ReadView): string {
  const { positions } = situation.rules;
  return `${view.member.podName}: ${positions.shorten(received(view), 90) || "nothing"}`;
}

/**
 * Those that may acknowledge to the new primary: read-only, and with nothing that it lacks. And those that may
 * be acknowledging already, because they could not be asked, or receive from it now, as from an earlier term of
 * its own: recorded is more than real, never less (INV-3).
 */
function ackersFor(situation: Situation, candidate: ReadView): Config["ackers"] {
  const { members, config } = situation;
  const known = (serverUuid: string) => members.some((view) => view.facts?.serverUuid === serverUuid);
  const unasked = config.ackers.filter(({ serverUuid }) => !known(serverUuid));
  const receiving = members.flatMap(({ ordinal, facts }) => {
    const channel = facts?.channel ?? null;
    const here = channel?.sourceUuid === candidate.facts.serverUuid && channel?.receiver !== "off";
    return facts === null || channel === null || !here ? [] : [{ ordinal, serverUuid: facts.serverUuid }];
  });
  const all = [...ableAckers(situation, candidate), ...unasked, ...receiving];
  return [...new Map(all.map((acker) => [acker.serverUuid, acker])).values()];
}

function ableAckers(situation: Situation, candidate: ReadView): Config["ackers"] {
  const { positions } = situation.rules;
  return situation.members.flatMap((view) => {
    const { facts } = view;
    if (view === candidate || facts === null || !facts.readOnly || facts.acks.waiters > 0) return [];
    if (facts.seeding.kind === "running" || situation.rules.unsupported(facts) !== null) return [];
    // An empty one is contained in everybody; it has yet to be seeded.
    const member =
      isAcker(situation.config, view) || (view === situation.primary && !isLeaving(situation, view));
    if (!member || !positions.contains(received(candidate), facts.received)) return [];
    return [{ ordinal: view.ordinal, serverUuid: facts.serverUuid }];
  });
}

/** `target`: who shall be preferred among those who hold everything; null = nobody in particular. */
export function elect(
  situation: Situation,
  { revoked, settled, reached }: Quorum,
  target: number | null,
): Election {
  const { positions } = situation.rules;
  // Beside a settled primary nobody can receive anything that it does not hold, stopped or not.
  const ackers = situation.members.filter((view) => isAcker(situation.config, view));
  const voters = settled === null ? revoked : [settled, ...ackers];
  const stray = strays(situation, voters, reached);
  const sound = voters.filter((view) => stray.get(view) === "");
  const whole = sound.filter((view) =>
    voters.every((other) =>
      positions.contains(positions.union(received(view), stray.get(other) ?? ""), received(other)),
    ),
  );
  const considered = voters.map((view) => describe(situation, view));
  const [first] = whole;
  if (first === undefined) {
    return { kind: "none", why: `none of ${names(voters)} holds all that the others hold` };
  }
  const candidate = preferred(
    situation,
    target,
    whole.filter((view) => canApply(view, situation)),
  );
  if (candidate === undefined) {
    const error = first.facts.channel?.applierError ?? "it cannot be managed";
    return {
      kind: "none",
      why: `${first.member.podName} alone holds everything and cannot execute it: ${error}`,
    };
  }
  const config: Config = {
    primary: { ordinal: candidate.ordinal, serverUuid: candidate.facts.serverUuid },
    ackers: ackersFor(situation, candidate),
    ackCount: ackCountOfElected(situation),
  };
  const rejected = voters.filter((view) => !whole.includes(view));
  const others = rejected.length === 0 ? "" : `; ${names(rejected)} lack some of it`;
  const why = `${candidate.member.podName} holds everything that ${voters.length} reached members hold${others}`;
  const holding = holdersOf(situation, candidate, config);
  const held = holding.length >= config.ackCount;
  const confirmations = confirmationsFor({ revoked, settled }, candidate, {
    holding,
    count: held ? config.ackCount : 0,
  });
  return { kind: "elected", candidate, config, held, confirmations, considered, why };
}

/** Those of its ackers that have received all that it has, so that its own quorum is enough from now on (ADR 10). */
function holdersOf({ members, rules }: Situation, candidate: ReadView, config: Config): readonly ReadView[] {
  return members
    .filter((view) => isAcker(config, view))
    .filter((view) => rules.positions.contains(received(view), received(candidate)));
}

/**
 * Seen stopped is not yet stopped for good: a function that was frozen after its check could still start a receiver.
 * A fenced session of this epoch on each of them rules that out, and that one of the holders is made anew. In a
 * hand-over the candidate has received from the old primary until now, which is closed and has nothing more to send.
 */
function confirmationsFor(
  { revoked, settled }: Pick<Quorum, "revoked" | "settled">,
  candidate: ReadView,
  { holding, count }: { readonly holding: readonly ReadView[]; readonly count: number },
): readonly Confirmation[] {
  const final = new Set([...revoked, candidate, ...(settled === null ? [] : [settled])]);
  // Whoever is asked anyway is asked for this too, and nobody beyond those that are enough.
  const holders = holding.toSorted((a, b) => Number(final.has(b)) - Number(final.has(a))).slice(0, count);
  return [...new Set([...final, ...holders])].map((view) => {
    return {
      ordinal: view.ordinal,
      closed: view === candidate || view === settled,
      stopped: view === candidate || (revoked.includes(view) && view !== settled),
      // Also of a candidate that has only just stopped: it holds all that the closed old primary has.
      atMost: final.has(view) ? received(view) : null,
      atLeast: holders.includes(view) ? received(candidate) : null,
    };
  });
}

function names(views: readonly ReadView[]): string {
  return views.map((view) => view.member.podName).join(", ");
}
