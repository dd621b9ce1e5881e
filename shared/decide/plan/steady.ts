/**
 * An established cluster: keep every member in its place, let new ones join, drop ackers whose data is gone,
 * reopen a primary that came back read-only.
 *
 * INV-3: add = record, then enable. Remove = nobody can acknowledge in its name, then enough others hold
 * everything, then record. Raise the ack count = set it, others hold everything, then record.
 */
import type { Config, State } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import { isAcker, type MemberView, type Situation } from "../situation.ts";
import { accountTrack } from "./adopt.ts";
import { placeMembers, prepareSteps } from "./members.ts";
import { routingTracks } from "./routing.ts";

const HOLDERS_TIMEOUT_MS = 10_000;

export interface Change {
  readonly reason: "MemberJoined" | "MemberLeft" | "AckCountChanged";
  readonly message: string;
  /** Done before the change is recorded. */
  readonly before: Track;
  readonly established: Config;
}

function view(situation: Situation, ordinal: number): MemberView | undefined {
  return situation.members.find((member) => member.ordinal === ordinal);
}

/** A follower that is up to date and not recorded yet. It is enabled only in a later pass. */
function joining({ members, config, spec, primary }: Situation): Change | null {
  if (config.ackCount === 0 && primary.facts !== null && members.length === 1) return null;
  const member = members.find(
    (candidate) =>
      candidate.standing.kind === "following" &&
      candidate.standing.lagMs <= spec.maxLagMs &&
      candidate.facts !== null &&
      !isAcker(config, candidate),
  );
  if (member?.facts === undefined || member.facts === null) return null;
  const ackers = [...config.ackers, { ordinal: member.ordinal, serverUuid: member.facts.serverUuid }];
  const message = `${member.member.podName} follows ${primary.member.podName} and acknowledges its commits from now on.`;
  return { reason: "MemberJoined", message, before: [], established: { ...config, ackers } };
}

/** An acker whose volume was replaced: its acknowledged data is gone, so it must not be counted on. */
function leaving(situation: Situation): Change | null {
  const { config, primary } = situation;
  const lost = config.ackers.find((acker) => {
    const facts = view(situation, acker.ordinal)?.facts;
    return facts !== undefined && facts !== null && facts.serverUuid !== acker.serverUuid;
  });
  if (lost === undefined) return null;
  const remaining = config.ackers.filter((acker) => acker !== lost);
  const holders = remaining.filter((acker) => {
    const member = view(situation, acker.ordinal);
    if (member?.standing.kind !== "following" || member.facts?.serverUuid !== acker.serverUuid) return false;
    return member.standing.lagMs <= situation.spec.maxLagMs;
  });
  if (holders.length < config.ackCount) return null;
  const successor = view(situation, lost.ordinal);
  const lock: Step = { kind: "LockAccount", ordinal: lost.ordinal, primary: primary.ordinal, locked: true };
  const wait: Step = {
    kind: "AwaitHolders",
    primary: primary.ordinal,
    holders: holders.map((acker) => acker.ordinal),
    need: config.ackCount,
    timeoutMs: HOLDERS_TIMEOUT_MS,
  };
  const pod = successor?.member.podName ?? `ordinal ${lost.ordinal}`;
  const message = `The volume of ${pod} was replaced, so it is no longer counted on; ${holders.length} of ${remaining.length} other replicas hold everything.`;
  // A successor that was seeded already uses the account they have in common, and nobody would unlock it again;
  // a blank one has it unlocked when it is seeded.
  return {
    reason: "MemberLeft",
    message,
    before: successor?.standing.kind === "blank" ? [lock, wait] : [wait],
    established: { ...config, ackers: remaining },
  };
}

function raising(situation: Situation): Change | null {
  const { config, primary, ackCountWanted } = situation;
  if (ackCountWanted <= config.ackCount || primary.facts === null) return null;
  const holders = situation.members.filter(
    (member) => isAcker(config, member) && member.facts?.acks.active === true,
  );
  if (holders.length < ackCountWanted || primary.facts.acks.clients < ackCountWanted) return null;
  const before: Track = [
    { kind: "Arm", ordinal: primary.ordinal, ackCount: ackCountWanted },
    {
      kind: "AwaitHolders",
      primary: primary.ordinal,
      holders: holders.map((member) => member.ordinal),
      need: ackCountWanted,
      timeoutMs: HOLDERS_TIMEOUT_MS,
    },
  ];
  const message = `A commit now waits for ${ackCountWanted} acknowledgements (before: ${config.ackCount}).`;
  return { reason: "AckCountChanged", message, before, established: { ...config, ackCount: ackCountWanted } };
}

export function nextChange(situation: Situation): Change | null {
  if (situation.primary.facts === null) return null;
  return leaving(situation) ?? joining(situation) ?? raising(situation);
}

/** A recorded primary that is read-only came back from a restart: it is established again in a new epoch. */
export function needsReopening({ primary, rules, members, config }: Situation): boolean {
  const { facts, standing } = primary;
  if (facts === null || standing.kind !== "primary" || !facts.readOnly) return false;
  // A replica that holds what the primary lost proves that it must not take writes again.
  return !members.some(
    (member) =>
      isAcker(config, member) &&
      member.facts !== null &&
      !rules.positions.contains(facts.executed, member.facts.received),
  );
}

export function reopeningState(state: State, at: string): State {
  const epoch = state.epoch + 1;
  const { established } = state;
  if (established === null) return state;
  return {
    ...state,
    epoch,
    phase: "Establishing",
    pending: { ...established, open: false },
    op: { id: `reopen-${epoch}`, kind: "reopen", step: "Establish", startedAt: at },
  };
}

/** On the primary: settings that were changed behind our back, and acknowledgement that was switched off. */
function repairPrimary(situation: Situation): Track {
  const { primary, config } = situation;
  if (primary.facts === null || primary.facts.readOnly) return [];
  const prepare = prepareSteps(situation, primary, "primary");
  if (prepare.length > 0) return prepare;
  const { acks } = primary.facts;
  const armed = config.ackCount === 0 || (acks.required && acks.count >= config.ackCount);
  return armed ? [] : [{ kind: "Arm", ordinal: primary.ordinal, ackCount: config.ackCount }];
}

export function maintenance(situation: Situation): readonly Track[] {
  const accounts = accountTrack(situation);
  if (accounts.length > 0) return accounts;
  return [repairPrimary(situation), ...placeMembers(situation), ...routingTracks(situation)].filter(
    (track) => track.length > 0,
  );
}
