/**
 * A fenced session: take the cluster's lock on that server, then read the recorded state afresh, then act on
 * that very connection. An executor that was frozen for an hour finds its connection dead or its intent
 * replaced; two that run at once take turns (INV-10).
 */

import { type Contact, connectMember } from "../access/index.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Member } from "../model/observed.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { Kube } from "../ports/kube.ts";
import type { Server } from "../ports/server.ts";

/** Another executor's step on this server takes at most this long before we give up and look again. */
const LOCK_TIMEOUT_MS = 5_000;

export interface Fence {
  readonly kube: Kube;
  readonly contact: Contact;
  readonly set: StatefulSet;
}

/**
 * Succeeds when what is recorded is, to the letter, what this plan was made for: any record of another executor
 * counts, also one that differs in its number only, for it may be the very one that this plan was to lead to.
 */
export async function intentStands(kube: Kube, recorded: StatefulSet): Promise<Outcome<null>> {
  const fresh = await kube.read("StatefulSet", recorded);
  if (!fresh.ok) return fresh;
  const same =
    fresh.value.uid === recorded.uid &&
    fresh.value.annotations[ANNOTATION.state] === recorded.annotations[ANNOTATION.state];
  return same ? succeed(null) : fail("conflict", "the recorded intent was replaced by a newer one");
}

/**
 * Sessions of one pass, connected and without a lock: opened while something else is waited for, or left by an
 * earlier plan. They are at an end with the pass, or when they have been idle for as long as a lock may be. A
 * handshake takes ten times as long as a statement.
 */
export class Spares {
  readonly #idle = new Map<number, Promise<Outcome<Server>>>();

  connect(contact: Contact, members: readonly Member[]): void {
    for (const member of members) {
      if (this.#idle.has(member.ordinal)) continue;
      const session = connectMember(contact, member, "act");
      // An error in it is met by whoever takes it, also when that is after something else has failed.
      session.catch(() => {});
      this.#idle.set(member.ordinal, session);
    }
  }

  take(ordinal: number): Promise<Outcome<Server>> | null {
    const session = this.#idle.get(ordinal) ?? null;
    this.#idle.delete(ordinal);
    return session;
  }

  /** Gives its lock back. One that cannot, or is one too many, is closed. */
  async give(ordinal: number, session: Server, { engine }: Contact): Promise<void> {
    const unlocked = await engine.unlock(session);
    if (unlocked.ok && !this.#idle.has(ordinal)) this.#idle.set(ordinal, Promise.resolve(succeed(session)));
    else await session.close();
  }

  async closeAll(): Promise<void> {
    for (const ordinal of [...this.#idle.keys()]) {
      const session = await this.take(ordinal);
      if (session?.ok) await session.value.close();
    }
  }
}

/** Takes the cluster's lock on the server of a session. One that cannot have it is closed. */
export async function takeLock({ contact, set }: Fence, session: Server): Promise<Outcome<Server>> {
  const locked = await contact.engine.lock(session, `ordinal:${set.uid}`, LOCK_TIMEOUT_MS);
  if (locked.ok) return succeed(session);
  await session.close();
  return locked;
}
