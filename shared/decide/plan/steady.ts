/**
 * An established cluster: keep every member in its place, let new ones join, drop ackers whose data is gone,
 * reopen a primary that came back read-only.
 *
 * INV-3: add = record, then enable. Remove = nobody can acknowledge in its name, then enough others hold
 * everything, then record. Raise the ack count = set it, others hold everything, then record.
 */
import type { Config, State } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import { isAcker, type MemberView, type Situation, sinceMs } from "../situation.ts";
import { accountTrack } from "./adopt.ts";
import { placeMembers } from "./members.ts";
import { prepareSteps } from "./prepare.ts";
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

/** A follower that is up to date and not recorded yet. It is enabled only in a later look. */
export function joiningAcker({ members, config, spec }: Situation): Config["ackers"][number] | null {
  const member = members.find(
    (candidate) =>
      candidate.standing.kind === "following" &&
      candidate.standing.lagMs <= spec.maxLagMs &&
      candidate.facts !== null &&
      !isAcker(config, candidate),
  );
  if (member?.facts === undefined || member.facts === null) return null;
  return { ordinal: member.ordinal, serverUuid: member.facts.serverUuid };
}

function joining(situation: Situation): Change | null {
  const { config, primary } = situation;
  const acker = joiningAcker(situation);
  if (acker === null) return null;
  const pod = view(situation, acker.ordinal)?.member.podName;
  const message = `${pod} follows ${primary.member.podName} and acknowledges its commits from now on.`;
  return {
    reason: "MemberJoined",
    message,
    before: [],
    established: { ...config, ackers: [...config.ackers, acker] },
  };
}

/** Without a dead one fewer copies have to be reached at the next failover. */
const DEAD_MS = 60_000;

type Loss = { readonly acker: Config["ackers"][number]; readonly why: string };

/** An acker that must not be counted on: its acknowledged data is gone, is mixed with its own, or is out of reach. */
function lostAcker(situation: Situation): Loss | null {
  const { config, observed, nowMs } = situation;
  const deadForMs = nowMs - (sinceMs(observed, "MemberUnreachable") ?? nowMs);
  for (const acker of config.ackers) {
    const member = view(situation, acker.ordinal);
    const pod = member?.member.podName ?? `ordinal ${acker.ordinal}`;
    if (member?.facts == null) {
      if (deadForMs >= DEAD_MS) return { acker, why: `${pod} has not answered for ${DEAD_MS / 1000} s` };
    } else if (member.facts.serverUuid !== acker.serverUuid) {
      return { acker, why: `The volume of ${pod} was replaced` };
    } else if (member.standing.kind === "errant") {
      return { acker, why: `${pod} has transactions of its own` };
    }
  }
  return null;
}

function leaving(situation: Situation): Change | null {
  const { config, primary } = situation;
  const loss = lostAcker(situation);
  if (loss === null) return null;
  const { acker: lost } = loss;
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
  const message = `${loss.why}, so it is no longer counted on; ${holders.length} of ${remaining.length} other replicas hold everything.`;
  // A successor that was seeded already uses the account they have in common, and is itself in good order.
  const sharesAccount = successor?.standing.kind === "following" || successor?.standing.kind === "detached";
  return {
    reason: "MemberLeft",
    message,
    before: sharesAccount ? [wait] : [lock, wait],
    established: { ...config, ackers: remaining },
  };
}

function raising(situation: Situation): Change | null {
  const { config, primary, ackCountWanted } = situation;
  if (ackCountWanted <= config.ackCount || primary.facts === null) return null;
  const holders = situation.members.filter((member) => isAcker(config, member) && member.facts.acks.active);
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
  return leaving(situation) ?? joining(situation) ?? raising(situation);
}

/**
 * A recorded primary that is read-only came back from a restart: it is established again in a new epoch. One
 * whose replicas hold what it lost is failed over instead.
 */
export function needsReopening({ primary }: Situation): boolean {
  return primary.standing.kind === "primary" && primary.facts?.readOnly === true;
}

export function reopeningState({ state, config, primary, nowMs }: Situation): State {
  const epoch = state.epoch + 1;
  const at = new Date(nowMs).toISOString();
  return {
    ...state,
    epoch,
    phase: "Establishing",
    pending: { ...config, open: false },
    primaryStartedAtMs: primary.facts?.startedAtMs ?? null,
    op: { id: `reopen-${epoch}`, kind: "reopen", step: "Establish", startedAt: at, target: null },
  };
}

/** On the primary: settings that were changed behind our back, and acknowledgement that was switched off. */
function repairPrimary(situation: Situation): Track {
  const { primary, config } = situation;
  if (primary.facts === null || primary.facts.readOnly) return [];
  const prepare = prepareSteps(situation, primary, primary.facts, "primary");
  if (prepare.length > 0) return prepare;
  const { acks } = primary.facts;
  const armed = config.ackCount === 0 || (acks.required && acks.count >= config.ackCount);
  if (!armed) return [{ kind: "Arm", ordinal: primary.ordinal, ackCount: config.ackCount }];
  return isStalled(situation) ? [{ kind: "Nudge", ordinal: primary.ordinal }] : [];
}

/** Longer than any replica that is there takes to acknowledge. */
const STALL_MS = 10_000;

/** Commits wait although enough ackers are there: an acknowledgement was lost on its way. */
export function isStalled({ primary, config }: Situation): boolean {
  const acks = primary.facts?.acks;
  return acks !== undefined && acks.waitingMs >= STALL_MS && acks.clients >= config.ackCount;
}

export function maintenance(situation: Situation): readonly Track[] {
  const accounts = accountTrack(situation);
  if (accounts.length > 0) return accounts;
  return [repairPrimary(situation), ...placeMembers(situation), ...routingTracks(situation)].filter(
    (track) => track.length > 0,
  );
}
