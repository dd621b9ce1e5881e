/**
 * Steps on database servers. Each runs in a fenced session and can be repeated; consecutive steps on one
 * member share a session, its lock, and what was read under it: that the intent stands.
 */
import { connectMember, type Purpose } from "../access/index.ts";
import type { PositionAlgebra } from "../model/engine.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Member } from "../model/observed.ts";
import { fail, type Outcome, succeed, unreachable } from "../model/outcome.ts";
import type { State } from "../model/state.ts";
import type { Confirmation, ServerStep, Step } from "../model/step.ts";
import type { Accounts, Peer, Standstill } from "../ports/engine.ts";
import type { Clock } from "../ports/host.ts";
import type { Server } from "../ports/server.ts";
import { type Fence, intentStands, type Spares, takeLock } from "./fence.ts";

/** A copy that takes longer goes on by itself and is looked at by later passes. */
const SEED_WAIT_MS = 15_000;
const NUDGE_TIMEOUT_MS = 2_000;
const CONFIRM_PAUSE_MS = 5;
const ENDS_SESSION: ReadonlySet<ServerStep["kind"]> = new Set(["Seed", "Open", "Nudge"]);

interface Held {
  readonly server: Server;
  readonly purpose: Purpose;
  /** The intent was read under this lock, to the letter; nobody else has acted on this server since. */
  checked: boolean;
}

/** Sessions of one chain with their locks, by ordinal. */
export class Sessions {
  readonly fence: Fence;
  readonly #held = new Map<number, Held>();
  readonly #spares: Spares;

  constructor(fence: Fence, spares: Spares) {
    this.fence = fence;
    this.#spares = spares;
  }

  async on(member: Member, purpose: Purpose = "act"): Promise<Outcome<Held>> {
    const present = this.#held.get(member.ordinal);
    if (present !== undefined && present.purpose === purpose) return succeed(present);
    // Two sessions of one chain would wait for each other's lock.
    await this.drop(member.ordinal);
    const opened = await this.#locked(member, purpose);
    if (!opened.ok) return opened;
    const held: Held = { server: opened.value, purpose, checked: false };
    this.#held.set(member.ordinal, held);
    return succeed(held);
  }

  async #locked(member: Member, purpose: Purpose): Promise<Outcome<Server>> {
    const spare = purpose === "act" ? await this.#spares.take(member.ordinal) : null;
    if (spare?.ok) {
      const opened = await takeLock(this.fence, spare.value);
      // Lost since it was used; a new one may reach the server.
      if (opened.ok || opened.failure.kind !== "transient") return opened;
    }
    const connected = spare?.ok === false ? spare : await connectMember(this.fence.contact, member, purpose);
    return connected.ok ? await takeLock(this.fence, connected.value) : connected;
  }

  async drop(ordinal: number): Promise<void> {
    const present = this.#held.get(ordinal);
    this.#held.delete(ordinal);
    await present?.server.close();
  }

  /**
   * Goes on with sessions of chains that have reached their end, under the locks that these have taken. Nobody else has
   * acted on those servers since, and what has been recorded meanwhile was recorded by this very plan.
   */
  inherit(from: Sessions, ordinals: readonly number[]): void {
    for (const ordinal of ordinals) {
      const held = from.#held.get(ordinal);
      if (held === undefined) continue;
      from.#held.delete(ordinal);
      this.#held.set(ordinal, held);
    }
  }

  /** `whole`: nothing failed, so that later plans of this pass may go on with them. `leaves` stay locked, to be inherited. */
  async end(whole: boolean, leaves: ReadonlySet<number> = new Set()): Promise<void> {
    for (const [ordinal, { server, purpose }] of this.#held) {
      if (leaves.has(ordinal) && purpose === "act") continue;
      this.#held.delete(ordinal);
      if (whole && purpose === "act") await this.#spares.give(ordinal, server, this.fence.contact);
      else await server.close();
    }
  }
}

export interface ServerScene {
  readonly fence: Fence;
  readonly sessions: Sessions;
  readonly members: readonly Member[];
  /** The intent under which the plan runs. */
  readonly expected: State;
  /** The object that carries it. */
  readonly recorded: StatefulSet;
  readonly clock: Clock;
}

function now({ clock }: ServerScene): string {
  return new Date(clock.now()).toISOString();
}

function memberAt(scene: ServerScene, ordinal: number): Outcome<Member> {
  const member = scene.members.find((candidate) => candidate.ordinal === ordinal);
  return member === undefined ? fail("gone", `there is no member ${ordinal}`) : succeed(member);
}

