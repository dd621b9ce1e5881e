/**
 * Adoption: from a plain StatefulSet to a replicated one, by SQL alone. The order is: see every member once,
 * choose the primary, record the intent, prepare the primary, place the others, establish.
 *
 * The primary keeps taking writes all the time: nothing here stops it, and it is armed only when enough
 * ackers are connected, so no commit ever waits for a replica that is not there.
 */
import type { Problem } from "../../model/condition.ts";
import type { EngineRules } from "../../model/engine.ts";
import type { Member, Observed } from "../../model/observed.ts";
import type { ServerFacts } from "../../model/server.ts";
import type { State } from "../../model/state.ts";
import { STATE_VERSION } from "../../model/state.ts";
import type { Track } from "../../model/step.ts";
import { ackCountFor, factsOf, isAcker, type Situation } from "../situation.ts";
import { type Established, establish } from "./establish.ts";
import { placeMembers } from "./members.ts";
import { prepareSteps } from "./prepare.ts";

export type Choice =
  | {
      readonly kind: "chosen";
      readonly member: Member;
      readonly facts: ServerFacts;
      readonly rule: string;
      readonly considered: readonly string[];
    }
  | { readonly kind: "ambiguous"; readonly problem: Problem };

function ambiguous(code: "PrimaryAmbiguous" | "ForeignData", message: string): Choice {
  return { kind: "ambiguous", problem: { code, message, blocks: true } };
}

interface Candidate {
  readonly member: Member;
  readonly facts: ServerFacts;
}

function describe(rules: EngineRules, { member, facts }: Candidate): string {
  const schemas = facts.survey?.schemas ?? [];
  const holds = schemas.length === 0 ? "no user data" : `schemas ${schemas.slice(0, 3).join(", ")}`;
  return `${member.podName}: ${holds}, transactions ${rules.positions.shorten(facts.executed, 60) || "none"}`;
}

/** Sources that somebody follows and that follow nobody in this set: the tops of replication trees. */
function tops(candidates: readonly Candidate[]): readonly Candidate[] {
  const uuids = new Set(candidates.map(({ facts }) => facts.serverUuid));
  const sources = new Set(candidates.map(({ facts }) => facts.channel?.sourceUuid ?? ""));
  return candidates.filter(
    ({ facts }) => sources.has(facts.serverUuid) && !uuids.has(facts.channel?.sourceUuid ?? "none"),
  );
}

/**
 * Which member is the primary: the one that already replicates to others, else the only one with user data,
 * else ordinal 0. Every member was read; nothing unseen can hold the only data.
 */
export function choosePrimary(members: readonly Member[], rules: EngineRules): Choice {
  const candidates = members.flatMap((member): readonly Candidate[] => {
    const facts = factsOf(member);
    return facts === null ? [] : [{ member, facts }];
  });
  const considered = candidates.map((candidate) => describe(rules, candidate));
  const sources = tops(candidates);
  const [source, second] = sources;
  if (source !== undefined && second !== undefined) {
    const names = sources.map(({ member }) => member.podName).join(" and ");
    return ambiguous(
      "PrimaryAmbiguous",
      `${names} each replicate to others; keep one tree before Ordinal takes over.`,
    );
  }
  if (source !== undefined)
    return { kind: "chosen", ...source, rule: "it already replicates to others", considered };
  const withData = candidates.filter(({ facts }) => (facts.survey?.schemas.length ?? 0) > 0);
  const [only, other] = withData;
  if (only !== undefined && other !== undefined) {
    const what = withData.map(
      ({ member, facts }) =>
        `${member.podName} (${facts.survey?.schemas.slice(0, 2).join(", ")}; ${rules.positions.shorten(facts.executed, 28)})`,
    );
    return ambiguous(
      "ForeignData",
      `${what.join(" and ")} each hold user data; nothing was changed. Keep one, empty the others.`,
    );
  }
  if (only !== undefined)
    return { kind: "chosen", ...only, rule: "it is the only one with user data", considered };
  const first = candidates.find(({ member }) => member.ordinal === 0);
  if (first === undefined)
    return ambiguous("PrimaryAmbiguous", "No member has user data and ordinal 0 was not seen.");
  return { kind: "chosen", ...first, rule: "no member has user data, so ordinal 0", considered };
}

