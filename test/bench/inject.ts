/**
 * The faults of the failover bench, each made once on the primary of a trial. Where a fault lasts, the outage
 * that ends it is handed back; nothing here waits for what follows.
 */
import { inject, serverProcess } from "../support/faults.ts";
import type { Outage } from "../support/outages.ts";
import { Unmet } from "../support/wait.ts";
import type { PodSeen } from "../support/world.ts";
import type { BenchPlace } from "./place.ts";
import { diskOf } from "./small-volumes.ts";
import { primaryPod, replicaPods, type Trial } from "./trial.ts";

export const FAULTS = [
  "kill",
  "sigterm",
  "delete-pod",
  "sigstop",
  "cut",
  "node",
  "disk-full",
  "restart-all",
] as const;
export type FaultName = (typeof FAULTS)[number];

export interface Injured {
  /** Milliseconds since 1970, just before the fault was made. */
  readonly atMs: number;
  /** Null when the fault does not last. */
  readonly outage: Outage | null;
}

function kubeletOf({ status }: BenchPlace): number {
  const pid = status.components?.["kubelet"] ?? 0;
  if (pid === 0) throw new Unmet("the kubelet of this cluster is not known");
  return pid;
}

async function make(place: BenchPlace, trial: Trial, name: FaultName, pod: PodSeen): Promise<Outage | null> {
  const { outages, cluster } = place;
  const target = { namespace: trial.ref.namespace, pod: pod.name, uid: pod.uid, claim: `data-${pod.name}` };
  switch (name) {
    case "kill":
      await inject(cluster, "kill", target);
      return null;
    case "sigterm":
      await inject(cluster, "terminate", target);
      return null;
    case "delete-pod":
      await inject(cluster, "delete-pod", target);
      return null;
    case "sigstop":
      return await outages.stopServer(pod.uid);
    case "cut":
      return await outages.cut(pod.uid);
    case "node": {
      // The kubelet first: nobody may see the end of the server, or start it again.
      const outage = await outages.stopPart(kubeletOf(place));
      await inject(cluster, "kill", target);
      return outage;
    }
    case "disk-full":
      return await outages.fill(diskOf(place, pod.name));
    case "restart-all": {
      const all = [pod, ...(await replicaPods(trial))].map(({ uid }) => serverProcess(uid));
      for (const pid of all) process.kill(pid, "SIGKILL");
      return null;
    }
  }
}

export async function injure(place: BenchPlace, trial: Trial, name: FaultName): Promise<Injured> {
  const pod = await primaryPod(trial);
  const atMs = Date.now();
  return { atMs, outage: await make(place, trial, name, pod) };
}
