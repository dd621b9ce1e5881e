/**
 * The history annotation: a ring of the last decisions, newest last. It is for people and never truth, so
 * what cannot be read is left out without a word, and the oldest entries give way when room is short.
 */
import { type HistoryEntry, historyEntrySchema } from "../model/state.ts";
import { KEYS } from "./keys.ts";
import { decodeRing, encodeRing } from "./ring.ts";
import { oneLine } from "./text.ts";

const LIMITS = { entriesMax: 32, bytesMax: KEYS.history.bytesMax };

/** Within the limits of the schema, so that what is written can be read back. */
function bounded(entry: HistoryEntry): HistoryEntry {
  return {
    at: entry.at,
    epoch: entry.epoch,
    reason: oneLine(entry.reason, 64),
    why: oneLine(entry.why, 400),
    considered: entry.considered.slice(0, 10).map((line) => oneLine(line, 160)),
  };
}

/** The newest entries that fit into `bytesMax`; `[]` when not even one does. */
export function encodeHistory(entries: readonly HistoryEntry[], bytesMax: number = LIMITS.bytesMax): string {
  const limits = { ...LIMITS, bytesMax: Math.min(bytesMax, LIMITS.bytesMax) };
  return encodeRing(entries.slice(-LIMITS.entriesMax).map(bounded), limits);
}

/** Never throws. */
export function decodeHistory(raw: string | undefined): readonly HistoryEntry[] {
  return decodeRing(raw, historyEntrySchema, LIMITS);
}
