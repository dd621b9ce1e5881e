/**
 * Reading the values of annotations by strict grammars. What cannot be read is told in a sentence that says what to
 * change, and its fallback stands for it; nothing is trimmed, guessed or half understood.
 */
import type { Problem, ProblemCode } from "../model/condition.ts";
import { OBJECT_NAME, type StatefulSet } from "../model/kube.ts";
import type { Key } from "./keys.ts";
import { nearest } from "./nearest.ts";
import { oneLine, quote, utf8Bytes } from "./text.ts";

const DAY_MS = 86_400_000;

/** A value, or what would have been right: the end of the sentence `<key> is <value>: …`. */
export type Reading<T> = { readonly value: T } | { readonly wanted: string };

export function oneOf<T extends string>(raw: string, allowed: readonly T[]): Reading<T> {
  const value = allowed.find((word) => word === raw);
  if (value !== undefined) return { value };
  const [hint] = nearest(raw, allowed);
  if (hint !== undefined) return { wanted: `did you mean ${hint}? Allowed: ${allowed.join(", ")}` };
  return { wanted: `set it to ${allowed.join(" or ")}` };
}

export function secretName(raw: string): Reading<string> {
  if (raw.length <= 253 && OBJECT_NAME.test(raw)) return { value: raw };
  return { wanted: "set it to the name of a Secret: lower case letters, digits, - and ., at most 253" };
}

const DURATION = /^(0|[1-9]\d{0,8})(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** From `leastMs` to a day; `0` has no unit to need. */
export function duration(leastMs: number): (raw: string) => Reading<number> {
  return (raw) => {
    const [, digits = "", unit = ""] = DURATION.exec(raw === "0" ? "0s" : raw) ?? [];
    const value = Number(digits) * (UNIT_MS[unit] ?? Number.NaN);
    if (value >= leastMs && value <= DAY_MS) return { value };
    const least = leastMs === 0 ? "0" : `${leastMs / 1000}s`;
    const example = leastMs > 10_000 ? "6h" : "10s";
    return {
      wanted: `set it to a whole number with ms, s, m or h, from ${least} to 24h, such as ${example}`,
    };
  };
}

export function problem(code: ProblemCode, message: string): Problem {
  return { code, message: oneLine(message, 200), blocks: true };
}

export interface Reader {
  readonly read: <T, F>(key: Key, fallback: F, parse: (raw: string) => Reading<T>) => T | F;
  /** `what` is wrong with the key: the rest of a sentence that begins with it. */
  readonly reject: (key: Key, what: string) => void;
  readonly problems: Problem[];
}

export function reader(annotations: StatefulSet["annotations"]): Reader {
  const problems: Problem[] = [];
  const reject = (key: Key, what: string): void => {
    problems.push(problem("AnnotationInvalid", `${key.key} ${what}.`));
  };
  return {
    problems,
    reject,
    read: (key, fallback, parse) => {
      const raw = annotations[key.key];
      if (raw === undefined) return fallback;
      if (utf8Bytes(raw) > key.bytesMax) {
        reject(
          key,
          `starts with ${quote(raw.slice(0, 20))} and is longer than ${key.bytesMax} bytes: shorten it`,
        );
        return fallback;
      }
      const reading = parse(raw);
      if ("value" in reading) return reading.value;
      reject(key, `is ${quote(raw)}: ${reading.wanted}`);
      return fallback;
    },
  };
}
