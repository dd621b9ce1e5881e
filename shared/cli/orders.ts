/**
 * Verbs that ask for something. They write one annotation with the rights of whoever runs them, as `kubectl annotate`
 * would, and may wait for what becomes of it. Giving up the wait gives up nothing else.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { answerOf, wishAnnotation } from "../annotations/requests.ts";
import type { Changes } from "../model/changes.ts";
import type { ClusterRef } from "../model/cluster.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { ClusterRequest, RequestAnswer, RequestEntry } from "../model/request.ts";
import type { Clock } from "../ports/host.ts";
import { readCluster } from "./read.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

export interface Waiting {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Progress, one line at a time. */
  readonly say: (text: string) => void;
}

interface Order {
  readonly annotations: Changes;
  readonly asked: string;
  /** Null = there is nothing to wait for. */
  readonly answer: ((set: StatefulSet) => RequestAnswer) | null;
}

const POLL_MS = 500;
/** What was said of an earlier wish stands until the next pass. */
const STALE_MS = 3_000;
const TELL_EVERY_MS = 10_000;

function entryOf(request: ClusterRequest, nowMs: number): RequestEntry {
  const nobody = { id: `${request.kind}-00000000`, by: "", key: "0".repeat(16) };
  return { ...request, ...nobody, at: new Date(nowMs).toISOString() };
}

export function request(
  ask: Ask,
  ref: ClusterRef,
  wish: ClusterRequest,
  waiting: Waiting | null,
): Promise<Answer> {
  const { key, value } = wishAnnotation(wish);
  const entry = entryOf(wish, ask.here.nowMs);
  const asked =
    wish.kind === "scale"
      ? `${ref.namespace}/${ref.name} is to have ${value} members.`
      : `${value} is to be the primary of ${ref.namespace}/${ref.name}.`;
  const answer = (set: StatefulSet): RequestAnswer => answerOf(entry, set);
  return carryOut(ask, ref, { annotations: { [key]: value }, asked, answer }, waiting);
}

export function pause(ask: Ask, ref: ClusterRef, on: boolean): Promise<Answer> {
  const asked = on
    ? `${ref.namespace}/${ref.name} is paused: Ordinal looks and changes nothing, failovers included.`
    : `${ref.namespace}/${ref.name} goes on.`;
  const annotations = { [ANNOTATION.pause]: on ? "true" : null };
  return carryOut(ask, ref, { annotations, asked, answer: null }, null);
}

async function carryOut(ask: Ask, ref: ClusterRef, order: Order, waiting: Waiting | null): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set } = found.value;
  const written = await ask.kube.patch("StatefulSet", ref, { uid: set.uid, annotations: order.annotations });
  if (!written.ok) return failed(written.failure);
  if (waiting === null || order.answer === null) return { exitCode: 0, output: `${order.asked}\n` };
  waiting.say(order.asked);
  return follow(ask, ref, order.answer, waiting);
}

async function follow(
  ask: Ask,
  ref: ClusterRef,
  answer: (set: StatefulSet) => RequestAnswer,
  { clock, timeoutMs, say }: Waiting,
): Promise<Answer> {
  const beganMs = clock.now();
  let toldMs = beganMs;
  for (;;) {
    await clock.sleep(POLL_MS);
    const set = await ask.kube.read("StatefulSet", ref);
    if (!set.ok && set.failure.kind !== "transient") return failed(set.failure);
    const spentMs = clock.now() - beganMs;
    const now = set.ok ? answer(set.value) : null;
    const ended = now === null ? null : endOf(now, spentMs);
    if (ended !== null) return ended;
    if (spentMs >= timeoutMs) {
      const how = `kubectl ordinal status ${ref.name} -n ${ref.namespace}`;
      const seconds = Math.round(timeoutMs / 1_000);
      return { exitCode: 3, complaint: `Not done within ${seconds} s; it goes on. Follow it with: ${how}` };
    }
    if (set.ok && clock.now() - toldMs >= TELL_EVERY_MS) {
      toldMs = clock.now();
      say(
        `${Math.round(spentMs / 1_000)} s: ${set.value.annotations[ANNOTATION.phase] ?? "not looked at yet"}`,
      );
    }
  }
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
