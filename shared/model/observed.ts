/**
 * One immutable, serialisable snapshot of a cluster: the only input of a decision, so that any pass can
 * be replayed from a file.
 */

import type { ArchiveReport, BackupMemory } from "./backup.ts";
import type { ClusterRef } from "./cluster.ts";
import type { Condition, Problem } from "./condition.ts";
import type { Job, PersistentVolumeClaim, Pod, Service, StatefulSet } from "./kube.ts";
import type { RestoreMemory } from "./restore.ts";
import type { ServerObservation } from "./server.ts";
import type { ServicesOnRelease, Spec } from "./spec.ts";
import type { HistoryEntry, State } from "./state.ts";

export type StateObservation =
  | { readonly kind: "none" }
  | { readonly kind: "valid"; readonly state: State }
  | { readonly kind: "foreign"; readonly clusterUid: string }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "invalid"; readonly reason: string };

export type BackupsObservation =
  | { readonly kind: "none" }
  | { readonly kind: "valid"; readonly memory: BackupMemory }
  | { readonly kind: "newer"; readonly version: number }
  /** Broken, or another cluster's. */
  | { readonly kind: "invalid" };

export type RestoreObservation =
  | { readonly kind: "none" }
  | { readonly kind: "valid"; readonly memory: RestoreMemory }
  | { readonly kind: "newer"; readonly version: number }
  /** Broken, or another cluster's. */
  | { readonly kind: "invalid" };

/** The Job of something under way, read by the name that it must have. */
export type JobObservation =
  /** Nothing is under way, or there is no such Job. */
  | { readonly kind: "absent" }
  /** The name is used by a Job that is not ours. */
  | { readonly kind: "taken" }
  | { readonly kind: "unreadable"; readonly reason: string }
  /** `said`: the last words of one that succeeded, where they are known. */
  | { readonly kind: "found"; readonly job: Job; readonly said?: string };

/** What the user's annotations say. `spec` is null while Ordinal is not asked to manage this set. */
export interface Wish {
  readonly managed: boolean;
  /** Parsed, with defaults in place of what could not be read; null only without a usable engine or credentials. */
  readonly spec: Spec | null;
  readonly problems: readonly Problem[];
  readonly servicesOnRelease: ServicesOnRelease;
}

export interface Member {
  readonly ordinal: number;
  readonly podName: string;
  /** The name by which other members reach it. */
  readonly host: string;
  readonly pod: Pod | null;
  readonly claim: PersistentVolumeClaim | null;
  readonly server: ServerObservation;
}

export type SecretObservation =
  | { readonly kind: "missing" }
  | { readonly kind: "malformed"; readonly reason: string }
  /** The name is used by an object that is not ours. */
  | { readonly kind: "taken" }
  | { readonly kind: "found"; readonly uid: string; readonly keys: readonly string[] };

export type ServiceObservation =
  | { readonly kind: "missing" }
  | { readonly kind: "taken" }
  | { readonly kind: "found"; readonly service: Service };

export interface Observed {
  readonly ref: ClusterRef;
  readonly set: StatefulSet;
  readonly wish: Wish;
  readonly state: StateObservation;
  readonly conditions: readonly Condition[];
  readonly history: readonly HistoryEntry[];
  /** Bytes of all annotation keys and values on the StatefulSet, other people's included. */
  readonly annotationBytes: number;
  /** The user's Secret. Its values stay in the connection layer and are not part of a snapshot. */
  readonly credentials: SecretObservation;
  /** Ours, with the control and replication passwords. */
  readonly accounts: SecretObservation;
  readonly services: { readonly primary: ServiceObservation; readonly replicas: ServiceObservation };
  readonly backups: BackupsObservation;
  /** Of this host; null = it does not archive this cluster. */
  readonly archive: ArchiveReport | null;
  readonly restore: RestoreObservation;
  readonly jobs: {
    readonly backup: JobObservation;
    readonly proof: JobObservation;
    /** Of the restore that is remembered, in the order of `restoreJobs`. */
    readonly restore: readonly JobObservation[];
  };
  readonly members: readonly Member[];
  /** Pods of the set beyond its replica count, still there. */
  readonly surplus: readonly Pod[];
  /** What a server or the API refused earlier in this pass, in one sentence; repeating it is useless for now. */
  readonly refusal: string | null;
  /**
   * False when Secrets, claims and Services are a resident host's memory of an earlier pass. Such a
   * snapshot may only ever lead to "nothing to do"; any plan is decided again on a full one.
   */
  readonly full: boolean;
}
