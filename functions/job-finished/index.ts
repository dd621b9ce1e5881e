/** A Job of ours changed, so a backup or a proof may have ended, or it is gone: its cluster is looked at. */
import { clusterOfJob, type EventFunction, wakeCluster } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "job-finished",
  on: "change",
  accepts: [{ kind: "Job", changes: ["update", "delete"] }],
  handle: (event) => wakeCluster(event, event.cluster ?? clusterOfJob(event.object.name), "normal"),
};
