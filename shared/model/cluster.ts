/**
 * What names a cluster, and what wakes it. A wake carries a name, a cause and what it is traced by, and nothing else: truth is
 * read afresh in every pass, so a lost, late, doubled or forged wake is harmless.
 */
import type { TraceOrigin } from "./trace-origin.ts";

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
  /** In which traces the events were sent that woke it; absent = in none. */
  readonly origins?: readonly TraceOrigin[];
}

export function clusterKey(ref: ClusterRef): string {
  return `${ref.namespace}/${ref.name}`;
}
