/**
 * Volumes that are full when they are full: the local cluster's own are folders of the machine's disk, which
 * nobody may fill. These are file systems in memory, bounded in size, mounted inside the cluster's walls only
 * and gone with it. What is measured on them says nothing of a disk's speed.
 */

import { readRecord } from "../../infra/local/instance.ts";
import { runInside } from "../../infra/local/namespaces.ts";
import { Unmet } from "../support/wait.ts";
import type { SetRef } from "../support/world.ts";
import type { BenchPlace } from "./place.ts";

const SIZE_MB = 900;
const ORDINALS = [0, 1, 2];

function initOf({ status }: BenchPlace): number {
  const pid = readRecord(status.name)?.init?.pid;
  if (pid === undefined) throw new Unmet(`${status.name} is no local cluster`);
  return pid;
}

function inside(pod: string): string {
  return `/tmp/small-${pod}`;
}

/** The folder as this machine sees it. */
export function diskOf(place: BenchPlace, pod: string): string {
  return `/proc/${initOf(place)}/root${inside(pod)}`;
}

function volume(pod: string, { namespace }: SetRef): object {
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: `small-${pod}` },
    spec: {
      accessModes: ["ReadWriteOnce"],
      capacity: { storage: "1Gi" },
      claimRef: { namespace, name: `data-${pod}` },
      hostPath: { path: inside(pod) },
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "standard",
    },
  };
}

export async function mountSmallVolumes(place: BenchPlace, ref: SetRef): Promise<void> {
  await unmountSmallVolumes(place, ref);
  for (const pod of ORDINALS.map((ordinal) => `${ref.name}-${ordinal}`)) {
    const folder = inside(pod);
    await runInside(initOf(place), "mkdir", ["-p", folder]);
    await runInside(initOf(place), "mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m`, "tmpfs", folder]);
    await place.cluster.kubectl(["apply", "--filename=-"], JSON.stringify(volume(pod, ref)));
  }
}

export async function unmountSmallVolumes(place: BenchPlace, ref: SetRef): Promise<void> {
  for (const pod of ORDINALS.map((ordinal) => `${ref.name}-${ordinal}`)) {
    await place.cluster.kubectl(["delete", "pv", `small-${pod}`, "--ignore-not-found", "--timeout=60s"]);
    const folder = inside(pod);
    // What is not mounted is not there to be taken away.
    await runInside(initOf(place), "umount", [folder]).catch(() => undefined);
  }
}
