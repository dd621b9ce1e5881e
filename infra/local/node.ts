/**
 * What runs on a node: containerd, the kubelet, kube-proxy, and the bridge network of its pods.
 *
 * The settings differ from the defaults only where a namespace on a small machine needs it; each
 * of those says why. Nothing here may change a setting of the machine outside the namespaces.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { askApi } from "./api.ts";
import type { Component } from "./components.ts";
import type { Instance } from "./instance.ts";
import { inside } from "./namespaces.ts";
import { images } from "./pins.ts";
import { kubeconfigOf, pkiFile } from "./pki.ts";
import { attempt } from "./process.ts";

/** Where containerd listens, as seen from inside; /run is the instance's own. */
export const containerdSocket = "/run/containerd/containerd.sock";

export function containerd(instance: Instance, program: string, ctr: string, init: number): Component {
  const folder = join(instance.folder, "node");
  const network = join(folder, "net.d");
  mkdirSync(network, { recursive: true });
  writeFileSync(join(network, "10-pods.conflist"), podNetwork(instance));
  const config = join(folder, "containerd.toml");
  writeFileSync(config, containerdConfig(network));
  return {
    name: "containerd",
    program,
    args: ["--config", config],
    answers: async () => {
      const outcome = await attempt("nsenter", inside(init, ctr, ["version"]));
      return outcome.code === 0;
    },
  };
}

// `restrict_oom_score_adj`: without CAP_SYS_RESOURCE no sandbox could lower its score, and none
// would start.
function containerdConfig(network: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${images.pause[0]}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${network}"
`;
}

function podNetwork(instance: Instance): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "pods",
        isGateway: true,
        // A pod that reaches itself through its own Service needs its packet back on its port.
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: instance.podSubnet }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}

export function kubelet(instance: Instance, kube: string): Component {
  const config = join(instance.folder, "node", "kubelet.json");
  writeFileSync(config, JSON.stringify(kubeletConfig(instance), undefined, 2));
  return {
    name: "kubelet",
    program: kube,
    args: [
      "kubelet",
      `--config=${config}`,
      `--kubeconfig=${kubeconfigOf(instance, "kubelet")}`,
      `--hostname-override=${instance.nodeName}`,
      `--node-ip=${instance.nodeAddress}`,
    ],
    answers: () => nodeIsReady(instance),
  };
}

const nodeSchema = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
});

async function nodeIsReady(instance: Instance): Promise<boolean> {
  const answer = await askApi(instance, `/api/v1/nodes/${instance.nodeName}`);
  if (answer.code !== 200) return false;
  const node = nodeSchema.safeParse(JSON.parse(answer.body));
  const conditions = node.data?.status.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

function kubeletConfig(instance: Instance): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pkiFile(instance, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: pkiFile(instance, "kubelet.crt"),
    tlsPrivateKeyFile: pkiFile(instance, "kubelet.key"),
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDNS: [instance.nodeAddress],
    clusterDomain: "cluster.local",
    // Pods resolve names of the cluster only; there is no way out of it.
    resolvConf: "",
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${instance.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // A full disk must not make the kubelet drop images, which cannot be fetched again.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
  };
}

export function kubeProxy(instance: Instance, kube: string): Component {
  return {
    name: "kube-proxy",
    program: kube,
    args: [
      "kube-proxy",
      `--kubeconfig=${kubeconfigOf(instance, "kube-proxy")}`,
      `--hostname-override=${instance.nodeName}`,
      `--cluster-cidr=${instance.podSubnet}`,
      "--proxy-mode=iptables",
      // The size of the connection table is the machine's.
      "--conntrack-max-per-core=0",
    ],
    answers: () => Promise.resolve(true),
  };
}
