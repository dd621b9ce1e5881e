/**
 * CloudEvents for others, made of nothing but what stands recorded on a StatefulSet: what was done (its history, its last backup and
 * proof) and what is the matter (its conditions). An id is made of what it tells, so whoever sends it, and however often, it
 * is the same event. docs/cloudevents.md is the schema. Pure.
 */
import type { Announced } from "../../annotations/announced.ts";
import { decodeConditions } from "../../annotations/conditions.ts";
import { decodeHistory } from "../../annotations/history.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import { EVENT_REASONS, type EventReason } from "../../model/condition.ts";
import type { StatefulSet } from "../../model/kube.ts";
import { digestOf } from "../http/requests.ts";

export interface OutgoingEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  /** Absent of what has no moment of its own: a condition that went. */
  readonly time?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** An event, and what is announced once it was taken. */
export interface News {
  readonly event: OutgoingEvent;
  readonly announced: Announced;
}

/** Of backups the slot stands recorded, not the telling. */
const NOT_RECORDED: ReadonlySet<EventReason> = new Set([
  "BackupStarted",
  "BackupAttemptFailed",
  "SlotsMissed",
]);
const CONDITION_CHANGED = "dev.ordinal.condition.changed";

/** `FailoverCompleted` -> `dev.ordinal.failover.completed`. */
function typeOf(reason: string): string {
  return `dev.ordinal${reason.replaceAll(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`)}`;
}

/** All types that are ever sent. */
export const OUTGOING_TYPES: readonly string[] = [
  ...(Object.keys(EVENT_REASONS) as EventReason[]).filter((reason) => !NOT_RECORDED.has(reason)).map(typeOf),
  CONDITION_CHANGED,
];

const markOf = (...parts: readonly unknown[]): string => digestOf(JSON.stringify(parts)).slice(0, 16);

interface Telling {
  readonly type: string;
  readonly key: readonly unknown[];
  readonly time?: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** In the order in which they are to be sent; empty when all was announced. */
export function newsOf(set: StatefulSet, before: Announced): readonly News[] {
  const { namespace, name, uid, annotations } = set;
  const found: News[] = [];
  let announced = before;
  function tell({ type, key, time, data }: Telling, change: Partial<Announced>): void {
    announced = { ...announced, ...change };
    const event: OutgoingEvent = {
      specversion: "1.0",
      id: markOf(uid, type, ...key),
      source: `/apis/apps/v1/namespaces/${namespace}/statefulsets/${name}`,
      type,
      subject: `${namespace}/${name}`,
      ...(time !== undefined && { time }),
      data: { namespace, name, uid, ...data },
    };
    found.push({ event, announced });
  }

  const history = decodeHistory(annotations[ANNOTATION.history]);
  const marks = history.map((entry) => markOf(entry));
  // Of one that the ring has let go all entries are later.
  const sent = before.history === null ? -1 : marks.lastIndexOf(before.history);
  for (const [at, { at: time, epoch, reason, why }] of history.entries()) {
    const mark = marks[at];
    if (at <= sent || mark === undefined) continue;
    const type = typeOf(reason);
    if (!OUTGOING_TYPES.includes(type)) continue;
    tell({ type, key: [mark], time, data: { reason, epoch, message: why } }, { history: mark });
  }

  const slots = [
    ["backup", ANNOTATION.lastBackup, "BackupCompleted"],
    ["proven", ANNOTATION.lastProven, "BackupProven"],
  ] as const;
  for (const [field, key, reason] of slots) {
    const slot = annotations[key];
    if (slot === undefined || slot === before[field]) continue;
    tell({ type: typeOf(reason), key: [slot], data: { reason, slot } }, { [field]: slot });
  }

  const conditions = decodeConditions(annotations[ANNOTATION.conditions]);
  for (const { type, status, reason, message, lastTransitionAt } of conditions) {
    const mark = markOf(type, status, reason, lastTransitionAt);
    if (announced.conditions[type] === mark) continue;
    const condition = { type, status, reason, message, lastTransitionAt };
    const telling = {
      type: CONDITION_CHANGED,
      key: [type, mark],
      time: lastTransitionAt,
      data: { condition },
    };
    tell(telling, { conditions: { ...announced.conditions, [type]: mark } });
  }
  const present = new Set(conditions.map(({ type }) => type));
  for (const [type, mark] of Object.entries(before.conditions)) {
    if (present.has(type)) continue;
    const { [type]: _, ...rest } = announced.conditions;
    const condition = { type, status: "False", reason: "Gone", message: "", lastTransitionAt: null };
    tell({ type: CONDITION_CHANGED, key: [type, mark, "gone"], data: { condition } }, { conditions: rest });
  }
  return found;
}
