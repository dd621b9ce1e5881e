/**
 * What `-o json` and `-o yaml` print: a documented, versioned schema (docs/cli.md), which is also the one
 * thing that the texts for people are rendered from. A field is never renamed or removed within a version.
 */
import * as z from "zod";
import { BACKUP_METHODS } from "./backup.ts";
import { conditionSchema } from "./condition.ts";
import { copiedSchema } from "./member.ts";
import { planSchema } from "./plan.ts";
import { historyEntrySchema } from "./state.ts";

export const API_VERSION = "ordinal.dev/cli/v1";

const count = z.number().int().min(0);

const memberSchema = z.strictObject({
  name: z.string(),
  ordinal: count,
  /** `primary`, `replica` or `none`; null while no pass has seen it. */
  role: z.string().nullable(),
  /** `Ready`, `NotReady`, `Terminating`, `Missing`, or why its container or the Pod waits. */
  pod: z.string(),
  version: z.string().nullable(),
  serverUuid: z.string().nullable(),
  lagMs: count.nullable(),
  acks: z.boolean().nullable(),
  note: z.string(),
  /** How far a copy of another member into it is; null = none is under way. */
  copied: copiedSchema.nullable(),
  /** When the fields above last changed, as Ordinal saw it. */
  seenAt: z.string().nullable(),
});

const slot = z.string();
const method = z.enum(BACKUP_METHODS);
/** `job`: whose log has more, for the hour that it is kept. */
const loss = z.strictObject({ slot, at: z.string(), reason: z.string(), job: z.string() });

/** Of a Job, by the last words of its log; null = nobody has read it, or it has not told yet. Bytes of the database, before compression. */
const progress = z
  .strictObject({
    /** A server is being copied, before what it holds is stored. */
    isCopying: z.boolean(),
    bytes: z.number().min(0),
    /** In all, as estimated; null = unknown. */
    bytesExpected: z.number().min(0).nullable(),
    bytesPerSecond: z.number().min(0).nullable(),
  })
  .nullable();

/** When what has ended was begun; null where an earlier Ordinal has recorded it. */
const begunBefore = z.string().nullable();

/** As the last pass remembers it; which backups there are says `backups`. */
const backupsSchema = z.strictObject({
  /** Name of the Secret; null while it cannot be read what is asked for, or nothing is. */
  store: z.string().nullable(),
  /** Null = on demand only. */
  schedule: z.string().nullable(),
  timeZone: z.string().nullable(),
  /** The first that is not done with; it lies in the past while it is due. */
  nextSlot: slot.nullable(),
  running: z
    .strictObject({
      slot,
      attempt: count,
      method,
      asked: z.string(),
      source: z.string(),
      begunAt: z.string(),
      progress,
    })
    .nullable(),
  last: z.strictObject({ slot, method, begunAt: begunBefore, endedAt: z.string() }).nullable(),
  proving: z.strictObject({ slot, begunAt: z.string(), progress }).nullable(),
  proven: z.strictObject({ slot, begunAt: begunBefore, at: z.string() }).nullable(),
  /** Slots that were given up since the last backup. */
  failures: count,
  /** Slots that were never begun since the last backup. */
  missed: count,
  failed: loss.nullable(),
  unproven: loss.nullable(),
  /** How the archive of the logs is; null = none is asked for. */
  archive: z
    .strictObject({
      /** All that was committed up to here was held when it was noted last; null = nothing yet. */
      heldTo: z.string().nullable(),
      /** Why it does not go on; null = it does, as far as is known. */
      failure: z.string().nullable(),
      /** From where on it can be recovered, but for the gaps: as it was noted with `heldTo`; null = not known, or to no instant. */
      from: z.string().nullable(),
      gapCount: count.nullable(),
      gapMs: count.nullable(),
    })
    .nullable(),
});

/** As the last pass remembers it. */
const restoresSchema = z.strictObject({
  running: z
    .strictObject({
      id: z.string(),
      /** The data from before it is being put back. */
      undo: z.boolean(),
      phase: z.string(),
      attempt: count,
      begunAt: z.string(),
      progress,
    })
    .nullable(),
  last: z
    .strictObject({
      id: z.string(),
      undo: z.boolean(),
      begunAt: begunBefore,
      endedAt: z.string(),
      /** Null = it was carried out. */
      fault: z.string().nullable(),
    })
    .nullable(),
  /** What it has set aside. */
  kept: z.strictObject({ id: z.string(), until: z.string() }).nullable(),
});

const clusterFields = {
  namespace: z.string(),
  name: z.string(),
  /** A phase of docs/conditions.md, or `Unseen` before the first pass. */
  phase: z.string(),
  primary: z.string().nullable(),
  epoch: count.nullable(),
  replicas: count,
  readyPods: count,
  /** Of the replica that is furthest behind. */
  lagMs: count.nullable(),
  /** How many replicas acknowledge each write before it is confirmed. */
  ackCount: count.nullable(),
  /** Names of the members whose acknowledgements count. */
  ackers: z.array(z.string()),
  operation: z.strictObject({ kind: z.string(), step: z.string(), startedAt: z.string() }).nullable(),
  problems: z.array(z.strictObject({ code: z.string(), message: z.string(), since: z.string().nullable() })),
  conditions: z.array(conditionSchema),
  members: z.array(memberSchema),
  /** Null where none are asked for and none are remembered. */
  backups: backupsSchema.nullable(),
  /** Null where there never was one. */
  restores: restoresSchema.nullable(),
};

