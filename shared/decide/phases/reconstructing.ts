/**
 * What is recorded is gone, broken, somebody else's, or older than what the servers remember, but this cluster
 * was ours: witnesses say so (term rows in the database, epochs on the volume claims). It is never adopted as
 * if it were new, for then two primaries could be; it is put together again from what the witnesses say, in an
 * epoch above all of them, with the most careful configuration that is possible.
 */
import type { Ready } from "../../annotations/conditions.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import type { Problem } from "../../model/condition.ts";
import type { Decision } from "../../model/decision.ts";
import type { EngineRules } from "../../model/engine.ts";
import type { Member, Observed } from "../../model/observed.ts";
import type { Term } from "../../model/server.ts";
import { type Config, STATE_VERSION, type State } from "../../model/state.ts";
import { blocked, compose, patience } from "../compose.ts";
import { nextEpoch } from "../plan/adopt.ts";
import { ackCountFor, factsOf, sinceMs } from "../situation.ts";

interface Witness {
  /** The last primary whose term row somebody has; null when only claims remember an epoch. */
  readonly term: Term | null;
  readonly epochMax: number;
}

function claimEpoch({ claim }: Member): number {
  const text = claim?.annotations[ANNOTATION.epochSeen] ?? "";
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0;
}

/** Null when nothing says that this cluster was ever ours. */
export function witnessOf({ members, set }: Observed): Witness | null {
  const ours = new Set(members.map(uuidOf));
  // Rows that came with data restored from another cluster name none of our servers.
  const terms = members
    .flatMap((member) => factsOf(member)?.terms ?? [])
    .filter((term) => term.clusterUid === set.uid || ours.has(term.serverUuid));
  const term = terms.toSorted((a, b) => b.epoch - a.epoch)[0] ?? null;
  const epochMax = Math.max(term?.epoch ?? 0, ...members.map(claimEpoch));
  return epochMax === 0 ? null : { term, epochMax };
}

/** A server remembers a later epoch than the annotation: an older text was put back. */
export function isOutdated({ members, set }: Observed, state: State): boolean {
  const terms = members.flatMap((member) => factsOf(member)?.terms ?? []);
  return terms.some((term) => term.clusterUid === set.uid && term.epoch > state.epoch);
}

function uuidOf(member: Member): string | null {
  return factsOf(member)?.serverUuid ?? member.claim?.annotations[ANNOTATION.serverUuid] ?? null;
}

/** Every other member is an acker of which each counts, until the next configuration is established. */
function carefulConfig(members: readonly Member[], primary: Member, serverUuid: string): Config {
  const ackers = members.flatMap((member) => {
    const uuid = uuidOf(member);
    return member === primary || uuid === null ? [] : [{ ordinal: member.ordinal, serverUuid: uuid }];
  });
  return { primary: { ordinal: primary.ordinal, serverUuid }, ackers, ackCount: ackers.length > 0 ? 1 : 0 };
}

function stateFor(
  observed: Observed,
  epoch: number,
  at: string,
  rest: Pick<State, "phase" | "established" | "pending" | "primaryStartedAtMs">,
): State {
  return {
    v: STATE_VERSION,
    seq: 1,
    clusterUid: observed.set.uid,
    epoch,
    op: { id: `reconstruct-${epoch}`, kind: "reconstruct", step: "Revoke", startedAt: at, target: null },
    failovers: [],
    unproven: [],
    ...rest,
  };
}

type Next =
  | { readonly kind: "state"; readonly state: State; readonly message: string }
  | { readonly kind: "blocked"; readonly message: string };

/**
 * The named primary is there: it is established again. Its ackers are those that follow it, and those that could
 * not be asked, since they may be acknowledging too (INV-3).
 */
function withPrimary(observed: Observed, primary: Member, epoch: number, at: string): Next {
  const serverUuid = uuidOf(primary) ?? "";
  const careful = carefulConfig(observed.members, primary, serverUuid);
  const following = careful.ackers.filter((acker) => {
    const facts = observed.members.map(factsOf).find((one) => one?.serverUuid === acker.serverUuid);
    return facts == null || facts.channel?.sourceUuid === serverUuid;
  });
  const pending = {
    ...careful,
    ackers: following,
    ackCount: ackCountFor(observed.set.replicas),
    open: false,
  };
  const state = stateFor(observed, epoch, at, {
    ...{ phase: "Establishing", established: careful, pending },
    primaryStartedAtMs: factsOf(primary)?.startedAtMs ?? null,
  });
  return { kind: "state", state, message: `${primary.podName} was the last primary and is there` };
}

