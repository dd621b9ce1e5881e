/**
 * What an unhappy answer of the API server means to us: the one place where HTTP statuses become the four
 * kinds of failure. A message never holds what was sent, and for Secrets and tokens not even the server's own text.
 */
import * as z from "zod/mini";
import type { Kind } from "../../model/kube.ts";
import type { Failure, FailureKind } from "../../model/outcome.ts";

/** What was asked, for messages. */
export interface Subject {
  readonly verb: "read" | "list" | "create" | "patch" | "remove" | "watch";
  readonly kind: Kind | "TokenReview" | "LocalSubjectAccessReview" | "PodDisruptionBudget";
  readonly namespace?: string;
  readonly name?: string;
}

const DETAIL_CHARS_MAX = 300;

const statusSchema = z.object({
  code: z.optional(z.number()),
  reason: z._default(z.string(), ""),
  message: z._default(z.string(), ""),
  details: z.nullish(
    z.object({ causes: z._default(z.array(z.object({ field: z._default(z.string(), "") })), []) }),
  ),
});

function sentence(subject: Subject, detail: string): string {
  const { verb, kind, namespace, name } = subject;
  const place = [namespace, name].filter((part) => part !== undefined).join("/");
  return `The API server did not ${verb} ${kind}${place === "" ? "" : ` ${place}`}: ${detail}`;
}

function cut(text: string): string {
  return text.length > DETAIL_CHARS_MAX ? `${text.slice(0, DETAIL_CHARS_MAX)}...` : text;
}

const SECRET_KINDS: ReadonlySet<Subject["kind"]> = new Set(["Secret", "TokenReview"]);

/** `body` is the answer's text: a Status object, or whatever a proxy in between had to say. */
export function answerFailure(
  subject: Subject,
  answer: { readonly code: number; readonly body: unknown; readonly retryAfter?: string | undefined },
): Failure {
  const parsed = statusSchema.safeParse(answer.body);
  const status = parsed.success ? parsed.data : null;
  const causes = status?.details?.causes ?? [];
  const text = SECRET_KINDS.has(subject.kind) ? (status?.reason ?? "") : (status?.message ?? "");
  const detail = text === "" ? `HTTP ${answer.code}` : `${cut(text)} (HTTP ${answer.code})`;
  // The uid in a patch is compared by validation, which calls a differing one an invalid value.
  const kind = causes.some((cause) => cause.field === "metadata.uid") ? "conflict" : kindOf(answer.code);
  const seconds = Number(answer.retryAfter);
  return {
    kind,
    message: sentence(subject, detail),
    code: answer.code,
    ...(answer.retryAfter !== undefined && seconds >= 0 && { retryAfterMs: seconds * 1000 }),
  };
}

function kindOf(code: number): FailureKind {
  if (code === 409) return "conflict";
  if (code === 404 || code === 410) return "gone";
  if (code === 429 || code >= 500) return "transient";
  return "refused";
}

/** The ERROR event of a watch carries a Status; most often 410, our place having been forgotten. */
export function watchFailure(subject: Subject, status: unknown): Failure {
  const parsed = statusSchema.safeParse(status);
  return answerFailure(subject, { code: parsed.data?.code ?? 500, body: status });
}

/** Names the fields only, never their values. */
export function unreadable(subject: Subject, error: z.core.$ZodError): Failure {
  const fields = error.issues.map((issue) => issue.path.join(".") || "(all)").slice(0, 5);
  const message = `The API server's answer to ${subject.verb} ${subject.kind} lacks: ${fields.join(", ")}`;
  return { kind: "refused", message };
}

/** No answer at all, or only a part of one. */
export function networkFailure(subject: Subject, error: unknown): Failure {
  return { kind: "transient", message: sentence(subject, networkReason(error)) };
}

function networkReason(error: unknown): string {
  // A syntax error quotes the text that it could not read, which may be a Secret.
  if (!(error instanceof Error) || error instanceof SyntaxError) return "the answer could not be read";
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  return `${cut(error.message)}${code}`;
}
