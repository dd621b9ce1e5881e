/**
 * CoreDNS as the cluster's DNS server, on the node's address.
 *
 * It runs beside the cluster's programs and not as a pod, so names resolve from the first pod on.
 * It forwards nothing: a test that depends on a name outside must fail here.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Component, isListening } from "./components.ts";
import type { Instance } from "./instance.ts";
import { kubeconfigOf } from "./pki.ts";

export function coreDns(instance: Instance, program: string): Component {
  const corefile = join(instance.folder, "node", "Corefile");
  writeFileSync(corefile, corefileOf(instance));
  return {
    name: "coredns",
    program,
    args: [`-conf=${corefile}`],
    answers: () => isListening(instance.nodeAddress, 53),
  };
}

// A short cache: pods change their addresses while tests watch.
function corefileOf(instance: Instance): string {
  return `.:53 {
  bind ${instance.nodeAddress}
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfigOf(instance, "coredns")}
    ttl 5
  }
  cache 5
}
`;
}

export const dnsManifest = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: system:coredns
rules:
  - apiGroups: [""]
    resources: [endpoints, services, pods, namespaces]
    verbs: [list, watch]
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: system:coredns
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: system:coredns
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: system:coredns
`;
