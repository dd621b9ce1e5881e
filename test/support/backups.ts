/** Clusters with backups, for tests of the brain: what is asked for, what is remembered, and how Jobs ended. */

import type { BackupMemory, BackupSpec } from "../../shared/model/backup.ts";
import { backupJobName, proofJobName } from "../../shared/model/job-name.ts";
import type { Job } from "../../shared/model/kube.ts";
import type { JobObservation, Observed } from "../../shared/model/observed.ts";
import { type Change, CLUSTER_UID, NOW_MS, set, spec } from "./situation.ts";

/** Nightly at three in Berlin, which is 02:00Z in winter. */
export const BACKUP: BackupSpec = {
  store: "backups",
  schedule: { cron: "0 3 * * *", timeZone: "Europe/Berlin" },
  timeZone: "Europe/Berlin",
  method: "physical",
  databases: null,
  retention: { kind: "calendar", days: 7, weeks: 4, months: 6 },
  deadlineMs: 6 * 3_600_000,
  proof: "daily",
  archive: false,
  requested: null,
  proofRequested: null,
};

export function asking(more: Partial<BackupSpec> = {}): Change {
  return spec({ backup: { ...BACKUP, ...more } });
}

/** As it stands after last night's backup, which was proven. */
export function memory(more: Partial<BackupMemory> = {}): BackupMemory {
  const slot = "2026-11-23T02:00:00Z";
  return {
    v: 1,
    clusterUid: CLUSTER_UID,
    schedule: BACKUP.schedule,
    handled: slot,
    ...{ running: null, retry: null, failed: null, failures: 0, missed: 0, proving: null, unproven: null },
    demanded: null,
    archive: null,
    last: { slot, endedAt: "2026-11-23T02:04:00Z", method: "physical" },
    provingAt: "2026-11-23T02:05:00Z",
    proven: { slot, at: "2026-11-23T02:09:00Z" },
    ...more,
  };
}

export function remembering(of: BackupMemory): Change {
  return (before) => ({ ...before, backups: { kind: "valid", memory: of } });
}

export function remembered({ backups }: Observed): BackupMemory {
  if (backups.kind !== "valid") throw new Error(`the memory is ${backups.kind}`);
  return backups.memory;
}

export type End = "active" | "succeeded" | { readonly failed: string };

function job(name: string, end: End, endedAtMs: number): JobObservation {
  const ended: Pick<Job, "result" | "endedAtMs" | "failure"> =
    end === "active"
      ? { result: "active", endedAtMs: null, failure: null }
      : {
          result: end === "succeeded" ? end : "failed",
          endedAtMs,
          failure: end === "succeeded" ? null : end.failed,
        };
  const meta = { namespace: "shop", name, uid: `uid-${name}`, resourceVersion: "1", ownerUid: CLUSTER_UID };
  return { kind: "found", job: { ...meta, labels: {}, annotations: {}, deleting: false, ...ended } };
}

/** The Job of the backup under way, as it is seen now. */
export function backupJob(end: End, endedAtMs: number = NOW_MS): Change {
  return (before) => {
    const { running } = remembered(before);
    if (running === null) throw new Error("no backup is under way");
    const backup = job(backupJobName(before.set.name, running), end, endedAtMs);
    return { ...before, jobs: { ...before.jobs, backup } };
  };
}

export function proofJob(end: End, endedAtMs: number = NOW_MS): Change {
  return (before) => {
    const { proving } = remembered(before);
    if (proving === null) throw new Error("no proof is under way");
    return {
      ...before,
      jobs: { ...before.jobs, proof: job(proofJobName(before.set.name, proving), end, endedAtMs) },
    };
  };
}

export function jobless(kind: "backup" | "proof"): Change {
  return (before) => ({ ...before, jobs: { ...before.jobs, [kind]: { kind: "absent" } } });
}

/** Its annotations take more room than an operation may be begun with. */
export const CROWDED: Change = (before) => ({ ...set({})(before), annotationBytes: 200_000 });
