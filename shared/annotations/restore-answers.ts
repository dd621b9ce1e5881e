/** How a request for a restore, or for undoing one, stands. It is known by its id. */
import type { StatefulSet } from "../model/kube.ts";
import type { RequestAnswer } from "../model/request.ts";
import type { Direction, RestoreMemory } from "../model/restore.ts";
import { answer } from "./answer.ts";
import { decodeConditions } from "./conditions.ts";
import { ANNOTATION } from "./keys.ts";
import { decodeRestore } from "./restores.ts";

export function restoreMemoryOf(set: StatefulSet): RestoreMemory | null {
  const read = decodeRestore(set.annotations[ANNOTATION.restore], set.uid);
  return read.kind === "valid" ? read.memory : null;
}

/** What `Ready` says while it is under way. */
function readyOf(set: StatefulSet): string | null {
  const ready = decodeConditions(set.annotations[ANNOTATION.conditions]).find(({ type }) => type === "Ready");
  return ready?.message ?? null;
}

/** It is done when the cluster is in service with the data, and not before. Null = no pass has taken it yet. */
function endOf(id: string, direction: Direction, set: StatefulSet): RequestAnswer | null {
  const memory = restoreMemoryOf(set);
  if (memory?.running?.wish.id === id && memory.running.direction === direction) {
    const checked = memory.running.phase === "Checking";
    return answer("accepted", checked ? "It is being checked before anything is changed." : readyOf(set));
  }
  if (memory?.last?.wish.id !== id || memory.last.direction !== direction) return null;
  const { fault } = memory.last;
  if (fault !== null) return answer("failed", `It was given up, and the data is as it was: ${fault}.`);
  const phase = set.annotations[ANNOTATION.phase];
  if (phase !== "Healthy") return answer("accepted", `The data is in its place; the cluster is ${phase}.`);
  return answer("done", "The cluster is in service with that data.");
}

/** `stands`: its annotation. Null = no pass has taken it yet. */
export function restoreAnswer(id: string, stands: boolean, set: StatefulSet): RequestAnswer | null {
  const end = endOf(id, "in", set);
  if (end !== null) return end;
  if (restoreMemoryOf(set)?.ids.includes(id) === true)
    return answer("superseded", "Another restore came after it.");
  return stands ? null : answer("superseded", "It was withdrawn.");
}

export function undoAnswer(id: string, set: StatefulSet): RequestAnswer {
  const end = endOf(id, "back", set);
  if (end !== null) return end;
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]);
  const refused = conditions.find(({ type }) => type === "RestoreRefused");
  return refused === undefined ? answer("accepted", null) : answer("refused", refused.message);
}

export function forgetAnswer(id: string, set: StatefulSet): RequestAnswer {
  const kept = restoreMemoryOf(set)?.kept ?? null;
  if (kept?.id !== id) return answer("done", "Nothing of it is kept any more.");
  return answer("accepted", null);
}
