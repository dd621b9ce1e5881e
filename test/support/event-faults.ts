/**
 * Watches that misbehave on purpose: cut off, repeating, out of order. Each wraps a source of events and is
 * one too, so that they can be combined.
 */
import type { CloudEvent } from "../../shared/hosts/cloud-event.ts";
import type { EventSource } from "../../shared/hosts/local/sources.ts";
import type { Clock, Ids } from "../../shared/ports/host.ts";

export interface Cut {
  /** While true every event is lost, for good. */
  cut: boolean;
  /** How many were lost so far. */
  lost: number;
}

export function cutWatch(source: EventSource, state: Cut): EventSource {
  return (emit) =>
    source((event) => {
      if (state.cut) state.lost += 1;
      else emit(event);
    });
}

/** Each event arrives `times` times. */
export function repeated(source: EventSource, times = 3): EventSource {
  return (emit) =>
    source((event) => {
      for (let round = 0; round < times; round += 1) emit(event);
    });
}

/** Keeps events back for `windowMs` and then reports them in an order made by chance. */
export function shuffled(source: EventSource, { clock, ids, windowMs }: ShuffleOptions): EventSource {
  return (emit) => {
    let kept: CloudEvent[] = [];
    return source((event) => {
      kept.push(event);
      if (kept.length > 1) return;
      void clock.sleep(windowMs).then(() => {
        const order = kept.map((each) => ({ each, rank: ids.fraction() })).sort((a, b) => a.rank - b.rank);
        kept = [];
        for (const { each } of order) emit(each);
      });
    });
  };
}

export interface ShuffleOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly windowMs: number;
}
