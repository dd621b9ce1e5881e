/**
 * The cgroup that holds a cluster's pods: one folder of the same name in each mounted hierarchy.
 *
 * Works with version 1 (a hierarchy per controller), version 2 (one) and both at once. Never
 * removes a cgroup whose top folder does not carry the instance's own name.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, LocalError } from "./process.ts";

export function makeCgroup(name: string): void {
  for (const { root, version } of hierarchies()) {
    if (version === 2) delegateControllers(root);
    const folder = join(root, name);
    mkdirSync(folder, { recursive: true });
    if (version === 2) delegateControllers(folder);
    // A new cpuset of version 1 is empty, and nothing can run in it before it has processors.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (version === 1 && existsSync(join(folder, file))) {
        writeFileSync(join(folder, file), readFileSync(join(root, file)));
      }
    }
  }
}

export async function removeCgroup(name: string): Promise<void> {
  for (const { root } of hierarchies()) {
    const folder = join(root, name);
    // Processes that were just killed leave their cgroup a little later.
    const gone = await eventually(() => Promise.resolve(removeTree(folder)), 5000, 50);
    if (!gone) throw new LocalError(`the cgroup ${folder} is still in use`);
  }
}

function hierarchies(): readonly { readonly root: string; readonly version: 1 | 2 }[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, root, type]) => root?.startsWith("/sys/fs/cgroup") && type?.startsWith("cgroup"))
    .map(([, root = "", type]) => ({ root, version: type === "cgroup2" ? 2 : 1 }) as const);
}

function delegateControllers(folder: string): void {
  const offered = readFileSync(join(folder, "cgroup.controllers"), "utf8").trim();
  for (const controller of offered.split(" ").filter((word) => word !== "")) {
    try {
      writeFileSync(join(folder, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // Some controllers refuse; the kubelet names the ones that it misses.
    }
  }
}

function removeTree(folder: string): boolean {
  if (!existsSync(folder)) return true;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeTree(join(folder, entry.name))) return false;
    }
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}
