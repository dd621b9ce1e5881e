/**
 * What is asked for in the way of backups, and what is remembered of them. The memory is for scheduling and for people:
 * which backups there are, only the store knows. Slots and other instants are written as RFC 3339 in UTC.
 */
import * as z from "zod";
import type { Schedule } from "./schedule.ts";

export const BACKUP_METHODS = ["physical", "logical"] as const;
export type BackupMethod = (typeof BACKUP_METHODS)[number];

/** What is kept; everything else is deleted, with the exceptions that shared/backup/retention.ts makes. */
export type Retention =
  /** The newest of them. */
  | { readonly kind: "count"; readonly count: number }
  /** The newest of each of the last so many days, weeks and months. */
  | { readonly kind: "calendar"; readonly days: number; readonly weeks: number; readonly months: number };

/** `daily`: the newest backup of each day. */
export const PROOF_POLICIES = ["daily", "each", "never"] as const;

export interface BackupSpec {
  /** Name of the Secret of the store, in the namespace of the cluster. */
  readonly store: string;
  /** Null = only on demand. */
  readonly schedule: Schedule | null;
  /** Days of the retention and of proofs are days there. */
  readonly timeZone: string;
  readonly method: BackupMethod;
  /** Of a logical backup; null = all. */
  readonly databases: readonly string[] | null;
  /** Null = nothing is ever deleted. */
  readonly retention: Retention | null;
  /** How long after its slot a backup may be begun, or begun anew. Milliseconds. */
  readonly deadlineMs: number;
  readonly proof: (typeof PROOF_POLICIES)[number];
  /** Whether the logs are archived beside the backups. */
  readonly archive: boolean;
  /** One is asked for at once, by this method; answered once. */
  readonly requested: BackupMethod | null;
  /** The backup of this slot is to be proven at once, null = the newest; answered once. */
  readonly proofRequested: { readonly slot: string | null } | null;
}

export const BACKUPS_VERSION = 1;

/** In the last words of a Job that made its backup in a store that does not write a new key once. */
export const UNCONDITIONAL = "the store takes no notice of If-None-Match";

/** No slot is tried more often. */
export const ATTEMPTS_MAX = 5;

const instant = z.iso.datetime();
const plain = z.string().regex(/^[\w*/,+ -]*$/);
/** Of a failure: as much as a Job's last words need to be understood without its log, which goes with the Job. */
export const REASON_MAX = 400;
const reason = z.string().max(REASON_MAX);
const count = z.number().int().min(0).max(1_000_000);
const attempt = z.number().int().min(1).max(ATTEMPTS_MAX);

/** How a new backup or its proof is told to the Job that makes it. */
export type JobTask =
  | {
      readonly kind: "backup";
      readonly store: string;
      readonly slot: string;
      readonly attempt: number;
      readonly method: BackupMethod;
      readonly databases: readonly string[] | null;
      readonly asked: "schedule" | "request";
      /** Ordinal of the member that is copied. */
      readonly source: number;
      /** The authority that is pinned for that member, PEM; null = none is yet. */
      readonly authority: string | null;
      readonly retention: Retention | null;
      readonly timeZone: string;
      /** Slots of which nothing may be deleted now: a proof reads them. */
      readonly keep: readonly string[];
    }
  | { readonly kind: "proof"; readonly store: string; readonly slot: string };

/** A slot as people and annotations write it; null when it is none. */
export function parseSlot(text: string): string | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text)) return null;
  const ms = Date.parse(text);
  // A date that is none may be read as another one.
  return Number.isNaN(ms) || new Date(ms).toISOString().replace(".000Z", "Z") !== text ? null : text;
}

/** A backup that was begun: by it the name of its Job is known. */
const runningSchema = z.strictObject({
  slot: instant,
  attempt,
  method: z.enum(BACKUP_METHODS),
  asked: z.enum(["schedule", "request"]),
  /** Ordinal of the member that is copied. */
  source: z.number().int().min(0).max(999),
  begunAt: instant,
});

