/**
 * How far a Job is, in one annotation that it writes on itself now and then. For people only: nothing is decided from it,
 * and what cannot be read is no progress.
 */
import { type BackupProgress, progressSchema } from "../model/backup.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";

export function encodeProgress(progress: BackupProgress): string {
  return canonicalJson(progress);
}

/** Never throws. */
export function decodeProgress(raw: string | undefined): BackupProgress | null {
  const parsed = parseJson(raw ?? "", KEYS.progress.bytesMax);
  const checked = parsed.ok ? progressSchema.safeParse(parsed.value) : null;
  return checked?.success ? checked.data : null;
}