function accounts(scene: ServerScene): Outcome<Accounts> {
  const { accounts: present } = scene.fence.contact.access;
  return present === null ? fail("conflict", "the account Secret does not exist yet") : succeed(present);
}

/** `as`: whose replication account is used to log in to the peer. */
function peer(scene: ServerScene, ordinal: number, as: number): Outcome<Peer> {
  const member = memberAt(scene, ordinal);
  if (!member.ok) return member;
  const known = accounts(scene);
  if (!known.ok) return known;
  const { rules } = scene.fence.contact.engine;
  return succeed({ host: member.value.host, port: rules.port, account: known.value.replication(as) });
}

/** These only read, and on several servers. */
type OnSeveral = Extract<ServerStep, { kind: "AwaitHolders" | "Confirm" }>;

/** Which server a step acts on. */
function target(step: Exclude<ServerStep, OnSeveral>): number {
  return step.kind === "LockAccount" ? step.primary : step.ordinal;
}

function administers(step: Step): boolean {
  return step.kind === "Prepare" && step.preparation.asAdministrator === true;
}

/** The servers on which a step acts or looks; none for steps on objects. */
export function serversOf(step: Step): readonly number[] {
  if (step.kind === "AwaitHolders") return [step.primary, ...step.holders];
  if (step.kind === "Confirm") return step.members.map(({ ordinal }) => ordinal);
  return "ordinal" in step ? [target(step)] : [];
}

/** Those of them on which it does so as our own account. */
export function targets(step: Step): readonly number[] {
  return administers(step) ? [] : serversOf(step);
}

export async function runServerStep(scene: ServerScene, step: ServerStep): Promise<Outcome<null>> {
  if (step.kind === "AwaitHolders") return awaitHolders(scene, step);
  if (step.kind === "Confirm") return confirmAll(scene, step);
  const member = memberAt(scene, target(step));
  if (!member.ok) return member;
  const session = await scene.sessions.on(member.value, administers(step) ? "administer" : "act");
  if (!session.ok) return session;
  const held = session.value;
  // After the lock, so that whoever held it before us has written what it did.
  const stands = held.checked ? succeed(null) : await intentStands(scene.fence.kube, scene.recorded);
  if (!stands.ok) return stands;
  held.checked = true;
  const outcome = await act(scene, step, held.server);
  // A seeded server restarts under us, what commits gives the lock back, and a failed session may have lost it.
  if (ENDS_SESSION.has(step.kind) || !outcome.ok) await scene.sessions.drop(target(step));
  return outcome;
}

async function act(
  scene: ServerScene,
  step: Exclude<ServerStep, OnSeveral>,
  server: Server,
): Promise<Outcome<null>> {
  const { engine } = scene.fence.contact;
  switch (step.kind) {
    case "Prepare": {
      const known = accounts(scene);
      return known.ok ? engine.prepare(server, step.preparation, known.value) : known;
    }
    case "Seed": {
      // By the donor's own account: the member's may be locked on a donor that was the primary when it was taken out.
      const donor = peer(scene, step.donor, step.donor);
      return donor.ok ? engine.seed(server, donor.value, SEED_WAIT_MS, step.covered) : donor;
    }
    case "Fence":
      return engine.fence(server);
    case "Demote":
      return engine.demote(server);
    case "StopReceiving":
      return engine.stopReceiving(server);
    case "Promote":
      return engine.promote(server, step.timeoutMs);
    case "Restart":
      return engine.restart(server);
    case "Nudge":
      return engine.nudge(server, NUDGE_TIMEOUT_MS);
    case "ArchiveTail":
      return archiveTail(scene, step, server);
    case "Follow": {
      const source = peer(scene, step.source, step.ordinal);
      return source.ok ? engine.follow(server, source.value, step.how) : source;
    }
    case "Acknowledge":
      return engine.acknowledge(server, step.on);
    case "LockAccount":
      return engine.lockAccount(server, engine.accountNames.replication(step.ordinal), step.locked);
    case "Arm":
      return engine.arm(server, step.ackCount);
    case "Open": {
      const { expected } = scene;
      const opId = expected.op?.id ?? `epoch-${step.epoch}`;
      const term = {
        epoch: step.epoch,
        clusterUid: expected.clusterUid,
        opId,
        ackCount: step.ackCount,
        at: now(scene),
      };
      return engine.open(server, term, step.timeoutMs);
    }
    case "HandOver":
      return engine.handOver(server, step.role, step.ackCount);
    default:
      return unreachable(step);
  }
}

