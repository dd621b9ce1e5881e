/**
 * What the user asked for, read from the annotations of a StatefulSet. The grammar is strict and everything
 * wrong is said at once, in sentences that say what to change; a value that cannot be read never reaches a
 * spec (its default does), and its problem blocks, unless it is about backups alone. Keys without our prefix are none of our business.
 */
import type { Problem } from "../model/condition.ts";
import { OBJECT_NAME, type StatefulSet } from "../model/kube.ts";
import type { Wish } from "../model/observed.ts";
import { type ServicesOnRelease, SPEC_DEFAULTS, type Spec } from "../model/spec.ts";
import { MEMBERS_MAX } from "../model/state.ts";
import { readBackup } from "./backup-wish.ts";
import { ANNOTATION, KEYS, PREFIX, SET_ANNOTATIONS } from "./keys.ts";
import { nearest } from "./nearest.ts";
import { duration, oneOf, problem, type Reader, type Reading, reader, secretName } from "./reading.ts";
import { restoreId, restoreWish } from "./restore-wish.ts";
import { oneLine } from "./text.ts";

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

function readOptions(read: Reader["read"]): Omit<Spec, "engine" | "credentials" | "backup" | "restore"> {
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
    restoreUndo: read(KEYS.restoreUndo, null, restoreId),
    restoreForget: read(KEYS.restoreForget, null, restoreId),
  };
}

/** What is wrong with backups stops backups, and nothing that the database needs. */
const aside = (found: Problem): Problem => ({ ...found, blocks: false });

/**
 * Never throws. Without `ordinal.dev/engine` the set is not managed: only unknown keys (a mistyped
 * `engine` would otherwise release a database) and what concerns the release are then looked at.
 */
export function parseWish(set: StatefulSet): Wish {
  const reading = reader(set.annotations);
  const { read, problems } = reading;
  const ofBackups = reader(set.annotations);
  const managed = set.annotations[ANNOTATION.engine] !== undefined;
  let spec: Spec | null = null;
  if (managed) {
    const engine = read(KEYS.engine, null, (raw) => oneOf<Spec["engine"]>(raw, ["mysql"]));
    const credentials = read(KEYS.credentials, null, secretName);
    if (set.annotations[ANNOTATION.credentials] === undefined) {
      reading.reject(KEYS.credentials, "is missing: set it to the name of the Secret with the root password");
    }
    const backup = readBackup(set.annotations, ofBackups);
    const restore = read(KEYS.restoreFrom, null, restoreWish(backup?.store ?? null));
    const options = { ...readOptions(read), backup, restore };
    if (engine !== null && credentials !== null) spec = { engine, credentials, ...options };
  }
  const servicesOnRelease: ServicesOnRelease = read(KEYS.servicesOnRelease, "keep", (raw) =>
    oneOf(raw, ["keep", "remove"]),
  );
  const all = [...problems, ...ofBackups.problems.map(aside), ...unknownKeys(set.annotations)];
  return { managed, spec, problems: all, servicesOnRelease };
}
