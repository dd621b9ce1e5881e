/**
 * Verbs that ask for something. They write one annotation with the rights of whoever runs them, as `kubectl annotate`
 * would, and may wait for what becomes of it. Giving up the wait gives up nothing else.
 */
import { afterAllOf, proofAnswer } from "../annotations/backup-answers.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { answerOf, wishAnnotation } from "../annotations/requests.ts";
import { restoreMemoryOf } from "../annotations/restore-answers.ts";
import { oneLine } from "../annotations/text.ts";
import { type Changes, withChanges } from "../model/changes.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { backupJobName, proofJobName, restoreJobs } from "../model/job-name.ts";
import type { StatefulSet } from "../model/kube.ts";
import { unreachable } from "../model/outcome.ts";
import type { ClusterRequest, RequestAnswer, RequestEntry } from "../model/request.ts";
import type { Clock } from "../ports/host.ts";
import { memoryOf } from "./backup-snapshot.ts";
import { progressBar, progressLine } from "./progress.ts";
import { readCluster } from "./read.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

export interface Waiting {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** News, one line at a time. */
  readonly say: (text: string) => void;
  /** The same line again and again; null where there is no terminal. */
  readonly overwrite: ((text: string) => void) | null;
}

export interface Order {
  readonly annotations: Changes;
  readonly asked: string;
  /** From the cluster as it is before. Null = there is nothing to wait for. */
  readonly answer: ((before: StatefulSet) => (set: StatefulSet) => RequestAnswer) | null;
  /** What would refuse it can be told beforehand, from the annotations alone. */
  readonly isPlain?: boolean;
  /** Name of the Job that works on it now. */
  readonly job?: (set: StatefulSet) => string | null;
}

const POLL_MS = 500;
/** What was said of an earlier wish stands until the next pass. */
export const STALE_MS = 3_000;
const TELL_EVERY_MS = 10_000;
/** Longer than any terminal is wide, a line could not be written over. */
const BAR_MAX = 77;

function entryOf(request: ClusterRequest, at: string): RequestEntry {
  const nobody = { id: `${request.kind}-00000000`, by: "", key: "0".repeat(16) };
  return { ...request, ...nobody, at };
}

function sentence({ kind, wish }: ClusterRequest, ref: ClusterRef): string {
  const cluster = `${ref.namespace}/${ref.name}`;
  switch (kind) {
    case "scale":
      return `${cluster} is to have ${wish.replicas} members.`;
    case "switchover":
      return `${wish.to} is to be the primary of ${cluster}.`;
    case "backup":
      return `A ${wish.method === undefined ? "" : `${wish.method} `}backup of ${cluster} is asked for.`;
    case "restore":
      return `${cluster} is to be restored (${wish.id}).`;
    default:
      return unreachable(kind);
  }
}

function backupJob(set: StatefulSet): string | null {
  const running = memoryOf(set)?.running ?? null;
  return running && backupJobName(set.name, running);
}

function proofJob(set: StatefulSet): string | null {
  const proving = memoryOf(set)?.proving ?? null;
  return proving && proofJobName(set.name, proving);
}

/** The first of them: the volume of member 0 takes the longest. */
export function restoreJob(set: StatefulSet): string | null {
  const memory = restoreMemoryOf(set);
  return (memory && restoreJobs(set.name, memory)[0]) ?? null;
}

export function request(
  ask: Ask,
  ref: ClusterRef,
  wish: ClusterRequest,
  waiting: Waiting | null,
): Promise<Answer> {
  const { key, value } = wishAnnotation(wish);
  const now = new Date(ask.here.nowMs).toISOString();
  const order: Order = {
    annotations: { [key]: value },
    asked: sentence(wish, ref),
    answer: (before) => {
      const entry = entryOf(wish, wish.kind === "backup" ? afterAllOf(before) : now);
      return (set) => answerOf(entry, set);
    },
    ...(wish.kind === "backup" && { isPlain: true, job: backupJob }),
    ...(wish.kind === "restore" && { job: restoreJob }),
  };
  return carryOut(ask, ref, order, waiting);
}

/** `slot` null: of the newest backup. */
export function prove(
  ask: Ask,
  ref: ClusterRef,
  slot: string | null,
  waiting: Waiting | null,
): Promise<Answer> {
  const value = slot ?? "true";
  const what = slot === null ? "The newest backup" : `The backup of ${slot}`;
  const order: Order = {
    annotations: { [ANNOTATION.proveNow]: value },
    asked: `${what} of ${ref.namespace}/${ref.name} is to be restored to see whether it can be.`,
    answer: (before) => {
      const at = afterAllOf(before);
      return (set) => proofAnswer(slot, { at, stands: set.annotations[ANNOTATION.proveNow] === value }, set);
    },
    isPlain: true,
    job: proofJob,
  };
  return carryOut(ask, ref, order, waiting);
}

