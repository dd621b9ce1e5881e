/**
 * Who may send events, where the sources of a cluster have an identity (Knative's OIDC): a ServiceAccount of a namespace that
 * is served, by a token that was made for this host's audience. A token is never kept: of one that was accepted its digest
 * is known for a while, since a source sends the same one with each of its events.
 */
import type { Clock, Log } from "../../ports/host.ts";
import type { Reviewer } from "../../ports/reviewer.ts";
import { end, type Passed, pass, problem, unavailable } from "./answers.ts";
import { tokenOf } from "./guard.ts";
import { digestOf } from "./requests.ts";

const KNOWN_MS = 60_000;
const KNOWN_MAX = 64;
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;

export interface SendersOptions {
  readonly audience: string;
  /** Those that are served; empty = all. */
  readonly namespaces: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export function createSenders(
  reviewer: Reviewer,
  { audience, namespaces, clock, log }: SendersOptions,
): (authorization: string | undefined) => Promise<Passed<null>> {
  const known = new Map<string, number>();
  // Answered so that a source does not repeat it: what it sends will not get better.
  const refuse = (detail: string): Passed<never> =>
    end(problem(401, detail, { headers: { "www-authenticate": "Bearer" } }));

  return async (authorization) => {
    const token = tokenOf(authorization);
    if (token === undefined) return refuse("Events are taken with a token of their sender: enable its OIDC.");
    const digest = digestOf(token);
    if (clock.now() < (known.get(digest) ?? 0)) return pass(null);
    const user = await reviewer.authenticate(token, audience);
    if (!user.ok) return end(unavailable(user.failure, log));
    const namespace = SERVICE_ACCOUNT.exec(user.value?.name ?? "")?.[1];
    const may = namespace !== undefined && (namespaces.length === 0 || namespaces.includes(namespace));
    if (!may)
      return refuse(`The token is none of a service account of this namespace, for audience ${audience}.`);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(digest, clock.now() + KNOWN_MS);
    return pass(null);
  };
}
