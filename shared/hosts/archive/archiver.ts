/**
 * Follows the logs of all clusters that are to be archived, as long as this host runs. It remembers nothing that the bucket
 * does not hold: killed anywhere, or run beside another one, the archive goes on from what is there.
 */

import { archiveOnce } from "../../backup/archive/pass.ts";
import type { ArchiveReport } from "../../model/backup.ts";
import { type ClusterRef, clusterKey } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Failure } from "../../model/outcome.ts";
import type { Log } from "../../ports/host.ts";
import {
  type ArchiveHost,
  isArchived,
  isBackupUnderWay,
  LOOSE_MAX,
  onArchive,
  reasonOf,
  tidyUp,
} from "./work.ts";

export interface ArchiverOptions extends ArchiveHost {
  readonly log: Log;
  /** Told when what is reported of a cluster has changed for better or worse. */
  readonly onNews: (ref: ClusterRef) => void;
}

export interface Archiver {
  /** All clusters that there are, as they were just listed. */
  look(sets: readonly StatefulSet[]): void;
  /** Null = this host does not archive it. */
  reportOf(ref: ClusterRef): ArchiveReport | null;
  /** Waits at most `graceMs` for the segments under way. */
  stop(graceMs: number): Promise<void>;
}

/** After so long the source is chosen anew, and what is held is read again. */
const PASS_MS_MAX = 5 * 60_000;
const PAUSE_MS = { first: 1_000, max: 30_000 };
const MERGE_MS_MAX = 30 * 60_000;

interface Seat {
  /** As it was listed last. */
  set: StatefulSet;
  readonly stop: AbortController;
  /** Resolves when it is to be stopped. */
  readonly stopped: Promise<void>;
  report: ArchiveReport;
  done: Promise<void>;
  tidied: Promise<void>;
}

function say(options: ArchiverOptions, seat: Seat, report: ArchiveReport): void {
  const isNews = seat.report.failure !== report.failure || seat.report.heldToMs === null;
  seat.report = report;
  if (isNews) options.onNews({ namespace: seat.set.namespace, name: seat.set.name });
}

function held(options: ArchiverOptions, seat: Seat, toMs: number): void {
  if (toMs > (seat.report.heldToMs ?? 0)) say(options, seat, { heldToMs: toMs, failure: null });
}

function failed(options: ArchiverOptions, seat: Seat, cause: Failure): void {
  const failure = reasonOf(cause);
  if (seat.report.failure !== failure)
    options.log.warn("logs are not archived", {
      cluster: clusterKey(seat.set),
      kind: cause.kind,
      why: failure,
    });
  say(options, seat, { ...seat.report, failure });
}

/** One at a time, for the memory that it takes; the next pass asks again. */
type Tidy = (seat: Seat) => void;

function tidier(options: ArchiverOptions): Tidy {
  const { log } = options;
  let isBusy = false;
  async function tidy(seat: Seat): Promise<void> {
    const { signal } = seat.stop;
    const ended = await tidyUp(options, seat.set, { follow: false, signal, msMax: MERGE_MS_MAX });
    const cluster = clusterKey(seat.set);
    if (ended.ok) log.info("merged", { cluster, ...ended.value });
    else if (!signal.aborted)
      log.warn("logs are not merged", { cluster, kind: ended.failure.kind, why: ended.failure.message });
  }
  return (seat) => {
    if (isBusy || seat.stop.signal.aborted || isBackupUnderWay(seat.set)) return;
    isBusy = true;
    seat.tidied = tidy(seat)
      .catch((error: unknown) =>
        log.warn("merging was broken off by an unexpected error", { error: String(error) }),
      )
      .finally(() => {
        isBusy = false;
      });
  };
}

async function follow(options: ArchiverOptions, seat: Seat, tidy: Tidy): Promise<void> {
  const { clock, log } = options;
  const { signal } = seat.stop;
  let pauseMs = PAUSE_MS.first;
  while (!signal.aborted) {
    const before = seat.report.heldToMs;
    const onHeld = (toMs: number) => held(options, seat, toMs);
    const turn = { follow: true, signal, msMax: PASS_MS_MAX, onHeld };
    const ended = await onArchive(options, seat.set, turn, archiveOnce);
    if (ended.ok) {
      const { segments, transactions, lost, loose } = ended.value;
      log.info("archived", { cluster: clusterKey(seat.set), segments, transactions });
      if (lost !== "")
        log.warn("logs were purged before they were archived", { cluster: clusterKey(seat.set) });
      // Beside the next pass: what is committed meanwhile is not to wait.
      if (loose >= LOOSE_MAX) tidy(seat);
    } else if (!signal.aborted) failed(options, seat, ended.failure);
    const isBetter = ended.ok || seat.report.heldToMs !== before;
    pauseMs = isBetter ? PAUSE_MS.first : Math.min(2 * pauseMs, PAUSE_MS.max);
    if (!signal.aborted) await Promise.race([clock.sleep(pauseMs), seat.stopped]);
  }
}

export function createArchiver(options: ArchiverOptions): Archiver {
  const seats = new Map<string, Seat>();
  const { clock, log } = options;
  const tidy = tidier(options);

  function begin(set: StatefulSet): Seat {
    const stop = new AbortController();
    const stopped = new Promise<void>((resolve) =>
      stop.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    const seat: Seat = {
      ...{ set, stop, stopped, done: Promise.resolve(), tidied: Promise.resolve() },
      report: { heldToMs: null, failure: null },
    };
    seat.done = follow(options, seat, tidy).catch((error: unknown) => {
      log.warn("an archive was broken off by an unexpected error", { error: String(error) });
      // The next list begins it anew.
      if (seats.get(clusterKey(set)) === seat) seats.delete(clusterKey(set));
    });
    return seat;
  }

  return {
    look(sets) {
      const wanted = new Map(sets.filter(isArchived).map((set) => [clusterKey(set), set]));
      for (const [key, seat] of seats) {
        // One of the same name may be another cluster.
        if (wanted.get(key)?.uid === seat.set.uid) continue;
        seat.stop.abort();
        seats.delete(key);
      }
      for (const [key, set] of wanted) {
        const seat = seats.get(key);
        if (seat === undefined) seats.set(key, begin(set));
        else seat.set = set;
      }
    },
    reportOf: (ref) => seats.get(clusterKey(ref))?.report ?? null,
    async stop(graceMs) {
      for (const seat of seats.values()) seat.stop.abort();
      const ended = [...seats.values()].flatMap(({ done, tidied }) => [done, tidied]);
      await Promise.race([Promise.all(ended), clock.sleep(graceMs)]);
      seats.clear();
    },
  };
}
