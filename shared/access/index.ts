/**
 * Connections to members, and the passwords for them. Passwords stay in here: they are no part of a
 * snapshot, a plan, a log line or an error.
 *
 * A server is recognised by the certificate authority that was pinned on its volume claim; the first contact
 * with a new volume trusts and reports what it sees.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import type { Secret } from "../model/kube.ts";
import type { Member } from "../model/observed.ts";
import { fail, type Outcome } from "../model/outcome.ts";
import type { Accounts, Engine } from "../ports/engine.ts";
import type { Credentials, Server, Servers } from "../ports/server.ts";

/**
 * A pod of the network answers within milliseconds or not at all. A look asks little, and whoever does not answer
 * it holds up everything else.
 */
const LOOK = { connectTimeoutMs: 1_000, queryTimeoutMs: 1_500 };
const ACT = { connectTimeoutMs: 2_000, queryTimeoutMs: 5_000 };
/** Enough for one that has come back, and little for the others to wait for one that has not. */
const IMPATIENT = { connectTimeoutMs: 100, queryTimeoutMs: 250 };

export interface Access {
  /** The account that the user gave; null when the Secret cannot be used. */
  readonly user: Credentials | null;
  /** Ours; null before they exist. */
  readonly accounts: Accounts | null;
}

export const CONTROL_KEY = "control";

/** The Secret with our own passwords; it belongs to the StatefulSet. */
export function accountsSecretName(set: { readonly name: string }): string {
  return `${set.name}-ordinal`;
}

export function replicationKey(ordinal: number): string {
  return `replication-${ordinal}`;
}

export function accountsOf(engine: Engine, secret: Secret): Accounts | null {
  const control = secret.values[CONTROL_KEY];
  if (control === undefined) return null;
  return {
    control: { username: engine.accountNames.control, password: control },
    replication: (ordinal) => {
      const password = secret.values[replicationKey(ordinal)];
      if (password === undefined) throw new Error(`no replication password for ordinal ${ordinal}`);
      return { username: engine.accountNames.replication(ordinal), password };
    },
  };
}

export interface Contact {
  readonly servers: Servers;
  readonly engine: Engine;
  readonly access: Access;
  /** Shown by the server to people who look at its sessions. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Ordinals of members that kept this pass waiting before: they are not waited for as long again. */
  readonly impatient: ReadonlySet<number>;
}

/** 1045: access denied. Before our account exists, or on a member that is yet to be seeded, it is not there. */
const ACCESS_DENIED = 1045;

/**
 * - `look`: as our account where it exists, else as the user's; the connection may be one that was kept.
 * - `act`: the same, in a session of its own.
 * - `administer`: in a session of its own as the user's account, for what our account may not give to itself.
 */
export type Purpose = "look" | "act" | "administer";

export async function connectMember(
  contact: Contact,
  member: Member,
  purpose: Purpose,
): Promise<Outcome<Server>> {
  const { access, servers, engine, attributes } = contact;
  const fresh = purpose !== "look";
  const impatient = !fresh && contact.impatient.has(member.ordinal);
  const limits = fresh ? ACT : impatient ? IMPATIENT : LOOK;
  const host = member.pod?.ip;
  if (host === null || host === undefined) return fail("transient", "its pod has no address yet");
  const ours = access.accounts?.control;
  const candidates = (purpose === "administer" ? [access.user, ours] : [ours, access.user]).filter(
    (one) => one !== null && one !== undefined,
  );
  let answer: Outcome<Server> = fail("refused", "there is no account to log in with");
  for (const credentials of candidates) {
    answer = await servers.connect({
      host,
      port: engine.rules.port,
      credentials,
      authority: member.claim?.annotations[ANNOTATION.serverAuthority] ?? null,
      ...limits,
      attributes,
      fresh,
    });
    if (answer.ok || answer.failure.code !== ACCESS_DENIED) return answer;
  }
  return answer;
}
