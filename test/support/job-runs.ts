/** Backups and proofs of one MySQL server of this machine, by the program of Jobs; the slots of a test are minutes of one hour. */
import type { JobTask } from "../../shared/model/backup.ts";
import type { BackupTask, JobOrder } from "../../shared/model/job-order.ts";
import type { Store } from "../../shared/model/store.ts";
import { type JobsHere, jobsHere } from "./job-here.ts";
import { BACKUP_TASK, CLUSTER } from "./job-work.ts";
import type { MysqlHere } from "./mysql-here.ts";

export interface JobRuns extends Pick<JobsHere, "ageIdentity" | "close"> {
  start(task: JobTask, options?: { readonly encrypts?: boolean }): ReturnType<JobsHere["start"]>;
}

export function slotAt(minute: number): string {
  return `2026-11-23T03:${String(minute).padStart(2, "0")}:00Z`;
}

export function backupOf(
  { authority }: MysqlHere,
  minute: number,
  more: Partial<BackupTask> = {},
): BackupTask {
  return { ...BACKUP_TASK, slot: slotAt(minute), source: 0, authority, ...more };
}

export function proofOf(minute: number): JobTask {
  return { kind: "proof", store: "backups", slot: slotAt(minute) };
}

/** `bin`: a folder with the programs of MySQL. */
export function openJobRuns(mysql: MysqlHere, bin: string, store: Store): JobRuns {
  const { ageIdentity, start, close } = jobsHere(bin, store);
  return {
    ...{ ageIdentity, close },
    start(task, { encrypts = false } = {}) {
      const physical = task.kind === "backup" && task.method === "physical";
      const username = physical ? "ordinal_repl_0" : null;
      const source = { host: "127.0.0.1", port: mysql.port, username };
      const order: JobOrder = { v: 1, cluster: CLUSTER, task, source: task.kind === "proof" ? null : source };
      return start({ order, encrypts, account: physical ? { password: "Test-repl-1" } : { ...mysql.root } });
    },
  };
}
