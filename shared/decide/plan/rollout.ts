/**
 * How a change of the pod template reaches the members: one at a time and only while all others are in order, replicas
 * first, then the primary hands over, and the old primary is last. MySQL replicates from an older release to a newer one,
 * not the other way round (Reference Manual, "Replication Compatibility Between MySQL Versions").
 *
 * With `RollingUpdate` Kubernetes replaces every pod from the partition upwards, highest ordinals first. So the
 * partition stands above all of them and comes down member by member. With `OnDelete` the pods are deleted instead.
 */
import type { Problem } from "../../model/condition.ts";
import { databaseContainer } from "../../model/data-volume.ts";
import type { Pod } from "../../model/kube.ts";
import type { Observed } from "../../model/observed.ts";
import { MEMBERS_MAX } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import { isAcker, type MemberView, type Situation, sinceMs } from "../situation.ts";
import { seenOf } from "./routing.ts";
import { isShrinking } from "./scale.ts";

interface Held {
  /** Where Kubernetes is kept from going on by itself; null = as it stands. */
  readonly partition: number | null;
}

export type RolloutMove = Held &
  (
    | { readonly kind: "none" }
    /** It goes no further. */
    | { readonly kind: "stands"; readonly problem: Problem }
    /** A member is being made anew, or something else comes first. */
    | { readonly kind: "waits"; readonly why: string }
    /** The primary is next, and gives way to one of these. */
    | { readonly kind: "hands over"; readonly to: readonly MemberView[] }
    | {
        readonly kind: "replaces";
        readonly message: string;
        readonly key: string;
        readonly track: Track;
        /** Recorded already, by a pass whose deletion did not succeed. */
        readonly told: boolean;
      }
  );

const NONE: RolloutMove = { kind: "none", partition: null };

/** Above every ordinal. */
const HELD = MEMBERS_MAX;

/** What Kubernetes says a pod was made from. */
const REVISION = "controller-revision-hash";

/** Longer than a server takes to stop, to start and to catch up. */
const PATIENCE_MS = 60_000;

function revisionOf(pod: Pod | null): string | null {
  return pod?.labels[REVISION] ?? null;
}

/** Highest first. One without a pod is being made, from whatever template Kubernetes chooses. */
function outdated({ observed, members }: Situation, wanted: string): readonly MemberView[] {
  const old = members.filter(({ ordinal, member }) => {
    const revision = revisionOf(member.pod);
    return revision !== null && revision !== wanted && ordinal < observed.set.replicas;
  });
  return old.toSorted((a, b) => b.ordinal - a.ordinal);
}

/** Ready, and in its place with all that it takes to take over. */
function isInOrder(situation: Situation, view: MemberView): boolean {
  const { pod } = view.member;
  if (pod?.ready !== true || pod.deleting || view.facts === null) return false;
  if (view.standing.kind === "primary") return !view.facts.readOnly;
  if (view.standing.kind !== "following" || view.standing.lagMs > situation.spec.maxLagMs) return false;
  return isAcker(situation.config, view) && view.facts.acks.active;
}

/** Why the image of the template is none for the data that is there; null = it may be. */
function refusal({ observed, rules, primary }: Situation): string | null {
  const image = databaseContainer(observed.set, rules)?.image ?? "";
  return primary.facts === null ? null : rules.refusesImage(primary.facts.version, image);
}

/** A server that has just started fetches what it missed, with cold caches, and a commit that needs it waits as long. */
const SETTLING_MS = 5_000;
/** Writes pause until an heir has applied what it is behind. */
const CLOSE_MS = 200;

/** One that is never closer is taken as it is, after as long as a start may take. */
function isSettled({ standing, facts }: MemberView): boolean {
  if (facts === null) return false;
  const upMs = facts.nowMs - facts.startedAtMs;
  const lagMs = standing.kind === "following" ? standing.lagMs : 0;
  return upMs >= PATIENCE_MS || (upMs >= SETTLING_MS && lagMs <= CLOSE_MS);
}

/** Work that would be broken off. */
function busy(situation: Situation): string | null {
  const { backups, restore } = situation.observed;
  if (isShrinking(situation)) return "members are being taken away";
  if (restore.kind === "valid" && restore.memory.running !== null) return "a restore is under way";
  if (backups.kind === "valid" && backups.memory.running !== null) return "a backup is under way";
  return null;
}

/** Others that are not in order, or only just; null = it may be this one's turn. */
function awaited(situation: Situation, next: MemberView): MemberView | null {
  const isReady = (view: MemberView) => isInOrder(situation, view) && isSettled(view);
  return situation.members.find((view) => view !== next && !isReady(view)) ?? null;
}

/** How long something has been told of a member, milliseconds. */
function troubledForMs({ observed, nowMs }: Situation): number {
  const codes = [
    ...(["WaitingForMembers", "MemberUnreachable", "SeedFailed"] as const),
    ...(["ReplicaBroken", "ReplicaOutdated", "ReplicaLagging"] as const),
  ];
  return Math.max(0, ...codes.map((code) => nowMs - (sinceMs(observed, code) ?? nowMs)));
}

function waiting(situation: Situation, stuck: MemberView, held: Held): RolloutMove {
  const { set } = situation.observed;
  const { podName, pod } = stuck.member;
  if (troubledForMs(situation) < PATIENCE_MS)
    return { ...held, kind: "waits", why: `${podName} is not in order yet` };
  const reason = pod?.containers.find((container) => container.reason !== null)?.reason;
  const message = `The pod template of ${set.name} is not rolled out further: ${podName} is not in order (${reason ?? stuck.standing.kind}); mend it, or put the template back.`;
  return { ...held, kind: "stands", problem: { code: "RolloutHeldBack", message, blocks: false } };
}

