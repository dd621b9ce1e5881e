/** A StatefulSet came, went or changed (annotations, replicas, image), or one of our Services was touched. */
import { clusterOfService, type EventFunction, wakeCluster } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "cluster-changed",
  on: "change",
  accepts: [
    { kind: "StatefulSet", changes: ["add", "update", "delete"] },
    { kind: "Service", changes: ["update", "delete"] },
  ],
  handle: (event) => {
    const { kind, name } = event.object;
    return wakeCluster(event, kind === "Service" ? clusterOfService(name) : name, "normal");
  },
};
