/**
 * How the archive of the logs is, from what hosts have said of it. What is held says the bucket alone; this is so that a
 * person hears of an archive that has stopped, also when the host that kept it has.
 */
import type { ArchiveReport, BackupMemory } from "../../model/backup.ts";
import type { Problem } from "../../model/condition.ts";
import { type Scene, slotText } from "./memory.ts";
import { because, problem } from "./problems.ts";
import { FULL_SHARE, type Fullness } from "./purging.ts";

/** While all is well no more than this is written of it. */
const NOTE_EVERY_MS = 60_000;
/** Beyond what a failover takes, and the notes above. */
const LAG_MS_MAX = 5 * 60_000;
/** No time to bring an archive back in. */
const KEPT_MS_MIN = 3_600_000;
/** Of a volume, from which on it is told that logs which wait fill it. */
const TOLD_SHARE = 0.8;

/** Of two hosts that archive, the one that has failed is not heard for as long as the other one goes on. */
export function followArchive(
  memory: BackupMemory,
  { spec, nowMs }: Pick<Scene, "spec" | "nowMs">,
  report: ArchiveReport | null,
): BackupMemory {
  if (spec === null) return memory;
  if (!spec.archive) return { ...memory, archive: forgotten(memory.archive) };
  const before = memory.archive ?? { since: slotText(nowMs), heldTo: null, failure: null, purging: "usual" };
  if (report === null) return { ...memory, archive: before };
  const heldToMs = before.heldTo === null ? Number.NEGATIVE_INFINITY : Date.parse(before.heldTo);
  const saidMs = report.heldToMs ?? Number.NEGATIVE_INFINITY;
  if (report.failure !== null && nowMs - heldToMs < 2 * NOTE_EVERY_MS) return { ...memory, archive: before };
  const isNews = saidMs - heldToMs >= NOTE_EVERY_MS;
  const heldTo = isNews ? slotText(saidMs) : before.heldTo;
  return { ...memory, archive: { ...before, heldTo, failure: report.failure } };
}

type Standing = NonNullable<BackupMemory["archive"]>;

/** Not before the servers delete their logs again as others have set it. */
function forgotten(archive: Standing | null): Standing | null {
  return archive === null || archive.purging === "usual" ? null : { ...archive, failure: null };
}

interface Keeping {
  /** Of the cluster. */
  readonly name: string;
  readonly nowMs: number;
  /** For how long the server that keeps its logs for the shortest time does, milliseconds; null = until somebody deletes them. */
  readonly logsKeptMs: number | null;
  readonly fullest: Fullness | null;
}

export function archiveProblems(keeping: Keeping, { archive }: BackupMemory): readonly Problem[] {
  return archive === null ? [] : [...standing(keeping, archive), ...expiring(keeping, archive)];
}

/** It does not go on, and that is told. */
export function archiveStands(of: Pick<Keeping, "name" | "nowMs">, { archive }: BackupMemory): boolean {
  return archive !== null && standing(of, archive).length > 0;
}

function standing(
  { name, nowMs }: Pick<Keeping, "name" | "nowMs">,
  { since, heldTo, failure }: Standing,
): readonly Problem[] {
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

/** A log goes when the last that was committed in it is so old: never earlier than what was committed next after the archive ends. */
function expiring(keeping: Keeping, { since, heldTo, purging }: Standing): readonly Problem[] {
  const { name, nowMs, logsKeptMs } = keeping;
  if (logsKeptMs === null) return [];
  if (logsKeptMs < KEPT_MS_MIN) {
    const message = `The servers of ${name} delete their binary logs after ${logsKeptMs / 1_000} s, which leaves no time to bring an archive back; set binlog_expire_logs_seconds to a day or more.`;
    return [problem("ArchiveExpiring", message)];
  }
  if (purging === "held") return filling(keeping);
  const goneMs = Date.parse(heldTo ?? since) + logsKeptMs;
  if (goneMs - nowMs >= logsKeptMs / 4) return [];
  const message = `From ${slotText(goneMs)} on the servers of ${name} delete binary logs that are not archived; bring the archive back, or raise binlog_expire_logs_seconds.`;
  return [problem("ArchiveExpiring", message)];
}

function filling({ name, fullest }: Keeping): readonly Problem[] {
  if (fullest === null || fullest.share < TOLD_SHARE) return [];
  const percent = (share: number) => `${Math.floor(share * 100)} %`;
  const message = `The binary logs of ${name} wait for the archive, and ${fullest.podName} fills ${percent(fullest.share)} of its volume; from ${percent(FULL_SHARE)} on the servers delete them: bring the archive back, or enlarge the volumes.`;
  return [problem("ArchiveExpiring", message)];
}
