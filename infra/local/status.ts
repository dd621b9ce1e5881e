/**
 * What a local cluster is right now, for people and for programs.
 *
 * Looks, and changes nothing. The answer has the same fields whether the cluster runs or not, so a
 * reader never has to guess; fields that make sense only for a cluster of ours are then absent.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { apiIsReady } from "./api.ts";
import { livingComponent } from "./components.ts";
import { auditLogOf } from "./control-plane.ts";
import { folderOf, type Instance, instanceOf, readRecord } from "./instance.ts";
import { findProgram } from "./packages.ts";
import { kubeconfigOf } from "./pki.ts";
import { attempt, isAlive, LocalError } from "./process.ts";
import { readS3Access, type S3Access } from "./s3.ts";

export type ClusterStatus = {
  readonly running: boolean;
  readonly name: string;
  readonly kubeconfig: string;
  /** The kubeconfig's context to use; absent for a cluster of ours, whose kubeconfig has one. */
  readonly context?: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly s3?: S3Access;
  readonly auditLog?: string;
  readonly kubectl?: string;
  readonly folder?: string;
  /** Each component's process id as this machine sees it, 0 if it does not run. */
  readonly components?: Readonly<Record<string, number>>;
};

export const componentNames = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "containerd",
  "kubelet",
  "kube-proxy",
  "coredns",
  "s3",
  "volumes",
] as const;

const factsSchema = z.object({
  kubectl: z.string(),
  versions: z.record(z.string(), z.string()),
});

/** What does not change while the instance lives, written by `up`. */
export type InstanceFacts = z.infer<typeof factsSchema>;

export function writeFacts(folder: string, facts: InstanceFacts): void {
  writeFileSync(join(folder, "facts.json"), JSON.stringify(facts, undefined, 2));
}

export async function localStatus(name: string): Promise<ClusterStatus> {
  const folder = folderOf(name);
  const record = readRecord(name);
  const factsFile = join(folder, "facts.json");
  if (record === undefined || !existsSync(factsFile)) {
    return { running: false, name, kubeconfig: join(folder, "kubeconfig"), versions: {} };
  }
  const instance = instanceOf(record);
  const facts = factsSchema.parse(JSON.parse(readFileSync(factsFile, "utf8")));
  const components = Object.fromEntries(
    componentNames.map((part) => [part, livingComponent(folder, part)?.pid ?? 0]),
  );
  const s3 = readS3Access(folder);
  const running =
    record.readyAt !== undefined &&
    record.init !== undefined &&
    isAlive(record.init) &&
    Object.values(components).every((pid) => pid !== 0) &&
    (await apiIsReady(instance));
  return { running, ...describe(instance, facts), ...(s3 === undefined ? {} : { s3 }), components };
}

function describe(instance: Instance, facts: InstanceFacts) {
  return {
    name: instance.name,
    kubeconfig: kubeconfigOf(instance, "admin"),
    versions: facts.versions,
    auditLog: auditLogOf(instance.folder),
    kubectl: facts.kubectl,
    folder: instance.folder,
  };
}

/** The status of a cluster that is not ours: we look at it with the kubectl that its user has. */
export async function contextStatus(context: string): Promise<ClusterStatus> {
  const kubectl = findProgram("kubectl");
  if (kubectl === undefined) {
    throw new LocalError("--context needs kubectl on the PATH, to reach your cluster", 2);
  }
  const answer = await attempt(kubectl, ["--context", context, "version", "--output=json"]);
  const version = answer.stdout.match(/"serverVersion"[^}]*"gitVersion": "v([^"]+)"/)?.[1];
  return {
    running: answer.code === 0 && version !== undefined,
    name: context,
    context,
    kubeconfig: process.env["KUBECONFIG"] ?? join(homedir(), ".kube", "config"),
    versions: version === undefined ? {} : { kubernetes: version },
    kubectl,
  };
}
