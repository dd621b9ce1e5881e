/**
 * The line of clusters that wait for a pass. Each cluster has one place: wakes that come while it waits are
 * one pass, and a wake that comes while it is being worked on is kept for one more pass afterwards. It must
 * never run two passes of one cluster at once, never lose a wake, and never grow beyond its limit.
 */
import { clusterKey, type Wake } from "../model/cluster.ts";
import type { Clock, Ids, Log } from "../ports/host.ts";

const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;

export interface QueueOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** One pass. False when it failed, so that the cluster's next pass waits a little. */
  readonly work: (wake: Wake) => Promise<boolean>;
  /** Passes at the same time, of different clusters. */
  readonly concurrency?: number;
  /** Clusters that may wait at the same time. */
  readonly waitingMax?: number;
}

export interface Queue {
  /**
   * False when too many clusters wait already; the caller must then ask for the wake to be repeated.
   * `eager` (and high priority) does not wait out the back-off after a failed pass.
   */
  add(wake: Wake, options?: { readonly eager: boolean }): boolean;
  /** Resolves when no cluster waits and none is being worked on. */
  idle(): Promise<void>;
  /** Forgets who waits, starts nothing more, and resolves when the passes under way have ended. */
  close(): Promise<void>;
}

interface Place {
  readonly wake: Wake;
  readonly eager: boolean;
}

/** One pass may be for a storm of events: who looks into it needs the first of them. */
const ORIGINS_MAX = 8;

/** The more urgent wake, with its cause; else the first one. It is traced by both. */
function merged(before: Place | undefined, after: Place): Place {
  if (before === undefined) return after;
  const urgent = after.wake.priority === "high" && before.wake.priority === "normal";
  const origins = [...(before.wake.origins ?? []), ...(after.wake.origins ?? [])].slice(0, ORIGINS_MAX);
  const wake = { ...(urgent ? after.wake : before.wake), ...(origins.length > 0 && { origins }) };
  return { wake, eager: before.eager || after.eager };
}

/** Half of it is fixed and half is chance, so that clusters that failed together do not return together. */
function backoffMs(failures: number, ids: Ids): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
  return full * (0.5 + 0.5 * ids.fraction());
}

interface Backoffs {
  /** True while the cluster's next pass has to wait; `onOver` is called when it need not any more. */
  holds(key: string): boolean;
  ended(key: string, succeeded: boolean): void;
}

function createBackoffs(
  { clock, ids }: Pick<QueueOptions, "clock" | "ids">,
  countMax: number,
  onOver: (key: string) => void,
): Backoffs {
  /** Clusters whose last pass failed. */
  const failed = new Map<string, { readonly failures: number; over: boolean }>();
  return {
    holds: (key) => failed.get(key)?.over === false,
    ended(key, succeeded) {
      const failures = (failed.get(key)?.failures ?? 0) + 1;
      failed.delete(key);
      // Without room for one more the cluster just does not back off.
      if (succeeded || failed.size >= countMax) return;
      // Marked by the timer and not compared with the clock: a timer may fire a moment early.
      const entry = { failures, over: false };
      failed.set(key, entry);
      void clock.sleep(backoffMs(failures, ids)).then(() => {
        entry.over = true;
        if (failed.get(key) === entry) onOver(key);
      });
    },
  };
}

/** Who waits. Maps keep the order of insertion, which makes each lane first in, first out. */
interface Lanes {
  readonly high: Map<string, Place>;
  readonly normal: Map<string, Place>;
  /** For the end of their cluster's pass or of its back-off. */
  readonly held: Map<string, Place>;
}

function countOf({ high, normal, held }: Lanes): number {
  return high.size + normal.size + held.size;
}

/** Takes the next place out of its lane; undefined when all who wait are held. */
function takeNext({ high, normal }: Lanes): [string, Place] | undefined {
  const lane = high.size > 0 ? high : normal;
  const next = lane.entries().next().value;
  if (next !== undefined) lane.delete(next[0]);
  return next;
}

interface Passes {
  readonly running: ReadonlySet<string>;
  start(key: string, wake: Wake): void;
}

function createPasses(
  { work, log }: Pick<QueueOptions, "work" | "log">,
  onEnd: (key: string, succeeded: boolean) => void,
): Passes {
  const running = new Set<string>();

  async function run(key: string, wake: Wake): Promise<void> {
    let succeeded = false;
    try {
      succeeded = await work(wake);
    } catch (error) {
      // A bug in a pass of one cluster must not stop the passes of the others.
      log.warn("a pass was broken off by an unexpected error", { cluster: key, error: String(error) });
    }
    running.delete(key);
    onEnd(key, succeeded);
  }

  return {
    running,
    start(key, wake) {
      running.add(key);
      void run(key, wake);
    },
  };
}

export function createQueue(options: QueueOptions): Queue {
  const { concurrency = 8, waitingMax = 10_000 } = options;
  const lanes: Lanes = { high: new Map(), normal: new Map(), held: new Map() };
  const backoffs = createBackoffs(options, waitingMax, release);
  const { running, start } = createPasses(options, (key, succeeded) => {
    backoffs.ended(key, succeeded);
    release(key);
    pump();
  });
  const idlers: (() => void)[] = [];
  let closed = false;
  let pumping = false;

  function put(key: string, place: Place): void {
    const urgent = place.wake.priority === "high";
    const held = running.has(key) || (backoffs.holds(key) && !place.eager && !urgent);
    const lane = held ? lanes.held : urgent ? lanes.high : lanes.normal;
    lane.set(key, place);
    if (!held) pump();
  }

  function release(key: string): void {
    const place = lanes.held.get(key);
    lanes.held.delete(key);
    if (place !== undefined) put(key, place);
  }

  /** Starts passes after the caller is done, so that of many wakes at once the most urgent goes first. */
  function pump(): void {
    if (pumping) return;
    pumping = true;
    queueMicrotask(() => {
      pumping = false;
      while (running.size < concurrency) {
        const next = takeNext(lanes);
        if (next === undefined) break;
        start(next[0], next[1].wake);
      }
      if (running.size === 0 && countOf(lanes) === 0) for (const resolve of idlers.splice(0)) resolve();
    });
  }

  function idle(): Promise<void> {
    return new Promise((resolve) => {
      idlers.push(resolve);
      pump();
    });
  }

  function add(wake: Wake, { eager } = { eager: false }): boolean {
    const key = clusterKey(wake.ref);
    const before = lanes.high.get(key) ?? lanes.normal.get(key) ?? lanes.held.get(key);
    if (closed || (before === undefined && countOf(lanes) >= waitingMax)) return false;
    const place = merged(before, { wake, eager });
    // Whoever is in the right lane already keeps its turn there.
    for (const lane of [lanes.high, ...(place.wake.priority === "normal" ? [lanes.normal] : [])]) {
      if (lane.has(key)) {
        lane.set(key, place);
        return true;
      }
    }
    lanes.normal.delete(key);
    lanes.held.delete(key);
    put(key, place);
    return true;
  }

  function close(): Promise<void> {
    closed = true;
    for (const lane of Object.values(lanes)) lane.clear();
    return idle();
  }

  return { add, idle, close };
}
