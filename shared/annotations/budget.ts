/**
 * Room in the annotations of one object, which Kubernetes bounds for everybody together. A full object must
 * never stop a running operation: our writes shrink instead, in a fixed order, and the state is never cut.
 */
import type { BackupMemory } from "../model/backup.ts";
import type { Condition, Phase, Problem } from "../model/condition.ts";
import type { RestoreMemory } from "../model/restore.ts";
import type { HistoryEntry, State } from "../model/state.ts";
import { encodeBackups } from "./backups.ts";
import { encodeConditions } from "./conditions.ts";
import { encodeHistory } from "./history.ts";
import { ANNOTATION, SET_ANNOTATIONS } from "./keys.ts";
import { encodeRestore } from "./restores.ts";
import { encodeState } from "./state.ts";
import { utf8Bytes } from "./text.ts";

/** The sum of keys and values, from Kubernetes' TotalAnnotationSizeLimitB. */
export const ANNOTATIONS_BYTES_MAX = 262_144;
/** Above this no operation is begun, so that one under way always has room to be finished. */
export const ANNOTATIONS_BYTES_SAFE = 196_608;

type Annotations = Readonly<Record<string, string>>;

/** Bytes of all keys and values, as Kubernetes counts them. */
export function annotationBytes(annotations: Annotations): number {
  return Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + utf8Bytes(key) + utf8Bytes(value),
    0,
  );
}

/** All that Ordinal's own keys may take together. */
const OWN_BYTES_MAX = SET_ANNOTATIONS.reduce((sum, { key, bytesMax }) => sum + utf8Bytes(key) + bytesMax, 0);

/**
 * `total` is `annotationBytes` of the StatefulSet. Says how much of it is certainly not ours, since that is
 * what somebody can take away.
 */
export function budgetProblem(total: number): Problem | null {
  if (total <= ANNOTATIONS_BYTES_SAFE) return null;
  const kib = (bytes: number) => Math.ceil(bytes / 1024);
  return {
    code: "AnnotationsTooLarge",
    message:
      `The annotations take ${kib(total)} of 256 KiB, at least ${kib(total - OWN_BYTES_MAX)} KiB of them not ` +
      "Ordinal's: remove what is not needed until they are below 192 KiB.",
    blocks: true,
  };
}

export interface Writing {
  /** Null leaves the annotation as it stands. */
  readonly state: State | null;
  readonly conditions: readonly Condition[];
  readonly history: readonly HistoryEntry[];
  readonly phase: Phase;
  /** Null leaves the annotations as they stand. */
  readonly backups: BackupMemory | null;
  readonly restore: RestoreMemory | null;
}

/**
 * Our annotations as they are to be written onto an object that now carries `existing`. Where room is short
 * the oldest history goes first, then the conditions' messages, then conditions; the others never.
 * The result may still be too large when other people leave less than those need: the API server then
 * refuses the write, and nothing is half written.
 */
export function shrink(existing: Annotations, writing: Writing): Annotations {
  const fixed: Annotations = {
    ...(writing.state === null ? {} : { [ANNOTATION.state]: encodeState(writing.state) }),
    ...(writing.backups === null ? {} : encodeBackups(writing.backups)),
    ...(writing.restore === null ? {} : encodeRestore(writing.restore)),
    [ANNOTATION.phase]: writing.phase,
  };
  const kept = Object.entries(existing).filter(
    ([key]) => !(key in fixed) && key !== ANNOTATION.conditions && key !== ANNOTATION.history,
  );
  const ownKeys = utf8Bytes(ANNOTATION.conditions) + utf8Bytes(ANNOTATION.history);
  const taken = annotationBytes(Object.fromEntries(kept)) + annotationBytes(fixed) + ownKeys;
  // The shortest history, `[]`, needs two bytes of its own.
  const conditions = encodeConditions(writing.conditions, ANNOTATIONS_BYTES_MAX - taken - 2);
  const history = encodeHistory(writing.history, ANNOTATIONS_BYTES_MAX - taken - utf8Bytes(conditions));
  return { ...fixed, [ANNOTATION.conditions]: conditions, [ANNOTATION.history]: history };
}
