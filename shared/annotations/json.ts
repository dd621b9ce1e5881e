/**
 * JSON in annotations: anybody who may edit the object may have written it, so size and depth are bounded
 * before it is parsed, and keys that could reach a prototype are refused. Writing is canonical (sorted keys,
 * no spaces), so that equal values are equal texts and a compare-and-swap can test the text.
 */
import { utf8Bytes } from "./text.ts";

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
/** A text without any of these cannot hold such a key, however it is escaped. */
const MAY_HOLD_THEM = /__proto__|constructor|prototype|\\u/;
const DEPTH_MAX = 8;
const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [...'"\\{}[]'].map((sign) =>
  sign.charCodeAt(0),
);

class PrototypeKeyError extends Error {}

/** Deepest nesting of brackets outside strings; a text that is no JSON gets some number, and fails later. */
function depth(text: string): number {
  let now = 0;
  let most = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === BACKSLASH) at += 1;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      now += 1;
      most = Math.max(most, now);
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) now -= 1;
  }
  return most;
}

function refusePrototypeKeys(key: string, inner: unknown): unknown {
  if (PROTOTYPE_KEYS.has(key)) throw new PrototypeKeyError(key);
  return inner;
}

/** Never throws. The reason is a short phrase without any of the text. */
export function parseJson(text: string, bytesMax: number): Parsed {
  const reject = (reason: string): Parsed => ({ ok: false, reason });
  // A UTF-16 unit is at least one byte, which spares encoding a text that is far too long.
  if (text.length > bytesMax || utf8Bytes(text) > bytesMax) return reject(`longer than ${bytesMax} bytes`);
  if (depth(text) > DEPTH_MAX) return reject(`nested deeper than ${DEPTH_MAX}`);
  try {
    const value: unknown = JSON.parse(text, MAY_HOLD_THEM.test(text) ? refusePrototypeKeys : undefined);
    return { ok: true, value };
  } catch (error) {
    if (error instanceof PrototypeKeyError) return reject(`forbidden key ${error.message}`);
    if (error instanceof SyntaxError) return reject("not JSON");
    throw error;
  }
}

export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
