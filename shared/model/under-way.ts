/**
 * What is under way in a cluster, in sentences, the same ones in `kubectl ordinal` and on the dashboard: since when, and how
 * far it is. Where that cannot be told, how long the last one took stands in its place: no share is ever guessed from it. Pure.
 */
import type { Cluster, JobProgress } from "./documents.ts";
import { age, type Here, since } from "./format.ts";
import { howFar, left, shareOf } from "./progress.ts";

export interface Work {
  /** Tells it from the others of the cluster. */
  readonly key: "operation" | "backup" | "proof" | "restore";
  readonly text: string;
  /** From 0 to 1; null = nobody can say. */
  readonly share: number | null;
}

interface Ended {
  /** Null where an earlier Ordinal has recorded it. */
  readonly begunAt: string | null;
  readonly endedAt: string;
}

function progressText(progress: JobProgress): string {
  const parts = [howFar(progress), left(progress)].filter((part) => part !== null);
  return [...(progress.isCopying ? ["copying"] : []), ...parts].join(", ");
}

/** What comes after `for 4m`. `last`: of the same kind. */
function rest(progress: JobProgress | null, last: Ended | null): string {
  if (progress !== null) return `: ${progressText(progress)}`;
  if (last === null || last.begunAt === null) return "";
  return `; the last one took ${age(Date.parse(last.endedAt) - Date.parse(last.begunAt))}`;
}

function work(key: Work["key"], text: string, progress: JobProgress | null): Work {
  return { key, text: `${text}.`, share: progress && shareOf(progress) };
}

function ofBackups({ backups }: Cluster, here: Here): readonly Work[] {
  if (backups === null) return [];
  const { running, last, proving, proven } = backups;
  const works: Work[] = [];
  if (running !== null) {
    const { slot, method, source, attempt, begunAt, progress } = running;
    const again = attempt === 1 ? "" : `, attempt ${attempt}`;
    const text = `The ${method} backup of ${slot} is taken from ${source} for ${since(begunAt, here)}${again}`;
    const same = last?.method === method ? last : null;
    works.push(work("backup", text + rest(progress, same), progress));
  }
  if (proving !== null) {
    const { slot, begunAt, progress } = proving;
    const same = proven && { begunAt: proven.begunAt, endedAt: proven.at };
    const text = `The backup of ${slot} is being proven for ${since(begunAt, here)}`;
    works.push(work("proof", text + rest(progress, same), progress));
  }
  return works;
}

function ofRestores({ restores }: Cluster, here: Here): readonly Work[] {
  const running = restores?.running ?? null;
  if (running === null) return [];
  const { id, undo, phase, begunAt, progress } = running;
  const last = restores?.last ?? null;
  const same = last !== null && last.undo === undo && last.fault === null ? last : null;
  const doing = undo ? "being undone" : "under way";
  const text = `Restore ${id} is ${doing} for ${since(begunAt, here)}, ${phase}`;
  return [work("restore", text + rest(progress, same), progress)];
}

function ofOperation({ operation }: Cluster, here: Here): readonly Work[] {
  if (operation === null) return [];
  const { kind, step, startedAt } = operation;
  return [work("operation", `Under way for ${since(startedAt, here)}: ${kind}, step ${step}`, null)];
}

export function worksOf(cluster: Cluster, here: Here): readonly Work[] {
  return [...ofOperation(cluster, here), ...ofBackups(cluster, here), ...ofRestores(cluster, here)];
}
