/**
 * How the archive of the logs is, from what hosts have said of it. What is held says the bucket alone; this is so that a
 * person hears of an archive that has stopped, also when the host that kept it has.
 */
import type { ArchiveReport, BackupMemory } from "../../model/backup.ts";
import type { Problem } from "../../model/condition.ts";
import { type Scene, slotText } from "./memory.ts";
import { because, problem } from "./problems.ts";

/** While all is well no more than this is written of it. */
const NOTE_EVERY_MS = 60_000;
/** Beyond what a failover takes, and the notes above. */
const LAG_MS_MAX = 5 * 60_000;

/** Of two hosts that archive, the one that has failed is not heard for as long as the other one goes on. */
export function followArchive(
  memory: BackupMemory,
  { spec, nowMs }: Pick<Scene, "spec" | "nowMs">,
  report: ArchiveReport | null,
): BackupMemory {
  if (spec === null) return memory;
  if (!spec.archive) return { ...memory, archive: null };
  const before = memory.archive ?? { since: slotText(nowMs), heldTo: null, failure: null };
  if (report === null) return { ...memory, archive: before };
  const heldToMs = before.heldTo === null ? Number.NEGATIVE_INFINITY : Date.parse(before.heldTo);
  const saidMs = report.heldToMs ?? Number.NEGATIVE_INFINITY;
  if (report.failure !== null && nowMs - heldToMs < 2 * NOTE_EVERY_MS) return { ...memory, archive: before };
  const isNews = saidMs - heldToMs >= NOTE_EVERY_MS;
  const heldTo = isNews ? slotText(saidMs) : before.heldTo;
  return { ...memory, archive: { ...before, heldTo, failure: report.failure } };
}

/** `name` is that of the cluster. */
export function archiveProblems(name: string, { archive }: BackupMemory, nowMs: number): readonly Problem[] {
  if (archive === null) return [];
  const { since, heldTo, failure } = archive;
  if (failure !== null) {
    return [problem("ArchiveFailed", because(`The binary logs of ${name} are not archived: `, failure, "."))];
  }
  if (nowMs - Date.parse(heldTo ?? since) <= LAG_MS_MAX) return [];
  const message =
    heldTo === null
      ? `The binary logs of ${name} are to be archived since ${since}, and none is; see that an Ordinal runs that archives.`
      : `The binary logs of ${name} are archived up to ${heldTo} only; see that an Ordinal runs that archives, and whether its store is slow.`;
  return [problem("ArchiveLagging", message)];
}