const cluster = z.strictObject(clusterFields);
export const clusterSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Cluster"),
  ...clusterFields,
});

export const clusterListSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("ClusterList"),
  items: z.array(cluster),
});

export const historySchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("History"),
  namespace: z.string(),
  name: z.string(),
  entries: z.array(historyEntrySchema),
});

export const planDocumentSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Plan"),
  namespace: z.string(),
  name: z.string(),
  /** What whoever asks would write; null = nothing, it is what the next pass would do by itself. */
  wish: z.string().nullable(),
  /** Of the first decision. */
  why: z.string(),
  ...planSchema.shape,
});

const whereSchema = z.strictObject({
  /** Name of the Secret. */
  secret: z.string(),
  endpoint: z.string(),
  bucket: z.string(),
  prefix: z.string(),
});

export const backupSchema = z.strictObject({
  /** Of the cluster it was made of, as its manifest says. */
  namespace: z.string().nullable(),
  name: z.string().nullable(),
  clusterUid: z.string(),
  slot,
  soundness: z.enum(["complete", "damaged", "unknown"]),
  /** What is wrong with it. */
  why: z.string().nullable(),
  method: method.nullable(),
  /** Null = all of them. */
  databases: z.array(z.string()).nullable(),
  endedAt: z.string().nullable(),
  version: z.string().nullable(),
  encrypted: z.boolean().nullable(),
  /** As stored. */
  bytes: count,
  /** Before compression. */
  plainBytes: count.nullable(),
  /** How the last restore of it went; `fault` null = it was found whole. */
  proof: z.strictObject({ at: z.string(), fault: z.string().nullable() }).nullable(),
});

export const backupListSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("BackupList"),
  where: whereSchema,
  /** Newest first. */
  items: z.array(backupSchema),
  /** What could not be read, so that something may be missing from the items. */
  gap: z.string().nullable(),
});

const fateSchema = z.enum(["keep", "delete", "deleted", "kept", "failed"]);

export const pruningSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Pruning"),
  namespace: z.string(),
  name: z.string(),
  where: whereSchema,
  dryRun: z.boolean(),
  items: z.array(
    z.strictObject({
      slot,
      bytes: count,
      /** What the rule wants; after a deletion what has become of it. */
      fate: fateSchema,
      reason: z.string(),
    }),
  ),
  /** What attempts have left that made no backup. */
  leftovers: z.array(z.strictObject({ slot, objects: count, fate: fateSchema, reason: z.string() })),
});

const spansSchema = z.array(z.strictObject({ from: z.string(), to: z.string() }));

export const windowSchema = z.strictObject({
  namespace: z.string().nullable(),
  name: z.string().nullable(),
  clusterUid: z.string(),
  /** The first and the last instant that it can be recovered to; null = to none. */
  from: z.string().nullable(),
  to: z.string().nullable(),
  /** In the order of time; to every instant within one of them. */
  ranges: spansSchema,
  /** Between them: to no instant within. */
  gaps: spansSchema,
  /** Complete ones of all databases. */
  backups: count,
  /** Of archived logs. */
  segments: count,
  /** What is in the archive and cannot be used. */
  damage: z.array(z.string()),
});

export const recoveryWindowsSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("RecoveryWindows"),
  where: whereSchema,
  /** One; several where clusters of the past had the same name. */
  items: z.array(windowSchema),
});

const VERDICTS = ["good", "wrong", "hint", "unknown"] as const;

export const examinationSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Examination"),
  namespace: z.string(),
  name: z.string(),
  checks: z.array(
    z.strictObject({
      /** Of what it is about; several may be about the same. */
      check: z.string(),
      /** A `hint` would make it better and is not wrong; what could not be looked at is `unknown`. */
      verdict: z.enum(VERDICTS),
      finding: z.string(),
      /** Null = nothing is to be done. */
      advice: z.string().nullable(),
    }),
  ),
});

export type Examination = z.infer<typeof examinationSchema>;
export type Check = Examination["checks"][number];
export type RecoveryWindow = z.infer<typeof windowSchema>;
export type RecoveryWindows = z.infer<typeof recoveryWindowsSchema>;
export type JobProgress = NonNullable<z.infer<typeof progress>>;
export type Cluster = z.infer<typeof cluster>;
export type ClusterBackups = z.infer<typeof backupsSchema>;
export type ClusterRestores = z.infer<typeof restoresSchema>;
export type ListedBackup = z.infer<typeof backupSchema>;
export type BackupList = z.infer<typeof backupListSchema>;
export type Pruning = z.infer<typeof pruningSchema>;
export type Fate = z.infer<typeof fateSchema>;
export type ClusterMember = z.infer<typeof memberSchema>;
export type History = z.infer<typeof historySchema>;
export type PlanDocument = z.infer<typeof planDocumentSchema>;
export type Document =
  | z.infer<typeof clusterSchema>
  | z.infer<typeof clusterListSchema>
  | History
  | PlanDocument
  | BackupList
  | Pruning
  | RecoveryWindows
  | Examination;