/** One epoch above every witness, another cluster's too, so that an older configuration can never be taken for a newer one. */
export function nextEpoch(observed: Observed, known: number): number {
  const seen = observed.members.flatMap((member) => factsOf(member)?.terms.map((term) => term.epoch) ?? []);
  return Math.max(known, ...seen) + 1;
}

export function adoptionState(
  observed: Observed,
  previous: State | null,
  chosen: ServerFacts,
  ordinal: number,
  at: string,
): State {
  const epoch = nextEpoch(observed, previous?.epoch ?? 0);
  return {
    v: STATE_VERSION,
    seq: previous?.seq ?? 1,
    clusterUid: observed.set.uid,
    epoch,
    phase: "Adopting",
    established: null,
    pending: {
      primary: { ordinal, serverUuid: chosen.serverUuid },
      ackers: [],
      ackCount: ackCountFor(observed.set.replicas),
      open: false,
    },
    op: { id: `adopt-${epoch}`, kind: "adopt", step: "Prepare", startedAt: at, target: null },
    primaryStartedAtMs: chosen.startedAtMs,
    failovers: previous?.failovers ?? [],
    unproven: previous?.unproven ?? [],
    scaledTo: null,
  };
}

export type Adoption =
  | { readonly kind: "tracks"; readonly tracks: readonly Track[]; readonly waitingFor: string | null }
  | { readonly kind: "record"; readonly state: State }
  | { readonly kind: "completed"; readonly state: Established };

function missingAccounts({ observed, members }: Situation): boolean {
  const keys = observed.accounts.kind === "found" ? observed.accounts.keys : [];
  return ["control", ...members.map((view) => `replication-${view.ordinal}`)].some(
    (key) => !keys.includes(key),
  );
}

export function accountTrack(situation: Situation): readonly Track[] {
  if (!missingAccounts(situation)) return [];
  return [[{ kind: "EnsureAccounts", ordinals: situation.members.map((view) => view.ordinal) }]];
}

/** Followers that are up to date enough to acknowledge. */
function ready(situation: Situation): readonly { ordinal: number; serverUuid: string }[] {
  return situation.members.flatMap((view) => {
    const upToDate = view.standing.kind === "following" && view.standing.lagMs <= situation.spec.maxLagMs;
    return upToDate && view.facts !== null
      ? [{ ordinal: view.ordinal, serverUuid: view.facts.serverUuid }]
      : [];
  });
}

/** The next steps of an adoption whose intent is recorded. */
export function continueAdoption(situation: Situation): Adoption {
  const { state, primary, config } = situation;
  const { pending } = state;
  if (pending === null || primary.facts === null)
    return { kind: "tracks", tracks: [], waitingFor: primary.member.podName };
  const accounts = accountTrack(situation);
  if (accounts.length > 0) return { kind: "tracks", tracks: accounts, waitingFor: null };
  const prepare = prepareSteps(situation, primary, primary.facts, "primary");
  if (prepare.length > 0) return { kind: "tracks", tracks: [prepare], waitingFor: null };

  const newAckers = ready(situation).filter(
    (acker) =>
      !config.ackers.some(
        (known) => known.ordinal === acker.ordinal && known.serverUuid === acker.serverUuid,
      ),
  );
  const places = placeMembers(situation);
  // All that are placed so far join together; whoever comes later joins an established cluster.
  const enough = config.ackers.length + newAckers.length >= pending.ackCount;
  const othersUnderWay = places.some((track) =>
    track.some((step) => step.kind === "Seed" || step.kind === "Follow"),
  );
  if (enough && newAckers.length > 0 && !othersUnderWay) {
    const ackers = [...config.ackers, ...newAckers];
    const step = state.op === null ? null : { ...state.op, step: "Establish" };
    return {
      kind: "record",
      state: { ...state, phase: "Establishing", pending: { ...pending, ackers }, op: step },
    };
  }
  const armable = situation.members.filter((view) => isAcker(config, view)).length >= pending.ackCount;
  if (!armable) return { kind: "tracks", tracks: places, waitingFor: "members to be seeded" };
  const next = establish(situation);
  switch (next.kind) {
    case "record":
      return { kind: "record", state: next.state };
    case "done":
      return { kind: "completed", state: next.state };
    case "waiting":
      return {
        kind: "tracks",
        tracks: places,
        waitingFor: `${next.needed} acknowledging replicas (${next.connected} now)`,
      };
    case "steps":
      return { kind: "tracks", tracks: [...places, next.steps], waitingFor: null };
  }
}
