/**
 * The table of metrics: what each is called, what it tells, and how it follows from the facts of the fleet. The order is that of
 * the table, and within a family that of the clusters. docs/metrics.md is compared with it by a test. Pure.
 */
import { ANNOTATIONS_BYTES_SAFE } from "../../annotations/budget.ts";
import { PHASES, PROBLEM_CODES } from "../../model/condition.ts";
import type { Schedule } from "../../model/schedule.ts";
import { STATE_VERSION } from "../../model/state.ts";
import { nextSlot } from "../../schedule/slots.ts";
import { endOf, type Family, type Format, type Labels, linesOf, type Sample } from "./exposition.ts";
import { type ClusterFacts, failoversInDay } from "./facts.ts";

/** All that is measured at one instant. */
export interface Fleet {
  readonly clusters: readonly ClusterFacts[];
  readonly nowMs: number;
  /** When this very process last looked at a cluster, milliseconds since 1970; null = it did not. */
  readonly lookedAtMs: (cluster: ClusterFacts) => number | null;
  /** Of this program, as `kubectl ordinal version` has it, and of Node. */
  readonly build: { readonly version: string; readonly node: string };
}

export interface Metric extends Family {
  /** For docs/metrics.md. */
  readonly labels: readonly string[];
  readonly samples: (fleet: Fleet) => readonly Sample[];
}

const OF_CLUSTER = ["namespace", "cluster"] as const;

function labelsOf({ namespace, name }: ClusterFacts, more: Labels = {}): Labels {
  return { namespace, cluster: name, ...more };
}

type Value = number | boolean | null;

/** Null has no sample. */
function one(name: string, help: string, value: (cluster: ClusterFacts, fleet: Fleet) => Value): Metric {
  return each(name, help, [], (cluster, fleet) => [[{}, value(cluster, fleet)]]);
}

function each(
  name: string,
  help: string,
  labels: readonly string[],
  values: (cluster: ClusterFacts, fleet: Fleet) => readonly (readonly [Labels, Value])[],
): Metric {
  const samples = (fleet: Fleet): readonly Sample[] =>
    fleet.clusters.flatMap((cluster) =>
      values(cluster, fleet).flatMap(([more, value]): readonly Sample[] =>
        value === null ? [] : [[labelsOf(cluster, more), Number(value)]],
      ),
    );
  return { name, type: "gauge", help, labels: [...OF_CLUSTER, ...labels], samples };
}

const seconds = (ms: number | null | undefined): number | null => (ms == null ? null : ms / 1_000);

/** So many of the next slots are looked at: of a schedule for working days the week-end is among them. */
const SLOTS_LOOKED_AT = 8;

/** The longest time between two of the next slots, milliseconds; null where there are none. */
function longestPause(schedule: Schedule, nowMs: number): number | null {
  let [longest, slot] = [0, nextSlot(schedule, nowMs)];
  for (let count = 1; count < SLOTS_LOOKED_AT && slot !== null; count += 1) {
    const next = nextSlot(schedule, slot);
    if (next !== null) longest = Math.max(longest, next - slot);
    slot = next;
  }
  return longest === 0 ? null : longest;
}

/** Most clusters of a fleet have one of a few schedules. */
function pauses({ clusters, nowMs }: Fleet): readonly Sample[] {
  const known = new Map<string, number | null>();
  return clusters.flatMap((cluster): readonly Sample[] => {
    const schedule = cluster.backups?.schedule ?? null;
    if (schedule === null) return [];
    const key = `${schedule.timeZone} ${schedule.cron}`;
    if (!known.has(key)) known.set(key, longestPause(schedule, nowMs));
    const pause = seconds(known.get(key));
    return pause === null ? [] : [[labelsOf(cluster), pause]];
  });
}

const STATE: readonly Metric[] = [
  each(
    "ordinal_cluster_state",
    "1 for the phase that the cluster is in, 0 for every other one.",
    ["state"],
    ({ phase }) => PHASES.map((state) => [{ state }, phase === state]),
  ),
  each(
    "ordinal_problem",
    "1 for every open problem; one that is over has no sample.",
    ["code", "severity"],
    ({ problems }) => problems.map((code) => [{ code, severity: PROBLEM_CODES[code] }, 1]),
  ),
  one(
    "ordinal_epoch",
    "Grows by one or more with every change of the primary, a restart included.",
    ({ epoch }) => epoch,
  ),
  one(
    "ordinal_primary_ready",
    "1 while the primary that is recorded is ready and serves clients.",
    (cluster) => cluster.isPrimaryReady,
  ),
  one(
    "ordinal_failovers_last_day",
    "Failovers that were begun within the last 24 hours, of the last eight.",
    (cluster, { nowMs }) =>
      cluster.failoversMs === null ? null : failoversInDay(cluster.failoversMs, nowMs),
  ),
  one("ordinal_last_failover_timestamp_seconds", "When the last failover was begun.", ({ failoversMs }) =>
    seconds(failoversMs?.at(-1)),
  ),
];

