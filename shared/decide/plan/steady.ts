/**
 * An established cluster: keep every member in its place, let new ones join, drop ackers whose data is gone,
 * reopen a primary that came back read-only.
 *
 * INV-3: add = record, then enable. Remove = nobody can acknowledge in its name, then enough others hold
 * everything, then record. Raise the ack count = record that it is begun, set it, others hold everything, then
 * record. Lower it = record, then set it. So whoever lowers it behind the back of one that raises it makes the last
 * record of that one fail.
 */
import { type Config, MEMBERS_MAX, type State } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import { isAcker, isLeaving, type MemberView, type Situation, sinceMs } from "../situation.ts";
import { accountTrack } from "./adopt.ts";
import { placeMembers } from "./members.ts";
import { prepareSteps } from "./prepare.ts";
import { routingTracks } from "./routing.ts";

const HOLDERS_TIMEOUT_MS = 10_000;

export interface Change {
  readonly reason: "MemberJoined" | "MemberLeft" | "MemberRemoved" | "AckCountChanged";
  readonly message: string;
  /** Done before the change is recorded. */
  readonly before: Track;
  readonly established: Config;
  /** Done once it is recorded. */
  readonly after: Track;
  /** Recorded once that is done; null = nothing more. */
  readonly lastly: Config | null;
}

const NOTHING_AFTER = { after: [], lastly: null } as const;

function view(situation: Situation, ordinal: number): MemberView | undefined {
  return situation.members.find((member) => member.ordinal === ordinal);
}

/** A follower that is up to date and not recorded yet. It is enabled only in a later look. */
export function joiningAcker(situation: Situation): Config["ackers"][number] | null {
  const { members, config, spec } = situation;
  if (config.ackers.length >= MEMBERS_MAX - 1) return null;
  const member = members.find(
    (candidate) =>
      candidate.standing.kind === "following" &&
      !isLeaving(situation, candidate) &&
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
    ...NOTHING_AFTER,
  };
}

/** Without a dead one fewer copies have to be reached at the next failover. */
const DEAD_MS = 60_000;

interface Loss {
  readonly acker: Config["ackers"][number];
  readonly reason: "MemberLeft" | "MemberRemoved";
  readonly why: string;
}

/** Highest first, as the StatefulSet takes them away. */
function leavingAcker(situation: Situation): Loss | null {
  const { config, observed, size } = situation;
  const [acker] = config.ackers
    .filter((one) => isLeaving(situation, one))
    .toSorted((a, b) => b.ordinal - a.ordinal);
  if (acker === undefined) return null;
  const why = `${observed.set.name} is to have ${size} members and ${observed.set.name}-${acker.ordinal} leaves`;
  return { acker, reason: "MemberRemoved", why };
}

/** An acker that must not be counted on: its acknowledged data is gone, is mixed with its own, or is out of reach. */
function lostAcker(situation: Situation): Loss | null {
  const { config, observed, nowMs } = situation;
  const reason = "MemberLeft";
  const deadForMs = nowMs - (sinceMs(observed, "MemberUnreachable") ?? nowMs);
  for (const acker of config.ackers) {
    const member = view(situation, acker.ordinal);
    const pod = member?.member.podName ?? `ordinal ${acker.ordinal}`;
    if (member?.facts == null) {
      if (deadForMs >= DEAD_MS)
        return { acker, reason, why: `${pod} has not answered for ${DEAD_MS / 1000} s` };
    } else if (member.facts.serverUuid !== acker.serverUuid) {
      return { acker, reason, why: `The volume of ${pod} was replaced` };
    } else if (member.standing.kind === "errant") {
      return { acker, reason, why: `${pod} has transactions of its own` };
    } else if (member.standing.kind === "outdated") {
      return { acker, reason, why: `${pod} lacks what is in no log of the primary's any more` };
    }
  }
  return null;
}

function leaving(situation: Situation): Change | null {
  const { config, primary } = situation;
  const loss = lostAcker(situation) ?? leavingAcker(situation);
  if (loss === null) return null;
  const { acker: lost } = loss;
  const remaining = config.ackers.filter((acker) => acker !== lost);
  const holders = remaining.filter((acker) => {
    const member = view(situation, acker.ordinal);
    if (member?.standing.kind !== "following" || member.facts?.serverUuid !== acker.serverUuid) return false;
    if (isLeaving(situation, member)) return false;
    return member.standing.lagMs <= situation.spec.maxLagMs;
  });
  // A primary that still waits for more would wait for good.
  if (holders.length < Math.max(config.ackCount, realAckCount(primary))) return null;
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
  const placed = successor?.standing.kind === "following" || successor?.standing.kind === "detached";
  const sharesAccount = placed && successor.facts?.serverUuid !== lost.serverUuid;
  return {
    reason: loss.reason,
    message,
    before: sharesAccount ? [wait] : [lock, wait],
    established: { ...config, ackers: remaining },
    ...NOTHING_AFTER,
  };
}