export function pause(ask: Ask, ref: ClusterRef, on: boolean): Promise<Answer> {
  const asked = on
    ? `${ref.namespace}/${ref.name} is paused: Ordinal looks and changes nothing, failovers included.`
    : `${ref.namespace}/${ref.name} goes on.`;
  const annotations = { [ANNOTATION.pause]: on ? "true" : null };
  return carryOut(ask, ref, { annotations, asked, answer: null }, null);
}

function refusalOf({ annotations, answer, isPlain = false }: Order, set: StatefulSet): string | null {
  if (!isPlain || answer === null) return null;
  const wished = { ...set, annotations: withChanges(set.annotations, annotations) };
  const { status, message } = answer(set)(wished);
  return status === "refused" ? (message ?? "It would be refused.") : null;
}

export async function carryOut(
  ask: Ask,
  ref: ClusterRef,
  order: Order,
  waiting: Waiting | null,
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set } = found.value;
  const refusal = refusalOf(order, set);
  if (refusal !== null) return { exitCode: 2, complaint: refusal };
  const written = await ask.kube.patch("StatefulSet", ref, { uid: set.uid, annotations: order.annotations });
  if (!written.ok) return failed(written.failure);
  if (waiting === null || order.answer === null) return { exitCode: 0, output: `${order.asked}\n` };
  waiting.say(order.asked);
  const answer = order.answer(set);
  return follow(ask, ref, { answer, job: order.job ?? (() => null) }, waiting);
}

interface Followed {
  readonly answer: (set: StatefulSet) => RequestAnswer;
  readonly job: (set: StatefulSet) => string | null;
}

interface News {
  /** Told once. */
  readonly message: string | null;
  readonly line: string;
  /** For a terminal; null = the line does. */
  readonly bar: string | null;
}

function newsOf(ask: Ask, set: StatefulSet, { message }: RequestAnswer, job: string | null): News {
  const phase = set.annotations[ANNOTATION.phase] ?? "not looked at yet";
  const progress = job && ask.progressOf({ namespace: set.namespace, name: job });
  if (!progress)
    return { message, line: job === null ? phase : "its Job has not told how far it is", bar: null };
  return { message, line: progressLine(progress), bar: progressBar(progress) };
}

/** Tells each message once, and in between how far it is. */
function teller({ clock, say, overwrite }: Waiting): { tell(news: News): void; end(): void } {
  const beganMs = clock.now();
  let toldMs = beganMs;
  let told: string | null = null;
  const seconds = () => `${Math.round((clock.now() - beganMs) / 1_000)} s`;
  return {
    tell({ message, line, bar }) {
      if (message !== null && message !== told) {
        overwrite?.("");
        say(message);
        told = message;
      }
      const timed = `${seconds()}: ${line}`;
      if (overwrite !== null) return overwrite(`  ${oneLine(bar ?? timed, BAR_MAX)}`);
      if (clock.now() - toldMs < TELL_EVERY_MS) return;
      toldMs = clock.now();
      say(timed);
    },
    end: () => overwrite?.(""),
  };
}

/** Tells what becomes of something that is asked for, until it has ended or the time is up. */
export async function follow(
  ask: Ask,
  ref: ClusterRef,
  { answer, job }: Followed,
  waiting: Waiting,
): Promise<Answer> {
  const { clock, timeoutMs } = waiting;
  const beganMs = clock.now();
  const { tell, end } = teller(waiting);
  try {
    for (;;) {
      await clock.sleep(POLL_MS);
      const set = await ask.kube.read("StatefulSet", ref);
      if (!set.ok && set.failure.kind !== "transient") return failed(set.failure);
      const spentMs = clock.now() - beganMs;
      const now = set.ok ? answer(set.value) : null;
      const ended = now === null ? null : endOf(now, spentMs);
      if (ended !== null) return ended;
      if (spentMs >= timeoutMs) return notInTime(ref, timeoutMs);
      if (set.ok && now?.status === "accepted") tell(newsOf(ask, set.value, now, job(set.value)));
    }
  } finally {
    end();
  }
}

function notInTime({ namespace, name }: ClusterRef, timeoutMs: number): Answer {
  const how = `kubectl ordinal status ${name} -n ${namespace}`;
  const seconds = Math.round(timeoutMs / 1_000);
  return { exitCode: 3, complaint: `Not done within ${seconds} s; it goes on. Follow it with: ${how}` };
}

/** Null while it goes on. */
function endOf({ status, message }: RequestAnswer, spentMs: number): Answer | null {
  const seconds = (spentMs / 1_000).toFixed(1);
  switch (status) {
    case "accepted":
      return null;
    case "done":
      return { exitCode: 0, output: `Done in ${seconds} s.${message === null ? "" : ` ${message}`}\n` };
    case "refused":
      return spentMs < STALE_MS ? null : { exitCode: 2, complaint: message ?? "It was refused." };
    case "failed":
    case "superseded":
      return { exitCode: 1, complaint: message ?? "It did not come about." };
  }
}
