/**
 * How a request for a backup or for a proof stands. It is told by its slot: the one that a pass gave to it comes at or
 * after the moment at which it was asked for. While its annotation stands, no pass has taken it yet.
 */
import type { BackupMemory, BackupMethod } from "../model/backup.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { RequestAnswer } from "../model/request.ts";
import { answer } from "./answer.ts";
import { decodeBackups } from "./backups.ts";
import { decodeConditions } from "./conditions.ts";
import { ANNOTATION } from "./keys.ts";
import { parseWish } from "./wish.ts";

/** Whoever asks may have a clock that is ahead of that of whoever makes the backup. */
const CLOCKS_MS = 5_000;

function memoryOf(set: StatefulSet): BackupMemory | null {
  const read = decodeBackups(set.annotations[ANNOTATION.backups], set.uid);
  return read.kind === "valid" ? read.memory : null;
}

/** Slots stand on full seconds. */
function isSince(instant: string, at: string): boolean {
  return Date.parse(instant) >= Math.floor(Date.parse(at) / 1000) * 1000 - CLOCKS_MS;
}

/** An instant for whoever asks now and whose clock may say anything: what is remembered already is not since then. */
export function afterAllOf(set: StatefulSet): string {
  const memory = memoryOf(set);
  const instants = [
    memory?.running?.slot,
    memory?.retry?.slot,
    memory?.last?.slot,
    memory?.failed?.slot,
    memory?.demanded?.begunAt,
  ];
  const known = instants.flatMap((instant) => (instant === undefined ? [] : [Date.parse(instant)]));
  return new Date(Math.max(0, ...known) + CLOCKS_MS + 1_000).toISOString();
}

/** Its annotation stands. `refused` while nothing can be read that is asked for in the way of backups. */
function waiting(set: StatefulSet, code: string): RequestAnswer {
  const { spec, problems } = parseWish(set);
  if (spec === null || spec.backup === null) {
    // Settings of backups are read last.
    const wrong = problems.findLast((problem) => problem.code === "AnnotationInvalid");
    return answer("refused", wrong?.message ?? null);
  }
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]);
  const held = conditions.find(({ type, status }) => type === code && status === "True");
  return answer("accepted", held?.message ?? null);
}

const WITHDRAWN = answer("superseded", "It was withdrawn, or what is remembered of it was lost.");

interface Asked {
  readonly at: string;
  /** Its annotation. */
  readonly stands: boolean;
}

/** `method` absent: by the method that is set. */
export function backupAnswer(
  method: BackupMethod | undefined,
  { at, stands }: Asked,
  set: StatefulSet,
): RequestAnswer {
  if (stands) return waiting(set, "BackupHeldBack");
  const memory = memoryOf(set);
  if (memory === null) return WITHDRAWN;
  const { running, retry, last, failed } = memory;
  const isMeant = (one: { readonly slot: string; readonly method: BackupMethod }) =>
    isSince(one.slot, at) && (method === undefined || one.method === method);
  if (running?.asked === "request" && isMeant(running)) {
    const source = `${set.name}-${running.source}`;
    return answer("accepted", `The ${running.method} backup of ${running.slot} is taken from ${source}.`);
  }
  if (retry?.asked === "request" && isMeant(retry)) {
    const failure = `Attempt ${retry.attempt - 1} of the backup of ${retry.slot} failed: ${retry.reason}`;
    return answer("accepted", `${failure}; it is tried again.`);
  }
  if (last !== null && isMeant(last)) {
    return answer("done", `The ${last.method} backup of ${last.slot} is complete.`);
  }
  if (failed !== null && isSince(failed.slot, at)) {
    return answer("failed", `The backup of ${failed.slot} failed: ${failed.reason}.`);
  }
  return WITHDRAWN;
}

/** `slot` null: of the newest backup. */
export function proofAnswer(slot: string | null, { at, stands }: Asked, set: StatefulSet): RequestAnswer {
  if (stands) return waiting(set, "NeverProven");
  const demanded = memoryOf(set)?.demanded ?? null;
  const isMeant =
    demanded !== null && isSince(demanded.begunAt, at) && (slot ?? demanded.slot) === demanded.slot;
  if (!isMeant) return WITHDRAWN;
  if (demanded.endedAt === null) {
    return answer("accepted", `The backup of ${demanded.slot} is being restored to see whether it can be.`);
  }
  return demanded.fault === null
    ? answer("done", `The backup of ${demanded.slot} was restored and found whole.`)
    : answer("failed", `Restoring the backup of ${demanded.slot} failed: ${demanded.fault}.`);
}
