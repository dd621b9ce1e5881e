/**
 * The Kubernetes API as Ordinal uses it: five calls and a watch. Every read is a quorum read (no cache,
 * no resourceVersion=0); every change of an existing object carries its uid, and a compare-and-swap also
 * its resourceVersion.
 */

import type { Changes } from "../model/changes.ts";
import type { Kind, KubeKinds, ObjectRef } from "../model/kube.ts";
import type { Outcome } from "../model/outcome.ts";

export interface Patch {
  readonly uid: string;
  /** With it the patch is a compare-and-swap: `conflict` when the object changed since. */
  readonly resourceVersion?: string;
  readonly labels?: Changes;
  readonly annotations?: Changes;
  /** StatefulSets only. */
  readonly replicas?: number;
  /** `spec.updateStrategy.rollingUpdate.partition` of a StatefulSet. */
  readonly partition?: number;
  /** Secrets only: values in clear, encoded by the adapter. */
  readonly values?: Changes;
  /** Services only. Keys that are not named are taken away. */
  readonly selector?: Readonly<Record<string, string>>;
}

/** What may be created; `spec` depends on the kind and is passed through whole. */
export interface Manifest {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
  };
  /** All fields beside apiVersion, kind and metadata. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ListOptions {
  /** Absent = all namespaces. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Kube {
  /** `gone` when it does not exist. */
  read<K extends Kind>(kind: K, ref: ObjectRef): Promise<Outcome<KubeKinds[K]>>;
  list<K extends Kind>(kind: K, options: ListOptions): Promise<Outcome<readonly KubeKinds[K][]>>;
  /** `conflict` when the name exists already. */
  create<K extends Kind>(kind: K, manifest: Manifest): Promise<Outcome<KubeKinds[K]>>;
  /** `conflict` on another uid or resourceVersion, `gone` when it does not exist. */
  patch<K extends Kind>(kind: K, ref: ObjectRef, patch: Patch): Promise<Outcome<KubeKinds[K]>>;
  /** Succeeds when it is already gone; `conflict` on another uid, or on another resourceVersion if one is given. */
  remove(
    kind: Kind,
    ref: ObjectRef & { readonly uid: string; readonly resourceVersion?: string },
  ): Promise<Outcome<null>>;
}

export type WatchEventType = "add" | "update" | "delete";

/**
 * A list followed by a watch, for ever: bookmarks, paging, back-off, and a new list when the server has
 * forgotten our place or at the latest every `relistMs`. `onEvent` must only enqueue. Changes that happened
 * while nobody watched are found by comparing the new list with what was seen before.
 */
export interface Watches {
  watch<K extends Kind>(
    kind: K,
    options: ListOptions,
    onEvent: (type: WatchEventType, object: KubeKinds[K]) => void,
  ): { close(): void /** Resolves after the first complete list. */; readonly synced: Promise<void> };
}
