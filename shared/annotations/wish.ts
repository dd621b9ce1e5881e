/**
 * What the user asked for, read from the annotations of a StatefulSet. The grammar is strict and everything
 * wrong is said at once, in sentences that say what to change; a value that cannot be read never reaches a
 * spec (its default does), and its problem blocks. Keys without our prefix are none of our business.
 */
import type { Problem, ProblemCode } from "../model/condition.ts";
import { OBJECT_NAME, type StatefulSet } from "../model/kube.ts";
import type { Wish } from "../model/observed.ts";
import { type ServicesOnRelease, SPEC_DEFAULTS, type Spec } from "../model/spec.ts";
import { MEMBERS_MAX } from "../model/state.ts";
import { ANNOTATION, KEYS, type Key, PREFIX, SET_ANNOTATIONS } from "./keys.ts";
import { nearest } from "./nearest.ts";
import { oneLine, quote, utf8Bytes } from "./text.ts";

const DAY_MS = 86_400_000;

/** A value, or what would have been right: the end of the sentence `<key> is <value>: …`. */
type Reading<T> = { readonly value: T } | { readonly wanted: string };

function oneOf<T extends string>(raw: string, allowed: readonly T[]): Reading<T> {
  const value = allowed.find((word) => word === raw);
  if (value !== undefined) return { value };
  const [hint] = nearest(raw, allowed);
  if (hint !== undefined) return { wanted: `did you mean ${hint}? Allowed: ${allowed.join(", ")}` };
  return { wanted: `set it to ${allowed.join(" or ")}` };
}

function secretName(raw: string): Reading<string> {
  if (raw.length <= 253 && OBJECT_NAME.test(raw)) return { value: raw };
  return { wanted: "set it to the name of a Secret: lower case letters, digits, - and ., at most 253" };
}

const DURATION = /^(0|[1-9]\d{0,8})(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** From `leastMs` to a day; `0` has no unit to need. */
function duration(leastMs: number): (raw: string) => Reading<number> {
  return (raw) => {
    const [, digits = "", unit = ""] = DURATION.exec(raw === "0" ? "0s" : raw) ?? [];
    const value = Number(digits) * (UNIT_MS[unit] ?? Number.NaN);
    if (value >= leastMs && value <= DAY_MS) return { value };
    const least = leastMs === 0 ? "0" : `${leastMs / 1000}s`;
    return { wanted: `set it to a whole number with ms, s, m or h, from ${least} to 24h, such as 10s` };
  };
}

/** `e17`: the epoch is named, so that yesterday's word is not taken for today's. */
function epoch(raw: string): Reading<number> {
  const [, digits] = /^e([1-9]\d{0,8})$/.exec(raw) ?? [];
  return digits === undefined
    ? { wanted: "set it to the epoch that the condition names, such as e17" }
    : { value: Number(digits) };
}

function members(raw: string): Reading<number> {
  const value = /^[1-9]\d?$/.test(raw) ? Number(raw) : Number.NaN;
  if (value <= MEMBERS_MAX) return { value };
  return { wanted: `set it to a whole number from 1 to ${MEMBERS_MAX}` };
}

/** The name of a pod; whether it is one of ours is for the decision to say. */
function podName(raw: string): Reading<string> {
  if (raw.length <= 253 && OBJECT_NAME.test(raw)) return { value: raw };
  return { wanted: "set it to the name of a pod of this StatefulSet" };
}

function problem(code: ProblemCode, message: string): Problem {
  return { code, message: oneLine(message, 200), blocks: true };
}

/** Keys with our prefix that mean nothing on a StatefulSet; most are typing mistakes of a wish. */
function unknownKeys(annotations: StatefulSet["annotations"]): readonly Problem[] {
  const known: ReadonlySet<string> = new Set(SET_ANNOTATIONS.map((entry) => entry.key));
  const wishes = SET_ANNOTATIONS.filter((entry) => entry.writer === "user");
  const names = wishes.map((entry) => entry.key.slice(PREFIX.length));
  return Object.keys(annotations)
    .filter((key) => key.startsWith(PREFIX) && !known.has(key))
    .sort()
    .map((key) => {
      const [hint] = nearest(key.slice(PREFIX.length), names);
      const shown = oneLine(key, 80);
      return problem(
        "AnnotationUnknown",
        hint === undefined
          ? `${shown} is no annotation of Ordinal for a StatefulSet: remove it or correct its name.`
          : `${shown} is no annotation of Ordinal: did you mean ${PREFIX}${hint}? Rename it or remove it.`,
      );
    });
}

interface Reader {
  readonly read: <T, F>(key: Key, fallback: F, parse: (raw: string) => Reading<T>) => T | F;
  readonly problems: Problem[];
}

function reader(annotations: StatefulSet["annotations"]): Reader {
  const problems: Problem[] = [];
  const reject = (key: Key, what: string) =>
    problems.push(problem("AnnotationInvalid", `${key.key} ${what}.`));
  return {
    problems,
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

function readOptions(read: Reader["read"]): Omit<Spec, "engine" | "credentials"> {
  const { maxLagMs, failoverCooldownMs, gracefulWaitMs, failover, onRestart } = SPEC_DEFAULTS;
  return {
    maxLagMs: read(KEYS.maxLag, maxLagMs, duration(1_000)),
    paused: read(KEYS.pause, "false", (raw) => oneOf(raw, ["true", "false"])) === "true",
    failover: read(KEYS.failover, failover, (raw) => oneOf<Spec["failover"]>(raw, ["auto", "manual"])),
    failoverCooldownMs: read(KEYS.failoverCooldown, failoverCooldownMs, duration(0)),
    gracefulWaitMs: read(KEYS.gracefulWait, gracefulWaitMs, duration(0)),
    onRestart: read(KEYS.onRestart, onRestart, (raw) => oneOf<Spec["onRestart"]>(raw, ["wait", "resume"])),
    replicas: read(KEYS.replicas, null, members),
    switchoverTo: read(KEYS.switchoverTo, null, podName),
    approvedEpoch: read(KEYS.approve, null, epoch),
    lossAcceptedEpoch: read(KEYS.acceptDataLoss, null, epoch),
  };
}

/**
 * Never throws. Without `ordinal.dev/engine` the set is not managed: only unknown keys (a mistyped
 * `engine` would otherwise release a database) and what concerns the release are then looked at.
 */
export function parseWish(set: StatefulSet): Wish {
  const { read, problems } = reader(set.annotations);
  const managed = set.annotations[ANNOTATION.engine] !== undefined;
  let spec: Spec | null = null;
  if (managed) {
    const engine = read(KEYS.engine, null, (raw) => oneOf<Spec["engine"]>(raw, ["mysql"]));
    const credentials = read(KEYS.credentials, null, secretName);
    if (set.annotations[ANNOTATION.credentials] === undefined) {
      const wanted = "is missing: set it to the name of the Secret with the root password.";
      problems.push(problem("AnnotationInvalid", `${ANNOTATION.credentials} ${wanted}`));
    }
    const options = readOptions(read);
    if (engine !== null && credentials !== null) spec = { engine, credentials, ...options };
  }
  const servicesOnRelease: ServicesOnRelease = read(KEYS.servicesOnRelease, "keep", (raw) =>
    oneOf(raw, ["keep", "remove"]),
  );
  return { managed, spec, problems: [...problems, ...unknownKeys(set.annotations)], servicesOnRelease };
}
