/**
 * The program of Jobs as a process of its own, with its order, its Secrets as files and a scratch folder, as a container
 * has them: against whatever store and server a test has started.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../shared/backup/memory.ts";
import type { JobTask } from "../../shared/model/backup.ts";
import type { BackupTask, JobOrder } from "../../shared/model/job-order.ts";
import type { Store } from "../../shared/model/store.ts";
import { BACKUP_TASK, CLUSTER, PLACE } from "./job-work.ts";
import type { MysqlHere } from "./mysql-here.ts";
import { fieldsOf } from "./store-secret.ts";
import { newIdentity } from "./streams.ts";

const MAIN = join(import.meta.dirname, "../../shared/hosts/job/main.ts");

export interface Ran {
  /** Null when it was killed. */
  readonly code: number | null;
  /** Its last words. */
  readonly words: string;
  readonly log: string;
}

export interface JobRun {
  /** In a group of its own, so that it can be ended with all that it has started, as a container is. */
  readonly child: ChildProcess;
  readonly done: Promise<Ran>;
}

export interface JobRuns {
  start(task: JobTask, options?: { readonly encrypts?: boolean }): JobRun;
  /** Takes its files away; to be called when nothing runs any more. */
  close(): void;
}

export interface JobSurroundings {
  readonly mysql: MysqlHere;
  /** Folder with the programs of MySQL. */
  readonly bin: string;
  readonly settings: Store;
  /** Text of the private key that runs with `encrypts` have in their Secret. */
  readonly ageIdentity: string;
}

function writeSecret(path: string, values: Readonly<Record<string, string>>): string {
  mkdirSync(path, { recursive: true });
  for (const [key, value] of Object.entries(values)) writeFileSync(join(path, key), value);
  return path;
}

function textOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Killed before its last words.
    return "";
  }
}

/** The slots of a test are minutes of one hour. */
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

export function openJobRuns({ mysql, bin, settings, ageIdentity }: JobSurroundings): JobRuns {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-job-"));
  let runs = 0;
  return {
    start(task, { encrypts = false } = {}) {
      runs += 1;
      const physical = task.kind === "backup" && task.method === "physical";
      const source = {
        ...{ host: "127.0.0.1", port: mysql.port },
        username: physical ? "ordinal_repl_0" : null,
      };
      const order: JobOrder = { v: 1, cluster: CLUSTER, task, source: task.kind === "proof" ? null : source };
      const age = encrypts && { ageIdentity, ageRecipients: [newIdentity(ageIdentity).recipient] };
      const store = fieldsOf({ ...settings, prefix: PLACE.prefix, ...age });
      const account = physical ? { password: "Test-repl-1" } : { ...mysql.root };
      const [scratch, result] = [join(folder, `s${runs}`), join(folder, `result-${runs}`)];
      mkdirSync(scratch);
      const child = spawn(process.execPath, [...NODE_FLAGS, MAIN], {
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
        env: {
          ...NODE_ENVIRONMENT,
          ...{ PATH: `${bin}:/usr/bin:/bin`, ORDINAL_JOB: JSON.stringify(order), ORDINAL_RESULT: result },
          ORDINAL_SCRATCH: scratch,
          ORDINAL_STORE: writeSecret(join(folder, encrypts ? "store-age" : "store"), store),
          ORDINAL_ACCOUNT: writeSecret(join(folder, physical ? "replication" : "root"), account),
        },
      });
      let log = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      const done = new Promise<Ran>((resolve) => {
        child.once("close", (code) => {
          rmSync(scratch, { recursive: true, force: true, maxRetries: 10 });
          resolve({ code, words: textOrEmpty(result), log });
        });
      });
      return { child, done };
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}
