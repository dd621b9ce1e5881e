/**
 * Who is reached through which Service: role and epoch labels on the pods, and the two Services that select
 * on both, so that one write moves the traffic and a stale label attracts none.
 *
 * INV-7: routed only once the term row of the epoch was acknowledged.
 */
import { ANNOTATION, LABEL } from "../../annotations/keys.ts";
import { encodeMemberRecord, sameMemberRecord } from "../../annotations/member.ts";
import { ERRANT_NOTE, type MemberRecord } from "../../model/member.ts";
import type { ServiceObservation } from "../../model/observed.ts";
import type { Seen, Track } from "../../model/step.ts";
import { isAcker, isLeaving, type MemberView, type Situation } from "../situation.ts";

/** The role that a member plays for clients; null = it serves nobody at present. */
function servingRole(situation: Situation, view: MemberView): "primary" | "replica" | null {
  const { standing } = view;
  if (standing.kind === "primary") return "primary";
  if (isLeaving(situation, view)) return null;
  const present = view.member.pod?.labels[LABEL.role];
  const labelled = present === "replica";
  // That *we* cannot reach it says nothing about its clients; readiness takes a dead pod out of its Service.
  // Only the primary of this epoch may go on bearing that role.
  if (view.facts === null) {
    const primary = present === "primary" && view.ordinal === situation.config.primary.ordinal;
    return labelled || primary ? present : null;
  }
  // Back at half the limit only, so that a replica near the limit does not flap in and out.
  const limitMs = labelled ? situation.spec.maxLagMs : situation.spec.maxLagMs / 2;
  return standing.kind === "following" && standing.lagMs <= limitMs ? "replica" : null;
}

/** A follower that is to serve again as soon as it has caught up a little more. No event will tell when. */
export function isCatchingUp(situation: Situation): boolean {
  return situation.members.some(
    (view) =>
      view.standing.kind === "following" &&
      view.facts !== null &&
      !isLeaving(situation, view) &&
      servingRole(situation, view) === null,
  );
}

function note(view: MemberView): string {
  const { standing } = view;
  switch (standing.kind) {
    case "unreachable":
      return standing.reason;
    case "seeding":
      return "being seeded";
    case "foreign":
      return "holds data that the primary lacks";
    case "errant":
      return ERRANT_NOTE;
    case "deposed":
      return "was the primary before and is put out of service";
    case "outdated":
      return "lacks transactions whose logs are gone";
    case "broken":
      return standing.error;
    case "blank":
      return "empty, to be seeded";
    case "detached":
      return "not following yet";
    case "following":
    case "primary":
      return "";
  }
}

function memberRecord(situation: Situation, view: MemberView, role: MemberRecord["role"]): MemberRecord {
  const { facts, standing } = view;
  return {
    role,
    note: note(view).slice(0, 160),
    serverUuid: facts?.serverUuid ?? null,
    version: facts?.version ?? null,
    acks: isAcker(situation.config, view) && facts?.acks.active === true,
    lagMs: standing.kind === "following" ? standing.lagMs : null,
    ...(standing.kind === "seeding" && { copied: standing.copied }),
    at: new Date(situation.nowMs).toISOString(),
  };
}

function labelPod(situation: Situation, view: MemberView): Track {
  const { pod } = view.member;
  if (pod === null) return [];
  const role = servingRole(situation, view);
  const wanted: Readonly<Record<string, string | null>> = {
    [LABEL.managed]: "true",
    [LABEL.role]: role,
    [LABEL.epoch]: role === null ? null : String(situation.state.epoch),
  };
  const labels = Object.fromEntries(
    Object.entries(wanted).filter(([key, value]) => (pod.labels[key] ?? null) !== value),
  );
  const record = memberRecord(situation, view, role ?? "none");
  const same = sameMemberRecord(pod.annotations[ANNOTATION.member], record);
  if (Object.keys(labels).length === 0 && same) return [];
  const annotations = same ? {} : { [ANNOTATION.member]: encodeMemberRecord(record) };
  return [{ kind: "LabelPod", pod: pod.name, seen: seenOf(pod), labels, annotations }];
}

export function seenOf({ uid, resourceVersion }: Seen): Seen {
  return { uid, resourceVersion };
}

/** Witnesses on the volume claim, which outlive pod and StatefulSet. */
function witness(situation: Situation, view: MemberView): Track {
  const { claim, server } = view.member;
  if (claim === null || server.kind !== "read" || view.standing.kind === "foreign") return [];
  if (isLeaving(situation, view)) return [];
  const wanted: Readonly<Record<string, string | null>> = {
    [ANNOTATION.serverUuid]: server.facts.serverUuid,
    [ANNOTATION.epochSeen]: String(situation.state.epoch),
    [ANNOTATION.keepUntil]: null,
    [ANNOTATION.serverAuthority]: server.authority ?? claim.annotations[ANNOTATION.serverAuthority] ?? null,
  };
  const annotations = Object.fromEntries(
    Object.entries(wanted).filter(([key, value]) => (claim.annotations[key] ?? null) !== value),
  );
  return Object.keys(annotations).length === 0
    ? []
    : [{ kind: "AnnotateClaim", claim: claim.name, seen: seenOf(claim), annotations }];
}

function publish(situation: Situation, role: "primary" | "replica"): Track {
  const { set, services } = situation.observed;
  const seen: ServiceObservation = role === "primary" ? services.primary : services.replicas;
  if (seen.kind === "taken") return [];
  const name = role === "primary" ? `${set.name}-primary` : `${set.name}-replicas`;
  const selector = { ...set.matchLabels, [LABEL.role]: role, [LABEL.epoch]: String(situation.state.epoch) };
  if (seen.kind === "found" && sameSelector(seen.service.selector, selector)) return [];
  const found = seen.kind === "found" ? seenOf(seen.service) : null;
  return [{ kind: "EnsureService", role, name, seen: found, selector }];
}

function sameSelector(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/**
 * Labels first, then the Service that selects on them: a new epoch is never routed to an unlabelled pod. Writes do
 * not wait for the labels of replicas, least of all for that of a primary that has just died, whose pod changes.
 */
export function routingTracks(situation: Situation): readonly Track[] {
  const { members, primary } = situation;
  const replicas = members.filter((view) => view.ordinal !== primary.ordinal);
  const writes = routeWrites(situation);
  const reads = [...replicas.flatMap((view) => labelPod(situation, view)), ...publish(situation, "replica")];
  return [writes, reads, ...witnessTracks(situation)].filter((track) => track.length > 0);
}

export function routeWrites(situation: Situation): Track {
  return [...labelPod(situation, situation.primary), ...publish(situation, "primary")];
}

export function witnessTracks(situation: Situation): readonly Track[] {
  return situation.members.map((view) => witness(situation, view)).filter((track) => track.length > 0);
}
