/**
 * The only place that spells an annotation or label key of Ordinal. The table says who writes each key, on
 * which object, how large it may be and what it means; docs/annotations.md is compared with it by a test.
 * Nothing else may build a key from parts, so that a search for a key finds this file and its readers.
 */

export const PREFIX = "ordinal.dev/";

export const ANNOTATION = {
  engine: "ordinal.dev/engine",
  credentials: "ordinal.dev/credentials",
  maxLag: "ordinal.dev/max-lag",
  pause: "ordinal.dev/pause",
  failover: "ordinal.dev/failover",
  failoverCooldown: "ordinal.dev/failover-cooldown",
  gracefulWait: "ordinal.dev/graceful-wait",
  onRestart: "ordinal.dev/on-restart",
  replicas: "ordinal.dev/replicas",
  switchoverTo: "ordinal.dev/switchover-to",
  approve: "ordinal.dev/approve",
  acceptDataLoss: "ordinal.dev/accept-data-loss",
  servicesOnRelease: "ordinal.dev/services-on-release",
  backupStore: "ordinal.dev/backup-store",
  backupSchedule: "ordinal.dev/backup-schedule",
  backupTimezone: "ordinal.dev/backup-timezone",
  backupMethod: "ordinal.dev/backup-method",
  backupDatabases: "ordinal.dev/backup-databases",
  backupRetention: "ordinal.dev/backup-retention",
  backupDeadline: "ordinal.dev/backup-deadline",
  backupProof: "ordinal.dev/backup-proof",
  archive: "ordinal.dev/archive",
  backupNow: "ordinal.dev/backup-now",
  proveNow: "ordinal.dev/prove-now",
  restoreFrom: "ordinal.dev/restore-from",
  restoreUndo: "ordinal.dev/restore-undo",
  restoreForget: "ordinal.dev/restore-forget",
  state: "ordinal.dev/state",
  history: "ordinal.dev/history",
  conditions: "ordinal.dev/conditions",
  phase: "ordinal.dev/phase",
  requests: "ordinal.dev/requests",
  backups: "ordinal.dev/backups",
  restore: "ordinal.dev/restore",
  lastBackup: "ordinal.dev/last-backup",
  lastProven: "ordinal.dev/last-proven",
  announced: "ordinal.dev/announced",
  member: "ordinal.dev/member",
  epochSeen: "ordinal.dev/epoch-seen",
  serverUuid: "ordinal.dev/server-uuid",
  seededBy: "ordinal.dev/seeded-by",
  serverAuthority: "ordinal.dev/server-authority",
  keepUntil: "ordinal.dev/keep-until",
} as const;

export const LABEL = {
  managed: "ordinal.dev/managed",
  role: "ordinal.dev/role",
  epoch: "ordinal.dev/epoch",
} as const;

type Name = keyof typeof ANNOTATION | keyof typeof LABEL;

export interface Key {
  readonly key: string;
  readonly where: "annotation" | "label";
  readonly objects: readonly ("StatefulSet" | "Pod" | "PersistentVolumeClaim")[];
  readonly writer: "user" | "controller";
  /** Largest value, bytes of UTF-8. */
  readonly bytesMax: number;
  /** One line for the table of docs/annotations.md. */
  readonly meaning: string;
}

const KIB = 1024;

function wish(name: keyof typeof ANNOTATION, meaning: string): Key {
  const key = ANNOTATION[name];
  return { key, where: "annotation", objects: ["StatefulSet"], writer: "user", bytesMax: KIB, meaning };
}

type Kept = Pick<Key, "bytesMax" | "meaning">;

function kept(name: keyof typeof ANNOTATION, object: Key["objects"][number], rest: Kept): Key {
  return { key: ANNOTATION[name], where: "annotation", objects: [object], writer: "controller", ...rest };
}

/** Label values are at most 63 bytes, by the rules of Kubernetes. */
function label(name: keyof typeof LABEL, objects: Key["objects"], meaning: string): Key {
  return { key: LABEL[name], where: "label", objects, writer: "controller", bytesMax: 63, meaning };
}

