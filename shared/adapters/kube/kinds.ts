/** Which API serves each kind, and where. How an object is read is in objects.ts. */
import type { Kind, ObjectRef } from "../../model/kube.ts";

export const KINDS: Readonly<Record<Kind, { readonly apiVersion: string; readonly plural: string }>> = {
  StatefulSet: { apiVersion: "apps/v1", plural: "statefulsets" },
  Pod: { apiVersion: "v1", plural: "pods" },
  PersistentVolumeClaim: { apiVersion: "v1", plural: "persistentvolumeclaims" },
  Secret: { apiVersion: "v1", plural: "secrets" },
  Service: { apiVersion: "v1", plural: "services" },
  Job: { apiVersion: "batch/v1", plural: "jobs" },
  Event: { apiVersion: "events.k8s.io/v1", plural: "events" },
};

/** The path of a collection (all namespaces without one), or of the object when it is named. */
export function pathOf(kind: Kind, where: Partial<ObjectRef>): string {
  const { apiVersion, plural } = KINDS[kind];
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const space = where.namespace === undefined ? "" : `/namespaces/${encodeURIComponent(where.namespace)}`;
  const name = where.name === undefined ? "" : `/${encodeURIComponent(where.name)}`;
  return `${root}${space}/${plural}${name}`;
}
