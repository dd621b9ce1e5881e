/**
 * A fenced session: take the cluster's lock on that server, then read the recorded state afresh, then act on
 * that very connection. An executor that was frozen for an hour finds its connection dead or its intent
 * replaced; two that run at once take turns (INV-10).
 */

import { type Contact, connectMember } from "../access/index.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { decodeState } from "../annotations/state.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Member } from "../model/observed.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { State } from "../model/state.ts";
import type { Kube } from "../ports/kube.ts";
import type { Server } from "../ports/server.ts";

/** Another executor's step on this server takes at most this long before we give up and look again. */
const LOCK_TIMEOUT_MS = 5_000;

export interface Fence {
  readonly kube: Kube;
  readonly contact: Contact;
  readonly set: StatefulSet;
}

/** Succeeds when the recorded intent is still the one that this plan was made for. */
export async function intentStands(fence: Fence, expected: State): Promise<Outcome<null>> {
  const fresh = await fence.kube.read("StatefulSet", fence.set);
  if (!fresh.ok) return fresh;
  const seen = decodeState(fresh.value.annotations[ANNOTATION.state], fence.set.uid);
  const same =
    fresh.value.uid === fence.set.uid &&
    seen.kind === "valid" &&
    seen.state.epoch === expected.epoch &&
    seen.state.op?.id === expected.op?.id &&
    seen.state.phase === expected.phase;
  return same ? succeed(null) : fail("conflict", "the recorded intent was replaced by a newer one");
}

/** Opens a session of its own on a member and takes the cluster's lock there. The caller closes it. */
export async function openFenced(fence: Fence, member: Member): Promise<Outcome<Server>> {
  const connected = await connectMember(fence.contact, member, true);
  if (!connected.ok) return connected;
  const locked = await fence.contact.engine.lock(
    connected.value,
    `ordinal:${fence.set.uid}`,
    LOCK_TIMEOUT_MS,
  );
  if (locked.ok) return connected;
  await connected.value.close();
  return locked;
}
