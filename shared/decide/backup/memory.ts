/**
 * What became of the backups under way, and what follows from it for the memory. Each change is a small step from one
 * memory to the next with what is to be told of it; nothing is begun here.
 *
 * A slot ends in one of three ways: its backup is there, it is given up after its attempts, or it is missed. Each slot of
 * the schedule ends once, in order; the schedule goes on whatever became of the one before.
 */
import {
  ATTEMPTS_MAX,
  BACKUPS_VERSION,
  type BackupMemory,
  type BackupSpec,
  type RunningBackup,
  UNCONDITIONAL,
} from "../../model/backup.ts";
import type { Job } from "../../model/kube.ts";
import type { JobObservation } from "../../model/observed.ts";
import type { Schedule } from "../../model/schedule.ts";
import { COUNT_MAX, dueSlot, latestSlot, slotsBetween } from "../../schedule/slots.ts";
import type { Happening } from "../report.ts";

/** All that the memory follows. `spec` null: nothing is asked for, or it cannot be read what. */
export interface Scene {
  readonly spec: BackupSpec | null;
  readonly jobs: { readonly backup: JobObservation; readonly proof: JobObservation };
  readonly nowMs: number;
}

export interface Told {
  readonly memory: BackupMemory;
  readonly happenings: readonly Happening[];
}

