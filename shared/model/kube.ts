/**
 * The few fields of Kubernetes objects that Ordinal looks at. Adapters parse real objects into these;
 * nothing here is ever written back whole, since a typed read-modify-replace would drop fields that it
 * does not know (writes are patches of our own keys).
 */

/** A name as Kubernetes wants it: a DNS-1123 subdomain. Its length, at most 253, is to be checked before. */
export const OBJECT_NAME: RegExp = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

export interface ObjectRef {
  readonly namespace: string;
  readonly name: string;
}

export interface ObjectMeta extends ObjectRef {
  readonly uid: string;
  /** Opaque; only ever compared for equality by the API server. */
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** uid of the controlling owner, else of the first owner. */
  readonly ownerUid: string | null;
  readonly deleting: boolean;
}

/** What a pod beside those of a set needs to run where they do. */
export interface PodTraits {
  /** Null = the set does not say. */
  readonly runAsUser: number | null;
  /** The group that may write to its volumes; null = the set does not say. */
  readonly fsGroup: number | null;
  /** Of the first volume claim template. */
  readonly storage: { readonly request: string; readonly className: string | null } | null;
  /** Fields of a pod's spec about where it may run and what it may pull, passed on as they are. */
  readonly placement: Readonly<Record<string, unknown>>;
}

export interface VolumeMount {
  /** Of the volume; that of a volume claim template has the template's name. */
  readonly name: string;
  readonly path: string;
  /** The folder of the volume that is mounted; null = the whole volume. */
  readonly subPath: string | null;
  /** That folder has another name in each pod, made of its environment. */
  readonly varies: boolean;
}

export interface SetContainer {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly number[];
  readonly mounts: readonly VolumeMount[];
}

export interface StatefulSet extends ObjectMeta {
  readonly generation: number;
  readonly replicas: number;
  /** Field manager that wrote `spec.replicas` last, by `metadata.managedFields`; null = it is not told. */
  readonly replicasBy: string | null;
  readonly matchLabels: Readonly<Record<string, string>>;
  /** The governing headless Service: pod DNS names are `<pod>.<serviceName>.<namespace>.svc`. */
  readonly serviceName: string;
  /** Names of the volume claim templates; empty means that the pods have no storage of their own. */
  readonly claimTemplates: readonly string[];
  /** Claims of members that are scaled away stay (`persistentVolumeClaimRetentionPolicy.whenScaled`). */
  readonly keepsClaims: boolean;
  /** Only one pod at a time can have such a volume (`ReadWriteOncePod`). */
  readonly hasExclusiveVolumes: boolean;
  readonly containers: readonly SetContainer[];
  readonly pods: PodTraits;
}

export interface Termination {
  readonly exitCode: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
}

export interface ContainerStatus {
  readonly name: string;
  readonly running: boolean;
  readonly restartCount: number;
  /** e.g. `CrashLoopBackOff`; null while it runs. */
  readonly reason: string | null;
  readonly exitCode: number | null;
  /** Its last words, for people, by whoever ran in it: some KiB at most. Absent = none, or it runs. */
  readonly said?: string;
  /** The process that ended last, also while another one runs; instants as milliseconds since 1970, by its node's clock. */
  readonly ended: Termination | null;
}

export interface Pod extends ObjectMeta {
  readonly ip: string | null;
  readonly phase: string;
  readonly ready: boolean;
  readonly containers: readonly ContainerStatus[];
}

export interface PersistentVolumeClaim extends ObjectMeta {
  readonly phase: string;
  /** What its volume holds at most; null = not known, as before there is one. */
  readonly capacityBytes: number | null;
}

export interface Secret extends ObjectMeta {
  /** Decoded from base64, as UTF-8. */
  readonly values: Readonly<Record<string, string>>;
}

export interface Service extends ObjectMeta {
  readonly selector: Readonly<Record<string, string>>;
}

export interface Job extends ObjectMeta {
  /** `active` until Kubernetes says how it ended, of itself or of its pod. */
  readonly result: "active" | "succeeded" | "failed";
  /** Milliseconds since 1970; null while it is active, and where nobody has said yet when it ended. */
  readonly endedAtMs: number | null;
  /** Why it failed, in Kubernetes' words; null when it did not. */
  readonly failure: string | null;
}

export interface KubeEvent extends ObjectMeta {
  readonly reason: string;
  readonly note: string;
}

export interface KubeKinds {
  readonly StatefulSet: StatefulSet;
  readonly Pod: Pod;
  readonly PersistentVolumeClaim: PersistentVolumeClaim;
  readonly Secret: Secret;
  readonly Service: Service;
  readonly Job: Job;
  readonly Event: KubeEvent;
}

export type Kind = keyof KubeKinds;
