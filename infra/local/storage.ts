/**
 * The default StorageClass: a claim gets a folder on this machine, and a deleted claim's is removed.
 *
 * The controller-manager's own provisioner does it, so binding, reclaiming and their timing are
 * Kubernetes'. Folders are not limited in size, whatever a claim asks for.
 */

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
