/**
 * The slots of a schedule: instants in UTC, so that all that follows (names of Jobs, keys in the bucket) knows nothing
 * of clocks being put forward and back. Whoever asks at whatever instant finds the same slots, so two functions that
 * find one due mean the same one. Pure: `now` is given. Instants are milliseconds since 1970.
 *
 * Where clocks are changed (docs/backups.md has it for people):
 * - a schedule whose minute and hour are numbers, lists or ranges has each of its times once a day: a time that is left
 *   out comes when the clocks have been put forward, of a time that there is twice only the first counts;
 * - one with `*` in its minute or hour goes on in its rhythm: nothing is left out of it or put in.
 */
import type { Schedule } from "../model/schedule.ts";
import { cronOf } from "./cron.ts";

const SECOND_MS = 1000;

/** The last slot at or before that instant. Null only before there were clocks. */
export function latestSlot(schedule: Schedule, nowMs: number): number | null {
  // Slots stand on full seconds, and the library looks for what is earlier than it is told.
  const afterNow = new Date((Math.floor(nowMs / SECOND_MS) + 1) * SECOND_MS);
  return cronOf(schedule).previousRuns(1, afterNow)[0]?.getTime() ?? null;
}

/** The first slot after that instant. Null only at the end of time. */
export function nextSlot(schedule: Schedule, afterMs: number): number | null {
  return cronOf(schedule).nextRun(new Date(afterMs))?.getTime() ?? null;
}

export interface Since {
  /** Slots up to here are over and done with. */
  readonly afterMs: number;
  readonly nowMs: number;
  /** A slot that is older than this is not begun any more. */
  readonly deadlineMs: number;
}

/**
 * The slot that is to be begun: the latest at or before now, so that of several that were missed one is caught up with
 * at most. Null when that one is over and done with, or too old.
 */
export function dueSlot(schedule: Schedule, { afterMs, nowMs, deadlineMs }: Since): number | null {
  const latest = latestSlot(schedule, nowMs);
  return latest !== null && latest > afterMs && nowMs - latest <= deadlineMs ? latest : null;
}

/** Counting ends here: a schedule of every minute has half a million slots a year. */
export const COUNT_MAX = 1000;

/** How many slots are after the one instant and before the other; `COUNT_MAX` stands for that many or more. */
export function slotsBetween(schedule: Schedule, afterMs: number, beforeMs: number): number {
  const cron = cronOf(schedule);
  let count = 0;
  let slot = cron.nextRun(new Date(afterMs));
  while (slot !== null && slot.getTime() < beforeMs && count < COUNT_MAX) {
    count += 1;
    slot = cron.nextRun(slot);
  }
  return count;
}