const MEMBERS: readonly Metric[] = [
  one("ordinal_members_wanted", "Members that the StatefulSet is to have.", ({ replicas }) => replicas),
  one(
    "ordinal_members_ready",
    "Members whose pod is ready and that serve clients as primary or replica.",
    ({ members }) => members.filter(({ isReady, role }) => isReady && role !== "none").length,
  ),
  one(
    "ordinal_acknowledgements_wanted",
    "Replicas that acknowledge each write before it is confirmed.",
    ({ ackCount }) => ackCount,
  ),
  one(
    "ordinal_members_acknowledging",
    "Replicas whose acknowledgements count and whose pod is ready.",
    ({ members }) => members.filter(({ acknowledges, isReady }) => acknowledges && isReady).length,
  ),
  one(
    "ordinal_errant_members",
    "Members that have transactions of their own, since somebody wrote to them.",
    ({ errant }) => errant,
  ),
  each(
    "ordinal_member_ready",
    "1 for a member whose pod is ready, with the role in which it serves clients.",
    ["member", "role"],
    ({ members }) => members.map(({ name, role, isReady }) => [{ member: name, role }, isReady]),
  ),
  each(
    "ordinal_replica_lag_seconds",
    "How far a replica was behind its primary when that was last recorded: by a second and a factor of two.",
    ["member"],
    ({ members }) => members.map(({ name, lagMs }) => [{ member: name }, seconds(lagMs)]),
  ),
];

const BACKUPS: readonly Metric[] = [
  one("ordinal_last_backup_timestamp_seconds", "Slot of the newest backup that is complete.", ({ backups }) =>
    seconds(backups?.lastMs),
  ),
  {
    ...one(
      "ordinal_backup_interval_seconds",
      "The longest time between two of the next slots of the schedule.",
      () => null,
    ),
    samples: pauses,
  },
  one(
    "ordinal_backup_running",
    "1 while a backup is being made.",
    ({ backups }) => backups?.isRunning ?? null,
  ),
  one(
    "ordinal_backup_failures",
    "Slots that were given up since the last backup.",
    ({ backups }) => backups?.failures ?? null,
  ),
  one(
    "ordinal_proof_wanted",
    "1 where backups are to be proven by restoring them.",
    ({ backups }) => backups?.isProofWanted ?? null,
  ),
  one(
    "ordinal_last_proof_timestamp_seconds",
    "When a backup was last restored and found whole.",
    ({ backups }) => seconds(backups?.provenMs),
  ),
  one(
    "ordinal_archive_wanted",
    "1 where the binary logs are to be archived.",
    ({ archive }) => archive !== null,
  ),
  one(
    "ordinal_recoverable_from_timestamp_seconds",
    "The earliest instant that can be recovered to.",
    ({ archive }) => seconds(archive?.fromMs),
  ),
  one(
    "ordinal_recoverable_until_timestamp_seconds",
    "The latest instant that can be recovered to, as it was noted last: once a minute.",
    ({ archive }) => seconds(archive?.untilMs),
  ),
  one(
    "ordinal_archive_gaps",
    "Gaps between the two, in which no instant can be recovered.",
    ({ archive }) => archive?.gaps ?? null,
  ),
  one("ordinal_archive_gap_seconds", "How long these gaps are together.", ({ archive }) =>
    seconds(archive?.gapMs),
  ),
];

const RECORD: readonly Metric[] = [
  one(
    "ordinal_annotations_bytes",
    "Size of all annotations of the StatefulSet together.",
    (cluster) => cluster.annotationBytes,
  ),
  one(
    "ordinal_generation",
    "Generation of the StatefulSet: it grows with every change of its spec.",
    ({ generation }) => generation,
  ),
  one(
    "ordinal_observed_generation",
    "The generation that Ordinal saw when it last recorded how the cluster is.",
    ({ observedGeneration }) => observedGeneration,
  ),
  one(
    "ordinal_last_look_timestamp_seconds",
    "When this process last looked at the cluster; only where it makes passes, since quiet looks are not recorded.",
    (cluster, { lookedAtMs }) => seconds(lookedAtMs(cluster)),
  ),
];

const HOST: readonly Metric[] = [
  {
    name: "ordinal_annotations_budget_bytes",
    type: "gauge",
    help: "Above this size of all annotations no operation is begun.",
    labels: [],
    samples: () => [[{}, ANNOTATIONS_BYTES_SAFE]],
  },
  {
    name: "ordinal_clusters",
    type: "gauge",
    help: "Clusters that are told of.",
    labels: [],
    samples: ({ clusters }) => [[{}, clusters.length]],
  },
  {
    name: "ordinal_build_info",
    type: "info",
    help: "What renders this: the version of Ordinal, of Node, and of the format in which state is recorded.",
    labels: ["version", "node", "state_format"],
    samples: ({ build }) => [[{ ...build, state_format: String(STATE_VERSION) }, 1]],
  },
];

export const METRICS: readonly Metric[] = [...STATE, ...MEMBERS, ...BACKUPS, ...RECORD, ...HOST];

/** The answer in pieces, a family each. */
export function* rendered(fleet: Fleet, format: Format): Generator<string> {
  for (const metric of METRICS) yield linesOf(metric, metric.samples(fleet), format);
  yield endOf(format);
}