export const KEYS: Readonly<Record<Name, Key>> = {
  engine: wish("engine", "The database engine; while it is there, Ordinal manages this StatefulSet."),
  credentials: wish("credentials", "Secret with the database's administrator account."),
  maxLag: wish("maxLag", "A replica further behind than this leaves the read Service."),
  pause: wish("pause", "While `true`, Ordinal looks and reports but changes nothing."),
  failover: wish("failover", "Whether a failover goes on by itself or waits for `ordinal.dev/approve`."),
  failoverCooldown: wish(
    "failoverCooldown",
    "Least time between two failovers; each within a day doubles it.",
  ),
  gracefulWait: wish("gracefulWait", "How long a primary that stopped in good order is waited for."),
  onRestart: wish("onRestart", "Whether a restarted primary waits for Ordinal or takes writes by itself."),
  replicas: wish("replicas", "How many members there should be; the safe way to scale."),
  switchoverTo: wish("switchoverTo", "One request: the pod that is to become the primary."),
  approve: wish("approve", "Approves the failover into the epoch that it names."),
  acceptDataLoss: wish("acceptDataLoss", "Accepts that acknowledged commits may be lost in the epoch named."),
  servicesOnRelease: wish("servicesOnRelease", "Whether the Services stay when Ordinal lets go of the set."),
  backupStore: wish("backupStore", "Secret of the store for backups; without it there are none."),
  backupSchedule: wish("backupSchedule", "When backups are made: five fields of cron."),
  backupTimezone: wish("backupTimezone", "The time zone in which the schedule and the retention are read."),
  backupMethod: wish("backupMethod", "Whether backups are physical or logical."),
  backupDatabases: wish("backupDatabases", "The databases that a logical backup holds."),
  backupRetention: wish("backupRetention", "Which backups are kept; the others are deleted."),
  backupDeadline: wish("backupDeadline", "How late a backup may be begun, or begun anew after a failure."),
  backupProof: wish("backupProof", "Which backups are proven by restoring them."),
  archive: wish("archive", "Whether the binary logs are archived in the store, beside the backups."),
  backupNow: wish("backupNow", "One request: a backup is made at once."),
  proveNow: wish("proveNow", "One request: a backup is proven at once."),
  restoreFrom: {
    ...wish("restoreFrom", "What the data is restored from, as JSON; carried out once."),
    bytesMax: 6 * KIB,
  },
  restoreUndo: wish("restoreUndo", "One request: the restore of this id is undone."),
  restoreForget: wish("restoreForget", "One request: what that restore has set aside is deleted."),
  state: kept("state", "StatefulSet", {
    bytesMax: 16 * KIB,
    meaning: "What Ordinal remembers, changed only by compare-and-swap.",
  }),
  history: kept("history", "StatefulSet", {
    bytesMax: 8 * KIB,
    meaning: "The last decisions that were acted on, newest last.",
  }),
  conditions: kept("conditions", "StatefulSet", {
    bytesMax: 4 * KIB,
    meaning: "What is true now: `Ready` and every open problem.",
  }),
  phase: kept("phase", "StatefulSet", { bytesMax: 32, meaning: "How the cluster is, in one word." }),
  requests: kept("requests", "StatefulSet", {
    bytesMax: 8 * KIB,
    meaning: "The last requests that came by HTTP or as events, newest last.",
  }),
  backups: kept("backups", "StatefulSet", {
    bytesMax: 8 * KIB,
    meaning: "What Ordinal remembers of its backups; what there is says the store.",
  }),
  restore: kept("restore", "StatefulSet", {
    bytesMax: 48 * KIB,
    meaning: "What Ordinal remembers of a restore, and of the cluster before it.",
  }),
  lastBackup: kept("lastBackup", "StatefulSet", {
    bytesMax: 32,
    meaning: "The slot of the newest backup that is complete.",
  }),
  lastProven: kept("lastProven", "StatefulSet", {
    bytesMax: 32,
    meaning: "The slot of the newest backup that was restored and found whole.",
  }),
  announced: kept("announced", "StatefulSet", {
    bytesMax: 4 * KIB,
    meaning: "What was sent as CloudEvents already, where they are wanted.",
  }),
  member: kept("member", "Pod", {
    bytesMax: 2 * KIB,
    meaning: "What Ordinal last saw of the database server in this Pod.",
  }),
  epochSeen: kept("epochSeen", "PersistentVolumeClaim", {
    bytesMax: 16,
    meaning: "The highest epoch this volume took part in.",
  }),
  serverUuid: kept("serverUuid", "PersistentVolumeClaim", {
    bytesMax: 64,
    meaning: "Identity of the database server on this volume.",
  }),
  seededBy: kept("seededBy", "PersistentVolumeClaim", {
    bytesMax: 64,
    meaning: "Identity of the server this volume was copied from.",
  }),
  serverAuthority: kept("serverAuthority", "PersistentVolumeClaim", {
    bytesMax: 8 * KIB,
    meaning: "The pinned certificate authority of the server on this volume, PEM.",
  }),
  keepUntil: kept("keepUntil", "PersistentVolumeClaim", {
    bytesMax: 32,
    meaning: "The volume of a member that was scaled away; nobody should delete it before then.",
  }),
  managed: label("managed", ["StatefulSet", "Pod"], "Index of what Ordinal manages; always `true`."),
  role: label("role", ["Pod"], "`primary` or `replica`; selected by the Services."),
  epoch: label("epoch", ["Pod"], "The epoch in which this Pod got its role; selected by the Services."),
};

/** Every annotation that may stand on a StatefulSet, whether a user or Ordinal writes it. */
export const SET_ANNOTATIONS: readonly Key[] = Object.values(KEYS).filter(
  (entry) => entry.where === "annotation" && entry.objects.includes("StatefulSet"),
);
