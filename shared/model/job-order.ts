/**
 * What a Job is told about the cluster and its work. It stands in the Job for everybody to read, so no secret is in it:
 * those are files of Secrets that the Job mounts.
 */
import { z } from "zod";
import { ATTEMPTS_MAX, BACKUP_METHODS, type JobTask } from "./backup.ts";

const line = z.string().min(1).max(253);
const instant = z.iso.datetime();
const count = z.number().int().min(0).max(999);

const retentionSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("count"), count }),
  z.strictObject({ kind: z.literal("calendar"), days: count, weeks: count, months: count }),
]);

const taskSchema: z.ZodType<JobTask> = z.discriminatedUnion("kind", [
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
export type BackupTask = Extract<JobTask, { kind: "backup" }>;
export type ProofTask = Extract<JobTask, { kind: "proof" }>;