/** The named primary is none any more: all others are needed, since nobody knows how many of them acknowledged. */
function withoutPrimary(observed: Observed, primary: Member, epoch: number, at: string): Next {
  const facts = factsOf(primary);
  const serverUuid = uuidOf(primary) ?? "";
  const established = carefulConfig(observed.members, primary, serverUuid);
  const state = stateFor(observed, epoch, at, {
    ...{ phase: "Revoking", established, pending: null },
    primaryStartedAtMs: facts?.startedAtMs ?? null,
  });
  const now = facts === null ? "is away" : "follows another server";
  return {
    kind: "state",
    state,
    message: `${primary.podName} was the last primary and ${now}, all others are there`,
  };
}

function next(observed: Observed, witness: Witness, nowMs: number): Next {
  const { members, wish } = observed;
  const { term, epochMax } = witness;
  const at = new Date(nowMs).toISOString();
  // Not the next one: whoever read the lost record a moment ago may be opening a server in that one just now.
  const epoch = nextEpoch(observed, epochMax) + 1;
  const silent = members.filter((member) => factsOf(member) === null).map((member) => member.podName);
  const primary = members.find((member) => term !== null && uuidOf(member) === term.serverUuid);
  const current = term !== null && members.every((member) => claimEpoch(member) <= term.epoch);
  if (primary === undefined || term === null || (silent.length > 0 && !current)) {
    const wait = silent.length > 0 ? `waiting for ${silent.join(", ")}` : "no server is the last primary";
    return { kind: "blocked", message: `ordinal.dev/state was lost in epoch ${epochMax}: ${wait}.` };
  }
  const facts = factsOf(primary);
  if (facts !== null && facts.channel === null) return withPrimary(observed, primary, epoch, at);
  const others = silent.filter((name) => name !== primary.podName).join(", ");
  if (others !== "") {
    const wait =
      facts === null
        ? `waiting for ${primary.podName}, or for ${others}`
        : `${primary.podName}, the last primary, follows another server; waiting for ${others}`;
    return { kind: "blocked", message: `ordinal.dev/state was lost in epoch ${epochMax}: ${wait}.` };
  }
  // Lost in the middle of a change: what it has is seen, and so is what the others have.
  if (facts !== null) return withoutPrimary(observed, primary, epoch, at);
  const since = sinceMs(observed, "StateLost");
  const waitMs = wish.spec?.gracefulWaitMs ?? 0;
  if (since === null || nowMs - since < waitMs)
    return {
      kind: "blocked",
      message: `ordinal.dev/state was lost in epoch ${epochMax}: waiting for ${primary.podName}, the last primary.`,
    };
  return withoutPrimary(observed, primary, epoch, at);
}

export function reconstructing(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  { witness, known }: { readonly witness: Witness; readonly known: readonly Problem[] },
): Decision {
  const lost = next(observed, witness, nowMs);
  if (lost.kind === "blocked") {
    const problem: Problem = { code: "StateLost", message: lost.message, blocks: true };
    return blocked(observed, nowMs, [problem, ...known], patience(observed, nowMs, "StateLost"));
  }
  const message = `What was recorded of ${observed.set.name} was lost; it is put together again in epoch ${lost.state.epoch}: ${lost.message}.`;
  const ready: Ready = { status: "False", reason: "FailingOver", message };
  const considered = observed.members.map((member) => {
    const facts = factsOf(member);
    return `${member.podName}: ${facts === null ? "away" : rules.positions.shorten(facts.received, 90)}`;
  });
  return compose(observed, nowMs, {
    phase: "FailingOver",
    problems: known,
    ready,
    why: message,
    state: lost.state,
    happenings: [{ reason: "StateReconstructed", message, considered }],
    lookAgainMs: 0,
  });
}
