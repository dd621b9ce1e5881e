/**
 * How far the Job of a backup or a proof is: the last line `copying` (a server copies another one) or `progress` (its files
 * are stored, or restored) of its log, in words: what was moved, how fast, and how long it still takes where that is known.
 * For people; nothing is decided from it.
 */
import * as z from "zod";
import { parseJson } from "../annotations/json.ts";
import { bytes } from "../model/format.ts";
import { amount, left, percent, shareOf } from "../model/progress.ts";

const LINE_BYTES_MAX = 4_096;
const count = z.number().min(0);

const progressSchema = z.object({
  at: z.iso.datetime(),
  message: z.enum(["copying", "progress"]),
  /** Of the database, before compression. */
  bytes: count,
  /** Null = unknown. */
  bytesPerSecond: count.nullable().default(null),
  /** In all, as estimated beforehand; null = unknown. */
  bytesExpected: count.nullable(),
});
export type Progress = z.infer<typeof progressSchema>;

/** Without a rate of its own: since the line before it. */
function rateBetween(before: Progress | null, { at, message, bytes: done }: Progress): number | null {
  if (before === null || before.message !== message) return null;
  const seconds = (Date.parse(at) - Date.parse(before.at)) / 1000;
  return seconds > 0 ? Math.max(0, done - before.bytes) / seconds : before.bytesPerSecond;
}

/** Null for every other line. `before` is what was known. */
export function parseProgress(line: string, before: Progress | null): Progress | null {
  const parsed = parseJson(line, LINE_BYTES_MAX);
  const read = parsed.ok ? progressSchema.safeParse(parsed.value) : null;
  if (!read?.success) return null;
  const { data: now } = read;
  return { ...now, bytesPerSecond: now.bytesPerSecond ?? rateBetween(before, now) };
}

function parts(progress: Progress): readonly string[] {
  const { bytesPerSecond } = progress;
  const rate = bytesPerSecond === null ? null : `${bytes(bytesPerSecond)}/s`;
  return [amount(progress), rate, left(progress)].filter((part) => part !== null);
}

/** What comes first: the files are stored once all of them are copied. */
const PREFIX = { copying: "copying ", progress: "" } as const;

/** For a log. */
export function progressLine(progress: Progress): string {
  return PREFIX[progress.message] + parts(progress).join(", ");
}

const CELLS = 20;

/** For a terminal, less than 80 columns wide. */
export function progressBar(progress: Progress): string {
  const prefix = PREFIX[progress.message];
  const share = shareOf(progress);
  if (share === null) return prefix + parts(progress).join("  ");
  const full = Math.floor(share * CELLS);
  const bar = "█".repeat(full) + "░".repeat(CELLS - full);
  return prefix + [bar, percent(share), ...parts(progress)].join("  ");
}
