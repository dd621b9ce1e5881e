/**
 * etcd, the API server, the controller-manager and the scheduler of one instance.
 *
 * Real programs with their defaults wherever a default will do. etcd does not wait for the disk,
 * because a cluster for tests may lose its state with the machine; no database here may copy that.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiIsReady, askApi } from "./api.ts";
import type { Component } from "./components.ts";
import type { Instance } from "./instance.ts";
import { inside } from "./namespaces.ts";
import { kubeconfigOf, pkiFile } from "./pki.ts";
import { attempt } from "./process.ts";

const etcdEndpoint = "http://127.0.0.1:2379";

export function auditLogOf(folder: string): string {
  return join(folder, "audit", "audit.log");
}

export function etcd(instance: Instance, kube: string, init: number): Component {
  const folder = join(instance.folder, "etcd");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    name: "etcd",
    program: kube,
    args: [
      "etcd",
      "--name=node-0",
      `--data-dir=${folder}`,
      "--unsafe-no-fsync",
      `--listen-client-urls=${etcdEndpoint}`,
      `--advertise-client-urls=${etcdEndpoint}`,
      "--listen-peer-urls=http://127.0.0.1:2380",
      "--initial-advertise-peer-urls=http://127.0.0.1:2380",
      "--initial-cluster=node-0=http://127.0.0.1:2380",
      "--log-level=warn",
    ],
    // etcd is reachable from inside only, so a look at the inside's sockets is the question.
    answers: async () => {
      const sockets = await attempt("nsenter", inside(init, "cat", ["/proc/net/tcp"]));
      return sockets.stdout.includes(":094B 00000000:0000 0A");
    },
  };
}

export function apiServer(instance: Instance, kube: string): Component {
  const pki = (name: string) => pkiFile(instance, name);
  const policy = join(instance.folder, "audit", "policy.yaml");
  mkdirSync(join(instance.folder, "audit"), { recursive: true });
  writeFileSync(policy, auditPolicy);
  return {
    name: "kube-apiserver",
    program: kube,
    args: [
      "kube-apiserver",
      `--etcd-servers=${etcdEndpoint}`,
      `--advertise-address=${instance.nodeAddress}`,
      "--bind-address=0.0.0.0",
      `--service-cluster-ip-range=${instance.serviceSubnet}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      `--client-ca-file=${pki("ca.crt")}`,
      `--tls-cert-file=${pki("apiserver.crt")}`,
      `--tls-private-key-file=${pki("apiserver.key")}`,
      // No certificate has this name: the parts only want to know whom they would believe.
      `--requestheader-client-ca-file=${pki("ca.crt")}`,
      "--requestheader-allowed-names=front-proxy-client",
      "--requestheader-username-headers=X-Remote-User",
      "--requestheader-group-headers=X-Remote-Group",
      "--requestheader-extra-headers-prefix=X-Remote-Extra-",
      `--kubelet-certificate-authority=${pki("ca.crt")}`,
      `--kubelet-client-certificate=${pki("apiserver-kubelet.crt")}`,
      `--kubelet-client-key=${pki("apiserver-kubelet.key")}`,
      "--kubelet-preferred-address-types=InternalIP",
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-account-key-file=${pki("service-accounts.crt")}`,
      `--service-account-signing-key-file=${pki("service-accounts.key")}`,
      `--audit-policy-file=${policy}`,
      `--audit-log-path=${auditLogOf(instance.folder)}`,
      "--audit-log-maxsize=1024",
      "--audit-log-maxbackup=1",
      "--profiling=false",
    ],
    answers: () => apiIsReady(instance),
  };
}

// One line for each request, written when it is answered: tests count requests by user agent. What accounts of pods
// change is kept with its body, so that tests can look for secrets in it; bodies that hold secrets by right are not.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    userGroups: ["system:serviceaccounts"]
    verbs: [create, update, patch]
    resources:
      - group: ""
        resources: [events, persistentvolumeclaims, pods, services]
      - group: apps
        resources: [statefulsets]
      - group: batch
        resources: [jobs]
      - group: events.k8s.io
        resources: [events]
  - level: Metadata
`;

export function controllerManager(instance: Instance, kube: string): Component {
  const kubeconfig = kubeconfigOf(instance, "kube-controller-manager");
  return {
    name: "kube-controller-manager",
    program: kube,
    args: [
      "kube-controller-manager",
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      "--use-service-account-credentials",
      `--service-account-private-key-file=${pkiFile(instance, "service-accounts.key")}`,
      `--root-ca-file=${pkiFile(instance, "ca.crt")}`,
      `--cluster-signing-cert-file=${pkiFile(instance, "ca.crt")}`,
      `--cluster-signing-key-file=${pkiFile(instance, "ca.key")}`,
      `--cluster-name=${instance.name}`,
      // There is one of each, so nobody has to win an election before work begins.
      "--leader-elect=false",
      // With the default limit, fetching some forty tokens takes the whole of the start.
      "--kube-api-qps=200",
      "--kube-api-burst=400",
      // Volumes are folders: the claim's volume is made, and removed, by the real controller.
      "--enable-hostpath-provisioner",
      "--profiling=false",
    ],
    answers: async () =>
      (await askApi(instance, "/api/v1/namespaces/default/serviceaccounts/default")).code === 200,
  };
}

export function scheduler(instance: Instance, kube: string): Component {
  const kubeconfig = kubeconfigOf(instance, "kube-scheduler");
  return {
    name: "kube-scheduler",
    program: kube,
    args: [
      "kube-scheduler",
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      "--profiling=false",
    ],
    // It opens no port before it works; pods that wait for it are what shows.
    answers: () => Promise.resolve(true),
  };
}
