/**
 * The port `Reviewer` by two reviews of the API server. The one of access is namespaced, so that it needs no right
 * beyond the namespace. A token is sent to the API server alone, and no part of an answer about it is passed on.
 */
import * as z from "zod/mini";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Reviewer } from "../../ports/reviewer.ts";
import { type Subject, unreadable } from "./failures.ts";
import type { Transport } from "./transport.ts";

const tokenReviewSchema = z.object({
  status: z.object({
    authenticated: z._default(z.boolean(), false),
    audiences: z._default(z.array(z.string()), []),
    user: z.optional(
      z.object({
        username: z._default(z.string(), ""),
        uid: z._default(z.string(), ""),
        groups: z._default(z.array(z.string()), []),
        extra: z._default(z.record(z.string(), z.array(z.string())), {}),
      }),
    ),
  }),
});

const accessReviewSchema = z.object({ status: z.object({ allowed: z._default(z.boolean(), false) }) });

/** What the server answers of a review, if it has the form of one. */
async function review<T>(
  transport: Transport,
  subject: Subject,
  path: string,
  body: unknown,
  schema: z.ZodMiniType<T>,
): Promise<Outcome<T>> {
  const document = { contentType: "application/json", body };
  const answer = await transport.send({ subject, method: "POST", path, document, changesNothing: true });
  if (!answer.ok) return answer;
  const read = schema.safeParse(answer.value);
  return read.success ? succeed(read.data) : { ok: false, failure: unreadable(subject, read.error) };
}

/** `user`: fields of the review's `spec` that say who it is about. */
export async function reviewAccess(
  transport: Transport,
  user: Readonly<Record<string, unknown>>,
  attributes: object,
  namespace: string,
): Promise<Outcome<boolean>> {
  const [apiVersion, kind] = ["authorization.k8s.io/v1", "LocalSubjectAccessReview"] as const;
  const spec = { ...user, resourceAttributes: { ...attributes, namespace } };
  const reviewed = await review(
    transport,
    { verb: "create", kind, namespace },
    `/apis/${apiVersion}/namespaces/${encodeURIComponent(namespace)}/localsubjectaccessreviews`,
    { apiVersion, kind, metadata: { namespace }, spec },
    accessReviewSchema,
  );
  return reviewed.ok ? succeed(reviewed.value.status.allowed) : reviewed;
}

export function createReviewer(transport: Transport): Reviewer {
  return {
    async authenticate(token, audience) {
      const [apiVersion, kind] = ["authentication.k8s.io/v1", "TokenReview"] as const;
      const reviewed = await review(
        transport,
        { verb: "create", kind },
        `/apis/${apiVersion}/tokenreviews`,
        { apiVersion, kind, spec: { token, audiences: [audience] } },
        tokenReviewSchema,
      );
      if (!reviewed.ok) return reviewed;
      const { authenticated, audiences, user } = reviewed.value.status;
      // An API server that knows no audiences would accept a token that was made for itself.
      const isOurs = authenticated && audiences.includes(audience);
      if (!isOurs || user === undefined || user.username === "") return succeed(null);
      const { username: name, uid, groups, extra } = user;
      return succeed({ name, uid, groups, extra });
    },
    authorise({ name: user, uid, groups, extra }, { verb, subresource }, { namespace, name }) {
      const resource = { group: "apps", resource: "statefulsets", ...(subresource && { subresource }) };
      return reviewAccess(transport, { user, uid, groups, extra }, { name, verb, ...resource }, namespace);
    },
  };
}
