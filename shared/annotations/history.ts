/**
 * The history annotation: a ring of the last decisions, newest last. It is for people and never truth, so
 * what cannot be read is left out without a word, and the oldest entries give way when room is short.
 */
import { type HistoryEntry, historyEntrySchema } from "../model/state.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";
import { oneLine, utf8Bytes } from "./text.ts";

const ENTRIES_MAX = 32;
const BYTES_MAX = KEYS.history.bytesMax;

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
export function encodeHistory(entries: readonly HistoryEntry[], bytesMax: number = BYTES_MAX): string {
  const limit = Math.min(bytesMax, BYTES_MAX);
  const kept: string[] = [];
  let bytes = 2;
  for (const entry of entries.slice(-ENTRIES_MAX).reverse()) {
    const text = canonicalJson(bounded(entry));
    bytes += utf8Bytes(text) + (kept.length > 0 ? 1 : 0);
    if (bytes > limit) break;
    kept.unshift(text);
  }
  return `[${kept.join(",")}]`;
}

/** Never throws. */
export function decodeHistory(raw: string | undefined): readonly HistoryEntry[] {
  const parsed = parseJson(raw ?? "[]", BYTES_MAX);
  if (!parsed.ok || !Array.isArray(parsed.value)) return [];
  return parsed.value.slice(-ENTRIES_MAX).flatMap((entry) => {
    const checked = historyEntrySchema.safeParse(entry);
    return checked.success ? [checked.data] : [];
  });
}
