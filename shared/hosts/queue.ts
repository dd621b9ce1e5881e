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

/** The more urgent wake, with its cause; else the first one. */
function merged(before: Place | undefined, after: Place): Place {
  if (before === undefined) return after;
  const urgent = after.wake.priority === "high" && before.wake.priority === "normal";
  return { wake: urgent ? after.wake : before.wake, eager: before.eager || after.eager };
}

/** Half of it is fixed and half is chance, so that clusters that failed together do not return together. */
function backoffMs(failures: number, ids: Ids): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
  return full * (0.5 + 0.5 * ids.fraction());
}

export function createQueue(options: QueueOptions): Queue {
  const { clock, ids, log, work, concurrency = 8, waitingMax = 10_000 } = options;
  // Maps keep the order of insertion, which makes each lane first in, first out.
  const high = new Map<string, Place>();
  const normal = new Map<string, Place>();
  /** Wait for the end of their cluster's pass or of its back-off. */
  const held = new Map<string, Place>();
  const running = new Set<string>();
  /** Clusters whose last pass failed. `over` once the waiting time has passed. */
  const failed = new Map<string, { readonly failures: number; over: boolean }>();
  const idlers: (() => void)[] = [];
  let closed = false;
  let pumping = false;

  const waiting = () => high.size + normal.size + held.size;

  function put(key: string, place: Place): void {
    const backsOff = failed.get(key)?.over === false && !place.eager && place.wake.priority !== "high";
    if (running.has(key) || backsOff) {
      held.set(key, place);
      return;
    }
    (place.wake.priority === "high" ? high : normal).set(key, place);
    pump();
  }

  /** Starts passes after the caller is done, so that of many wakes at once the most urgent goes first. */
  function pump(): void {
    if (pumping) return;
    pumping = true;
    queueMicrotask(() => {
      pumping = false;
      while (running.size < concurrency) {
        const lane = high.size > 0 ? high : normal;
        const next = lane.entries().next().value;
        if (next === undefined) break;
        lane.delete(next[0]);
        running.add(next[0]);
        void run(next[0], next[1].wake);
      }
      if (running.size === 0 && waiting() === 0) for (const resolve of idlers.splice(0)) resolve();
    });
  }

  async function run(key: string, wake: Wake): Promise<void> {
    let succeeded = false;
    try {
      succeeded = await work(wake);
    } catch (error) {
      // A bug in a pass of one cluster must not stop the passes of the others.
      log.warn("a pass was broken off by an unexpected error", { cluster: key, error: String(error) });
    }
    running.delete(key);
    if (succeeded) failed.delete(key);
    else backOff(key);
    release(key);
    pump();
  }

  function backOff(key: string): void {
    const failures = (failed.get(key)?.failures ?? 0) + 1;
    failed.delete(key);
    // Without room for one more the cluster just does not back off.
    if (failed.size >= waitingMax) return;
    const entry = { failures, over: false };
    failed.set(key, entry);
    void clock.sleep(backoffMs(failures, ids)).then(() => {
      entry.over = true;
      if (failed.get(key) === entry) release(key);
    });
  }

  function release(key: string): void {
    const place = held.get(key);
    if (place === undefined) return;
    held.delete(key);
    put(key, place);
  }

  function idle(): Promise<void> {
    return new Promise((resolve) => {
      idlers.push(resolve);
      pump();
    });
  }

  return {
    idle,
    add(wake, { eager } = { eager: false }) {
      if (closed) return false;
      const key = clusterKey(wake.ref);
      const before = high.get(key) ?? normal.get(key) ?? held.get(key);
      if (before === undefined && waiting() >= waitingMax) return false;
      const place = merged(before, { wake, eager });
      const stays = high.has(key) || (normal.has(key) && place.wake.priority === "normal");
      if (stays) return true;
      normal.delete(key);
      held.delete(key);
      put(key, place);
      return true;
    },
    close() {
      closed = true;
      for (const lane of [high, normal, held]) lane.clear();
      return idle();
    },
  };
}
