/**
 * What a run of the model is bounded by, and which single rule of the protocol it breaks, if any. A variant is a
 * rule left out; each must lead to a violation, else the model could not have noticed its absence in the intact
 * protocol either.
 */

export type Scope =
  /** Claims, elections, reopening, rejoining. */
  | "failover"
  /** One established primary: ackers leave and come back, the ack count goes down and up; then a failover. */
  | "reconfigure";

export type Variant =
  /** The lock is taken and the register not read again. */
  | "no-fenced-recheck"
  /** Another executor that takes the lock does not end the session that held it. */
  | "lock-survives-takeover"
  /** A receiver that is seen off counts as revoked although an executor holds that server's lock. */
  | "revoked-without-lock"
  /** One acker is enough for an election. */
  | "election-without-quorum"
  /** Any acker that was reached is elected. */
  | "election-not-of-the-newest"
  /** A candidate that is still writable, or where commits wait, is elected. */
  | "candidate-not-closed"
  /** Who is not reached by a fenced session is recorded as an acker of the candidate. */
  | "acker-without-session"
  /** An acker whose receiver is still on counts as revoked. */
  | "receiver-still-on"
  /** A read-only primary counts as settled although commits wait there. */
  | "settled-with-waiters"
  /** `open` is recorded before ackers were seen to hold everything. */
  | "open-before-holders"
  /** The same, and elections need the quorum of both configurations. */
  | "joint-quorum"
  /** An opened configuration is kept beside the established one, and forgotten at the next election. */
  | "opened-not-established"
  /** Only receivers are started without a fenced session. */
  | "stale-receiver-start"
  /** Whoever is not recorded as an acker may still reach the candidate that is opened. */
  | "opened-without-lock-out"
  /** Routed as soon as the candidate is writable. */
  | "route-before-term"
  /** A term row on the candidate counts, whether ackers hold it or not. */
  | "term-row-unverified"
  /** An acker acknowledges before it is recorded. */
  | "enabled-before-recorded"
  /** An acker is removed before enough others hold everything. */
  | "removed-without-catch-up"
  /** An acker is removed although the primary still lets it in. */
  | "removed-without-lock-out"
  /** The primary's ack count is lowered before it is recorded. */
  | "lowered-on-primary-first"
  /** A raised ack count is recorded before enough ackers hold everything. */
  | "raised-without-catch-up"
  /** The same while an executor that is to lower it holds the primary's lock. */
  | "raised-without-session"
  /** Primaries may be stopped gracefully, which answers OK to every commit that waits. */
  | "graceful-stop"
  /** The same, and no election goes past a primary that is known to have been stopped so. */
  | "graceful-stop-waited-for";

export interface Rules {
  readonly members: number;
  /** Client transactions that may be outstanding at one time: not yet on every member. */
  readonly transactions: number;
  /** How often the epoch may be raised. */
  readonly epochs: number;
  readonly scope: Scope;
  readonly variant: Variant | null;
  /** True: looking at the servers and taking the lock are two steps, with everything else in between. */
  readonly plansApart: boolean;
  /** Acknowledgements that an intact configuration waits for. */
  readonly ackCount: number;
}
