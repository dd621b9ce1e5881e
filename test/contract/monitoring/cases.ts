/**
 * For every alert: series with which it fires, from which minute on, and others that are just below, with which it does not at
 * that minute. Times are minutes since 1970, when Prometheus' own tests begin.
 */

/** Values by series; constant for the whole test, or one value for each minute. */
export type SeriesValues = Readonly<Record<string, number | string>>;

export interface AlertCase {
  readonly alert: string;
  readonly series: SeriesValues;
  /** The first minute at which it fires; a minute before it does not. */
  readonly firesAtMinute: number;
  /** As the description shows it; absent = it shows none. */
  readonly value?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Each in place of some of the series; null takes one away. */
  readonly below: readonly Readonly<Record<string, number | string | null>>[];
}

const of = (name: string, more: Readonly<Record<string, string>> = {}): string => {
  const labels = { namespace: "shop", cluster: "mysql", ...more };
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `ordinal_${name}{${pairs.join(",")}}`;
};
const state = (name: string) => of("cluster_state", { state: name });
const problem = (code: string, severity = "warning") => of("problem", { code, severity });

const HOUR = 60;
const DAY = 24 * HOUR;
export const SHOP: Readonly<Record<string, string>> = { namespace: "shop", cluster: "mysql" };

export const CASES: readonly AlertCase[] = [
  {
    alert: "OrdinalPrimaryMissing",
    series: { [of("primary_ready")]: 0, [of("members_wanted")]: 3 },
    firesAtMinute: 1,
    below: [{ [of("primary_ready")]: 1 }, { [of("members_wanted")]: 0 }, { [state("Restoring")]: 1 }],
  },
  {
    alert: "OrdinalWritesWait",
    series: {
      [of("members_acknowledging")]: 1,
      [of("acknowledgements_wanted")]: 2,
      [of("primary_ready")]: 1,
    },
    firesAtMinute: 2,
    value: "1",
    below: [{ [of("members_acknowledging")]: 2 }, { [of("primary_ready")]: 0 }],
  },
  {
    alert: "OrdinalNotRedundant",
    series: {
      [of("members_acknowledging")]: 1,
      [of("acknowledgements_wanted")]: 1,
      [of("members_wanted")]: 3,
    },
    firesAtMinute: 10,
    value: "1",
    below: [{ [of("members_acknowledging")]: 2 }, { [of("members_wanted")]: 2 }],
  },
  {
    alert: "OrdinalMemberMissing",
    series: { [of("members_ready")]: 2, [of("members_wanted")]: 3 },
    firesAtMinute: 15,
    value: "2",
    below: [{ [of("members_ready")]: 3 }],
  },
  {
    alert: "OrdinalReplicaLagging",
    series: {
      [of("replica_lag_seconds", { member: "mysql-1" })]: 2,
      [of("replica_lag_seconds", { member: "mysql-2" })]: 61,
      [problem("ReplicaLagging")]: 1,
    },
    firesAtMinute: 10,
    value: "1m 1s",
    below: [{ [problem("ReplicaLagging")]: null, [problem("ReplicaBroken")]: 1 }],
  },
  {
    alert: "OrdinalErrantMember",
    series: { [of("errant_members")]: 1 },
    firesAtMinute: 5,
    value: "1",
    below: [{ [of("errant_members")]: 0 }],
  },
  {
    alert: "OrdinalFailoversRepeated",
    series: { [of("failovers_last_day")]: "1 2+0x9" },
    firesAtMinute: 1,
    value: "2",
    below: [{ [of("failovers_last_day")]: 1 }],
  },
  {
    alert: "OrdinalBackupOld",
    series: { [of("last_backup_timestamp_seconds")]: 0, [of("backup_interval_seconds")]: 86_400 },
    firesAtMinute: 30 * HOUR + 1 + 15,
    value: "1d 6h 16m 0s",
    below: [
      { [of("last_backup_timestamp_seconds")]: 60 },
      { [of("backup_interval_seconds")]: 7 * 86_400 },
      { [of("backup_interval_seconds")]: null },
    ],
  },
  {
    alert: "OrdinalProofOld",
    series: {
      [of("last_proof_timestamp_seconds")]: 0,
      [of("backup_interval_seconds")]: 86_400,
      [of("proof_wanted")]: 1,
    },
    firesAtMinute: 3 * DAY + 1 + 15,
    value: "3d 0h 16m 0s",
    below: [{ [of("last_proof_timestamp_seconds")]: 60 }, { [of("proof_wanted")]: 0 }],
  },
  {
    alert: "OrdinalNeverProven",
    series: { [problem("NeverProven", "normal")]: 1 },
    firesAtMinute: 2 * DAY,
    below: [{ [problem("NeverProven", "normal")]: null, [problem("NoSpareCopy", "normal")]: 1 }],
  },
  {
    alert: "OrdinalWindowOld",
    series: { [of("recoverable_until_timestamp_seconds")]: 0, [of("archive_wanted")]: 1 },
    firesAtMinute: 16 + 5,
    value: "21m 0s",
    below: [{ [of("recoverable_until_timestamp_seconds")]: 60 }, { [of("archive_wanted")]: 0 }],
  },
  {
    alert: "OrdinalNoWindow",
    series: { [of("archive_wanted")]: 1 },
    firesAtMinute: HOUR,
    below: [{ [of("recoverable_until_timestamp_seconds")]: 0 }, { [of("archive_wanted")]: 0 }],
  },
  {
    alert: "OrdinalArchiveGap",
    series: { [of("archive_gap_seconds")]: "3+0x60 14+0x9" },
    firesAtMinute: HOUR + 1,
    value: "14s",
    below: [{ [of("archive_gap_seconds")]: "3+0x60 13+0x9" }, { [of("archive_gap_seconds")]: 14 }],
  },
  {
    alert: "OrdinalStateNearLimit",
    series: { [of("annotations_bytes")]: 176_948, ordinal_annotations_budget_bytes: 196_608 },
    firesAtMinute: 15,
    value: "172.8kiB",
    below: [{ [of("annotations_bytes")]: 176_947 }],
  },
  {
    alert: "OrdinalNotLooking",
    series: { [of("last_look_timestamp_seconds")]: 0 },
    firesAtMinute: 6 + 5,
    below: [{ [of("last_look_timestamp_seconds")]: 60 }],
  },
  {
    alert: "OrdinalNotLooking",
    series: { [of("observed_generation")]: 1, [of("generation")]: 2 },
    firesAtMinute: 5,
    below: [{ [of("observed_generation")]: 2 }],
  },
  {
    alert: "OrdinalNotLooking",
    series: { [of("members_ready")]: 2, [of("members_wanted")]: 3, [state("Healthy")]: 1 },
    firesAtMinute: 5,
    below: [{ [of("members_ready")]: 3 }, { [state("Healthy")]: 0, [state("Degraded")]: 1 }],
  },
  {
    alert: "OrdinalSilent",
    series: {},
    labels: {},
    firesAtMinute: 5,
    below: [{ ordinal_clusters: 0 }],
  },
  {
    alert: "OrdinalPausedLong",
    series: { [state("Paused")]: 1 },
    firesAtMinute: DAY,
    below: [{ [state("Paused")]: 0 }],
  },
  {
    alert: "OrdinalProblem",
    series: { [problem("BackupFailed")]: 1 },
    labels: { ...SHOP, code: "BackupFailed" },
    firesAtMinute: 15,
    below: [
      { [problem("BackupFailed")]: null, [problem("BackupFailed", "normal")]: 1 },
      { [problem("BackupFailed")]: null, [problem("ReplicaLagging")]: 1 },
    ],
  },
];
