/**
 * The default StorageClass: a claim gets a folder on this machine, and a deleted claim's is removed.
 *
 * The controller-manager's own provisioner does it, so binding, reclaiming and their timing are
 * Kubernetes'. Folders are not limited in size, whatever a claim asks for. A program of ours opens them to all users, since
 * nobody gives them to the group of a pod.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Component } from "./components.ts";
import type { Instance } from "./instance.ts";

/** Built into the controller-manager, which makes them under /tmp; inside, that is the instance's own folder. */
const folder = "hostpath_pv";

export function volumeOpener(instance: Instance, init: string): Component {
  return {
    name: "volumes",
    program: init,
    args: ["volumes", `/tmp/${folder}`],
    answers: () => Promise.resolve(existsSync(join(instance.folder, "volumes", folder))),
  };
}

export const storageManifest = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: kubernetes.io/host-path
reclaimPolicy: Delete
volumeBindingMode: Immediate
`;
