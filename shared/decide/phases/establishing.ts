/**
 * It is recorded who is to be the primary: that one is promoted, armed and opened, the others follow it, and
 * with its term row acknowledged it is established. The same after a failover, a switchover and a restart.
 */
import type { Ready } from "../../annotations/conditions.ts";
import type { Problem } from "../../model/condition.ts";
import type { Decision } from "../../model/decision.ts";
import type { EventReason } from "../../model/event-reason.ts";
import type { State } from "../../model/state.ts";
import { compose, patience } from "../compose.ts";
import { type Established, establish, placeQuickly } from "../plan/establish.ts";
import { placeMembers } from "../plan/members.ts";
import { routingTracks } from "../plan/routing.ts";
import { joiningAcker } from "../plan/steady.ts";
import type { Situation } from "../situation.ts";
import { phaseOf } from "./revoking.ts";

/** A receiver connects within some milliseconds. */
const AT_ONCE_MS = 20;

function completion({ state, primary }: Situation): EventReason {
  const { op } = state;
  // An abandoned one was told when it was given up.
  if (op?.kind === "switchover")
    return op.target === primary.ordinal ? "SwitchoverCompleted" : "PrimaryReopened";
  if (op?.kind === "failover" || op?.kind === "reconstruct") return "FailoverCompleted";
  return "PrimaryReopened";
}

/** Routed in the same breath: nobody has to wait for another look (INV-7: the term row stands). */
function done(
  situation: Situation,
  base: { phase: ReturnType<typeof phaseOf>; problems: readonly Problem[]; ready: Ready },
  state: Established,
): Decision {
  const { observed, nowMs, primary } = situation;
  const message = `${primary.member.podName} takes writes in epoch ${state.epoch}.`;
  const established: Situation = { ...situation, state, config: state.established };
  return compose(observed, nowMs, {
    ...base,
    ready: { status: "True", reason: base.phase, message },
    why: message,
    state,
    happenings: [{ reason: completion(situation), message }],
    tracks: routingTracks(established),
    lookAgainMs: 0,
  });
}

/** Too few of those that were there are recorded: whoever follows by now is, and may acknowledge then. */
function extended(
  { state }: Situation,
  acker: { readonly ordinal: number; readonly serverUuid: string },
): State {
  const { pending } = state;
  if (pending === null) return state;
  return { ...state, pending: { ...pending, ackers: [...pending.ackers, acker] } };
}

/**
 * Nobody is left who could acknowledge: all others have transactions of their own, which cannot be archived on a
 * primary that is closed. Which of them is made anew is for a person to say.
 */
function divided({ members, primary, state }: Situation): Problem | null {
  const others = members.filter((view) => view !== primary);
  const errant = others.filter(({ standing }) => standing.kind === "errant");
  if (state.pending?.open !== false || errant.length === 0 || errant.length < others.length) return null;
  const names = errant.map(({ member }) => member.podName).join(" and ");
  const message = `Nobody can acknowledge to ${primary.member.podName}: ${names} have transactions of their own; look at them, then delete the volume claim and pod of one.`;
  return { code: "MembersDiverged", message, blocks: false };
}

export function establishing(situation: Situation, problems: readonly Problem[]): Decision {
  const { observed, nowMs, primary, state } = situation;
  const phase = phaseOf(state);
  const { podName } = primary.member;
  const message = `${podName} is being established as the primary of epoch ${state.epoch}.`;
  const base = { phase, problems, ready: { status: "False", reason: phase, message } as const };
  const next = establish(situation);
  if (next.kind === "done") return done(situation, base, next.state);
  if (next.kind === "record")
    return compose(observed, nowMs, {
      ...base,
      why: `opening ${podName}`,
      state: next.state,
      before: next.before,
      tracks: [next.after],
      lookAgainMs: 0,
    });
  if (next.kind === "steps") {
    const why = `establishing ${podName}`;
    return compose(observed, nowMs, {
      ...base,
      why,
      tracks: [next.steps, ...placeQuickly(situation)],
      urgent: true,
      lookAgainMs: AT_ONCE_MS,
    });
  }
  const places = placeMembers(situation);
  const acker = joiningAcker(situation);
  if (acker !== null) {
    const why = `${observed.set.name}-${acker.ordinal} follows and is counted on from now on`;
    return compose(observed, nowMs, { ...base, why, state: extended(situation, acker), lookAgainMs: 0 });
  }
  const stands = divided(situation);
  if (stands !== null && places.length === 0) {
    const all = [stands, ...problems];
    return compose(observed, nowMs, { ...base, problems: all, why: stands.message, lookAgainMs: null });
  }
  // Replicas reconnect by themselves; those whose threads stopped are started again.
  const why = `waiting for ${next.needed} acknowledging replicas (${next.connected} now)`;
  const lookAgainMs =
    places.length > 0 ? AT_ONCE_MS : Math.max(AT_ONCE_MS, patience(observed, nowMs, "Ready") / 4);
  return compose(observed, nowMs, { ...base, why, tracks: places, urgent: places.length > 0, lookAgainMs });
}
