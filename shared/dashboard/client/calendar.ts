/** Five weeks of backups, one day a cell, by the calendar of the zone in which the cluster's schedule is read. Pure. */
import type { ClusterBackups, ListedBackup } from "../../model/documents.ts";
import { bytes } from "../../model/format.ts";
import type { Tone } from "../../model/summary.ts";

/** Worst first: of a day with several the first of these is its mark. */
export const FATES = {
  failed: { shape: "✖", word: "failed", tone: "bad" },
  unsound: { shape: "✖", word: "not whole", tone: "bad" },
  refuted: { shape: "✖", word: "failed its proof", tone: "bad" },
  running: { shape: "…", word: "under way", tone: "attention" },
  proven: { shape: "✔", word: "proven", tone: "good" },
  made: { shape: "●", word: "made, not proven", tone: "attention" },
  planned: { shape: "○", word: "planned", tone: "attention" },
} as const satisfies Readonly<Record<string, { shape: string; word: string; tone: Tone }>>;
export type Fate = keyof typeof FATES;

export interface Marked {
  readonly slot: string;
  readonly fate: Fate;
  /** More about it; null = the mark says it all. */
  readonly note: string | null;
}

export interface Day {
  /** As `2026-11-23`. */
  readonly date: string;
  readonly isToday: boolean;
  /** By instant. */
  readonly marked: readonly Marked[];
}

const DAY_MS = 86_400_000;
const WEEKS = 5;

function fateOf({ soundness, proof }: ListedBackup): Fate {
  if (soundness !== "complete") return "unsound";
  if (proof === null) return "made";
  return proof.fault === null ? "proven" : "refuted";
}

function noteOf({ bytes: size, method, why, proof }: ListedBackup): string {
  return [method ?? "", bytes(size), why ?? "", proof?.fault ?? ""].filter((text) => text !== "").join(", ");
}

/** What is remembered, for days of which the store says nothing, and what only the memory knows. */
function rememberedMarks({
  last,
  proven,
  failed,
  unproven,
  running,
  nextSlot,
}: ClusterBackups): readonly Marked[] {
  const isProven = last !== null && proven?.slot === last.slot;
  return [
    ...(last === null
      ? []
      : [{ slot: last.slot, fate: isProven ? "proven" : "made", note: last.method } as const]),
    ...(proven === null ? [] : [{ slot: proven.slot, fate: "proven", note: null } as const]),
    ...(unproven === null ? [] : [{ slot: unproven.slot, fate: "refuted", note: unproven.reason } as const]),
    ...(failed === null ? [] : [{ slot: failed.slot, fate: "failed", note: failed.reason } as const]),
    ...(running === null ? [] : [{ slot: running.slot, fate: "running", note: running.method } as const]),
    ...(nextSlot === null ? [] : [{ slot: nextSlot, fate: "planned", note: null } as const]),
  ];
}

/** One mark a slot: of what the store holds it is the truth, but for a proof that failed since. `stored` null = it was not asked. */
export function marksOf(backups: ClusterBackups, stored: readonly ListedBackup[] | null): readonly Marked[] {
  const marks = new Map<string, Marked>();
  const remembered = rememberedMarks(backups);
  // Of one slot the worse is told, but what is running now was failed before.
  const rank = Object.keys(FATES);
  for (const one of [
    ...(stored ?? []).map((each) => ({ slot: each.slot, fate: fateOf(each), note: noteOf(each) })),
    ...remembered,
  ]) {
    const key = new Date(one.slot).toISOString();
    const known = marks.get(key);
    if (known === undefined || rank.indexOf(one.fate) < rank.indexOf(known.fate)) marks.set(key, one);
  }
  return [...marks.values()].toSorted((a, b) => Date.parse(a.slot) - Date.parse(b.slot));
}

/** The day of an instant in a zone, as `2026-11-23`. */
export function dayOf(ms: number, timeZone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeZone }).format(ms);
}

/** Whole weeks from Monday on; the last one is that of today and of what is planned for it. */
export function weeksOf(
  marks: readonly Marked[],
  nowMs: number,
  timeZone: string,
): readonly (readonly Day[])[] {
  const today = dayOf(nowMs, timeZone);
  const byDay = Map.groupBy(marks, ({ slot }) => dayOf(Date.parse(slot), timeZone));
  // A date alone has no zone: it is counted in UTC, where every day is as long.
  const todayMs = Date.parse(today);
  const weekday = (new Date(todayMs).getUTCDay() + 6) % 7;
  const firstMs = todayMs - (weekday + 7 * (WEEKS - 1)) * DAY_MS;
  return Array.from({ length: WEEKS }, (_, week) =>
    Array.from({ length: 7 }, (_unused, day) => {
      const date = new Date(firstMs + (week * 7 + day) * DAY_MS).toISOString().slice(0, 10);
      return { date, isToday: date === today, marked: byDay.get(date) ?? [] };
    }),
  );
}

/** Of a day with several; null = none. */
export function worstOf(marked: readonly Marked[]): Fate | null {
  const fates = Object.keys(FATES) as readonly Fate[];
  return fates.find((fate) => marked.some((one) => one.fate === fate)) ?? null;
}
