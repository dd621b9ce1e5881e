/**
 * Sends the news of clusters to one place, in order for each cluster, beside the passes: none ever waits for it. What was taken is
 * marked on the StatefulSet afterwards; killed in between, the same event is sent again under the same id. A place that does
 * not answer costs three attempts, then a pause that grows to a minute; the next look goes on where it was.
 */
import { type Announced, decodeAnnounced, encodeAnnounced } from "../../annotations/announced.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import { decodeState } from "../../annotations/state.ts";
import { clusterKey } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Clock, Log } from "../../ports/host.ts";
import type { Kube } from "../../ports/kube.ts";
import { isManaged } from "../sweep.ts";
import { type News, newsOf, type OutgoingEvent } from "./news.ts";

const ATTEMPTS = 3;
const RETRY_MS = 500;
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 60_000;
/** Clusters that are told about at the same time. */
const AT_A_TIME = 4;

export interface AnnouncerOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Status of the answer; null when there was none in time. */
  readonly send: (event: OutgoingEvent) => Promise<number | null>;
}

export interface Announcer {
  /** Sends what of these was not announced yet; who is being told about already is left to the next look. */
  look(sets: readonly StatefulSet[]): void;
  /** Begins nothing more, and resolves when what was being sent has ended. */
  stop(): Promise<void>;
}

/** Of one that was let go of, the last that was done is told too; a record that was copied from another set is nobody's. */
function isOurs(set: StatefulSet): boolean {
  return isManaged(set) || decodeState(set.annotations[ANNOTATION.state], set.uid).kind === "valid";
}

/** Worth to be repeated; another refusal stays one. */
function isTransient(status: number | null): boolean {
  return status === null || status >= 500 || status === 404 || status === 408 || status === 429;
}

export function createAnnouncer({ kube, clock, log, send }: AnnouncerOptions): Announcer {
  const busy = new Map<string, Promise<void>>();
  let stopped = false;
  let failures = 0;
  let pausedUntilMs = 0;

  async function deliver(event: OutgoingEvent): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      const status = await send(event);
      if (status !== null && status < 300) return true;
      if (!isTransient(status)) {
        log.warn("a CloudEvent was refused and is left out", { type: event.type, id: event.id, status });
        return true;
      }
      if (attempt === ATTEMPTS || stopped) {
        failures += 1;
        const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** (failures - 1));
        pausedUntilMs = clock.now() + pauseMs;
        log.warn("CloudEvents are not taken", { type: event.type, status: status ?? "no answer", pauseMs });
        return false;
      }
      await clock.sleep(RETRY_MS * attempt);
    }
  }

  async function tell(set: StatefulSet, all: readonly News[]): Promise<void> {
    let announced: Announced | null = null;
    for (const news of all) {
      if (stopped || !(await deliver(news.event))) break;
      failures = 0;
      announced = news.announced;
    }
    if (announced === null) return;
    const marked = await kube.patch("StatefulSet", set, {
      uid: set.uid,
      annotations: { [ANNOTATION.announced]: encodeAnnounced(announced) },
    });
    if (!marked.ok && marked.failure.kind !== "gone")
      log.warn("what was announced could not be marked", {
        cluster: clusterKey(set),
        reason: marked.failure.message,
      });
  }

  return {
    look(sets) {
      for (const set of sets) {
        if (stopped || clock.now() < pausedUntilMs || busy.size >= AT_A_TIME) return;
        const key = clusterKey(set);
        if (busy.has(key) || !isOurs(set)) continue;
        const all = newsOf(set, decodeAnnounced(set.annotations[ANNOTATION.announced]));
        if (all.length === 0) continue;
        const told = tell(set, all)
          .catch((error: unknown) =>
            log.warn("telling was broken off by an unexpected error", { error: String(error) }),
          )
          .finally(() => busy.delete(key));
        busy.set(key, told);
      }
    },
    async stop() {
      stopped = true;
      await Promise.all(busy.values());
    },
  };
}
