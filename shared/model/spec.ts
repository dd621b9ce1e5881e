/**
 * What the user asked for, parsed from the annotations of the StatefulSet by shared/annotations.
 */

import type { BackupSpec } from "./backup.ts";
import type { RestoreWish } from "./restore.ts";

export interface Spec {
  readonly engine: "mysql";
  /** Secret with `password` and, unless the account is `root`, `username`. */
  readonly credentials: string;
  /** A replica further behind than this leaves the `<name>-replicas` Service. Milliseconds. */
  readonly maxLagMs: number;
  /** True: look and report, change nothing. */
  readonly paused: boolean;
  /** `manual`: a failover is planned and told, and waits for `approvedEpoch`. */
  readonly failover: "auto" | "manual";
  /** Least time between two failovers, doubled by each within a day; 0 = no limit. Milliseconds. */
  readonly failoverCooldownMs: number;
  /** How long a primary that stopped in good order is waited for, since it may hold the only copy. Milliseconds. */
  readonly gracefulWaitMs: number;
  /** Whether a primary that restarts waits for Ordinal, or takes writes as soon as its ackers are back. */
  readonly onRestart: "wait" | "resume";
  /** How many members there should be; null = as many as the StatefulSet says. */
  readonly replicas: number | null;
  /** Name of the pod that is to be the primary; answered once. */
  readonly switchoverTo: string | null;
  /** The failover into this epoch is approved. */
  readonly approvedEpoch: number | null;
  /** In this epoch acknowledged commits may be lost, because a person says so. */
  readonly lossAcceptedEpoch: number | null;
  /** Null = no backups are asked for, or it cannot be read what is asked for. */
  readonly backup: BackupSpec | null;
  /** What is to be restored; carried out once for each `id`. */
  readonly restore: RestoreWish | null;
  /** The restore of this id is to be undone; answered once. */
  readonly restoreUndo: string | null;
  /** What the restore of this id has set aside is to be deleted; answered once. */
  readonly restoreForget: string | null;
}

/** What holds where nothing is said. */
export const SPEC_DEFAULTS = {
  maxLagMs: 10_000,
  paused: false,
  failover: "auto",
  failoverCooldownMs: 600_000,
  gracefulWaitMs: 60_000,
  onRestart: "wait",
  replicas: null,
  switchoverTo: null,
  approvedEpoch: null,
  lossAcceptedEpoch: null,
  backup: null,
  restore: null,
  restoreUndo: null,
  restoreForget: null,
} as const satisfies Partial<Spec>;

/** Asked for at release, when `ordinal.dev/engine` is already gone. */
export type ServicesOnRelease = "keep" | "remove";
