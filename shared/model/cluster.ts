/**
 * What names a cluster, and what wakes it. A wake carries a name and a cause and nothing else: truth is
 * read afresh in every pass, so a lost, late, doubled or forged wake is harmless.
 */

/** A managed StatefulSet by name. */
export interface ClusterRef {
  readonly namespace: string;
  readonly name: string;
}

export type Priority = "high" | "normal";

export interface Wake {
  readonly ref: ClusterRef;
  /** Which function woke it and on what; for logs and for the queue's order only, never for a decision. */
  readonly cause: string;
  readonly priority: Priority;
}

export function clusterKey(ref: ClusterRef): string {
  return `${ref.namespace}/${ref.name}`;
}
