/**
 * What speaks for the primary being gone, from one snapshot. It only ever decides how soon something is done:
 * safety rests on taking its acknowledgers away, so a wrong guess costs availability and never data.
 */
import { isAcker, type MemberView, type Situation, silence } from "../situation.ts";

export type Evidence =
  | { readonly kind: "none" }
  /** Its volume, or part of what it had committed, is gone; it will not come back as what it was. */
  | { readonly kind: "lost"; readonly text: string }
  /**
   * Its process has ended. `orderly`: by a graceful stop, which answers OK to commits that nobody has
   * acknowledged (measured, 10 of 10), so that it may hold acknowledged commits alone.
   */
  | { readonly kind: "ended"; readonly orderly: boolean; readonly text: string }
  /** Nobody answers, us or its replicas. */
  | { readonly kind: "silent"; readonly text: string }
  /** Nobody answers us, but a replica receives from it: what is cut is our own way. */
  | { readonly kind: "cut-off"; readonly text: string };

/** It receives from the server that is recorded as the primary. */
function receives({ facts }: MemberView, serverUuid: string): boolean {
  return facts?.channel?.receiver === "on" && facts.channel.sourceUuid === serverUuid;
}

function endedText({ primary: { member } }: Situation): { text: string; orderly: boolean } | null {
  const { pod } = member;
  if (pod === null) return { text: "its pod is gone", orderly: true };
  const stopped = pod.containers.find((container) => !container.running);
  if (stopped === undefined) return pod.phase === "Running" ? null : { text: `its pod is ${pod.phase}`, orderly: true };
  // A new pod that has yet to start says nothing about how the one before it ended.
  if (stopped.exitCode === null) return { text: "its pod is starting", orderly: true };
  return {
    text: `container terminated, exit code ${stopped.exitCode}`,
    orderly: stopped.exitCode === 0 || pod.deleting,
  };
}

/**
 * An acker that has received what the primary no longer has. While the primary takes writes, or commits wait
 * on it, its newest commits are on the replicas first and prove nothing.
 */
export function holderOfLost({ primary, members, config, rules, state }: Situation): MemberView | null {
  const { facts } = primary;
  if (facts === null || !facts.readOnly || facts.acks.waiters > 0 || state.established === null) return null;
  const holder = members.find(
    (view) =>
      isAcker(config, view) &&
      view.facts !== null &&
      !rules.positions.contains(facts.received, view.facts.received),
  );
  return holder ?? null;
}

export function evidence(situation: Situation): Evidence {
  const { primary, members, config } = situation;
  const { member, facts } = primary;
  if (member.server.kind === "read" && facts === null)
    return { kind: "lost", text: "its volume was replaced" };
  if (facts !== null) {
    const holder = holderOfLost(situation);
    if (holder === null) return { kind: "none" };
    return { kind: "lost", text: `${holder.member.podName} holds transactions that it lost` };
  }
  if (member.server.kind === "denied")
    return { kind: "cut-off", text: `it refuses account ${member.server.account}` };
  const ended = endedText(situation);
  if (ended !== null) return { kind: "ended", ...ended };
  const witness = members.find((view) => receives(view, config.primary.serverUuid));
  if (witness !== undefined)
    return { kind: "cut-off", text: `${witness.member.podName} still receives from it` };
  return { kind: "silent", text: silence(member) };
}
