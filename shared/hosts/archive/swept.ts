/**
 * The archive on a host that is woken by a schedule and ends: with each sweep it stores what servers have in their logs by
 * then. So the archive is behind by the time between two sweeps, where a host that stays is behind by a second.
 */
import { archiveOnce } from "../../backup/archive/pass.ts";
import type { ArchiveReport } from "../../model/backup.ts";
import { clusterKey } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Log } from "../../ports/host.ts";
import {
  type ArchiveHost,
  isArchived,
  isBackupUnderWay,
  LOOSE_MAX,
  onArchive,
  reasonOf,
  tidyUp,
} from "./work.ts";

export interface SweptHost extends ArchiveHost {
  readonly log: Log;
}

/** With less than that left nothing is begun, and what is under way is cut off: objects without a document are left of it. */
const LAST_MS = 15_000;

/**
 * Each cluster whose logs are archived in turn, beginning anywhere, so that with too little time for all of them none is always
 * the last. By the cluster's key what is to be reported of it to its next pass.
 */
export async function archiveSwept(
  host: SweptHost,
  sets: readonly StatefulSet[],
  /** When the host ends, milliseconds since 1970. */
  endsAtMs: number,
): Promise<ReadonlyMap<string, ArchiveReport>> {
  const { clock, ids, log } = host;
  const wanted = sets.filter(isArchived);
  const first = Math.floor(ids.fraction() * wanted.length);
  const reports = new Map<string, ArchiveReport>();
  const { signal } = new AbortController();
  const left = () => endsAtMs - LAST_MS - clock.now();
  for (const set of [...wanted.slice(first), ...wanted.slice(0, first)]) {
    if (left() <= 0) break;
    const cluster = clusterKey(set);
    let heldToMs: number | null = null;
    const onHeld = (toMs: number) => {
      heldToMs = Math.max(heldToMs ?? toMs, toMs);
    };
    const ended = await onArchive(host, set, { follow: false, signal, msMax: left(), onHeld }, archiveOnce);
    const failure = ended.ok ? null : reasonOf(ended.failure);
    reports.set(cluster, { heldToMs, failure });
    if (!ended.ok) log.warn("logs are not archived", { cluster, kind: ended.failure.kind, why: failure });
    if (!ended.ok || ended.value.loose < LOOSE_MAX || left() <= 0 || isBackupUnderWay(set)) continue;
    const tidied = await tidyUp(host, set, { follow: false, signal, msMax: left() });
    if (!tidied.ok) log.warn("logs are not merged", { cluster, why: reasonOf(tidied.failure) });
  }
  return reports;
}