/** Of those that are outdated, highest first. */
function turnOf({ primary, observed }: Situation, old: readonly MemberView[]): MemberView | null {
  const replica = old.find((view) => view !== primary);
  const isFree = observed.set.rollout.strategy === "OnDelete";
  return (isFree ? replica : undefined) ?? old[0] ?? null;
}

/**
 * Who may follow the primary, where all others are in order: those that are made anew already, and below it the lowest
 * one, whose turn comes last.
 */
function heirs({ primary, members }: Situation, old: readonly MemberView[]): readonly MemberView[] {
  const last = old.findLast((view) => view !== primary);
  return last === undefined ? members.filter((view) => !old.includes(view)) : [last];
}

function madeAnew(pod: Pod): Track {
  return [{ kind: "DeletePod", name: pod.name, seen: seenOf(pod) }];
}

/** The last that was told of this pod: a template may come back that it had before. */
function isTold({ history }: Observed, podName: string, message: string): boolean {
  const last = history.findLast(
    ({ reason, why }) => reason === "MemberReplaced" && why.startsWith(`${podName} `),
  );
  return last?.why === message;
}

function replaced(situation: Situation, next: MemberView, wanted: string): RolloutMove {
  const { name, rollout } = situation.observed.set;
  const { pod, podName } = next.member;
  const anew: RolloutMove = { kind: "waits", why: `${podName} is being made anew`, partition: null };
  if (pod === null || pod.deleting) return anew;
  const isRolling = rollout.strategy === "RollingUpdate";
  if (isRolling && rollout.partition === next.ordinal) return anew;
  const message = `${podName} is made anew from the pod template of ${name}, revision ${wanted}.`;
  return {
    kind: "replaces",
    message,
    told: isTold(situation.observed, podName, message),
    key: `MemberReplaced|${pod.uid}|${wanted}`,
    partition: isRolling ? next.ordinal : null,
    track: isRolling ? [] : madeAnew(pod),
  };
}

/**
 * Pods in which nothing runs, from a template that would not be used for them any more. Kubernetes waits for them to become
 * ready first ("Forced rollback" in its documentation), so one that never can stays for ever. Nobody loses a server by it.
 */
export function revive({ observed, members }: Situation): readonly Track[] {
  const { strategy, partition, revisions } = observed.set.rollout;
  if (strategy === null || revisions === null) return [];
  return members.flatMap(({ member: { pod, ordinal } }): readonly Track[] => {
    const isNew = strategy === "OnDelete" || ordinal >= partition;
    const due = isNew ? revisions.wanted : revisions.current;
    const revision = revisionOf(pod);
    if (pod === null || pod.deleting || pod.ready || revision === null || revision === due) return [];
    const isDead =
      pod.containers.length > 0 && pod.containers.every(({ running, reason }) => !running && reason !== null);
    return isDead ? [madeAnew(pod)] : [];
  });
}

/** So that Kubernetes does not begin with this one by itself. */
function heldAbove({ observed }: Situation, { ordinal }: MemberView): Held {
  const { strategy, partition } = observed.set.rollout;
  return { partition: strategy === "RollingUpdate" && partition <= ordinal ? ordinal + 1 : null };
}

function allHeld({ observed }: Situation): Held {
  const { strategy, partition } = observed.set.rollout;
  return { partition: strategy === "RollingUpdate" && partition !== HELD ? HELD : null };
}

function atRest(situation: Situation, { current, wanted }: { current: string; wanted: string }): RolloutMove {
  if (current === wanted || situation.observed.set.rollout.strategy !== "RollingUpdate")
    return { ...allHeld(situation), kind: "none" };
  // Until Kubernetes calls it complete, a pod below the partition would come back with the old template.
  return { kind: "waits", why: "the last member comes back", partition: null };
}

/** What is to be done about it now, once nothing else is. */
export function rollOut(situation: Situation): RolloutMove {
  const { observed, primary } = situation;
  const { strategy, revisions } = observed.set.rollout;
  if (strategy === null || revisions === null) return NONE;
  const old = outdated(situation, revisions.wanted);
  const next = turnOf(situation, old);
  if (next === null) return atRest(situation, revisions);
  const refused = refusal(situation);
  if (refused !== null) {
    const message = `The pod template of ${observed.set.name} is not rolled out: ${refused}.`;
    const problem: Problem = { code: "RolloutRefused", message, blocks: false };
    return { ...allHeld(situation), kind: "stands", problem };
  }
  const held = heldAbove(situation, next);
  const why = busy(situation);
  if (why !== null) return { ...held, kind: "waits", why };
  const stuck = awaited(situation, next);
  if (stuck !== null) return waiting(situation, stuck, held);
  if (next === primary && situation.members.length > 1)
    return { ...held, kind: "hands over", to: heirs(situation, old) };
  return replaced(situation, next, revisions.wanted);
}

/** Nobody brings the partition down any more: Kubernetes rolls out by itself again. */
export function letRoll({ set }: Observed): { readonly partition?: number } {
  return set.rollout.strategy === "RollingUpdate" && set.rollout.partition > 0 ? { partition: 0 } : {};
}
