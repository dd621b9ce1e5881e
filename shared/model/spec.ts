/**
 * What the user asked for, parsed from the annotations of the StatefulSet by shared/annotations.
 */

export interface Spec {
  readonly engine: "mysql";
  /** Secret with `password` and, unless the account is `root`, `username`. */
  readonly credentials: string;
  /** A replica further behind than this leaves the `<name>-replicas` Service. Milliseconds. */
  readonly maxLagMs: number;
  /** True: look and report, change nothing. */
  readonly paused: boolean;
}

/** Asked for at release, when `ordinal.dev/engine` is already gone. */
export type ServicesOnRelease = "keep" | "remove";
