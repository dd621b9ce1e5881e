/** What is shown of a cluster's backups: what is asked for, and what the last pass remembers. Pure. */
import { decodeBackups } from "../annotations/backups.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { oneLine } from "../annotations/text.ts";
import { parseWish } from "../annotations/wish.ts";
import { type BackupMemory, type BackupSpec, REASON_MAX } from "../model/backup.ts";
import type { ClusterBackups } from "../model/documents.ts";
import { backupJobName, proofJobName } from "../model/job-name.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Schedule } from "../model/schedule.ts";
import { nextSlot } from "../schedule/slots.ts";

/** As slots are written for people: RFC 3339 in UTC, in full seconds. */
export function slotText(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

/** Of the schedule that the memory follows: another one counts from the next pass on. */
function next(spec: BackupSpec | null, memory: BackupMemory | null): string | null {
  const schedule: Schedule | null = spec?.schedule ?? null;
  const followed = memory?.schedule;
  if (schedule === null || memory === null || followed == null) return null;
  if (schedule.cron !== followed.cron || schedule.timeZone !== followed.timeZone) return null;
  const slotMs = nextSlot(schedule, Date.parse(memory.handled));
  return slotMs === null ? null : slotText(slotMs);
}

function lost(
  { slot, at, reason }: { readonly slot: string; readonly at: string; readonly reason: string },
  job: string,
): NonNullable<ClusterBackups["failed"]> {
  return { slot, at, reason: oneLine(reason, REASON_MAX), job };
}

function remembered(
  name: string,
  memory: BackupMemory,
): Omit<ClusterBackups, "store" | "schedule" | "timeZone" | "nextSlot"> {
  const { running, last, proving, proven, failures, missed, failed, unproven, archive } = memory;
  return {
    ...{ failures, missed },
    proving: proving && { ...proving, progress: null },
    proven: proven && { slot: proven.slot, begunAt: proven.begunAt ?? null, at: proven.at },
    last: last && {
      ...{ slot: last.slot, method: last.method },
      ...{ begunAt: last.begunAt ?? null, endedAt: last.endedAt },
    },
    running: running && { ...running, source: `${name}-${running.source}`, progress: null },
    archive: archive && {
      heldTo: archive.heldTo,
      failure: archive.failure && oneLine(archive.failure, REASON_MAX),
      from: archive.window?.from ?? null,
      gapCount: archive.window?.gaps ?? null,
      gapMs: archive.window?.gapMs ?? null,
    },
    failed: failed && lost(failed, backupJobName(name, failed)),
    unproven: unproven && lost(unproven, proofJobName(name, unproven)),
  };
}

const NOTHING = {
  ...{ running: null, last: null, proving: null, proven: null },
  ...{ failures: 0, missed: 0, failed: null, unproven: null, archive: null },
};

export function memoryOf(set: StatefulSet): BackupMemory | null {
  const read = decodeBackups(set.annotations[ANNOTATION.backups], set.uid);
  return read.kind === "valid" ? read.memory : null;
}

export function backupSnapshot(set: StatefulSet): ClusterBackups | null {
  const spec = parseWish(set).spec?.backup ?? null;
  const memory = memoryOf(set);
  if (spec === null && memory === null) return null;
  return {
    store: spec?.store ?? null,
    schedule: spec?.schedule?.cron ?? null,
    timeZone: spec?.schedule?.timeZone ?? null,
    nextSlot: next(spec, memory),
    ...(memory === null ? NOTHING : remembered(set.name, memory)),
  };
}
