/**
 * What a member needs before it can take its place, whatever place that is, and from whom it can be copied.
 */
import type { DesiredMember } from "../../model/engine.ts";
import type { ServerFacts } from "../../model/server.ts";
import type { Track } from "../../model/step.ts";
import { deletesLogs } from "../backup/purging.ts";
import type { MemberView, Situation } from "../situation.ts";

/** Copies of one donor at a time: MySQL allows no more ("Maximum allowed - 1", error 3634). */
export type Donors = Set<number>;

export function desiredMember(
  situation: Situation,
  view: MemberView,
  role: DesiredMember["role"],
): DesiredMember {
  const others = situation.members.filter((other) => other.ordinal !== view.ordinal);
  return {
    ordinal: view.ordinal,
    role,
    // Until its ackers are recorded the primary is as before: it must come back from a restart by itself.
    ackCount: situation.state.phase === "Adopting" ? 0 : situation.config.ackCount,
    resumes: situation.spec.onRestart === "resume",
    ordinals: situation.members.map((member) => member.ordinal),
    deletesLogs: deletesLogs(situation.observed.backups),
    takenNumbers: others.flatMap((other) =>
      other.facts === null ? [] : [other.facts.settings["server_id"] ?? ""],
    ),
  };
}

export function prepareSteps(
  situation: Situation,
  view: MemberView,
  facts: ServerFacts,
  role: DesiredMember["role"],
): Track {
  const preparations = situation.rules.preparations(facts, desiredMember(situation, view, role));
  return preparations.map((preparation) => ({ kind: "Prepare", ordinal: view.ordinal, preparation }));
}

/**
 * It lacks nothing but what this primary wrote. Who is made from it may have written the rest itself, under the
 * same `server_id`, and MySQL throws away what it receives of its own (measured): it would lack that for ever.
 */
function hasThePast({ primary, rules }: Situation, { facts }: MemberView): boolean {
  if (facts === null || primary.facts === null) return false;
  const { positions } = rules;
  const missing = positions.subtract(primary.facts.executed, facts.executed);
  return positions.without(missing, primary.facts.serverUuid) === "";
}

/**
 * A replica that is up to date and not copied from at present; the primary only when there is none, or when a copy
 * into `into` failed: a replica whose account was locked when it was copied itself lets nobody copy from it, and cannot
 * be told otherwise, since it is read-only.
 */
export function chooseDonor(situation: Situation, busy: Donors, into: ServerFacts): MemberView | null {
  const replicas = situation.members.filter(
    (view) =>
      view.standing.kind === "following" &&
      view.standing.lagMs <= situation.spec.maxLagMs &&
      hasThePast(situation, view),
  );
  const donors =
    into.seeding.error === null ? [...replicas, situation.primary] : [situation.primary, ...replicas];
  const free = donors.find((view) => view.facts !== null && !busy.has(view.ordinal));
  return free ?? null;
}
