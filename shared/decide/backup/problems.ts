/** What is wrong with the backups of a cluster, from what is remembered of them. None of it stops anything else. */
import { MESSAGE_MAX } from "../../annotations/conditions.ts";
import { oneLine } from "../../annotations/text.ts";
import type { BackupMemory, BackupSpec } from "../../model/backup.ts";
import type { Problem, ProblemCode } from "../../model/condition.ts";

export function problem(code: ProblemCode, message: string): Problem {
  return { code, message, blocks: false };
}

/** As much of the reason as leaves room for what to do then, which is never cut off. */
export function because(before: string, reason: string, after: string): string {
  const room = MESSAGE_MAX - before.length - after.length;
  return `${before}${oneLine(reason, room)}${after}`;
}

/** Not the log of the Job, which is gone when people get up. */
const seeAll = (name: string) => `; all of it is in kubectl ordinal status ${name}.`;

export function heldBack(slot: string, why: string): Problem {
  return problem("BackupHeldBack", `The backup of ${slot} waits: ${why}.`);
}

/** `name` is that of the cluster. */
export function backupProblems(name: string, memory: BackupMemory, spec: BackupSpec): readonly Problem[] {
  const { failed, failures, missed, last, proven, unproven } = memory;
  const problems: Problem[] = [];
  if (failed !== null) {
    const row = failures > 1 ? `, ${failures} in a row` : "";
    const before = `The backup of ${failed.slot} failed${row}: `;
    problems.push(problem("BackupFailed", because(before, failed.reason, seeAll(name))));
  }
  if (missed > 0) {
    const good = last === null ? "there is none yet" : `the last one is of ${last.slot}`;
    const message = `Slots passed without a backup: ${missed}; ${good}. Ask for one with ordinal.dev/backup-now: true.`;
    problems.push(problem("BackupOverdue", message));
  }
  if (unproven !== null) {
    const before = `Restoring the backup of ${unproven.slot} failed: `;
    problems.push(problem("ProofFailed", because(before, unproven.reason, seeAll(name))));
  }
  if (last?.unconditional === true) {
    const message =
      "The store of the last backup takes no notice of If-None-Match: of two Jobs that make one slot the later manifest stands. Use a store that keeps to it.";
    problems.push(problem("StoreUnconditional", message));
  }
  if (last === null && spec.proofRequested?.slot === null) {
    const message = `A proof is asked for and no backup of ${name} is known yet: it waits for the next one; or name a slot in ordinal.dev/prove-now.`;
    problems.push(problem("NeverProven", message));
  }
  if (last !== null && proven === null && unproven === null && spec.proof !== "never") {
    const message = `No backup of ${name} was restored yet to see whether it can be; the next good one is.`;
    problems.push(problem("NeverProven", message));
  }
  return problems;
}
