/** A Pod came or changed, so a member may have become ready: its cluster is looked at. */
import { clusterOfPod, type EventFunction, wakeCluster } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "pod-ready",
  on: "change",
  accepts: [{ kind: "Pod", changes: ["add", "update"] }],
  handle: (event) => wakeCluster(event, clusterOfPod(event.object.name), "normal"),
};
