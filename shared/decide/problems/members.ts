/**
 * Problems of members that have, or should have, a place in the cluster. One function per standing, so that
 * each message says what is wrong with that member, what Ordinal does, and what a person can do.
 */
import type { Problem } from "../../model/condition.ts";
import type { Copied } from "../../model/member.ts";
import { shareOf } from "../../model/progress.ts";
import { evidence, isServed, wasCutOffForLong } from "../plan/evidence.ts";
import { whyNotRenewed } from "../plan/rejoin.ts";
import { hasNoRoom, isStalled } from "../plan/steady.ts";
import { isAcker, type MemberView, type Situation, type Standing } from "../situation.ts";

/** `PrimaryUnreachable` is also the clock by which a failover waits, so it is told as long as nobody answers. */
function primaryProblems(situation: Situation): readonly Problem[] {
  const { primary, spec } = situation;
  const { podName } = primary.member;
  const { ordinal } = primary;
  const found = evidence(situation);
  const told = (code: Problem["code"], message: string): readonly Problem[] => [
    { code, message, ordinal, blocks: false },
  ];
  const cutOff = (text: string): readonly Problem[] =>
    told(
      "PrimaryCutOff",
      `The primary ${podName} cannot be asked from here (${text}) and is left alone; look at the network or the account.`,
    );
  switch (found.kind) {
    case "none":
      if (hasNoRoom(primary)) return told("DiskFull", fullMessage(primary));
      return isStalled(situation) ? told("AcknowledgementsStalled", stallMessage(situation)) : [];
    case "cut-off":
      // Nobody loses one that serves nobody yet; how long it is away is what counts.
      if (!isServed(situation))
        return told(
          "PrimaryUnreachable",
          `${podName}, the next primary, does not answer; another may be chosen.`,
        );
      return [
        ...cutOff(found.text),
        ...told("PrimaryUnreachable", `The primary ${podName} does not answer us.`),
      ];
    case "lost":
      if (primary.facts !== null)
        return told("PrimaryLostTransactions", `The primary ${podName} stays read-only: ${found.text}.`);
      return told("PrimaryUnreachable", `The primary ${podName} is gone: ${found.text}.`);
    case "ended":
    case "silent": {
      if (found.kind === "silent" && wasCutOffForLong(situation)) return cutOff(found.text);
      const wait = `it may hold acknowledged writes alone and is waited for, up to ${spec.gracefulWaitMs / 1000} s`;
      const effect =
        found.kind === "ended" && found.orderly ? wait : "writes wait until a primary is there again";
      return told("PrimaryUnreachable", `The primary ${podName} does not answer: ${found.text}; ${effect}.`);
    }
  }
}

/** The same words as long as it lasts: each new sentence is an Event. */
function fullMessage({ member, standing }: MemberView): string {
  const effect = standing.kind === "primary" ? "writes wait" : "it does not replicate";
  return `The disk of ${member.podName} is full and ${effect}; enlarge its volume or make room, the server looks again each minute.`;
}

function stallMessage({ primary }: Situation): string {
  const seconds = Math.round((primary.facts?.acks.waitingMs ?? 0) / 1000);
  return `A commit on ${primary.member.podName} has waited for ${seconds} s although its replicas are there; a heartbeat is committed to free it.`;
}

function foreignMessage(
  { rules }: Situation,
  { member }: MemberView,
  standing: Extract<Standing, { kind: "foreign" }>,
): string {
  const extra = rules.positions.shorten(standing.extra, 48);
  const schemas = standing.schemas.slice(0, 3).join(", ");
  const holds = schemas === "" ? "" : `schemas ${schemas} and `;
  return `${member.podName} holds ${holds}transactions ${extra} that the primary lacks; nothing is changed on it. Empty it or delete its volume claim.`;
}

function recorded({ config }: Situation, ordinal: number): boolean {
  return config.ackers.some((acker) => acker.ordinal === ordinal);
}

function memberProblem(view: MemberView, situation: Situation): Problem | null {
  const { member, standing, ordinal } = view;
  const { spec } = situation;
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
        message: `${member.podName} is being seeded${copiedText(standing.copied)}.`,
        ...about,
      };
    case "blank":
      return seedProblem(view, standing.seedError);
    case "foreign":
      return { code: "ForeignData", message: foreignMessage(situation, view, standing), ...about };
    case "errant": {
      return errantProblem(situation, view, standing);
    }
    case "deposed": {
      const waits =
        standing.waiters === 0 ? "takes writes" : `has ${standing.waiters} commits that nobody acknowledges`;
      const message = `${member.podName} was the primary before and still ${waits}; it is put out of service.`;
      return { code: "ReplicaBroken", message, ...about };
    }
    case "outdated":
      return outdatedProblem(situation, view, standing);
    case "broken":
      return {
        code: "ReplicaBroken",
        message: `${member.podName} does not replicate: ${standing.error}.`,
        ...about,
      };
    case "following": {
      if (hasNoRoom(view)) return { code: "DiskFull", message: fullMessage(view), ...about };
      if (standing.lagMs <= spec.maxLagMs) return null;
      const message = `${member.podName} is ${Math.round(standing.lagMs / 1000)} s behind (limit ${spec.maxLagMs / 1000} s) and serves no reads until it has caught up.`;
      return { code: "ReplicaLagging", message, ...about };
    }
  }
}

/** With each tenth, which is an Event; how far it is at the moment says the record on the Pod. */
function copiedText(copied: Copied): string {
  const tenths = Math.floor(10 * (shareOf(copied) ?? 0));
  return tenths === 0 ? "" : `, at least ${tenths}0 % copied`;
}

function seedProblem({ member, ordinal }: MemberView, error: string | null): Problem | null {
  if (error === null) return null;
  const message = `Seeding ${member.podName} failed (${error}); trying again.`;
  return { code: "SeedFailed", message, ordinal, blocks: false };
}

function outdatedProblem(
  situation: Situation,
  view: MemberView,
  { missing }: Extract<Standing, { kind: "outdated" }>,
): Problem {
  const { rules, primary } = situation;
  const { member, ordinal, facts } = view;
  const kept = whyNotRenewed(situation, view);
  const failed = kept === null ? seedProblem(view, facts?.seeding.error ?? null) : null;
  if (failed !== null) return failed;
  const from = primary.member.podName;
  const lacks = `${member.podName} lacks ${rules.positions.shorten(missing, 40)}, whose logs ${from} no longer has`;
  const doing = kept ?? `${from} has all that it has, so it is made anew from a copy`;
  return { code: "ReplicaOutdated", message: `${lacks}; ${doing}.`, ordinal, blocks: false };
}

function errantProblem(
  { state, rules }: Situation,
  { member, ordinal, facts }: MemberView,
  { extra, archived }: Extract<Standing, { kind: "errant" }>,
): Problem {
  const has = `${member.podName} has transactions of its own (${rules.positions.shorten(extra, 48)})`;
  if (state.unproven.some((uuid) => uuid === facts?.serverUuid)) {
    const message = `${has}, which may have been acknowledged; look at ordinal.tail, then delete its volume claim and pod.`;
    return { code: "DurabilityUnproven", message, ordinal, blocks: false };
  }
  const doing = archived ? "they are archived and it is made anew" : "they are being archived";
  const message = `${has} and serves no reads; ${doing}.`;
  return { code: "ErrantTransactions", message, ordinal, blocks: false };
}

function spareCopies(situation: Situation): readonly Problem[] {
  const { config, state, members, primary } = situation;
  if (state.established === null || config.ackCount === 0) return [];
  const connected = members.filter((view) => isAcker(config, view) && view.facts.acks.active).length;
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
