/**
 * How far the Jobs of a cluster are, by the last lines of their logs, which are read with the right of whoever asks. Ordinal
 * itself has none to read logs, so that nothing of it is recorded; whoever lacks it too sees since when they run.
 */

import type { Cluster, JobProgress } from "../model/documents.ts";
import { backupJobName, proofJobName } from "../model/job-name.ts";
import type { ObjectRef, StatefulSet } from "../model/kube.ts";
import type { Progress } from "./progress.ts";
import { restoreJob } from "./restore-snapshot.ts";

export async function withProgress(
  { lastProgress }: { readonly lastProgress: (job: ObjectRef) => Promise<Progress | null> },
  { set, cluster }: { readonly set: StatefulSet; readonly cluster: Cluster },
): Promise<Cluster> {
  const { backups, restores } = cluster;
  const read = async (name: string | null): Promise<JobProgress | null> => {
    const found = name === null ? null : await lastProgress({ namespace: set.namespace, name });
    if (found === null) return null;
    const { message, bytes, bytesExpected, bytesPerSecond } = found;
    return { isCopying: message === "copying", bytes, bytesExpected, bytesPerSecond };
  };
  const { running = null, proving = null } = backups ?? {};
  const restoring = restores?.running ?? null;
  const [ofBackup, ofProof, ofRestore] = await Promise.all([
    read(running && backupJobName(set.name, running)),
    read(proving && proofJobName(set.name, proving)),
    read(restoring && restoreJob(set)),
  ]);
  return {
    ...cluster,
    backups: backups && {
      ...backups,
      running: running && { ...running, progress: ofBackup },
      proving: proving && { ...proving, progress: ofProof },
    },
    restores: restores && { ...restores, running: restoring && { ...restoring, progress: ofRestore } },
  };
}