function raising(situation: Situation): Change | null {
  const { config, primary, ackCountWanted } = situation;
  if (ackCountWanted <= config.ackCount || primary.facts === null) return null;
  const holders = situation.members.filter((member) => isAcker(config, member) && member.facts.acks.active);
  if (holders.length < ackCountWanted || primary.facts.acks.clients < ackCountWanted) return null;
  const after: Track = [
    { kind: "Arm", ordinal: primary.ordinal, ackCount: ackCountWanted },
    {
      kind: "AwaitHolders",
      primary: primary.ordinal,
      holders: holders.map((member) => member.ordinal),
      need: ackCountWanted,
      timeoutMs: HOLDERS_TIMEOUT_MS,
    },
  ];
  const message = ackCountMessage(ackCountWanted, config.ackCount);
  const lastly = { ...config, ackCount: ackCountWanted };
  return { reason: "AckCountChanged", message, before: [], established: config, after, lastly };
}

/**
 * With fewer members fewer acknowledgements are enough. Recorded before it is so on the primary: until then commits
 * wait for more than is counted on (INV-3). Ackers that leave go first, as long as the others are enough.
 */
function lowering(situation: Situation): Change | null {
  const { config, ackCountWanted, primary } = situation;
  const real = realAckCount(primary);
  // It was raised for members that are gone again, and more are still wanted: whoever raises it may be under way.
  const takesBack = config.ackCount > 0 && real > config.ackCount && ackCountWanted > config.ackCount;
  if (ackCountWanted >= config.ackCount && !takesBack) return null;
  const ackCount = Math.min(ackCountWanted, config.ackCount);
  return {
    reason: "AckCountChanged",
    message: ackCountMessage(ackCount, Math.max(real, config.ackCount)),
    before: [],
    established: { ...config, ackCount },
    after: primary.facts === null ? [] : [{ kind: "Arm", ordinal: primary.ordinal, ackCount }],
    lastly: null,
  };
}

/** How many acknowledgements commits on it wait for now. */
export function realAckCount({ facts }: MemberView): number {
  return facts?.acks.required === true ? facts.acks.count : 0;
}

function ackCountMessage(wanted: number, before: number): string {
  return `A commit now waits for ${wanted} acknowledgements (before: ${before}).`;
}

export function nextChange(situation: Situation): Change | null {
  return leaving(situation) ?? joining(situation) ?? raising(situation) ?? lowering(situation);
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
  const { primary, config, ackCountWanted } = situation;
  if (primary.facts === null || primary.facts.readOnly) return [];
  const prepare = prepareSteps(situation, primary, primary.facts, "primary");
  if (prepare.length > 0) return prepare;
  const real = realAckCount(primary);
  // Where more are wanted than are recorded, somebody may be raising it at this moment.
  const tooMany = real > config.ackCount && ackCountWanted <= config.ackCount;
  if (real < config.ackCount || tooMany)
    return [{ kind: "Arm", ordinal: primary.ordinal, ackCount: config.ackCount }];
  return isStalled(situation) ? [{ kind: "Nudge", ordinal: primary.ordinal }] : [];
}

/** Longer than any replica that is there takes to acknowledge. */
const STALL_MS = 10_000;

/** Commits wait although enough ackers are there: an acknowledgement was lost on its way. */
export function isStalled({ primary, config }: Situation): boolean {
  const acks = primary.facts?.acks;
  // What would free them is itself a commit.
  if (hasNoRoom(primary)) return false;
  return acks !== undefined && acks.waitingMs >= STALL_MS && acks.clients >= config.ackCount;
}

/** The server waits for a person to make room. */
export function hasNoRoom({ facts }: MemberView): boolean {
  return (facts?.fullDiskMs ?? 0) > 0;
}

export function maintenance(situation: Situation): readonly Track[] {
  const accounts = accountTrack(situation);
  if (accounts.length > 0) return accounts;
  return [repairPrimary(situation), ...placeMembers(situation), ...routingTracks(situation)].filter(
    (track) => track.length > 0,
  );
}
