/**
 * What the observed facts mean: each member's standing against the recorded (or chosen) primary. Pure
 * classification, no plans. The observer reads replicas before the primary, so a transaction that a
 * replica has and the primary lacks is never an artefact of reading order.
 */

import type { Problem } from "../model/condition.ts";
import type { EngineRules } from "../model/engine.ts";
import type { Copied } from "../model/member.ts";
import type { Member, Observed } from "../model/observed.ts";
import type { ServerFacts } from "../model/server.ts";
import type { Spec } from "../model/spec.ts";
import type { Config, State } from "../model/state.ts";

export type Standing =
  | { readonly kind: "primary" }
  /** No pod, or nobody answers in it. */
  | { readonly kind: "unreachable"; readonly reason: string }
  | { readonly kind: "seeding"; readonly copied: Copied }
  /** No user data and nothing but its image's own first transactions: may be seeded. */
  | { readonly kind: "blank"; readonly seedError: string | null }
  /** Holds what the primary lacks, and was never part of this cluster. */
  | { readonly kind: "foreign"; readonly schemas: readonly string[]; readonly extra: string }
  /** Part of this cluster, but with transactions of its own. `archived`: the primary keeps a copy of them. */
  | { readonly kind: "errant"; readonly extra: string; readonly archived: boolean }
  /** Was the primary of an earlier epoch, and takes writes still, or has commits that nobody will acknowledge. */
  | { readonly kind: "deposed"; readonly waiters: number }
  /** Holds our data and can follow, but does not at present. */
  | { readonly kind: "detached" }
  /** Lacks what is in no log of the primary's any more: it can never follow again, and only a copy helps. */
  | { readonly kind: "outdated"; readonly missing: string }
  /** Follows no longer and cannot by itself. */
  | { readonly kind: "broken"; readonly error: string }
  | { readonly kind: "following"; readonly lagMs: number };

export interface MemberView {
  readonly member: Member;
  readonly ordinal: number;
  readonly facts: ServerFacts | null;
  readonly standing: Standing;
}

/** A member that answered. */
export type ReadView = MemberView & { readonly facts: ServerFacts };

/** Everything that the plans reason about. `config` is the established one, else the one being built. */
export interface Situation {
  readonly observed: Observed;
  readonly rules: EngineRules;
  readonly nowMs: number;
  readonly spec: Omit<Spec, "engine" | "credentials">;
  readonly state: State;
  readonly config: Config;
  readonly primary: MemberView;
  readonly members: readonly MemberView[];
  /** How many members there are to be. Those of higher ordinals leave, or have been taken away. */
  readonly size: number;
  /** How many acknowledgements a commit should wait for with this many members: floor(N/2). */
  readonly ackCountWanted: number;
}

/** W = floor(N/2): with N = 3 one of two replicas holds every acknowledged commit, with N = 5 two of four. */
export function ackCountFor(replicas: number): number {
  return Math.floor(replicas / 2);
}

export function factsOf(member: Member): ServerFacts | null {
  return member.server.kind === "read" ? member.server.facts : null;
}

/** True when the two share at least one transaction, so that one was made from the other. */
function sharesHistory(rules: EngineRules, a: ServerFacts, b: ServerFacts): boolean {
  const { positions } = rules;
  return positions.count(positions.subtract(a.executed, b.executed)) < positions.count(a.executed);
}

/**
 * How far a replica's data is behind its primary, milliseconds by the primary's clock. A replica with
 * nothing left to apply is not behind: what it has not received yet is not acknowledged by it either.
 */
export function lagMs(rules: EngineRules, replica: ServerFacts, primary: ServerFacts): number {
  const drained = rules.positions.contains(replica.executed, replica.received);
  if (drained || replica.applyingSinceMs === null) return 0;
  return Math.max(0, primary.nowMs - replica.applyingSinceMs);
}

