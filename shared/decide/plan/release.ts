/**
 * Release: the engine annotation is gone. What is left is an ordinary replication set-up that goes on and
 * survives restarts without us; our Services and labels stay unless the user says that nothing uses them.
 */
import { ANNOTATION, LABEL } from "../../annotations/keys.ts";
import type { Observed } from "../../model/observed.ts";
import type { State } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import { factsOf } from "../situation.ts";
import { seenOf } from "./routing.ts";

export function releasingState(state: State, at: string): State {
  return {
    ...state,
    phase: "Releasing",
    op: { id: `release-${state.epoch}`, kind: "release", step: "HandOver", startedAt: at, target: null },
  };
}

/** Neither adopted nor kept: it holds nothing that Ordinal answers for. */
export function isFresh(state: State | null): state is null | (State & { phase: "Released" }) {
  return state === null || state.phase === "Released";
}

/** The epoch stays: a later adoption starts above it. */
export function releasedState(state: State): State {
  return { ...state, phase: "Released", established: null, pending: null, op: null };
}

/** Whoever has a place, also when the cluster was never established: its settings were prepared for us. */
function handOver(observed: Observed, state: State): Track {
  const config = state.established ?? state.pending;
  if (config === null) return [];
  const { primary, ackers } = config;
  const armed = observed.members.some((member) => {
    const facts = factsOf(member);
    return facts?.serverUuid === primary.serverUuid && facts.acks.required;
  });
  const ackCount = state.established !== null || armed ? config.ackCount : 0;
  const known = new Set(ackers.map((acker) => acker.serverUuid));
  return observed.members.flatMap((member): readonly Step[] => {
    const facts = factsOf(member);
    if (facts === null) return [];
    const { serverUuid, channel } = facts;
    if (serverUuid === primary.serverUuid) {
      return [{ kind: "HandOver", ordinal: member.ordinal, role: "primary", ackCount }];
    }
    const follows = channel?.sourceUuid === primary.serverUuid;
    if (!follows && !known.has(serverUuid)) return [];
    return [{ kind: "HandOver", ordinal: member.ordinal, role: "replica", ackCount }];
  });
}

function withdraw(observed: Observed): Track {
  if (observed.wish.servicesOnRelease === "keep") return [];
  const services = [observed.services.primary, observed.services.replicas].flatMap((seen): readonly Step[] =>
    seen.kind === "found"
      ? [{ kind: "DeleteService", name: seen.service.name, seen: seenOf(seen.service) }]
      : [],
  );
  const labels = observed.members.flatMap(({ pod }): readonly Step[] => {
    if (pod === null) return [];
    const none = { [LABEL.managed]: null, [LABEL.role]: null, [LABEL.epoch]: null };
    return [
      {
        kind: "LabelPod",
        pod: pod.name,
        seen: seenOf(pod),
        labels: none,
        annotations: { [ANNOTATION.member]: null },
      },
    ];
  });
  return [...services, ...labels];
}

export function releaseSteps(observed: Observed, state: State): Track {
  return [...handOver(observed, state), ...withdraw(observed)];
}

/** Members that could not be handed over because nobody answered. */
export function unreachedMembers(observed: Observed): readonly string[] {
  return observed.members.filter((member) => factsOf(member) === null).map((member) => member.podName);
}
