/**
 * The ring of requests, and how each of them stands. The ring only says what was asked, by whom and when; an
 * answer is worked out from what the passes have recorded since, so that no pass has to know the ring.
 */
import type { StatefulSet } from "../model/kube.ts";
import {
  type ClusterRequest,
  type RequestAnswer,
  type RequestEntry,
  requestEntrySchema,
} from "../model/request.ts";
import type { RequestKind } from "../model/request-kind.ts";
import type { Config, State } from "../model/state.ts";
import { backupAnswer } from "./backup-answers.ts";
import { decodeConditions } from "./conditions.ts";
import { decodeHistory } from "./history.ts";
import { canonicalJson } from "./json.ts";
import { ANNOTATION, KEYS } from "./keys.ts";
import { restoreAnswer } from "./restore-answers.ts";
import { decodeRing, encodeRing } from "./ring.ts";
import { decodeState } from "./state.ts";
import { oneLine } from "./text.ts";

const LIMITS = { entriesMax: 64, bytesMax: KEYS.requests.bytesMax };

/** The conditions that say why a wish of this kind is not fulfilled. */
export const REFUSALS: Readonly<Record<RequestKind, readonly string[]>> = {
  scale: ["ScaleRefused", "ReplicasContested"],
  switchover: ["SwitchoverRefused"],
  // What cannot be read of its settings refuses it, and that is no condition of its own.
  backup: [],
  restore: ["RestoreRefused", "AnnotationInvalid"],
};

/** One of these at a time changes who the members are. A backup hinders neither of them, however long it takes. */
const EXCLUSIVE: ReadonlySet<RequestKind> = new Set(["scale", "switchover", "restore"]);

/** Whether two wishes cannot both be open. */
export function isContrary(one: RequestKind, other: RequestKind): boolean {
  return one === other || (EXCLUSIVE.has(one) && EXCLUSIVE.has(other));
}

/** The newest entries that fit. */
export function encodeRequests(entries: readonly RequestEntry[]): string {
  return encodeRing(
    entries.map((entry) => ({ ...entry, by: oneLine(entry.by, 64) })),
    LIMITS,
  );
}

/** Never throws. */
export function decodeRequests(raw: string | undefined): readonly RequestEntry[] {
  return decodeRing(raw, requestEntrySchema, LIMITS);
}

/** The user's annotation by which a pass learns of the wish. */
export function wishAnnotation({ kind, wish }: ClusterRequest): {
  readonly key: string;
  readonly value: string;
} {
  switch (kind) {
    case "scale":
      return { key: ANNOTATION.replicas, value: String(wish.replicas) };
    case "switchover":
      return { key: ANNOTATION.switchoverTo, value: wish.to };
    case "backup":
      return { key: ANNOTATION.backupNow, value: wish.method ?? "true" };
    case "restore":
      return { key: ANNOTATION.restoreFrom, value: canonicalJson(wish) };
  }
}

/** Two requests for the same thing, whoever made them. */
export function isSameWish(one: ClusterRequest, other: ClusterRequest): boolean {
  return one.kind === other.kind && canonicalJson(one.wish) === canonicalJson(other.wish);
}

const ACCEPTED: RequestAnswer = { status: "accepted", message: null };

function isWithin({ primary, ackers }: Config, replicas: number): boolean {
  return [primary, ...ackers].every(({ ordinal }) => ordinal < replicas);
}

function refusalOf(kind: RequestKind, set: StatefulSet): RequestAnswer | null {
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]);
  const standing = conditions.find(({ type, status }) => REFUSALS[kind].includes(type) && status === "True");
  return standing === undefined ? null : { status: "refused", message: oneLine(standing.message, 200) };
}

/** Members that were asked for may be on their way after the number is what was wished for; a pause hides that. */
function isOnItsWay(set: StatefulSet, { ackers }: Config, replicas: number): boolean {
  const phase = set.annotations[ANNOTATION.phase];
  return phase === "Scaling" || (phase === "Paused" && ackers.length + 1 < replicas);
}

function scaleAnswer(replicas: number, set: StatefulSet, state: State | null): RequestAnswer {
  const settled = state?.phase === "Steady" && state.pending === null ? state.established : null;
  const fits = set.replicas === replicas && settled !== null && isWithin(settled, replicas);
  if (fits && !isOnItsWay(set, settled, replicas)) return { status: "done", message: null };
  return refusalOf("scale", set) ?? ACCEPTED;
}

/**
 * The first switchover that ended at or after `at`. One that was asked for otherwise may have been completed in between:
 * the sentence of a completed one begins with its new primary.
 */
function ended(to: string, at: string, set: StatefulSet): RequestAnswer | null {
  for (const entry of decodeHistory(set.annotations[ANNOTATION.history])) {
    if (Date.parse(entry.at) < Date.parse(at)) continue;
    const message = oneLine(entry.why, 200);
    if (entry.reason === "SwitchoverAbandoned") return { status: "failed", message };
    if (entry.reason === "SwitchoverCompleted" && entry.why.startsWith(`${to} `)) {
      return { status: "done", message };
    }
  }
  return null;
}

/** Its annotation is gone: the pass that took it away recorded in the same write that it has begun. */
function switchoverAnswer(to: string, at: string, set: StatefulSet, state: State | null): RequestAnswer {
  if (state?.op?.kind === "switchover" && to === `${set.name}-${state.op.target}`) return ACCEPTED;
  return (
    ended(to, at, set) ?? {
      status: "superseded",
      message: "It was withdrawn, or another change of the primary took its place.",
    }
  );
}

/** How a request of the ring of `set` stands. Total: what cannot be read counts as not recorded. */
export function answerOf(entry: RequestEntry, set: StatefulSet): RequestAnswer {
  const observed = decodeState(set.annotations[ANNOTATION.state], set.uid);
  const state = observed.kind === "valid" ? observed.state : null;
  const { key, value } = wishAnnotation(entry);
  const stands = set.annotations[key] === value;
  switch (entry.kind) {
    case "backup":
      return backupAnswer(entry.wish.method, { at: entry.at, stands }, set);
    case "restore":
      return restoreAnswer(entry.wish.id, stands, set) ?? refusalOf("restore", set) ?? ACCEPTED;
    case "switchover":
      if (!stands) return switchoverAnswer(entry.wish.to, entry.at, set, state);
      return refusalOf("switchover", set) ?? ACCEPTED;
    case "scale":
      if (stands) return scaleAnswer(entry.wish.replicas, set, state);
      return { status: "superseded", message: `${key} no longer says ${value}.` };
  }
}
