/**
 * Problems of members that have, or should have, a place in the cluster. One function per standing, so that
 * each message says what is wrong with that member, what Ordinal does, and what a person can do.
 */
import type { Problem } from "../../model/condition.ts";
import { unreachable } from "../../model/outcome.ts";
import { isAcker, type MemberView, type Situation } from "../situation.ts";

function primaryProblems({ primary, state, rules, members, config }: Situation): readonly Problem[] {
  const { standing, member, ordinal } = primary;
  if (standing.kind !== "primary") {
    const reason = standing.kind === "unreachable" ? standing.reason : standing.kind;
    const message = `The primary ${member.podName} does not answer: ${reason}; writes wait until it is back.`;
    return [{ code: "PrimaryUnreachable", message, ordinal, blocks: false }];
  }
  // While it takes writes its newest commits are on the replicas first; read-only, nothing is under way.
  if (primary.facts === null || !primary.facts.readOnly || state.established === null) return [];
  const ahead = members.filter(
    (view) =>
      isAcker(config, view) &&
      view.facts !== null &&
      !rules.positions.contains(primary.facts?.executed ?? "", view.facts.received),
  );
  return ahead.map((view) => ({
    code: "PrimaryLostTransactions" as const,
    message: `${view.member.podName} holds acknowledged transactions that the primary ${member.podName} lost; the primary stays read-only.`,
    ordinal,
    blocks: false,
  }));
}

function foreignMessage(view: MemberView, situation: Situation): string {
  const { member, standing } = view;
  if (standing.kind !== "foreign") return "";
  const extra = situation.rules.positions.shorten(standing.extra, 48);
  const schemas = standing.schemas.slice(0, 3).join(", ");
  const holds = schemas === "" ? "" : `schemas ${schemas} and `;
  return `${member.podName} holds ${holds}transactions ${extra} that the primary lacks; nothing is changed on it. Empty it or delete its volume claim.`;
}

function recorded({ config }: Situation, ordinal: number): boolean {
  return config.ackers.some((acker) => acker.ordinal === ordinal);
}

function memberProblem(view: MemberView, situation: Situation): Problem | null {
  const { member, standing, ordinal } = view;
  const { spec, rules } = situation;
  const about = { ordinal, blocks: false };
  switch (standing.kind) {
    case "primary":
    case "detached":
      return null;
    case "unreachable": {
      // Nothing counts on a member without a recorded place: it is starting, or restarts after its seeding.
      const code = recorded(situation, ordinal) ? "MemberUnreachable" : "WaitingForMembers";
      const verb = code === "MemberUnreachable" ? "does not answer" : "is awaited";
      return { code, message: `${member.podName} ${verb}: ${standing.reason}.`, ...about };
    }
    case "seeding":
      return {
        code: "WaitingForMembers",
        message: `${member.podName} is being seeded, ${standing.percent} % copied.`,
        ...about,
      };
    case "blank":
      if (standing.seedError === null) return null;
      return {
        code: "SeedFailed",
        message: `Seeding ${member.podName} failed (${standing.seedError}); trying again.`,
        ...about,
      };
    case "foreign":
      return { code: "ForeignData", message: foreignMessage(view, situation), ...about };
    case "errant": {
      const extra = rules.positions.shorten(standing.extra, 48);
      const message = `${member.podName} has transactions of its own (${extra}) and serves no reads; save what you need, then delete its volume claim and pod.`;
      return { code: "ErrantTransactions", message, ...about };
    }
    case "broken":
      return {
        code: "ReplicaBroken",
        message: `${member.podName} does not replicate: ${standing.error}.`,
        ...about,
      };
    case "following": {
      if (standing.lagMs <= spec.maxLagMs) return null;
      const message = `${member.podName} is ${Math.round(standing.lagMs / 1000)} s behind (limit ${spec.maxLagMs / 1000} s) and serves no reads until it has caught up.`;
      return { code: "ReplicaLagging", message, ...about };
    }
    default:
      return unreachable(standing);
  }
}

function spareCopies(situation: Situation): readonly Problem[] {
  const { config, state, members, primary } = situation;
  if (state.established === null || config.ackCount === 0) return [];
  const connected = members.filter(
    (view) => isAcker(config, view) && view.facts?.acks.active === true,
  ).length;
  const spare = connected - config.ackCount;
  if (spare > 0 || primary.facts === null) return [];
  const effect = spare === 0 ? "losing one more makes writes wait" : "writes wait for it";
  const message = `${connected} of the ${config.ackCount} replicas that each write needs acknowledge; ${effect}.`;
  // With two members there is never a spare one: that is their design and said once, not alarmed.
  return [{ code: "NoSpareCopy", message, blocks: false }];
}

export function memberProblems(situation: Situation): readonly Problem[] {
  const others = situation.members.filter((view) => view.ordinal !== situation.config.primary.ordinal);
  return [
    ...primaryProblems(situation),
    ...others.map((view) => memberProblem(view, situation)).filter((problem) => problem !== null),
    ...spareCopies(situation),
  ];
}
