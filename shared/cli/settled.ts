/** Waits until a cluster is healthy as it is wished to be now: after its adoption, a rollout or a failover. */
import { decodeConditions } from "../annotations/conditions.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import type { ClusterRef } from "../model/cluster.ts";
import type { Condition } from "../model/condition.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { RequestAnswer } from "../model/request.ts";
import { follow, STALE_MS, type Waiting } from "./orders.ts";
import { readCluster } from "./read.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

/** With `OnDelete` Kubernetes never calls a rollout complete, and the phase alone says it. */
function isRolledOut({ strategy, revisions }: StatefulSet["rollout"]): boolean {
  return revisions !== null && (strategy !== "RollingUpdate" || revisions.current === revisions.wanted);
}

/** A template or a wish that no pass has seen yet stands beside the phase of the one before. */
function isSettled({ annotations, generation, rollout }: StatefulSet, ready: Condition | undefined): boolean {
  const isSeen = ready !== undefined && ready.observedGeneration >= generation;
  return isSeen && annotations[ANNOTATION.phase] === "Healthy" && isRolledOut(rollout);
}

function answerOf(set: StatefulSet): RequestAnswer {
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]);
  const refused = conditions.find(({ type }) => type === "RolloutRefused");
  if (refused !== undefined) return { status: "refused", message: refused.message };
  const ready = conditions.find(({ type }) => type === "Ready");
  const trouble = conditions.find(({ type }) => type !== "Ready");
  const message = (trouble ?? ready)?.message ?? null;
  return { status: isSettled(set, ready) ? "done" : "accepted", message };
}

export async function awaitSettled(ask: Ask, ref: ClusterRef, waiting: Waiting): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const beganMs = waiting.clock.now();
  const answer = (set: StatefulSet): RequestAnswer => {
    const now = answerOf(set);
    // Kubernetes tells of a new template a moment after it has taken it.
    const isEarly = now.status === "done" && waiting.clock.now() - beganMs < STALE_MS;
    return isEarly ? { ...now, status: "accepted" } : now;
  };
  return follow(ask, ref, { answer, job: () => null }, waiting);
}
