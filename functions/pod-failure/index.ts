/**
 * A Pod is gone, or its status says that it failed: its cluster is looked at before all others. A status
 * travels in Resource mode only; in Reference mode an update is pod-ready's alone.
 */
import { clusterOfPod, type EventFunction, NOTHING, wakeCluster } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "pod-failure",
  on: "change",
  accepts: [{ kind: "Pod", changes: ["update", "delete"] }],
  handle: (event) =>
    event.change === "delete" || event.failing
      ? wakeCluster(event, clusterOfPod(event.object.name), "high")
      : NOTHING,
};
