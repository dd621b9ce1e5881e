/**
 * What goes out: JSON, and for every refusal a problem document (RFC 9457) with one sentence that says what is wrong
 * and what to do. Nothing that came in is put into a header, and no text of a caller's is longer than a line.
 */
import { createHash } from "node:crypto";
import { STATUS_CODES } from "node:http";
import * as z from "zod/mini";
import type { Failure } from "../../model/outcome.ts";
import type { Log } from "../../ports/host.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A value to go on with, or the answer that ends the request. */
export type Passed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly answer: HttpAnswer };

export const problemSchema = z.strictObject({
  title: z.string(),
  status: z.int(),
  /** What is wrong, and what to do. */
  detail: z.string(),
  /** Of a refusal that a condition would tell: its type. */
  code: z.optional(z.string()),
});

export function pass<T>(value: T): Passed<T> {
  return { ok: true, value };
}

export function end(answer: HttpAnswer): Passed<never> {
  return { ok: false, answer };
}

const NOT_MODIFIED = 304;

/** The answer with its `etag`; without its body for whoever has that already, as `if-none-match` says. */
export function unlessKnown(answer: HttpAnswer, known: string | undefined): HttpAnswer {
  if (answer.status !== 200) return answer;
  const etag = `"${createHash("sha256").update(answer.body).digest("base64url").slice(0, 24)}"`;
  const { "content-type": type = "", ...rest } = { ...answer.headers, etag };
  if (known === etag) return { status: NOT_MODIFIED, headers: rest, body: "" };
  return { ...answer, headers: { "content-type": type, ...rest } };
}

function answer(status: number, type: string, value: unknown, headers: HttpAnswer["headers"]): HttpAnswer {
  const body = `${JSON.stringify(value)}\n`;
  return { status, headers: { "content-type": type, "cache-control": "no-store", ...headers }, body };
}

export function json(status: number, value: unknown, headers: HttpAnswer["headers"] = {}): HttpAnswer {
  return answer(status, "application/json", value, headers);
}

export function problem(
  status: number,
  detail: string,
  more: { readonly headers?: HttpAnswer["headers"]; readonly code?: string } = {},
): HttpAnswer {
  const { headers = {}, code } = more;
  const document = { title: STATUS_CODES[status] ?? "", status, detail, ...(code !== undefined && { code }) };
  return answer(
    status,
    "application/problem+json",
    document satisfies z.infer<typeof problemSchema>,
    headers,
  );
}

/** In whole seconds, at least one. */
export function retryAfter(ms: number): { readonly "retry-after": string } {
  return { "retry-after": String(Math.max(1, Math.ceil(ms / 1000))) };
}

/**
 * The API server does not answer, or does not let us; whether a write had its effect is unknown then. The log says why:
 * the sentence may hold addresses that are nobody's business who is not known yet.
 */
export function unavailable({ message, retryAfterMs = 1000 }: Failure, log: Log): HttpAnswer {
  log.warn("a request could not be answered", { reason: message });
  const detail = "The API server does not answer Ordinal: repeat the request later, as it is.";
  return problem(503, detail, { headers: retryAfter(retryAfterMs) });
}