function standingOfRead(
  rules: EngineRules,
  ordinal: number,
  facts: ServerFacts,
  primary: ServerFacts,
): Standing {
  const { kind, bytes, bytesExpected } = facts.seeding;
  if (kind === "running") return { kind: "seeding", copied: { bytes, bytesExpected } };
  const { positions } = rules;
  // A replica receives a commit before its source finishes it (the source waits for the acknowledgement), so
  // the primary's own transactions are never foreign to a follower: they are only still under way.
  // What it received counts as much as what it executed, and what the primary has yet to execute is the primary's.
  const extra = positions.without(positions.subtract(facts.received, primary.received), primary.serverUuid);
  if (!sharesHistory(rules, facts, primary)) {
    if (rules.initialOnly(facts)) return { kind: "blank", seedError: facts.seeding.error };
    return { kind: "foreign", schemas: facts.survey?.schemas ?? [], extra };
  }
  if (extra !== "") return { kind: "errant", extra, archived: isArchived(rules, facts, primary, extra) };
  const missing = positions.subtract(primary.purged, facts.received);
  if (missing !== "" && isIdle(facts)) return { kind: "outdated", missing };
  return replicationStanding(rules, ordinal, facts, primary);
}

/**
 * It receives nothing, so what it has received is final. A stream that runs began while the logs were there, and its
 * replica was read before the primary, which may have deleted the newest of them since. What its applier cannot
 * execute is for a person to look at first.
 */
function isIdle({ channel }: ServerFacts): boolean {
  return channel === null || (channel.receiver === "off" && channel.applierError === null);
}

/** The tail of a server is kept on the primary by the uuid of the server that it was read from. */
function isArchived(rules: EngineRules, facts: ServerFacts, primary: ServerFacts, extra: string): boolean {
  const kept = primary.archived.filter((tail) => tail.serverUuid === facts.serverUuid);
  return rules.positions.contains(kept.map((tail) => tail.gtids).reduce(rules.positions.union, ""), extra);
}

/** It was the primary once, and is not as harmless as a replica. */
function isDeposed({ terms, serverUuid, readOnly, acks }: ServerFacts): boolean {
  return terms.some((term) => term.serverUuid === serverUuid) && (!readOnly || acks.waiters > 0);
}

function replicationStanding(
  rules: EngineRules,
  ordinal: number,
  facts: ServerFacts,
  primary: ServerFacts,
): Standing {
  const { channel } = facts;
  if (channel === null) return { kind: "detached" };
  if (channel.applierError !== null) return { kind: "broken", error: channel.applierError };
  const fromPrimary = channel.sourceUuid === primary.serverUuid && channel.autoPosition;
  // With another account it could not be stopped from acknowledging without stopping others (INV-3).
  const asItself = channel.account === rules.replicationAccount(ordinal);
  // To start it once more would only let it end once more.
  if (fromPrimary && asItself && channel.starved)
    return { kind: "broken", error: channel.receiverError ?? "the primary cannot send what it lacks" };
  if (!fromPrimary || !asItself || channel.receiver === "off" || channel.applier === "off")
    return { kind: "detached" };
  // It was taken out of the ackers; it is let in again by following anew.
  if (channel.lockedOut) return { kind: "detached" };
  if (channel.receiver === "connecting" && channel.receiverError !== null) {
    return { kind: "broken", error: channel.receiverError };
  }
  return { kind: "following", lagMs: lagMs(rules, facts, primary) };
}

/** Why nobody answers, in words for a person. */
export function silence(member: Member): string {
  if (member.pod === null) return "its pod does not exist";
  const stopped = member.pod.containers.find((container) => !container.running);
  if (stopped?.reason !== null && stopped !== undefined) {
    const code = stopped.exitCode === null ? "" : `, exit code ${stopped.exitCode}`;
    return `its container is not running (${stopped.reason}${code})`;
  }
  if (member.server.kind === "unreachable") return member.server.reason;
  if (member.server.kind === "denied") return `it refuses account ${member.server.account}`;
  return "its pod is starting";
}

