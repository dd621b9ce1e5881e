/**
 * What a Job is told about the cluster and its work. It stands in the Job for everybody to read, so no secret is in it:
 * those are files of Secrets that the Job mounts.
 */
import * as z from "zod";
import { ATTEMPTS_MAX, BACKUP_METHODS, type JobTask } from "./backup.ts";
import { type RestoreTask, restoreTargetSchema, restoreWishSchema } from "./restore.ts";

const line = z.string().min(1).max(253);
const instant = z.iso.datetime();
const count = z.number().int().min(0).max(999);

const retentionSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("count"), count }),
  z.strictObject({ kind: z.literal("calendar"), days: count, weeks: count, months: count }),
]);

const { id, from } = restoreWishSchema.shape;
const restoreSource = { id, from, store: line, target: restoreTargetSchema, begunAt: instant };

const taskSchema: z.ZodType<JobTask | RestoreTask> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("backup"),
    store: line,
    slot: instant,
    attempt: z.number().int().min(1).max(ATTEMPTS_MAX),
    method: z.enum(BACKUP_METHODS),
    databases: z.array(line).min(1).nullable(),
    asked: z.enum(["schedule", "request"]),
    source: count,
    authority: z.string().max(16_384).nullable(),
    retention: retentionSchema.nullable(),
    timeZone: line,
    keep: z.array(instant).max(16),
  }),
  z.strictObject({ kind: z.literal("proof"), store: line, slot: instant }),
  z.strictObject({ kind: z.literal("restore-check"), ...restoreSource }),
  z.strictObject({ kind: z.literal("restore-fill"), ordinal: count, ...restoreSource }),
  z.strictObject({
    kind: z.literal("restore-exchange"),
    id,
    ordinal: count,
    direction: z.enum(["in", "back"]),
  }),
  z.strictObject({ kind: z.literal("restore-forget"), id, ordinal: count }),
]);

export const jobOrderSchema = z.strictObject({
  v: z.literal(1),
  cluster: z.strictObject({ namespace: line, name: line, uid: line }),
  task: taskSchema,
  /** Where the member that is copied answers, and as whom; null = nobody is asked. The password is a file. */
  source: z
    .strictObject({
      host: line,
      port: z.number().int().min(1).max(65_535),
      username: line.nullable(),
    })
    .nullable(),
});

export type JobOrder = z.infer<typeof jobOrderSchema>;
export type Task = JobOrder["task"];
export function isOfRestore(task: Task): task is RestoreTask {
  return task.kind !== "backup" && task.kind !== "proof";
}

/** What a task is about, for people: the slot of a backup or the id of a restore. */
export function subjectOf(task: Task): string {
  return "slot" in task ? task.slot : task.id;
}

export type BackupTask = Extract<JobTask, { kind: "backup" }>;
export type ProofTask = Extract<JobTask, { kind: "proof" }>;
export type CheckTask = Extract<RestoreTask, { kind: "restore-check" }>;
export type FillTask = Extract<RestoreTask, { kind: "restore-fill" }>;
export type ExchangeTask = Extract<RestoreTask, { kind: "restore-exchange" }>;
export type ForgetTask = Extract<RestoreTask, { kind: "restore-forget" }>;