/**
 * Copied to the primary over a session without the lock: its commits wait for acknowledgements, and a session
 * that waits keeps its lock for good. What is kept already is kept once.
 */
async function archiveTail(
  scene: ServerScene,
  step: Extract<ServerStep, { kind: "ArchiveTail" }>,
  server: Server,
): Promise<Outcome<null>> {
  const { contact } = scene.fence;
  const { epoch, clusterUid } = scene.expected;
  const primary = memberAt(scene, step.primary);
  if (!primary.ok) return primary;
  const tail = await contact.engine.readTail(server, step.beyond);
  if (!tail.ok) return tail;
  const keeper = await connectMember(contact, primary.value, "act");
  if (!keeper.ok) return keeper;
  try {
    return await contact.engine.keepTail(keeper.value, tail.value, { epoch, clusterUid, at: now(scene) });
  } finally {
    await keeper.value.close();
  }
}

/**
 * The locks are taken one after the other, in the order of the step: of two executors with the same plan the
 * second one waits at the first of them and holds none. And whoever finds its intent replaced gives its lock
 * back at once, also while it still waits for the next one. Otherwise the two would wait for each other.
 */
async function confirmAll(
  scene: ServerScene,
  { members, timeoutMs }: Extract<ServerStep, { kind: "Confirm" }>,
): Promise<Outcome<null>> {
  const answers: Promise<Outcome<null>>[] = [];
  const untilMs = scene.clock.now() + timeoutMs;
  for (const wanted of members) {
    const session = await sessionOn(scene, wanted.ordinal);
    answers.push(session.ok ? confirm(scene, wanted, session.value, untilMs) : Promise.resolve(session));
    if (!session.ok) break;
  }
  return (await Promise.all(answers)).find((answer) => !answer.ok) ?? succeed(null);
}

async function sessionOn(scene: ServerScene, ordinal: number): Promise<Outcome<Held>> {
  const member = memberAt(scene, ordinal);
  return member.ok ? await scene.sessions.on(member.value) : member;
}

async function confirm(
  scene: ServerScene,
  wanted: Confirmation,
  held: Held,
  untilMs: number,
): Promise<Outcome<null>> {
  const { clock } = scene;
  const { engine } = scene.fence.contact;
  const stands = await intentStands(scene.fence.kube, scene.recorded);
  if (!stands.ok) {
    await scene.sessions.drop(wanted.ordinal);
    return stands;
  }
  held.checked = true;
  for (;;) {
    const looked = await engine.standstill(held.server);
    if (!looked.ok) return looked;
    if (isStillSo(looked.value, wanted, engine.rules.positions)) return succeed(null);
    if (clock.now() >= untilMs)
      return fail("conflict", `member ${wanted.ordinal} is not, or no longer, as it has to be`);
    await clock.sleep(CONFIRM_PAUSE_MS);
  }
}

function isStillSo(
  now: Standstill,
  { closed, stopped, atMost, atLeast }: Confirmation,
  { contains }: PositionAlgebra,
): boolean {
  if (closed && (!now.closed || now.waiters > 0)) return false;
  if (stopped && now.receiving) return false;
  if (atMost !== null && !contains(atMost, now.received)) return false;
  return atLeast === null || contains(now.received, atLeast);
}

/** Reads the primary's position once, then waits until enough holders have executed all of it. */
async function awaitHolders(
  scene: ServerScene,
  step: Extract<ServerStep, { kind: "AwaitHolders" }>,
): Promise<Outcome<null>> {
  const { engine } = scene.fence.contact;
  const session = await sessionOn(scene, step.primary);
  if (!session.ok) return session;
  const position = await engine.executed(session.value.server);
  if (!position.ok) return position;
  const answers: Promise<Outcome<null>>[] = [];
  // One lock after the other, as in confirmAll.
  for (const ordinal of step.holders) {
    const holder = await sessionOn(scene, ordinal);
    if (holder.ok) answers.push(engine.awaitExecuted(holder.value.server, position.value, step.timeoutMs));
  }
  const holding = (await Promise.all(answers)).filter((answer) => answer.ok).length;
  if (holding >= step.need) return succeed(null);
  return fail(
    "transient",
    `${holding} of the ${step.need} needed members hold everything that the primary has`,
  );
}
