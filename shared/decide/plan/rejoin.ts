/**
 * How a member that was the primary, was written to by hand, or was away for too long finds back into its place.
 * What only it holds is first copied to where every member has it, then it is made anew from a copy (INV-9); what
 * may have been acknowledged and is held by it alone is left for a person, archived or not.
 */
import type { Position, ServerFacts } from "../../model/server.ts";
import type { Step, Track } from "../../model/step.ts";
import type { MemberView, Situation, Standing } from "../situation.ts";
import { chooseDonor, type Donors, prepareSteps } from "./prepare.ts";

/** Out of service first; commits that wait are never answered then, and end with its process. */
export function deposedSteps({ ordinal, facts }: MemberView, waiters: number): Track {
  const stuck = facts?.offline === true && waiters > 0;
  return [stuck ? { kind: "Restart", ordinal } : { kind: "Fence", ordinal }];
}

/** Whoever is counted on, now or in the configuration being built, is not touched. */
function isCountedOn({ state }: Situation, { facts }: MemberView): boolean {
  const counted = [state.established, state.pending].flatMap((config) =>
    config === null ? [] : [config.primary, ...config.ackers],
  );
  return counted.some((one) => one.serverUuid === facts?.serverUuid);
}

function tell(view: MemberView, reason: "TailArchived" | "MemberRebuilding", message: string): Step {
  const key = `${reason}|${view.facts?.serverUuid}|${message}`;
  return { kind: "Event", type: "Warning", reason, message, key };
}

export function rebuildSteps(
  situation: Situation,
  view: MemberView,
  standing: Extract<Standing, { kind: "errant" }>,
  busy: Donors,
): Track {
  const { primary, state, rules } = situation;
  const { facts, ordinal, member } = view;
  if (facts === null || primary.facts === null || state.pending !== null) return [];
  // While it is counted on it has to go on acknowledging, whatever else it holds.
  if (isCountedOn(situation, view)) return [];
  if (facts.channel !== null && facts.channel.receiver !== "off") return [{ kind: "StopReceiving", ordinal }];
  const extra = rules.positions.shorten(standing.extra, 60);
  const archive: Step = {
    kind: "ArchiveTail",
    ordinal,
    primary: primary.ordinal,
    beyond: primary.facts.executed,
  };
  if (!standing.archived) {
    const message = `What only ${member.podName} has (${extra}) is kept in ordinal.tail on ${primary.member.podName}.`;
    return [archive, tell(view, "TailArchived", message)];
  }
  if (state.unproven.includes(facts.serverUuid)) return [];
  const covered = rules.positions.union(primary.facts.executed, standing.extra);
  // The newest of the primary's own are on a replica first; once the primary was read with them, all is covered.
  if (!rules.positions.contains(covered, facts.received)) return [];
  const why = `what only it had (${extra}) is archived`;
  // Made anew once before, it has given the GTIDs that are archived to other transactions; by them alone one
  // cannot tell. What is kept already is only read back.
  return seedAnew(situation, view, busy, { facts, covered, why, before: [archive] });
}

interface Renewal {
  readonly facts: ServerFacts;
  /** Where all that it has is: see the step `Seed`. */
  readonly covered: Position;
  readonly why: string;
  readonly before: Track;
}

function seedAnew(
  situation: Situation,
  view: MemberView,
  busy: Donors,
  { facts, covered, why, before }: Renewal,
): Track {
  const donor = chooseDonor(situation, busy, facts);
  if (donor === null) return [];
  busy.add(donor.ordinal);
  const { ordinal, member } = view;
  return [
    ...prepareSteps(situation, view, facts, "unseeded"),
    ...before,
    tell(view, "MemberRebuilding", `${member.podName} is made anew from ${donor.member.podName}; ${why}.`),
    { kind: "Seed", ordinal, donor: donor.ordinal, covered },
  ];
}

/** Why one that can never follow again is left as it is for now; null = a copy may take the place of what it has. */
export function whyNotRenewed(situation: Situation, view: MemberView): string | null {
  const { primary, rules } = situation;
  const { facts } = view;
  if (facts === null || primary.facts === null) return "it cannot be compared with the primary";
  if (isCountedOn(situation, view)) return "it is counted on until enough other replicas acknowledge";
  // GTIDs say nothing of what was written before there were any, and who was never here may hold such data.
  if (facts.terms.length === 0)
    return "it was never part of this cluster; to have it seeded, delete its volume claim and pod";
  if (rules.positions.contains(primary.facts.executed, facts.received)) return null;
  return `${primary.member.podName} does not have all that it has`;
}

/** Everything that it has is on the primary as well, so nothing is lost with it. */
export function renewalSteps(
  situation: Situation,
  view: MemberView,
  { missing }: Extract<Standing, { kind: "outdated" }>,
  busy: Donors,
): Track {
  const { primary, rules } = situation;
  const { facts } = view;
  if (facts === null || primary.facts === null || whyNotRenewed(situation, view) !== null) return [];
  const { podName } = primary.member;
  const why = `${podName} has all that it had, and no longer the logs of what it lacks (${rules.positions.shorten(missing, 60)})`;
  return seedAnew(situation, view, busy, { facts, covered: primary.facts.executed, why, before: [] });
}
