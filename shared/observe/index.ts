/**
 * Looks at a cluster: ports in, one immutable snapshot out. Everything is read in parallel within a bound;
 * a server that does not answer is data, not an exception. Never changes anything.
 *
 * Replicas are read before the primary, so whatever a replica has and the primary lacks is really missing
 * there and not only newer.
 */

import { type Access, accountsOf, type Contact, connectMember } from "../access/index.ts";
import { decodeBackups } from "../annotations/backups.ts";
import { annotationBytes } from "../annotations/budget.ts";
import { decodeConditions } from "../annotations/conditions.ts";
import { decodeHistory } from "../annotations/history.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { decodeRestore } from "../annotations/restores.ts";
import { decodeState } from "../annotations/state.ts";
import { parseWish } from "../annotations/wish.ts";
import type { ArchiveReport } from "../model/backup.ts";
import type { PersistentVolumeClaim, StatefulSet } from "../model/kube.ts";
import type { Member, Observed, StateObservation } from "../model/observed.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { ServerObservation } from "../model/server.ts";
import type { State } from "../model/state.ts";
import type { Engine } from "../ports/engine.ts";
import type { Kube } from "../ports/kube.ts";
import type { Credentials, Servers } from "../ports/server.ts";
import {
  frameMembers,
  type MemberFrame,
  observeAccountsSecret,
  observeService,
  observeUserSecret,
  readJobs,
  readSurroundings,
  type Surroundings,
  type UserSecret,
} from "./cluster.ts";

export interface Looking {
  readonly kube: Kube;
  readonly servers: Servers;
  readonly engine: Engine;
  readonly attributes: Readonly<Record<string, string>>;
  /** From an earlier look; null = read them. */
  readonly surroundings: Surroundings | null;
  /** They are recent enough to act upon. */
  readonly recent: boolean;
  readonly refusal: string | null;
  readonly archive: ArchiveReport | null;
  /** Ordinals of members that did not answer an earlier look of this pass. */
  readonly impatient: ReadonlySet<number>;
}

export interface Observation {
  readonly observed: Observed;
  readonly contact: Contact;
  readonly surroundings: Surroundings;
}

function userCredentials(secret: UserSecret): Credentials | null {
  if (secret === null || secret === "forbidden") return null;
  const { password = "", username = "root" } = secret.values;
  return password === "" ? null : { username, password };
}

/** A member whose identity is recorded needs no survey of its data. */
function recordedUuid(state: State | null, ordinal: number): string | null {
  const config = state?.established;
  if (config === null || config === undefined) return null;
  if (config.primary.ordinal === ordinal) return config.primary.serverUuid;
  return config.ackers.find((acker) => acker.ordinal === ordinal)?.serverUuid ?? null;
}

async function readServer(
  contact: Contact,
  frame: MemberFrame,
  state: State | null,
): Promise<ServerObservation> {
  const member: Member = { ...frame, server: { kind: "absent" } };
  if (frame.pod === null || frame.pod.ip === null) return { kind: "absent" };
  const connected = await connectMember(contact, member, "look");
  if (!connected.ok) {
    const { kind, message, closed = false } = connected.failure;
    const account = (contact.access.accounts?.control ?? contact.access.user)?.username ?? "(none)";
    return kind === "refused"
      ? { kind: "denied", account, reason: message }
      : { kind: "unreachable", reason: message, closed };
  }
  const server = connected.value;
  try {
    const known = recordedUuid(state, frame.ordinal);
    const first = await contact.engine.observe(server, { survey: known === null });
    const stranger = known !== null && first.ok && first.value.serverUuid !== known;
    const answer = stranger ? await contact.engine.observe(server, { survey: true }) : first;
    if (!answer.ok) return { kind: "unreachable", reason: answer.failure.message, closed: false };
    return { kind: "read", facts: answer.value, authority: server.authority };
  } finally {
    await server.close();
  }
}

async function readServers(
  contact: Contact,
  frames: readonly MemberFrame[],
  state: State | null,
): Promise<readonly Member[]> {
  const primary = (state?.pending ?? state?.established)?.primary.ordinal;
  const read = async (frame: MemberFrame): Promise<Member> => ({
    ...frame,
    server: await readServer(contact, frame, state),
  });
  const others = await Promise.all(frames.filter((frame) => frame.ordinal !== primary).map(read));
  const last = await Promise.all(frames.filter((frame) => frame.ordinal === primary).map(read));
  return [...others, ...last].toSorted((a, b) => a.ordinal - b.ordinal);
}

/** Nobody is contacted while the user's input is unusable: bad input touches no database. */
function mayContact(
  observed: Pick<Observed, "wish" | "state">,
  claims: readonly PersistentVolumeClaim[],
): boolean {
  // What is recorded cannot be read, but the volumes remember that this cluster was ours.
  const remembered =
    observed.state.kind !== "newer" && claims.some((claim) => claim.annotations[ANNOTATION.epochSeen]);
  const known = observed.state.kind === "valid" || observed.state.kind === "none" || remembered;
  const established = observed.state.kind === "valid" && observed.state.state.established !== null;
  return known && (established || !observed.wish.problems.some((problem) => problem.blocks));
}

export async function observe(looking: Looking, set: StatefulSet): Promise<Outcome<Observation>> {
  const { kube, engine, servers } = looking;
  const wish = parseWish(set);
  const state: StateObservation = decodeState(set.annotations[ANNOTATION.state], set.uid);
  const backups = decodeBackups(set.annotations[ANNOTATION.backups], set.uid);
  const restore = decodeRestore(set.annotations[ANNOTATION.restore], set.uid);
  const [pods, jobs, surroundings] = await Promise.all([
    kube.list("Pod", { namespace: set.namespace, labels: set.matchLabels }),
    readJobs(kube, set, { backups, restore }),
    looking.surroundings === null
      ? readSurroundings(kube, set, wish.spec?.credentials ?? null)
      : succeed(looking.surroundings),
  ]);
  if (!pods.ok) return pods;
  if (!surroundings.ok) return surroundings;
  const { claims, user, accounts, primary, replicas } = surroundings.value;
  const accountsSeen = observeAccountsSecret(accounts, set);
  const access: Access = {
    user: userCredentials(user),
    accounts: accounts === null || accountsSeen.kind !== "found" ? null : accountsOf(engine, accounts),
  };
  const { attributes, impatient } = looking;
  const contact: Contact = { servers, engine, access, attributes, impatient };
  const valid = state.kind === "valid" ? state.state : null;
  const { frames, surplus } = frameMembers(set, pods.value, claims, { state: valid, restore });
  const members = mayContact({ wish, state }, claims)
    ? await readServers(contact, frames, valid)
    : frames.map((frame): Member => ({ ...frame, server: { kind: "absent" } }));
  const observed: Observed = {
    ref: { namespace: set.namespace, name: set.name },
    set,
    wish,
    state,
    conditions: decodeConditions(set.annotations[ANNOTATION.conditions]),
    history: decodeHistory(set.annotations[ANNOTATION.history]),
    annotationBytes: annotationBytes(set.annotations),
    credentials: observeUserSecret(user),
    accounts: accountsSeen,
    services: { primary: observeService(primary, set), replicas: observeService(replicas, set) },
    ...{ backups, restore, jobs },
    members,
    surplus,
    refusal: looking.refusal,
    archive: looking.archive,
    full: looking.surroundings === null || looking.recent,
  };
  return succeed({ observed, contact, surroundings: surroundings.value });
}
