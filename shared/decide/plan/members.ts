/**
 * How a member gets its place: prepared, seeded, following, acknowledging. Used by adoption and by every
 * later pass, so that a member that lost its volume is treated like one that is new.
 *
 * INV-9: only a `blank` member is seeded without more ado, or one that `rejoin.ts` has found to hold nothing that
 * would be lost; and the seeding verb looks again on its own session.
 * INV-3: a member is recorded as an acker before it acknowledges.
 */
import type { ServerFacts } from "../../model/server.ts";
import type { Config } from "../../model/state.ts";
import type { Step, Track } from "../../model/step.ts";
import { isAcker, isLeaving, type MemberView, type Situation } from "../situation.ts";
import { chooseDonor, type Donors, prepareSteps } from "./prepare.ts";
import { deposedSteps, rebuildSteps, renewalSteps } from "./rejoin.ts";

function announceSeeding({ member }: MemberView, { serverUuid }: ServerFacts, donor: MemberView): Step {
  const { podName, pod } = member;
  const message = `${podName} is empty and is being seeded from ${donor.member.podName}.`;
  const key = `MemberSeeding|${pod?.uid ?? ""}|${serverUuid}`;
  return { kind: "Event", type: "Normal", reason: "MemberSeeding", message, key };
}

function seedSteps(situation: Situation, view: MemberView, facts: ServerFacts, busy: Donors): Track {
  const prepare = prepareSteps(situation, view, facts, "unseeded");
  const donor = chooseDonor(situation, busy, facts);
  if (donor === null) return prepare;
  busy.add(donor.ordinal);
  return [
    ...prepare,
    ...unlockStep(situation, view),
    announceSeeding(view, facts, donor),
    { kind: "Seed", ordinal: view.ordinal, donor: donor.ordinal, covered: null },
  ];
}

/**
 * Rather than by its place among the ackers it comes back as somebody new: an account that was locked when it
 * was taken out is unlocked again, on the primary of today.
 */
function unlockStep({ primary }: Situation, view: MemberView): Track {
  // A closed primary takes no such change; if it is needed, it is seen again once it is open.
  if (primary.facts === null || primary.facts.readOnly) return [];
  return [{ kind: "LockAccount", ordinal: view.ordinal, primary: primary.ordinal, locked: false }];
}

function followStep(situation: Situation, view: MemberView, facts: ServerFacts): Step {
  const { channel } = facts;
  const source = situation.primary.ordinal;
  const stands =
    channel?.autoPosition &&
    channel.account === situation.rules.replicationAccount(view.ordinal) &&
    channel.sourceHost === situation.primary.member.host &&
    channel.sourceUuid === situation.primary.facts?.serverUuid;
  return { kind: "Follow", ordinal: view.ordinal, source, how: stands ? "start" : "full" };
}

/** INV-3: whoever is recorded acknowledges, and nobody else does. */
function acknowledgeSteps(view: MemberView, { acks }: ServerFacts, config: Config): Track {
  const on = isAcker(config, view);
  const right = on ? acks.given && acks.active : !acks.given;
  return right ? [] : [{ kind: "Acknowledge", ordinal: view.ordinal, on }];
}

/** What one member other than the primary needs next; empty when it is where it should be, or must wait. */
export function placeMember(situation: Situation, view: MemberView, busy: Donors): Track {
  const { facts, standing } = view;
  if (facts === null || situation.primary.facts === null) return [];
  // One that leaves does its duty while it is counted on, and is left alone then.
  if (isLeaving(situation, view) && !isAcker(situation.config, view)) return [];
  // Nothing is done to a server of another engine or version, whoever put it there.
  if (situation.rules.unsupported(facts) !== null) return [];
  switch (standing.kind) {
    case "blank":
      return seedSteps(situation, view, facts, busy);
    case "detached":
      return [
        ...prepareSteps(situation, view, facts, "replica"),
        // Whoever is not recorded must not acknowledge from its first moment on (INV-3).
        ...(facts.acks.given && !isAcker(situation.config, view)
          ? acknowledgeSteps(view, facts, situation.config)
          : []),
        ...(facts.channel?.lockedOut === true ? unlockStep(situation, view) : []),
        followStep(situation, view, facts),
      ];
    case "deposed":
      return deposedSteps(view, standing.waiters);
    case "errant":
      return rebuildSteps(situation, view, standing, busy);
    case "outdated":
      return renewalSteps(situation, view, standing, busy);
    case "following":
      return [
        ...prepareSteps(situation, view, facts, "replica"),
        ...acknowledgeSteps(view, facts, situation.config),
      ];
    default:
      return [];
  }
}

/** Tracks for all members but the primary; donors that are being copied from already count as busy. */
export function placeMembers(situation: Situation): readonly Track[] {
  const busy: Donors = new Set();
  return situation.members
    .filter((view) => view.ordinal !== situation.config.primary.ordinal)
    .map((view) => placeMember(situation, view, busy))
    .filter((track) => track.length > 0);
}
