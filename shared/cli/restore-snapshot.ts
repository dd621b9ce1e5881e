/** What is shown of a cluster's restores: the one under way, how the last one ended, and what of it is kept. Pure. */
import { restoreMemoryOf } from "../annotations/restore-answers.ts";
import { oneLine } from "../annotations/text.ts";
import type { ClusterRestores } from "../model/documents.ts";
import { restoreJobs } from "../model/job-name.ts";
import type { StatefulSet } from "../model/kube.ts";

const FAULT_MAX = 400;

export function restoreSnapshot(set: StatefulSet): ClusterRestores | null {
  const memory = restoreMemoryOf(set);
  if (memory === null) return null;
  const { running, last, kept } = memory;
  return {
    running: running && {
      ...{ id: running.wish.id, undo: running.direction === "back", phase: running.phase },
      ...{ attempt: running.attempt, begunAt: running.begunAt, progress: null },
    },
    last: last && {
      ...{ id: last.wish.id, undo: last.direction === "back" },
      ...{ begunAt: last.begunAt ?? null, endedAt: last.endedAt },
      fault: last.fault && oneLine(last.fault, FAULT_MAX),
    },
    kept: kept && { id: kept.id, until: kept.until },
  };
}

/** The first of those under way: the volume of member 0 takes the longest. Null = none is. */
export function restoreJob(set: StatefulSet): string | null {
  const memory = restoreMemoryOf(set);
  return (memory && restoreJobs(set.name, memory)[0]) ?? null;
}
