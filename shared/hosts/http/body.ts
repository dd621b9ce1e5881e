/**
 * From the bytes of a body to a value of which nothing is known yet but that it is JSON with one meaning: in UTF-8,
 * not too deep, without keys that could reach a prototype and without a key that comes twice in an object.
 */
import type * as z from "zod";
import { parseJson } from "../../annotations/json.ts";
import { oneLine } from "../../annotations/text.ts";
import { end, type HttpAnswer, type Passed, pass, problem } from "./answers.ts";

export const BODY_BYTES_MAX = 64 * 1024;

const STRING_OR_BRACE = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g;

/** Of a text that is JSON. Two readers of one object could each take another of two equal keys. */
function doubledKey(text: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, colon] of text.matchAll(STRING_OR_BRACE)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (colon !== undefined) {
      const key: unknown = JSON.parse(token.slice(0, -colon.length));
      const keys = open.at(-1);
      if (keys?.has(String(key))) return true;
      keys?.add(String(key));
    }
  }
  return false;
}

/** Null when the bytes are no text. A byte order mark stays, and is no JSON. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

export function readJson(bytes: Uint8Array): Passed<unknown> {
  const text = textOf(bytes);
  if (text === null) return end(problem(400, "The body is not UTF-8: send JSON in UTF-8."));
  const parsed = parseJson(text, BODY_BYTES_MAX);
  if (!parsed.ok) return end(problem(400, `The body cannot be used: ${parsed.reason}. Send a JSON object.`));
  if (doubledKey(text)) return end(problem(400, "The body holds a key twice: name each field once."));
  return pass(parsed.value);
}

export function tooLarge(): HttpAnswer {
  return problem(413, `The body is longer than ${BODY_BYTES_MAX} bytes: no request needs that much.`, {
    // The rest of the body is not read, so nothing more can come on this connection.
    headers: { connection: "close" },
  });
}

/** `what` names the part of the request for the sentence. */
export function check<T>(schema: z.ZodType<T>, value: unknown, what: string): Passed<T> {
  const checked = schema.safeParse(value);
  if (checked.success) return pass(checked.data);
  const [issue] = checked.error.issues;
  const path = issue?.path.join(".") ?? "";
  const wrong = oneLine(`${path === "" ? "" : `${path}: `}${issue?.message ?? "not valid"}`, 160);
  return end(problem(400, `The ${what} cannot be used: ${wrong}. See /openapi.json for what is expected.`));
}
