/**
 * Which backups are kept, and what is deleted in which order. Deleting is the only thing that cannot be mended, so the rule
 * counts what there is (the last seven days that have a backup, not the last seven of the calendar): time alone deletes
 * nothing. Whatever the rule says, these are kept: the newest that can be restored, the newest that was proven, what a
 * recovery to a point in time begins with, and everything that is not understood or failed its proof.
 */
import type { Retention } from "../model/backup.ts";
import { unreachable } from "../model/outcome.ts";
import { calendarOf } from "../schedule/calendar.ts";
import { type Backup, type Catalogue, isProven, isRestorable, type Leftover } from "./catalogue.ts";
import { manifestKey, type Place } from "./layout.ts";

/** Longer than any backup may take, so that the parts of one under way are never taken for leftovers. */
export const LEFTOVER_MS: number = 48 * 3_600_000;

export interface RetentionInput {
  readonly place: Place;
  readonly catalogue: Catalogue;
  /** Null = nothing is ever deleted, leftovers of failed attempts aside. */
  readonly retention: Retention | null;
  readonly timeZone: string;
  readonly nowMs: number;
  /** Slots that a recovery to a point in time needs. */
  readonly needed: ReadonlySet<number>;
  /** Slots whose backup is under way. */
  readonly busy: ReadonlySet<number>;
}

export interface Verdict {
  readonly slotMs: number;
  readonly keep: boolean;
  /** For people: why it is kept; or that no rule keeps it. */
  readonly reason: string;
  readonly bytes: number;
}

export interface Deletion {
  readonly slotMs: number;
  /** In this order, one after the other: without its manifest it is no backup any more. */
  readonly keys: readonly string[];
  /** Nothing of it may be deleted while this exists: the listing may have missed it. */
  readonly unless: string | null;
}

export function keptSlots(verdicts: readonly Verdict[]): ReadonlySet<number> {
  return new Set(verdicts.filter(({ keep }) => keep).map(({ slotMs }) => slotMs));
}

export type RetentionPlan =
  /** Something could not be read: nothing is deleted. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "plan"; readonly verdicts: readonly Verdict[]; readonly deletions: readonly Deletion[] };

/** The newest of each of the last `count` groups, by slot. */
function newestOfEach(
  newestFirst: readonly Backup[],
  groupOf: (slotMs: number) => string,
  count: number,
): readonly number[] {
  const newest = new Map<string, number>();
  for (const { slotMs } of newestFirst) {
    const group = groupOf(slotMs);
    if (!newest.has(group)) newest.set(group, slotMs);
  }
  return [...newest.values()].slice(0, count);
}

/** Slots that the rule keeps, with the reason. */
function ruled(
  newestFirst: readonly Backup[],
  retention: Retention | null,
  timeZone: string,
): ReadonlyMap<number, string> {
  if (retention === null)
    return new Map(newestFirst.map(({ slotMs }) => [slotMs, "nothing is ever deleted"]));
  switch (retention.kind) {
    case "count":
      return new Map(
        newestFirst
          .slice(0, retention.count)
          .map(({ slotMs }) => [slotMs, `one of the last ${retention.count}`]),
      );
    case "calendar": {
      const { day, week, month } = calendarOf(timeZone);
      const { days, weeks, months } = retention;
      const because = (slots: readonly number[], reason: string) =>
        slots.map((slotMs) => [slotMs, reason] as const);
      // Of several reasons the first one listed last is told.
      return new Map([
        ...because(newestOfEach(newestFirst, month, months), "the newest of its month"),
        ...because(newestOfEach(newestFirst, week, weeks), "the newest of its week"),
        ...because(newestOfEach(newestFirst, day, days), "the newest of its day"),
      ]);
    }
    default:
      return unreachable(retention);
  }
}

/** Reasons that no rule can override; null = there is none. */
function exempt(backup: Backup, input: RetentionInput): string | null {
  const { catalogue, nowMs, needed, busy } = input;
  const { slotMs, soundness } = backup;
  const isLast = (fits: (one: Backup) => boolean) => catalogue.backups.findLast(fits) === backup;
  if (soundness.kind !== "complete") return `it is not understood: ${soundness.why}`;
  if (!isRestorable(backup)) return "it failed its proof";
  if (slotMs > nowMs) return "its slot is in the future";
  // One from the future may be newer; it does not count.
  if (isLast((one) => isRestorable(one) && one.slotMs <= nowMs)) return "the newest that can be restored";
  if (isLast((one) => isProven(one) && one.slotMs <= nowMs)) return "the newest that was proven";
  if (needed.has(slotMs)) return "a recovery to a point in time begins with it";
  return busy.has(slotMs) ? "it is being worked on" : null;
}

function verdictOf(backup: Backup, kept: ReadonlyMap<number, string>, input: RetentionInput): Verdict {
  const { slotMs, bytes } = backup;
  const reason = exempt(backup, input) ?? kept.get(slotMs);
  return { slotMs, bytes, keep: reason !== undefined, reason: reason ?? "no rule keeps it" };
}

function isOver({ slotMs, modifiedAtMs }: Leftover, { nowMs, busy }: RetentionInput): boolean {
  // Nothing is old of which it is not said how old it is.
  return !busy.has(slotMs) && nowMs - modifiedAtMs > LEFTOVER_MS;
}

/** Never throws for anything that a bucket may hold. Carrying it out twice, or half, is the same as once. */
export function planRetention(input: RetentionInput): RetentionPlan {
  const { catalogue, retention, timeZone, nowMs, place } = input;
  const { backups, leftovers, gap } = catalogue;
  if (gap !== null) return { kind: "refused", why: `not everything could be read: ${gap.message}` };
  const countable = backups.filter((backup) => isRestorable(backup) && backup.slotMs <= nowMs).toReversed();
  const kept = ruled(countable, retention, timeZone);
  const verdicts = backups.map((backup) => verdictOf(backup, kept, input));
  const going = new Set(verdicts.filter(({ keep }) => !keep).map(({ slotMs }) => slotMs));
  const ofBackups = backups
    .filter(({ slotMs }) => going.has(slotMs))
    .map(({ slotMs, keys }): Deletion => ({ slotMs, keys, unless: null }));
  const present = new Set(backups.map(({ slotMs }) => slotMs));
  const ofLeftovers = leftovers
    .filter((leftover) => isOver(leftover, input))
    .map(({ slotMs, keys }): Deletion => {
      // Beside a manifest that was read the attempt is known to be another one.
      return { slotMs, keys, unless: present.has(slotMs) ? null : manifestKey(place, slotMs) };
    });
  return { kind: "plan", verdicts, deletions: [...ofBackups, ...ofLeftovers] };
}
