/** How far a backup or a proof is, in a line: what was moved, how fast, and how long it still takes where that is known. */
import type { BackupProgress } from "../model/backup.ts";
import { age, bytes, bytesOf } from "./format.ts";

const CELLS = 24;

function amount({ bytes: done, total }: BackupProgress): string {
  return total === null ? bytes(done) : bytesOf(done, total);
}

/** Null where nobody can say: the whole is an estimate, and what is written meanwhile is added to it. */
function left({ bytes: done, total, bytesPerSecond }: BackupProgress): string | null {
  if (total === null || bytesPerSecond === 0 || done >= total) return null;
  return `${age(((total - done) / bytesPerSecond) * 1000)} left`;
}

/** For a log. */
export function progressLine(progress: BackupProgress): string {
  const { step, bytesPerSecond } = progress;
  const parts = [`${step} ${amount(progress)}`, `${bytes(bytesPerSecond)}/s`, left(progress)];
  return parts.filter((part) => part !== null).join(", ");
}

/** For a terminal, at most 80 columns wide. */
export function progressBar(progress: BackupProgress): string {
  const { step, bytes: done, total, bytesPerSecond } = progress;
  const rest = [amount(progress), `${bytes(bytesPerSecond)}/s`, left(progress)];
  const parts = [step, ...rest].filter((part) => part !== null);
  if (total === null || total === 0) return parts.join("  ");
  const share = Math.min(1, done / total);
  const full = Math.floor(share * CELLS);
  const bar = "█".repeat(full) + "░".repeat(CELLS - full);
  return [bar, `${Math.floor(share * 100)} %`, ...parts].join("  ");
}
