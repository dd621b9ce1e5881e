/**
 * Brings the system's own programs that a node needs, with the system's package tool.
 *
 * Asks for nothing that is there already, starts no service, and stops with one sentence where it
 * cannot help. Never guesses at other systems' package names.
 */

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { attempt, LocalError, run } from "./process.ts";

/** A program (or an absolute path) and the Debian package that has it. */
type Wanted = readonly [program: string, debianPackage: string];

const ofNode: readonly Wanted[] = [
  ["nsenter", "util-linux"],
  ["flock", "util-linux"],
  ["ip", "iproute2"],
  ["sysctl", "procps"],
  ["mount", "mount"],
  ["iptables", "iptables"],
  ["conntrack", "conntrack"],
  ["containerd", "containerd"],
  ["runc", "runc"],
  ["/usr/lib/cni/bridge", "containernetworking-plugins"],
  ["debootstrap", "debootstrap"],
  ["/etc/ssl/certs/ca-certificates.crt", "ca-certificates"],
];

export async function ensurePackages(wanted: readonly Wanted[] = ofNode): Promise<void> {
  if (process.platform !== "linux") {
    throw new LocalError(
      "a local cluster needs Linux; with another cluster, say --context NAME of your kubeconfig",
      2,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new LocalError(
      "a local cluster needs root (namespaces, mounts, containers); run this with sudo, or say --context NAME",
      2,
    );
  }
  const missing = [...new Set(wanted.filter(([path]) => !isThere(path)).map(([, name]) => name))];
  if (missing.length === 0) return;
  if (!isThere("apt-get")) {
    throw new LocalError(`please install these first: ${missing.join(", ")}`, 2);
  }
  await aptInstall(missing);
}

/** Where a program of the system is; undefined if it is not. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...folders, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin", "/usr/lib/go/bin"]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

async function aptInstall(packages: readonly string[]): Promise<void> {
  const env = {
    DEBIAN_FRONTEND: "noninteractive",
    // The packages' scripts take this for single-user mode and start no service.
    RUNLEVEL: "1",
  };
  const install = ["install", "--yes", "--no-install-recommends", ...packages];
  const first = await attempt("apt-get", install, { env });
  if (first.code === 0) return;
  // The usual reason is a package list that is missing or old.
  await run("apt-get", ["update"], { env });
  await run("apt-get", install, { env });
}

function isThere(path: string): boolean {
  return path.startsWith("/") ? existsSync(path) : findProgram(path) !== undefined;
}
