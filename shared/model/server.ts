/**
 * What one database server said of itself when it was read. Engine-neutral: positions are opaque texts
 * that only the engine's position algebra compares.
 */

/** An engine's replication position in its canonical text, e.g. a MySQL GTID set. `""` is the empty one. */
export type Position = string;

export interface Channel {
  readonly sourceHost: string;
  /** Identity of the server that this one last received from; null before the first contact. */
  readonly sourceUuid: string | null;
  readonly receiver: "on" | "connecting" | "off";
  readonly applier: "on" | "off";
  /** Account used for receiving. */
  readonly account: string;
  readonly autoPosition: boolean;
  readonly tls: boolean;
  /** Connected, and without a sign of life from the source for this long, milliseconds; 0 = it hears from it, or nothing is known. */
  readonly silentMs: number;
  /**
   * How the source ended the last stream: `orderly` when it said so, as a server that is being stopped does, `cut`
   * when the connection just broke; null while it is connected, or when nothing is known.
   */
  readonly sourceLeft: "orderly" | "cut" | null;
  /** The source knows its account and lets nobody in with it. */
  readonly lockedOut: boolean;
  /** The source cannot send what it lacks, so its receiver has ended and ends again when it is started. */
  readonly starved: boolean;
  /** The server's own words; null while nothing is wrong. */
  readonly receiverError: string | null;
  readonly applierError: string | null;
}

/** What a server holds that is not its image's own. Read only while a member has no recorded place. */
export interface Survey {
  /** Schemas with at least one table, view, routine or event, other than the system's and ours. */
  readonly schemas: readonly string[];
}

/** One row of the replicated witness table: who was made primary, and when. */
export interface Term {
  readonly epoch: number;
  readonly clusterUid: string;
  readonly serverUuid: string;
  /** How often it was committed: every opening of this epoch adds one. */
  readonly opened: number;
}

/**
 * A tail that is kept in the database, every transaction of it. A server that was seeded again may give the
 * same GTIDs to other transactions, so it says something about the tail of its own epoch only.
 */
export interface Archive {
  /** In which it was kept. */
  readonly epoch: number;
  /** The server that held it. */
  readonly serverUuid: string;
  readonly gtids: Position;
}

export interface ServerFacts {
  readonly serverUuid: string;
  readonly version: string;
  /** What the server says it is, e.g. `MySQL` or `MariaDB`. */
  readonly flavor: string;
  /** Instant at which this server process started, milliseconds since 1970 by its own clock. */
  readonly startedAtMs: number;
  /** Its own clock when it was read, milliseconds since 1970. */
  readonly nowMs: number;
  readonly readOnly: boolean;
  /** Applications are put out and kept out. */
  readonly offline: boolean;
  readonly executed: Position;
  /** Received into the relay log, executed or not. */
  readonly received: Position;
  /** No longer in its logs: a follower must already hold these. */
  readonly purged: Position;
  readonly channel: Channel | null;
  /** Commit instant, by its origin's clock, of the oldest transaction being applied now; null when none is. */
  readonly applyingSinceMs: number | null;
  /** Whoever receives its log now: servers, and an archive, which is sent it by GTIDs alone. */
  readonly followers: number;
  /** After how long it may delete its binary logs, milliseconds; null = never. */
  readonly logsKeptMs: number | null;
  /** Whether it does so by itself. */
  readonly deletesLogs: boolean;
  /** Of its tables and binary logs, at least; null = not asked, since it is asked only while it deletes none by itself. */
  readonly storedBytes: number | null;
  /** How long a commit, or what it receives, has waited for room on its disk, milliseconds; 0 = nothing waits for that. */
  readonly fullDiskMs: number;
  /** The acknowledging side of loss-less replication, as this server runs it. */
  readonly acks: {
    /** As a source: commits wait for `count` acknowledgements. */
    readonly required: boolean;
    readonly count: number;
    /** Followers that acknowledge now. */
    readonly clients: number;
    /** Commits that wait for an acknowledgement now. */
    readonly waiters: number;
    /** How long the commit that has waited longest has waited, milliseconds; 0 when none waits. */
    readonly waitingMs: number;
    /** As a replica: it acknowledges what it receives. */
    readonly given: boolean;
    /** True when its receiver really registered as an acknowledging one. */
    readonly active: boolean;
  };
  /** A copy of another server's volume into this one: not begun, under way, done or failed. */
  readonly seeding: {
    readonly kind: "none" | "running" | "done" | "failed";
    readonly bytes: number;
    /** In all, as the server estimates it; it grows with what is written meanwhile. 0 = not known yet. */
    readonly bytesExpected: number;
    readonly error: string | null;
  };
  readonly terms: readonly Term[];
  /** The newest of them, as this server has them. */
  readonly archived: readonly Archive[];
  readonly survey: Survey | null;
  /** Engine-specific settings, plugins and accounts, for the engine's own rules only. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A source that failed is data, not an exception. */
export type ServerObservation =
  | { readonly kind: "absent" }
  /** `closed`: something answered that nobody listens there, so the server process is not running. */
  | { readonly kind: "unreachable"; readonly reason: string; readonly closed: boolean }
  | { readonly kind: "denied"; readonly account: string; readonly reason: string }
  /** `authority`: the certificate authority (PEM) that this server presented; null without TLS. */
  | { readonly kind: "read"; readonly facts: ServerFacts; readonly authority: string | null };
