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
import type { ServerFacts, Term } from "../../model/server.ts";
import { type Config, STATE_VERSION, type State } from "../../model/state.ts";
import { blocked, compose, patience } from "../compose.ts";
import { nextEpoch } from "../plan/adopt.ts";
import { ackCountFor, factsOf, sinceMs } from "../situation.ts";

interface Witness {
  /** The last primary whose term row somebody has; null when only claims remember an epoch. */
  readonly term: Term | null;
  readonly epochMax: number;
}

interface Loss {
  readonly witness: Witness;
  /** What stands beside it. */
  readonly known: readonly Problem[];
  /** How long the last primary is waited for while it is away. */
  readonly waitMs: number;
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

/**
 * A server or a volume remembers a later epoch than the annotation, or one of this epoch, in which by the annotation
 * nobody was opened yet: an older text was put back.
 */
export function isOutdated({ members, set }: Observed, state: State): boolean {
  const { epoch, phase, pending, established } = state;
  const closed = phase === "Establishing" && established !== null && pending?.open !== true;
  const unopened = phase === "Revoking" || closed;
  const terms = members.flatMap((member) => factsOf(member)?.terms ?? []);
  const ours = terms.filter((term) => term.clusterUid === set.uid).map((term) => term.epoch);
  const last = Math.max(0, ...ours, ...members.map(claimEpoch));
  return last > epoch || (last === epoch && unopened);
}

function uuidOf(member: Member): string | null {
  return factsOf(member)?.serverUuid ?? member.claim?.annotations[ANNOTATION.serverUuid] ?? null;
}

/** In the place of an acker of which only its absence is known. No server has it. */
const UNKNOWN_UUID = "00000000-0000-0000-0000-000000000000";

/**
 * Who may have acknowledged as this member. An empty server never did; whoever did so in its place has lost its
 * volume, and counts as an acker that is missing.
 */
function ackerOf(member: Member, rules: EngineRules): Config["ackers"][number] {
  const { ordinal, claim } = member;
  const facts = factsOf(member);
  if (facts === null || !rules.initialOnly(facts)) {
    return { ordinal, serverUuid: uuidOf(member) ?? UNKNOWN_UUID };
  }
  const before = claim?.annotations[ANNOTATION.serverUuid] ?? facts.serverUuid;
  return { ordinal, serverUuid: before === facts.serverUuid ? UNKNOWN_UUID : before };
}

/** Every other member is an acker of which each counts, until the next configuration is established. */
function carefulConfig({ observed, rules }: Scene, primary: Member, serverUuid: string): Config {
  const others = observed.members.filter((member) => member !== primary);
  const ackers = others.map((member) => ackerOf(member, rules));
  return { primary: { ordinal: primary.ordinal, serverUuid }, ackers, ackCount: ackers.length > 0 ? 1 : 0 };
}

interface Scene {
  readonly observed: Observed;
  readonly rules: EngineRules;
  readonly epoch: number;
  readonly at: string;
}

function stateFor(
  { observed, epoch, at }: Scene,
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
    scaledTo: null,
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
function withPrimary(scene: Scene, primary: Member, { serverUuid, startedAtMs }: ServerFacts): Next {
  const { members, set } = scene.observed;
  const careful = carefulConfig(scene, primary, serverUuid);
  const following = careful.ackers.filter(({ ordinal }) => {
    const facts = members.filter((member) => member.ordinal === ordinal).map(factsOf)[0];
    return facts == null || facts.channel?.sourceUuid === serverUuid;
  });
  const pending = { ...careful, ackers: following, ackCount: ackCountFor(set.replicas), open: false };
  const state = stateFor(scene, {
    ...{ phase: "Establishing", established: careful, pending },
    primaryStartedAtMs: startedAtMs,
  });
  return { kind: "state", state, message: `${primary.podName} is the last primary and is there` };
}

/**
 * Lost in the middle of a change: whom the last primary follows was elected, and may be open already without that
 * anybody has acknowledged its term. It holds everything that the last primary has.
 */
function successorOf(
  { observed, rules }: Scene,
  last: ServerFacts | null,
): { readonly member: Member; readonly facts: ServerFacts } | null {
  for (const member of observed.members) {
    const facts = factsOf(member);
    if (last === null || facts === null || facts.serverUuid !== last.channel?.sourceUuid) continue;
    if (facts.channel === null && rules.positions.contains(facts.received, last.received))
      return { member, facts };
  }
  return null;
}

/** The named primary is none any more: all others are needed, since nobody knows how many of them acknowledged. */
function withoutPrimary(scene: Scene, primary: Member, serverUuid: string): Next {
  const facts = factsOf(primary);
  const established = carefulConfig(scene, primary, serverUuid);
  const state = stateFor(scene, {
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

function next(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  { witness, waitMs }: Pick<Loss, "witness" | "waitMs">,
): Next {
  const { members } = observed;
  const { term, epochMax } = witness;
  // Not the next one: whoever read the lost record a moment ago may be opening a server in that one just now.
  const epoch = nextEpoch(observed, epochMax) + 1;
  const scene: Scene = { observed, rules, epoch, at: new Date(nowMs).toISOString() };
  const silent = members.filter((member) => factsOf(member) === null).map((member) => member.podName);
  const primary = members.find((member) => term !== null && uuidOf(member) === term.serverUuid);
  const current = term !== null && members.every((member) => claimEpoch(member) <= term.epoch);
  if (primary === undefined || term === null || (silent.length > 0 && !current)) {
    const wait = silent.length > 0 ? `waiting for ${silent.join(", ")}` : "no server is the last primary";
    return { kind: "blocked", message: `ordinal.dev/state was lost in epoch ${epochMax}: ${wait}.` };
  }
  const facts = factsOf(primary);
  if (facts !== null && facts.channel === null) return withPrimary(scene, primary, facts);
  const successor = successorOf(scene, facts);
  if (successor !== null) return withPrimary(scene, successor.member, successor.facts);
  const others = silent.filter((name) => name !== primary.podName).join(", ");
  if (others !== "") {
    const wait =
      facts === null
        ? `waiting for ${primary.podName}, or for ${others}`
        : `${primary.podName}, the last primary, follows another server; waiting for ${others}`;
    return { kind: "blocked", message: `ordinal.dev/state was lost in epoch ${epochMax}: ${wait}.` };
  }
  // What it has is seen, and so is what the others have.
  if (facts !== null) return withoutPrimary(scene, primary, term.serverUuid);
  const since = sinceMs(observed, "StateLost");
  if (since === null || nowMs - since < waitMs)
    return {
      kind: "blocked",
      message: `ordinal.dev/state was lost in epoch ${epochMax}: waiting for ${primary.podName}, the last primary.`,
    };
  return withoutPrimary(scene, primary, term.serverUuid);
}

export function reconstructing(
  observed: Observed,
  rules: EngineRules,
  nowMs: number,
  { witness, known, waitMs }: Loss,
): Decision {
  const lost = next(observed, rules, nowMs, { witness, waitMs });
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
