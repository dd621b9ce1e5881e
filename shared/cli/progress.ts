/**
 * How far the Job of a backup or a proof is: the last line `progress` of its log (shared/backup/work.ts writes them), in
 * words: what was moved, how fast, and how long it still takes where that is known. For people; nothing is decided from it.
 */
import { z } from "zod";
import { parseJson } from "../annotations/json.ts";
import { age, bytes, bytesOf } from "./format.ts";

const LINE_BYTES_MAX = 4_096;
const count = z.number().min(0);

const progressSchema = z.object({
  message: z.literal("progress"),
  /** Of the database, before compression. */
  bytes: count,
  bytesPerSecond: count,
  /** In all, as estimated beforehand; null = unknown. */
  bytesExpected: count.nullable(),
});
export type Progress = Omit<z.infer<typeof progressSchema>, "message">;

/** Null for every other line. */
export function parseProgress(line: string): Progress | null {
  const parsed = parseJson(line, LINE_BYTES_MAX);
  const read = parsed.ok ? progressSchema.safeParse(parsed.value) : null;
  return read?.success ? read.data : null;
}

function amount({ bytes: done, bytesExpected: whole }: Progress): string {
  return whole === null ? bytes(done) : bytesOf(done, whole);
}

/** Null where nobody can say: the whole is an estimate, and there may be more. */
function left({ bytes: done, bytesExpected: whole, bytesPerSecond }: Progress): string | null {
  if (whole === null || bytesPerSecond === 0 || done >= whole) return null;
  return `${age(((whole - done) / bytesPerSecond) * 1000)} left`;
}

function parts(progress: Progress): readonly string[] {
  const all = [amount(progress), `${bytes(progress.bytesPerSecond)}/s`, left(progress)];
  return all.filter((part) => part !== null);
}

/** For a log. */
export function progressLine(progress: Progress): string {
  return parts(progress).join(", ");
}

const CELLS = 24;

/** For a terminal, less than 80 columns wide. */
export function progressBar(progress: Progress): string {
  const { bytes: done, bytesExpected: whole } = progress;
  if (whole === null || whole === 0) return parts(progress).join("  ");
  const share = Math.min(1, done / whole);
  const full = Math.floor(share * CELLS);
  const bar = "█".repeat(full) + "░".repeat(CELLS - full);
  return [bar, `${Math.floor(share * 100)} %`, ...parts(progress)].join("  ");
}
