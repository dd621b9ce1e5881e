/**
 * Follows the logs of all clusters that are to be archived, as long as this host runs. It remembers nothing that the bucket
 * does not hold: killed anywhere, or run beside another one, the archive goes on from what is there.
 */

import { ANNOTATION } from "../../annotations/keys.ts";
import { decodeState } from "../../annotations/state.ts";
import { oneLine } from "../../annotations/text.ts";
import { parseWish } from "../../annotations/wish.ts";
import type { Tip } from "../../backup/archive/look.ts";
import { type Archived, archiveOnce, type LogSource } from "../../backup/archive/pass.ts";
import { parseStore } from "../../backup/store.ts";
import type { ArchiveReport } from "../../model/backup.ts";
import { type ClusterRef, clusterKey } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Failure, Outcome } from "../../model/outcome.ts";
import type { Store } from "../../model/store.ts";
import type { Clock, Ids, Log } from "../../ports/host.ts";
import type { LogWish } from "../../ports/log-stream.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { ConnectOptions } from "../../ports/server.ts";
import { isManaged } from "../sweep.ts";
import { type Asking, askPrimary, reachSource } from "./members.ts";

export interface ArchiverOptions extends Omit<Asking, "engine"> {
  readonly engineOf: (set: StatefulSet) => Asking["engine"];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly openStore: (store: Store) => ObjectStore;
  readonly lookAtLog: (to: ConnectOptions, wish: LogWish) => Promise<Outcome<LogSource>>;
  readonly askTip: (to: ConnectOptions) => Promise<Outcome<Tip>>;
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
/** The rest of a transaction has so long to come once a pass is to end. */
const REST_MS_MAX = 10_000;
/** A server that has nothing to send says so twice a second. */
const SILENCE_MS_MAX = 10_000;
const PAUSE_MS = { first: 1_000, max: 30_000 };
/** What is committed waits for the end of its segment. */
const SEGMENT = { segmentBytesMax: 64 * 1024 * 1024, segmentAgeMsMax: 500 };
const LOOK_EVERY_MS = 10_000;
/** A host has no room for more: 10 MiB for each cluster. */
const SHAPE = { parallel: 1, partBytes: 5 * 1024 * 1024 };
const TRIES = 3;
const REASON_MAX = 160;

interface Seat {
  /** As it was listed last. */
  set: StatefulSet;
  readonly stop: AbortController;
  /** Resolves when it is to be stopped. */
  readonly stopped: Promise<void>;
  report: ArchiveReport;
  done: Promise<void>;
}

function isWanted(set: StatefulSet): boolean {
  if (!isManaged(set) || set.deleting || parseWish(set).spec?.backup?.archive !== true) return false;
  const state = decodeState(set.annotations[ANNOTATION.state], set.uid);
  return state.kind === "valid" && state.state.established !== null;
}

/** One pass, until it is stopped, its time is over or something fails. */
async function pass(options: ArchiverOptions, seat: Seat): Promise<Outcome<Archived>> {
  const { kube, clock, ids, component } = options;
  const { set } = seat;
  const { namespace, name, uid } = set;
  const engine = options.engineOf(set);
  const secret = await kube.read("Secret", { namespace, name: parseWish(set).spec?.backup?.store ?? "" });
  if (!secret.ok) return secret;
  const store = parseStore(secret.value.name, secret.value.values);
  if (!store.ok) return store;
  const objects = options.openStore(store.value);
  const [over, cut] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([seat.stop.signal, over.signal]);
  const timer = setTimeout(() => over.abort(), PASS_MS_MAX);
  signal.addEventListener("abort", () => setTimeout(() => cut.abort(), REST_MS_MAX).unref(), { once: true });
  const asking = { kube, engine, component };
  const wish = { follow: true, silenceMsMax: SILENCE_MS_MAX, signal: cut.signal };
  try {
    return await archiveOnce(
      {
        ...{
          cluster: { namespace, name, uid },
          store: objects,
          clock,
          ids,
          signal,
          ...SEGMENT,
          shape: SHAPE,
        },
        place: { prefix: store.value.prefix, clusterUid: uid },
        positions: engine.rules.positions,
        ageRecipients: store.value.ageRecipients,
        patience: { clock, ids, tries: TRIES },
        lookEveryMs: LOOK_EVERY_MS,
        askTip: () => askPrimary(asking, set, options.askTip),
        onHeld: (toMs) => held(options, seat, toMs),
      },
      async () => {
        const source = await reachSource(asking, seat.set);
        return source.ok ? await options.lookAtLog(source.value, wish) : source;
      },
    );
  } finally {
    clearTimeout(timer);
    objects.close();
  }
}

function say(options: ArchiverOptions, seat: Seat, report: ArchiveReport): void {
  const isNews = seat.report.failure !== report.failure || seat.report.heldToMs === null;
  seat.report = report;
  if (isNews) options.onNews({ namespace: seat.set.namespace, name: seat.set.name });
}

function held(options: ArchiverOptions, seat: Seat, toMs: number): void {
  if (toMs > (seat.report.heldToMs ?? 0)) say(options, seat, { heldToMs: toMs, failure: null });
}

function failed(options: ArchiverOptions, seat: Seat, { kind, message }: Failure): void {
  const failure = oneLine(message, REASON_MAX).replace(/\.$/, "");
  if (seat.report.failure !== failure)
    options.log.warn("logs are not archived", { cluster: clusterKey(seat.set), kind, why: failure });
  say(options, seat, { ...seat.report, failure });
}

async function follow(options: ArchiverOptions, seat: Seat): Promise<void> {
  const { clock, log } = options;
  let pauseMs = PAUSE_MS.first;
  while (!seat.stop.signal.aborted) {
    const before = seat.report.heldToMs;
    const ended = await pass(options, seat);
    const { signal } = seat.stop;
    if (ended.ok) {
      const { segments, transactions, lost } = ended.value;
      log.info("archived", { cluster: clusterKey(seat.set), segments, transactions });
      if (lost !== "")
        log.warn("logs were purged before they were archived", { cluster: clusterKey(seat.set) });
    } else if (!signal.aborted) failed(options, seat, ended.failure);
    const isBetter = ended.ok || seat.report.heldToMs !== before;
    pauseMs = isBetter ? PAUSE_MS.first : Math.min(2 * pauseMs, PAUSE_MS.max);
    if (!signal.aborted) await Promise.race([clock.sleep(pauseMs), seat.stopped]);
  }
}

export function createArchiver(options: ArchiverOptions): Archiver {
  const seats = new Map<string, Seat>();
  const { clock, log } = options;

  function begin(set: StatefulSet): Seat {
    const stop = new AbortController();
    const stopped = new Promise<void>((resolve) =>
      stop.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    const seat: Seat = {
      ...{ set, stop, stopped, done: Promise.resolve() },
      report: { heldToMs: null, failure: null },
    };
    seat.done = follow(options, seat).catch((error: unknown) => {
      log.warn("an archive was broken off by an unexpected error", { error: String(error) });
      // The next list begins it anew.
      if (seats.get(clusterKey(set)) === seat) seats.delete(clusterKey(set));
    });
    return seat;
  }

  return {
    look(sets) {
      const wanted = new Map(sets.filter(isWanted).map((set) => [clusterKey(set), set]));
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
      await Promise.race([Promise.all([...seats.values()].map(({ done }) => done)), clock.sleep(graceMs)]);
      seats.clear();
    },
  };
}
