/**
 * Answers of the routes that only look: a cluster as its last pass saw it, and how a request stands. They read the
 * StatefulSet and its Pods, and decide nothing.
 */
import type * as z from "zod";
import { ANNOTATION } from "../../annotations/keys.ts";
import { answerOf, decodeRequests } from "../../annotations/requests.ts";
import { history, isCluster, snapshot } from "../../cli/snapshot.ts";
import type { operationSchema, Rights, shownClusterSchema } from "../../model/answers.ts";
import { API_VERSION } from "../../model/documents.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { RequestEntry } from "../../model/request.ts";
import { end, type HttpAnswer, json, type Passed, pass, problem, unavailable } from "./answers.ts";
import type { Asked, Tools } from "./function.ts";

export const isManaged = (set: StatefulSet): boolean => set.annotations[ANNOTATION.engine] !== undefined;

/** Whether there is one is told only to who may get it. */
export async function findSet(
  { ref, user }: Asked,
  { kube, guard, log }: Tools,
  isMeant: (set: StatefulSet) => boolean = isCluster,
): Promise<Passed<StatefulSet>> {
  const read = await kube.read("StatefulSet", ref);
  if (read.ok && isMeant(read.value)) return pass(read.value);
  if (!read.ok && read.failure.kind !== "gone") return end(unavailable(read.failure, log));
  const may = await guard.may(user, { verb: "get" }, ref);
  if (!may.ok) return may;
  const { namespace, name } = ref;
  const detail = `Ordinal manages no StatefulSet ${name} in namespace ${namespace}: correct the path, or annotate it.`;
  return end(problem(404, detail));
}

export async function showCluster(asked: Asked, tools: Tools): Promise<HttpAnswer> {
  const found = await findSet(asked, tools);
  if (!found.ok) return found.answer;
  const set = found.value;
  const pods = await tools.kube.list("Pod", { namespace: set.namespace, labels: set.matchLabels });
  if (!pods.ok) return unavailable(pods.failure, tools.log);
  return json(200, {
    ...{ apiVersion: API_VERSION, kind: "Cluster", ...snapshot(set, pods.value) },
    ...{ history: [...history(set)], requests: entriesOf(set).map((entry) => operationOf(entry, set)) },
    may: await rightsOf(asked, tools),
  } satisfies z.input<typeof shownClusterSchema>);
}

/** What is only a question of showing a button: a review that failed counts as no. */
async function rightsOf({ user, ref }: Asked, { guard }: Tools): Promise<Rights> {
  const [update, scale] = await Promise.all([
    guard.may(user, { verb: "update" }, ref),
    guard.may(user, { verb: "patch", subresource: "scale" }, ref),
  ]);
  return { update: update.ok, scale: scale.ok };
}

export function entriesOf(set: StatefulSet): readonly RequestEntry[] {
  return decodeRequests(set.annotations[ANNOTATION.requests]);
}

export async function showOperation(asked: Asked, tools: Tools): Promise<HttpAnswer> {
  const found = await findSet(asked, tools);
  if (!found.ok) return found.answer;
  const entry = entriesOf(found.value).find(({ id }) => id === asked.id);
  if (entry === undefined) {
    return problem(404, `${asked.id} is not among the last operations of ${asked.ref.name}.`);
  }
  return json(200, operationOf(entry, found.value));
}

function operationOf(entry: RequestEntry, set: StatefulSet): z.input<typeof operationSchema> {
  const { id, kind, wish, by, at } = entry;
  return { id, kind, wish, by, at, ...answerOf(entry, set) };
}
