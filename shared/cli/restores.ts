/** `restore undo` and `restore forget`: both are about what the last restore has set aside, which has an id of its own. */

import { ANNOTATION } from "../annotations/keys.ts";
import { forgetAnswer, restoreMemoryOf, undoAnswer } from "../annotations/restore-answers.ts";
import type { ClusterRef } from "../model/cluster.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { RequestAnswer } from "../model/request.ts";
import { carryOut, type Waiting } from "./orders.ts";
import { readCluster } from "./read.ts";
import { restoreJob } from "./restore-snapshot.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

interface Verb {
  readonly key: string;
  readonly asked: string;
  readonly answer: (id: string, set: StatefulSet) => RequestAnswer;
}

const VERBS = {
  undo: {
    key: ANNOTATION.restoreUndo,
    asked: "the data from before it is put back into service.",
    answer: undoAnswer,
  },
  forget: {
    key: ANNOTATION.restoreForget,
    asked: "what it has set aside is deleted, and it cannot be undone any more.",
    answer: forgetAnswer,
  },
} as const satisfies Readonly<Record<string, Verb>>;

export async function afterRestore(
  ask: Ask,
  ref: ClusterRef,
  verb: keyof typeof VERBS,
  waiting: Waiting | null,
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const memory = restoreMemoryOf(found.value.set);
  const id = memory?.kept?.id;
  if (memory === null || id === undefined) {
    const complaint = `${ref.namespace}/${ref.name} keeps no data from before a restore.`;
    return { exitCode: 2, complaint };
  }
  const { key, asked, answer } = VERBS[verb];
  const order = {
    annotations: { [key]: id },
    asked: `Restore ${id} of ${ref.namespace}/${ref.name}: ${asked}`,
    answer: () => (set: StatefulSet) => answer(id, set),
    ...(verb === "undo" && { job: restoreJob }),
  };
  return carryOut(ask, ref, order, waiting);
}