export function viewMembers(
  rules: EngineRules,
  members: readonly Member[],
  config: Config,
): readonly MemberView[] {
  const primary = members.find((member) => member.ordinal === config.primary.ordinal);
  const primaryFacts = primary === undefined ? null : factsOf(primary);
  return members.map((member) => {
    const facts = factsOf(member);
    const standing = standingOf(member, facts);
    // What another server under the primary's name says of itself must not be taken for the primary's word.
    return {
      member,
      ordinal: member.ordinal,
      facts: standing.kind === "unreachable" ? null : facts,
      standing,
    };
  });

  function standingOf(member: Member, facts: ServerFacts | null): Standing {
    if (facts === null) return { kind: "unreachable", reason: silence(member) };
    if (member.ordinal === config.primary.ordinal) {
      // Another server under the primary's name has none of its data: it is not the primary.
      if (facts.serverUuid === config.primary.serverUuid) return { kind: "primary" };
      return { kind: "unreachable", reason: "its volume was replaced by an empty or foreign one" };
    }
    if (isDeposed(facts)) return { kind: "deposed", waiters: facts.acks.waiters };
    if (primaryFacts === null || primaryFacts.serverUuid !== config.primary.serverUuid) {
      // Without the primary nothing can be compared; a running stream is all that can be said.
      return facts.channel?.applier === "on" ? { kind: "following", lagMs: 0 } : { kind: "detached" };
    }
    return standingOfRead(rules, member.ordinal, facts, primaryFacts);
  }
}

/** A member that is to go: nobody counts on it anew, and nobody is led to it. */
export function isLeaving(
  { size }: Pick<Situation, "size">,
  { ordinal }: { readonly ordinal: number },
): boolean {
  return ordinal >= size;
}

/**
 * How many acknowledgements commits of a newly elected primary wait for. More than before are asked for only once
 * the new members are there: a failover in the middle of a scale up must not wait for them.
 */
export function ackCountOfElected({ ackCountWanted, config }: Situation): number {
  return Math.min(ackCountWanted, config.ackCount);
}

/** The same members, seen from another configuration; null when its primary is beyond the replica count. */
export function seenFrom(
  situation: Omit<Situation, "config" | "members" | "primary">,
  config: Config,
): Situation | null {
  const members = viewMembers(situation.rules, situation.observed.members, config);
  const primary = members.find((view) => view.ordinal === config.primary.ordinal);
  return primary === undefined ? null : { ...situation, config, members, primary };
}

/** Who is in place, for people. */
export function summary({ members, config, primary, state }: Situation): string {
  const placed = members.filter(
    (view) => view.standing.kind === "primary" || view.standing.kind === "following",
  ).length;
  const acking = members.filter((view) => isAcker(config, view) && view.facts.acks.active).length;
  const waits =
    config.ackCount === 0
      ? "no replica to wait for"
      : `a commit waits for ${config.ackCount} of ${acking} acknowledging replicas`;
  return `${placed} of ${members.length} members in place, primary ${primary.member.podName}, epoch ${state.epoch}, ${waits}.`;
}

export function isRead(view: MemberView): view is ReadView {
  return view.facts !== null;
}

/** It is the very server that is recorded, which only one that answered can be known to be. */
export function isAcker(config: Config, view: MemberView): view is ReadView {
  return config.ackers.some(
    (acker) => acker.ordinal === view.ordinal && acker.serverUuid === view.facts?.serverUuid,
  );
}

/** When the condition came to be as it is, milliseconds since 1970; null when there is none of that type. */
export function sinceMs({ conditions }: Observed, type: "Ready" | Problem["code"]): number | null {
  const found = conditions.find((condition) => condition.type === type);
  return found === undefined ? null : Date.parse(found.lastTransitionAt);
}
