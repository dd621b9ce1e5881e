/**
 * A switchover: the primary is alive and hands over. It finishes the commits under way while its ackers are
 * still there, takes no more, and when the wanted member has everything that member is made the primary by
 * the same steps as after a failover. Until it is recorded who follows, the old primary can go on.
 */
import type { Problem } from "../../model/condition.ts";
import type { State } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import { isAcker, isLeaving, type MemberView, type Situation } from "../situation.ts";
import type { RolloutMove } from "./rollout.ts";

/** A primary that is still not handed over after this long goes on being one. */
const BUDGET_MS = 20_000;

export type Operation = NonNullable<State["op"]>;

export type Request =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly problem: Problem }
  | { readonly kind: "accepted"; readonly target: MemberView; readonly why: string };

function whyNot(situation: Situation, target: MemberView | undefined): string | null {
  const { config, spec, primary } = situation;
  if (target === undefined) return `it is no member of ${situation.observed.set.name}`;
  if (target === primary) return "it is the primary already";
  if (isLeaving(situation, target)) return `there are to be ${situation.size} members, and it leaves`;
  const { standing } = target;
  if (standing.kind !== "following") return `it is not a replica in good order (${standing.kind})`;
  if (standing.lagMs > spec.maxLagMs) return `it is ${Math.round(standing.lagMs / 1000)} s behind`;
  if (!isAcker(config, target) || !target.facts.acks.active) return "it does not acknowledge commits";
  return primary.facts?.readOnly === false ? null : `${primary.member.podName} takes no writes at present`;
}

/** Why the primary hands over although nobody has asked for it; null = it stays. */
function whyLeave(situation: Situation): string | null {
  const { primary } = situation;
  // Its server still answers, which the hook of our example manifests sees to.
  if (primary.member.pod?.deleting === true) return "since its pod is being deleted";
  return isLeaving(situation, primary) ? `since there are to be ${situation.size} members` : null;
}

/** Before it is stopped, to whoever could be asked for: the least far behind first, then by ordinal. */
function successor(situation: Situation, members: readonly MemberView[]): MemberView | null {
  const behindMs = ({ standing }: MemberView) => (standing.kind === "following" ? standing.lagMs : 0);
  const able = members.filter(
    (view) =>
      whyNot(situation, view) === null && view.member.pod?.deleting !== true && !isLeaving(situation, view),
  );
  return able.toSorted((a, b) => behindMs(a) - behindMs(b))[0] ?? null;
}

export function requested(situation: Situation, rollout: RolloutMove): Request {
  const { spec, members } = situation;
  const leave = whyLeave(situation);
  const next = leave === null ? null : successor(situation, members);
  if (leave !== null && next !== null) return { kind: "accepted", target: next, why: leave };
  const heir = rollout.kind === "hands over" ? successor(situation, rollout.to) : null;
  if (heir !== null)
    return {
      kind: "accepted",
      target: heir,
      why: "since its pod is to be made anew from the changed template",
    };
  if (spec.switchoverTo === null) return { kind: "none" };
  const target = members.find((view) => view.member.podName === spec.switchoverTo);
  const reason = whyNot(situation, target);
  if (reason === null && target !== undefined) return { kind: "accepted", target, why: "as asked" };
  const message = `${spec.switchoverTo.slice(0, 63)} cannot become the primary: ${reason}; name another member or remove ordinal.dev/switchover-to.`;
  return { kind: "refused", problem: { code: "SwitchoverRefused", message, blocks: false } };
}

export function switchoverState({ state, nowMs }: Situation, target: MemberView): State {
  const epoch = state.epoch + 1;
  const at = new Date(nowMs).toISOString();
  return {
    ...state,
    epoch,
    phase: "Revoking",
    op: {
      id: `switchover-${epoch}`,
      kind: "switchover",
      step: "Demote",
      startedAt: at,
      target: target.ordinal,
    },
  };
}

export function isOverdue({ nowMs }: Situation, { startedAt }: Operation): boolean {
  const spentMs = nowMs - Date.parse(startedAt);
  // A clock that stands before the beginning says nothing; one that is far before it will not catch up.
  return spentMs > BUDGET_MS || spentMs < -BUDGET_MS;
}

/**
 * Its name goes on leading to it: closed, it answers at once with an error after which clients try again, and its
 * reads are whole until the next one is opened. Without anybody behind its name they would wait for a second.
 */
export function demoteTracks({ primary }: Situation): readonly Track[] {
  return primary.facts?.readOnly === false ? [[{ kind: "Demote", ordinal: primary.ordinal }]] : [];
}

/** Nothing was given away yet: the primary is established anew, which also ends the pause of its writes. */
export function abandonState({ state, config, primary }: Situation, op: Operation): State {
  const primaryStartedAtMs = primary.facts?.startedAtMs ?? state.primaryStartedAtMs;
  return {
    ...state,
    phase: "Establishing",
    pending: { ...config, open: false },
    primaryStartedAtMs,
    op: { ...op, step: "Establish" },
  };
}
