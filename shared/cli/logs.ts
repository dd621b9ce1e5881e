/** `logs`: what a Job of Ordinal for a cluster has to say. Jobs that have ended are kept for an hour. */
import { oneLine } from "../annotations/text.ts";
import type { ClusterRef } from "../model/cluster.ts";
import type { Job } from "../model/kube.ts";
import { readCluster } from "./read.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

/** What works now comes first, then what has ended last. */
const newness = ({ result, endedAtMs }: Job): number => (result === "active" ? Infinity : (endedAtMs ?? 0));

/** `name` null: the newest. */
export async function logs(ask: Ask, ref: ClusterRef, name: string | null, follow: boolean): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set } = found.value;
  const listed = await ask.kube.list("Job", { namespace: ref.namespace });
  if (!listed.ok) return failed(listed.failure);
  const own = listed.value.filter(({ ownerUid }) => ownerUid === set.uid);
  const jobs = own.toSorted((one, other) => newness(other) - newness(one) || 0);
  const job = name === null ? jobs[0] : jobs.find((one) => one.name === name);
  if (job === undefined) {
    const cluster = `${ref.namespace}/${ref.name}`;
    const none = name === null ? `${cluster} has no Job now` : `${cluster} has no Job ${oneLine(name, 63)}`;
    const there = jobs.length === 0 ? "" : ` There are: ${jobs.map((one) => one.name).join(", ")}.`;
    return { exitCode: 2, complaint: `${none}; one that has ended is kept for an hour.${there}` };
  }
  const shown = await ask.showLog(job, follow);
  if (!shown.ok) return failed(shown.failure);
  return { exitCode: 0, output: "", remark: `That was Job ${job.name} (${job.result}).` };
}