/** A slot whose attempts have failed so far, and that is tried again. */
const retrySchema = z.strictObject({
  slot: instant,
  attempt,
  method: z.enum(BACKUP_METHODS),
  asked: z.enum(["schedule", "request"]),
  notBefore: instant,
  reason,
});

const lossSchema = z.strictObject({ slot: instant, attempt, at: instant, reason });

/** A proof that was begun: by it the name of its Job is known, also when the same backup is proven again. */
const provingSchema = z.strictObject({ slot: instant, begunAt: instant });

/** Of the instants from there to the end of what is held, all but those in the gaps can be recovered to. */
const windowSchema = z.strictObject({
  /** Null = none can be: there is no backup, or no log goes on from one. */
  from: instant.nullable(),
  gaps: count,
  /** All of them together, milliseconds. */
  gapMs: z.number().int().min(0),
});

/**
 * Of old binary logs, by the servers themselves. `usual` = as they were set by others; `held` = not while the archive stands
 * still; `pressed` = again, since a volume was nearly full; `resuming` = again, since the archive goes on.
 */
const purgingSchema = z.enum(["usual", "held", "pressed", "resuming"]);

export const backupMemorySchema = z.strictObject({
  v: z.literal(BACKUPS_VERSION),
  clusterUid: z.string().max(64),
  /** Whose slots `handled` counts; another one begins when it is first seen. */
  schedule: z.strictObject({ cron: plain.max(128), timeZone: plain.max(64) }).nullable(),
  /** Slots of the schedule up to here are over and done with. */
  handled: instant,
  running: runningSchema.nullable(),
  retry: retrySchema.nullable(),
  /** The newest backup that is complete. */
  last: z
    .strictObject({
      slot: instant,
      /** Its attempt; absent = not known. */
      begunAt: instant.optional(),
      endedAt: instant,
      method: z.enum(BACKUP_METHODS),
      /** The store was found to write a new key more than once. */
      unconditional: z.literal(true).optional(),
    })
    .nullable(),
  /** The slot that was given up last; null once a later one has succeeded. */
  failed: lossSchema.nullable(),
  /** Slots given up since `last`. */
  failures: count,
  /** Slots that were never begun since `last`. */
  missed: count,
  /** A backup that is being restored to see whether it can be. */
  proving: provingSchema.nullable(),
  /** When a proof that nobody asked for was begun last. */
  provingAt: instant.nullable(),
  /** The newest backup that was restored and found whole. */
  proven: z.strictObject({ slot: instant, begunAt: instant.optional(), at: instant }).nullable(),
  /** The proof that failed last; null once a later one has succeeded. */
  unproven: provingSchema.extend({ at: instant, reason }).nullable(),
  /** How the archive of the logs is; null = none is asked for. */
  archive: z
    .strictObject({
      /** When it was first asked for. */
      since: instant,
      /** All that was committed up to here was held when it was noted last, at most a minute late; null = nothing yet. */
      heldTo: instant.nullable(),
      /** Why it does not go on; null = it does, as far as is known. */
      failure: reason.nullable(),
      /** To which instants the cluster can be recovered, noted with `heldTo`; absent = nobody has told yet. */
      window: windowSchema.optional(),
      purging: purgingSchema,
    })
    .nullable()
    .default(null),
  /** The proof that a person asked for last, and how it ended; `fault` null = well. */
  demanded: provingSchema.extend({ endedAt: instant.nullable(), fault: reason.nullable() }).nullable(),
});

export type BackupMemory = z.infer<typeof backupMemorySchema>;

/** What a host says of the archive that it keeps. */
export interface ArchiveReport {
  /** All that was committed up to here is held, milliseconds since 1970; null = nothing is known yet. */
  readonly heldToMs: number | null;
  /** Why it does not go on, as a sentence; null = it does. */
  readonly failure: string | null;
  /** Absent = not known yet. Milliseconds, since 1970 in `fromMs`; null = no instant can be recovered to. */
  readonly window?: { readonly fromMs: number | null; readonly gaps: number; readonly gapMs: number };
}

export type RunningBackup = z.infer<typeof runningSchema>;
