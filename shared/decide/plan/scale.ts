/**
 * How many members there are. More: the StatefulSet is told so, and the new ones join one by one. Fewer: those of the
 * highest ordinals hand over and are no longer counted on before the StatefulSet takes them away, and their
 * volumes are kept.
 *
 * INV-3: nobody is taken away who is counted on. Whoever else writes `spec.replicas` is not fought.
 */
import { ANNOTATION } from "../../annotations/keys.ts";
import type { Problem } from "../../model/condition.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { State } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import { isAcker, isLeaving, type MemberView, type Situation, sinceMs } from "../situation.ts";
import { seenOf } from "./routing.ts";
import { realAckCount } from "./steady.ts";

export type Scaling =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly problem: Problem }
  /** Nothing but a little time is lacking. */
  | { readonly kind: "later"; readonly lookAgainMs: number }
  /** Nothing speaks against it: `spec.replicas` is written with the record. */
  | {
      readonly kind: "resize";
      readonly replicas: number;
      readonly reason: "ScaledUp" | "ScaledDown";
      readonly message: string;
      readonly before: Track;
    };

export const NO_SCALING: Scaling = { kind: "none" };

/** Horizontal autoscalers write through the controller manager; KEDA switches between none and one itself. */
const AUTOSCALER = /^(?:kube-controller-manager|keda.*)$/;

function refused(code: Problem["code"], message: string): Scaling {
  return { kind: "refused", problem: { code, message, blocks: false } };
}

/** Somebody else decides it too. To write it over and over would take members away and bring them back. */
export function isContested(
  { replicas, replicasBy }: StatefulSet,
  wanted: number | null,
  { scaledTo }: Pick<State, "scaledTo">,
): boolean {
  if (wanted === null || wanted === replicas) return false;
  return scaledTo === wanted || (replicasBy !== null && AUTOSCALER.test(replicasBy));
}

function contested({ observed, state, spec }: Situation): Scaling | null {
  if (!isContested(observed.set, spec.replicas, state)) return null;
  const { name, replicas, replicasBy } = observed.set;
  const by = replicasBy ?? "somebody else";
  return refused(
    "ReplicasContested",
    `replicas of ${name} was set to ${replicas} by ${by}, and ordinal.dev/replicas says ${spec.replicas}; let one of them decide and change or remove the other.`,
  );
}

/** More members than there are. */
export function grow(situation: Situation): Scaling {
  const { observed, spec } = situation;
  const { name, replicas: present } = observed.set;
  const { replicas } = spec;
  if (replicas === null || replicas <= present) return NO_SCALING;
  const message = `${name} is scaled from ${present} to ${replicas} members, as ordinal.dev/replicas says.`;
  return contested(situation) ?? { kind: "resize", replicas, reason: "ScaledUp", message, before: [] };
}

/** Fewer members than there are, or than are recorded: some of them have yet to go. */
export function isShrinking(situation: Situation): boolean {
  const { size, observed, config } = situation;
  const recorded = [config.primary, ...config.ackers].some((one) => isLeaving(situation, one));
  // A wish that is contested is not carried out, so nobody is on their way.
  return recorded || size < observed.set.replicas;
}

/** Why the highest ordinals cannot be taken away yet; null = they can. */
function obstacle(situation: Situation): string | null {
  const { config, primary, members, ackCountWanted, observed } = situation;
  const { podName } = primary.member;
  if (isLeaving(situation, primary))
    return `${podName} is the primary, and no member that stays can take over`;
  const stays = (view: MemberView) => isAcker(config, view) && !isLeaving(situation, view);
  const acking = members.filter((view) => stays(view) && view.facts?.acks.active === true).length;
  const counted = config.ackers.find((acker) => isLeaving(situation, acker));
  const real = realAckCount(primary);
  if (counted === undefined && real > ackCountWanted)
    return `writes on ${podName} still wait for ${real} acknowledgements`;
  if (counted === undefined && acking >= ackCountWanted) return null;
  if (counted === undefined)
    return `${acking} of the members that stay acknowledge its writes, and ${ackCountWanted} must`;
  return `${observed.set.name}-${counted.ordinal} is counted on until enough of those that stay have caught up`;
}

/**
 * A primary that has just handed over still refuses those who do not know yet, at once and in its own words. Taken away
 * too soon, it would leave them with nobody: kube-proxy writes its rules at most once a second, and clients look up
 * names less often than that (measured, docs/benchmarks.md).
 */
const LINGER_MS = 5_000;

/** How long it still has to stay, milliseconds. `Ready` is false from the hand-over until the next primary is open. */
function lingers({ observed, nowMs }: Situation): number {
  const readyForMs = nowMs - (sinceMs(observed, "Ready") ?? 0);
  // A time to come was written by another clock and says nothing.
  return readyForMs < 0 ? 0 : Math.max(0, LINGER_MS - readyForMs);
}

const KEPT_DAYS = 30;

/** Their volumes are kept: nothing of ours deletes one, and for some time nobody else should. */
function keepVolumes(situation: Situation): { readonly before: Track; readonly until: string } {
  const until = new Date(situation.nowMs + KEPT_DAYS * 86_400_000).toISOString();
  const before = situation.members.flatMap((view): Track => {
    const { claim } = view.member;
    if (claim === null || !isLeaving(situation, view) || claim.annotations[ANNOTATION.keepUntil]) return [];
    const annotations = { [ANNOTATION.keepUntil]: until };
    return [{ kind: "AnnotateClaim", claim: claim.name, seen: seenOf(claim), annotations }];
  });
  return { before, until };
}

/** Fewer members than there are, once nobody counts on those that go. */
export function shrink(situation: Situation): Scaling {
  const { observed, spec } = situation;
  const { name, replicas: present } = observed.set;
  const { replicas } = spec;
  if (replicas === null || replicas >= present) return NO_SCALING;
  const disputed = contested(situation);
  if (disputed !== null) return disputed;
  const stands = obstacle(situation);
  if (stands !== null) return refused("ScaleRefused", `${name} keeps ${present} members: ${stands}.`);
  const lookAgainMs = lingers(situation);
  if (lookAgainMs > 0) return { kind: "later", lookAgainMs };
  const { before, until } = keepVolumes(situation);
  const message = `${name} is scaled from ${present} to ${replicas} members, as ordinal.dev/replicas says; the volumes of those that leave are kept until ${until.slice(0, 10)}.`;
  return { kind: "resize", replicas, reason: "ScaledDown", message, before };
}
