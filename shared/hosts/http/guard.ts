/**
 * Who asks, and whether they may. Ordinal asks the API server and keeps no accounts of its own; a token that is
 * missing or not accepted costs its address, a request costs its user. A token is never kept, logged or answered.
 */
import * as z from "zod";
import { parseJson } from "../../annotations/json.ts";
import { quote } from "../../annotations/text.ts";
import type { ObjectRef } from "../../model/kube.ts";
import type { Clock, Log } from "../../ports/host.ts";
import type { Reviewer, Right, User } from "../../ports/reviewer.ts";
import { end, type HttpAnswer, type Passed, pass, problem, retryAfter, unavailable } from "./answers.ts";
import { createLimit } from "./limits.ts";

/** A token that was made for somebody else, the API server included, is not to be used with us. */
const AUDIENCE = "ordinal";
const FAILURES_A_MINUTE = 10;
const REQUESTS_A_MINUTE = 60;
/** The ring of requests remembers each one for longer than its token lives, so that it cannot be replayed. */
const LIFETIME_MAX_SECONDS = 3_600;
const TOKEN_CHARS_MAX = 8_192;
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const HTTP_FORBIDDEN = 403;

const HOW = "Make one with: kubectl create token NAME --audience ordinal --duration 1h";

const lifetimeSchema = z.object({ iat: z.number(), exp: z.number() });

export interface Caller {
  readonly user: User;
  readonly token: string;
}

export interface Guard {
  admit(authorization: string | undefined, address: string): Promise<Passed<Caller>>;
  may(user: User, right: Right, set: ObjectRef): Promise<Passed<null>>;
}

/** Undefined where it holds none, or one that is too long. */
export function tokenOf(authorization = ""): string | undefined {
  return authorization.length > TOKEN_CHARS_MAX ? undefined : BEARER.exec(authorization)?.[1];
}

/** Read only after the API server has accepted the token: until then anybody may have written it. */
function isShortLived(token: string): boolean {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
  const parsed = parseJson(payload, TOKEN_CHARS_MAX);
  const lifetime = parsed.ok ? lifetimeSchema.safeParse(parsed.value) : null;
  if (!lifetime?.success) return false;
  const { iat, exp } = lifetime.data;
  return exp - iat <= LIFETIME_MAX_SECONDS;
}

function tooOften(waitMs: number, who: string): HttpAnswer {
  const headers = retryAfter(waitMs);
  return problem(429, `Too many ${who}: wait ${headers["retry-after"]} s.`, { headers });
}

function describe({ verb, subresource }: Right): string {
  return `${verb} statefulsets${subresource === undefined ? "" : `/${subresource}`}`;
}

export function createGuard(
  reviewer: Reviewer,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Guard {
  const failures = createLimit(clock, FAILURES_A_MINUTE);
  const requests = createLimit(clock, REQUESTS_A_MINUTE);

  function reject(address: string, challenge: string, detail: string): Passed<never> {
    failures.take(address);
    return end(problem(401, `${detail} ${HOW}`, { headers: { "www-authenticate": challenge } }));
  }

  async function admit(authorization: string | undefined, address: string): Promise<Passed<Caller>> {
    const token = tokenOf(authorization);
    const failuresWaitMs = failures.waitMs(address);
    if (failuresWaitMs > 0) return end(tooOften(failuresWaitMs, "failed log-ins from this address"));
    if (token === undefined) {
      return reject(address, "Bearer", "Send a token in the header Authorization: Bearer TOKEN.");
    }
    const invalid = 'Bearer error="invalid_token"';
    const known = await reviewer.authenticate(token, AUDIENCE);
    if (!known.ok) return end(unavailable(known.failure, log));
    if (known.value === null) return reject(address, invalid, "The token is not valid for audience ordinal.");
    if (!isShortLived(token)) return reject(address, invalid, "The token may live for at most an hour.");
    const user = known.value;
    const waitMs = requests.waitMs(user.name);
    if (waitMs > 0) return end(tooOften(waitMs, "requests of this user"));
    requests.take(user.name);
    return pass({ user, token });
  }

  async function may(user: User, right: Right, set: ObjectRef): Promise<Passed<null>> {
    const allowed = await reviewer.authorise(user, right, set);
    const { namespace, name } = set;
    if (allowed.ok && allowed.value) return pass(null);
    if (!allowed.ok && allowed.failure.code !== HTTP_FORBIDDEN) return end(unavailable(allowed.failure, log));
    const detail = allowed.ok
      ? `${quote(user.name)} may not ${describe(right)} ${name} in namespace ${namespace}: ask for that right.`
      : `Ordinal may not ask who has rights in namespace ${namespace}: it is not one that it serves.`;
    return end(problem(403, detail));
  }

  return { admit, may };
}
