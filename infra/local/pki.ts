/**
 * The keys, certificates and kubeconfigs of one instance, under its `pki` folder.
 *
 * Each part of the cluster has an identity of its own, so that authorisation and the audit log
 * mean something. Nothing is shared between instances, and nothing leaves the folder.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Instance } from "./instance.ts";
import { run } from "./process.ts";

export const identities = [
  { file: "admin", name: "ordinal-local-admin", groups: ["system:masters"] },
  { file: "kube-controller-manager", name: "system:kube-controller-manager", groups: [] },
  { file: "kube-scheduler", name: "system:kube-scheduler", groups: [] },
  { file: "kube-proxy", name: "system:kube-proxy", groups: [] },
  { file: "coredns", name: "system:coredns", groups: [] },
] as const;

export function pkiFile(instance: Instance, name: string): string {
  return join(instance.folder, "pki", name);
}

export function kubeconfigOf(instance: Instance, identity: string): string {
  return identity === "admin"
    ? join(instance.folder, "kubeconfig")
    : pkiFile(instance, `${identity}.kubeconfig`);
}

export async function makePki(instance: Instance, kube: string): Promise<void> {
  const folder = pkiFile(instance, "");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (existsSync(join(folder, "done"))) return;
  const { nodeAddress, nodeName } = instance;
  const wishes = [
    { file: "ca", name: `ordinal-local-${instance.name}`, groups: [], hosts: [] },
    { file: "apiserver", name: "kube-apiserver", groups: [], hosts: apiServerHosts(instance) },
    { file: "apiserver-kubelet", name: "kube-apiserver", groups: ["system:masters"], hosts: [] },
    { file: "service-accounts", name: "service-accounts", groups: [], hosts: [] },
    { ...kubeletIdentity(instance), hosts: [nodeAddress, nodeName] },
    ...identities.map((identity) => ({ ...identity, hosts: [] })),
  ];
  await run(kube, ["pki", folder], { input: JSON.stringify(wishes) });
  for (const { file } of [...identities, kubeletIdentity(instance)]) {
    writeFileSync(kubeconfigOf(instance, file), kubeconfig(instance, file), { mode: 0o600 });
  }
  writeFileSync(join(folder, "done"), "");
}

/** The Node authoriser lets a kubelet see only what belongs to the node of this name. */
function kubeletIdentity(instance: Instance) {
  return { file: "kubelet", name: `system:node:${instance.nodeName}`, groups: ["system:nodes"] };
}

function apiServerHosts(instance: Instance): readonly string[] {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  return [
    instance.nodeAddress,
    instance.apiServiceAddress,
    "127.0.0.1",
    ...service,
    "kubernetes.default.svc.cluster.local",
  ];
}

function kubeconfig(instance: Instance, identity: string): string {
  const inline = (name: string) => readFileSync(pkiFile(instance, name)).toString("base64");
  const name = `ordinal-${instance.name}`;
  const content = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server: `https://${instance.nodeAddress}:6443`,
          "certificate-authority-data": inline("ca.crt"),
        },
      },
    ],
    users: [
      {
        name,
        user: {
          "client-certificate-data": inline(`${identity}.crt`),
          "client-key-data": inline(`${identity}.key`),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name, namespace: "default" } }],
    "current-context": name,
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}