/** RFC 3339 in UTC; slots stand on full seconds. */
export function slotText(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

export function beginning(clusterUid: string, nowMs: number): BackupMemory {
  return {
    ...{ v: BACKUPS_VERSION, clusterUid, schedule: null, handled: slotText(nowMs) },
    ...{ running: null, retry: null, last: null, failed: null, failures: 0, missed: 0 },
    ...{ proving: null, provingAt: null, proven: null, unproven: null, demanded: null, archive: null },
  };
}

/** Told once, whoever tells it and however often. Not in the history, which is small and about the primary. */
function passing(reason: Happening["reason"], message: string, key: string): Happening {
  return { reason, message, key: `${reason}|${key}`, passing: true };
}

const MINUTE_MS = 60_000;

/** 1, 4, 16 and 64 minutes after the first, second, third and fourth attempt. */
function backOffMs(attempt: number): number {
  return MINUTE_MS * 4 ** (attempt - 1);
}

type Failed = Pick<RunningBackup, "slot" | "attempt">;

function givenUp(
  memory: BackupMemory,
  { slot, attempt }: Failed,
  reason: string,
  nowMs: number,
): BackupMemory {
  const failed = { slot, attempt, at: slotText(nowMs), reason };
  return { ...memory, failed, failures: memory.failures + 1 };
}

/** Tried again after a pause that grows, as long as a backup of that slot may be begun at all. */
function failedAttempt(
  memory: BackupMemory,
  running: RunningBackup,
  why: string,
  { spec, nowMs }: Scene,
): Told {
  const { slot, attempt, method, asked } = running;
  const reason = why === "" ? "its Job failed" : why;
  const retryAtMs = nowMs + backOffMs(attempt);
  const inTime = spec === null || retryAtMs <= Date.parse(slot) + spec.deadlineMs;
  const again = attempt < ATTEMPTS_MAX && inTime;
  const minutes = backOffMs(attempt) / MINUTE_MS;
  const then = again ? `it is tried again in ${minutes} min` : "it is given up";
  const message = `Attempt ${attempt} of the backup of ${slot} failed: ${reason}; ${then}.`;
  const ended = { ...memory, running: null };
  const notBefore = slotText(retryAtMs);
  return {
    memory: again
      ? { ...ended, retry: { slot, attempt: attempt + 1, method, asked, notBefore, reason } }
      : givenUp(ended, running, reason, nowMs),
    happenings: [passing("BackupAttemptFailed", message, `${slot}|${attempt}`)],
  };
}

function isLater(one: { readonly slot: string } | null, slot: string): boolean {
  return one !== null && Date.parse(one.slot) > Date.parse(slot);
}

function completed(
  memory: BackupMemory,
  { slot, method, begunAt }: RunningBackup,
  { job, said = "" }: { readonly job: Job; readonly said?: string },
  nowMs: number,
): Told {
  const unconditional = said.includes(UNCONDITIONAL) && { unconditional: true as const };
  const endedAtMs = job.endedAtMs ?? nowMs;
  const seconds = Math.max(0, Math.round((endedAtMs - Date.parse(begunAt)) / 1000));
  return {
    memory: {
      ...memory,
      ...{ running: null, retry: null, failed: null, failures: 0, missed: 0 },
      // One that waited for long may be of an earlier slot than one that was asked for meanwhile.
      last: isLater(memory.last, slot)
        ? memory.last
        : { slot, begunAt, endedAt: slotText(endedAtMs), method, ...unconditional },
    },
    happenings: [
      passing("BackupCompleted", `The ${method} backup of ${slot} is complete after ${seconds} s.`, slot),
    ],
  };
}

const FOREIGN = "its Job has a name that an object of somebody else has";

export function followBackup(memory: BackupMemory, scene: Scene): Told {
  const { running } = memory;
  const { backup } = scene.jobs;
  if (running === null) return { memory, happenings: [] };
  if (backup.kind === "taken") return failedAttempt(memory, running, FOREIGN, scene);
  if (backup.kind !== "found" || backup.job.result === "active") return { memory, happenings: [] };
  if (backup.job.result === "succeeded") return completed(memory, running, backup, scene.nowMs);
  return failedAttempt(memory, running, backup.job.failure ?? "", scene);
}

/** What a person asked for is noted with its end, whichever backup it was of. */
function answeredProof(memory: BackupMemory, at: string, fault: string | null): BackupMemory {
  const { proving, demanded } = memory;
  const own = demanded?.slot === proving?.slot && demanded?.begunAt === proving?.begunAt;
  const ended = { ...memory, proving: null };
  return own && demanded !== null ? { ...ended, demanded: { ...demanded, endedAt: at, fault } } : ended;
}

export function followProof(memory: BackupMemory, { jobs, nowMs }: Scene): Told {
  const { proving, proven, unproven } = memory;
  const { proof } = jobs;
  const over = proof.kind === "taken" || (proof.kind === "found" && proof.job.result !== "active");
  if (proving === null || !over) return { memory, happenings: [] };
  const { slot, begunAt } = proving;
  const at = slotText(nowMs);
  if (proof.kind === "found" && proof.job.result === "succeeded") {
    const message = `The backup of ${slot} was restored and found whole.`;
    return {
      memory: {
        ...answeredProof(memory, at, null),
        // One that was asked for may be of an earlier backup: what is known of later ones stays.
        unproven: isLater(unproven, slot) ? unproven : null,
        proven: isLater(proven, slot) ? proven : { slot, begunAt, at },
      },
      happenings: [passing("BackupProven", message, `${slot}|${begunAt}`)],
    };
  }
  const reason = proof.kind === "found" ? proof.job.failure || "its Job failed" : FOREIGN;
  // It is told as a condition, which is an Event of its own. A backup that was proven before is so no more.
  const ended = answeredProof(memory, at, reason);
  const stands = proven?.slot === slot ? null : proven;
  return { memory: { ...ended, proven: stands, unproven: { slot, begunAt, at, reason } }, happenings: [] };
}

/** Beyond what clocks differ by. */
const SKEW_MS = 2 * 3_600_000;

function isSame(one: Schedule | null, other: Schedule | null): boolean {
  return one?.cron === other?.cron && one?.timeZone === other?.timeZone;
}

/** A schedule that is new, or a memory that was written by a clock far ahead: slots count from now. */
export function followSchedule(memory: BackupMemory, { spec, nowMs }: Scene): BackupMemory {
  if (spec === null) return memory;
  const { schedule } = spec;
  const handled = slotText(nowMs);
  if (!isSame(memory.schedule, schedule)) {
    const retry = memory.retry?.asked === "schedule" ? null : memory.retry;
    return { ...memory, schedule, handled, retry, missed: 0 };
  }
  return Date.parse(memory.handled) > nowMs + SKEW_MS ? { ...memory, handled } : memory;
}

/** The slot that is to be begun now; null without one. */
export function slotDue(
  { handled }: BackupMemory,
  { spec, nowMs }: Pick<Scene, "spec" | "nowMs">,
): number | null {
  if (spec === null || spec.schedule === null) return null;
  return dueSlot(spec.schedule, { afterMs: Date.parse(handled), nowMs, deadlineMs: spec.deadlineMs });
}

/** An attempt that may not be made any more: too late, or a slot has come since. */
export function dropRetry(memory: BackupMemory, scene: Scene): BackupMemory {
  const { retry } = memory;
  const { spec, nowMs } = scene;
  if (retry === null || spec === null) return memory;
  const late = nowMs > Date.parse(retry.slot) + spec.deadlineMs;
  if (!late && slotDue(memory, scene) === null) return memory;
  const failed = { slot: retry.slot, attempt: retry.attempt - 1 };
  return givenUp({ ...memory, retry: null }, failed, retry.reason, nowMs);
}

/** Slots up to `throughMs` are over; those that were never begun are counted and told. */
export function passOver(memory: BackupMemory, schedule: Schedule, throughMs: number, missed: number): Told {
  const handled = slotText(throughMs);
  if (missed === 0) return { memory: { ...memory, handled }, happenings: [] };
  const many =
    missed >= COUNT_MAX ? `${COUNT_MAX} or more slots` : missed === 1 ? "1 slot" : `${missed} slots`;
  const { cron, timeZone } = schedule;
  const message = `${many} of ${cron} (${timeZone}) passed without a backup being begun; it goes on after ${handled}.`;
  return {
    memory: { ...memory, handled, missed: Math.min(1_000_000, memory.missed + missed) },
    happenings: [{ reason: "SlotsMissed", message, key: `SlotsMissed|${handled}` }],
  };
}

/** Slots whose deadline has passed. While a backup runs, the next one waits for it and is not missed yet. */
export function missSlots(memory: BackupMemory, { spec, nowMs }: Scene): Told {
  const nothing = { memory, happenings: [] };
  if (spec === null || spec.schedule === null) return nothing;
  const { schedule, deadlineMs } = spec;
  const afterMs = Date.parse(memory.handled);
  const latest = latestSlot(schedule, nowMs);
  if (latest === null || latest <= afterMs || nowMs - latest <= deadlineMs) return nothing;
  return passOver(memory, schedule, latest, slotsBetween(schedule, afterMs, latest + 1));
}
