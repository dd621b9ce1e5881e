/** What the work of every Job has in common: where it works, how it is told to stop, and how it tells how far it is. */
import { BrokenStream } from "../model/broken-stream.ts";
import type { PositionAlgebra } from "../model/engine.ts";
import type { JobOrder } from "../model/job-order.ts";
import type { Store } from "../model/store.ts";
import type { Clock, Ids, Log } from "../ports/host.ts";
import type { ReadLogFile } from "../ports/log-stream.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { Copies } from "./copies.ts";
import type { Bytes } from "./flow.ts";
import type { Place } from "./layout.ts";
import { createMeter } from "./meter.ts";
import type { Patience } from "./patience.ts";
import type { SealShape } from "./seal.ts";

/** What is known of the logs of the engine. */
export interface Logs {
  readonly positions: PositionAlgebra;
  readonly readLogFile: ReadLogFile;
}

export interface Work {
  readonly cluster: JobOrder["cluster"];
  readonly settings: Store;
  readonly store: ObjectStore;
  readonly copies: Copies;
  readonly logs: Logs;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Aborted when the pod is told to end. */
  readonly signal: AbortSignal;
  /** Absent = as a backup is. */
  readonly shape?: Partial<SealShape>;
}

/** A store that is away for some minutes does not end the work of hours. */
const TRIES = 10;

export function placeOf({ cluster, settings }: Work): Place {
  return { prefix: settings.prefix, clusterUid: cluster.uid };
}

export function patienceOf({ clock, ids }: Work): Patience {
  return { clock, ids, tries: TRIES };
}

/** Ends in place of the next piece once the pod is told to end, so that what was begun is taken back in time. */
export async function* stoppable(source: Bytes, signal: AbortSignal): Bytes {
  for await (const chunk of source) {
    expectGoingOn(signal);
    yield chunk;
  }
}

/** Throws `BrokenStream` once the pod is told to end. */
export function expectGoingOn(signal: AbortSignal): void {
  if (signal.aborted) throw new BrokenStream({ kind: "transient", message: "its pod was told to end" });
}

/** A line now and then is enough to see that it goes on, and for hours it is some hundred. */
const TELL_MS = 5_000;

/** A line `progress` in the log. `expected`: bytes in all; null = unknown. */
export function progressOf({ clock, log }: Work, expected: number | null): (bytes: number) => void {
  let toldAt = clock.now();
  const meter = createMeter(clock, ({ bytes, bytesPerSecond }) => {
    if (clock.now() - toldAt < TELL_MS) return;
    toldAt = clock.now();
    const left =
      expected === null || bytesPerSecond === 0 ? null : Math.max(0, expected - bytes) / bytesPerSecond;
    const secondsLeft = left === null ? null : Math.round(left);
    log.info("progress", { bytes, bytesPerSecond, bytesExpected: expected, secondsLeft });
  });
  return (bytes) => meter.add(bytes);
}
