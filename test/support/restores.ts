/** Clusters that are being restored, for tests of the brain: what is asked for, and what becomes of Jobs and pods. */

import { ANNOTATION } from "../../shared/annotations/keys.ts";
import { decodeRestore, encodeRestore } from "../../shared/annotations/restores.ts";
import { restoreJobs } from "../../shared/model/job-name.ts";
import type { JobObservation, Observed } from "../../shared/model/observed.ts";
import { assert } from "../../shared/model/outcome.ts";
import type { RestoreMemory, RestoreWish } from "../../shared/model/restore.ts";
import { type Change, observed, spec } from "./situation.ts";

export const WISH: RestoreWish = {
  id: "wish-1",
  store: "backups",
  from: null,
  target: { kind: "backup", slot: null },
  inPlace: true,
};

export function restoring(more: Partial<RestoreWish> = {}): Change {
  return spec({ restore: { ...WISH, ...more } });
}

/** Null = none. */
export function restoreOf({ restore }: Observed): RestoreMemory | null {
  return restore.kind === "valid" ? restore.memory : null;
}

export type JobEnd = "succeeded" | { readonly failed: string };

/** The Job at this place of those that are under way ends. */
export function restoreJobEnds(of: Observed, at: number, end: JobEnd, nowMs: number): Observed {
  const was = of.jobs.restore[at];
  assert(was?.kind === "found", `there is no Job ${at}`);
  const result = end === "succeeded" ? end : "failed";
  const failure = end === "succeeded" ? null : end.failed;
  const job: JobObservation = { kind: "found", job: { ...was.job, result, endedAtMs: nowMs, failure } };
  return { ...of, jobs: { ...of.jobs, restore: of.jobs.restore.with(at, job) } };
}

/** Somebody deletes it. */
export function restoreJobGone(of: Observed, at: number): Observed {
  return { ...of, jobs: { ...of.jobs, restore: of.jobs.restore.with(at, { kind: "absent" }) } };
}

/** What the controller of StatefulSets makes of `replicas`, all at once. */
export function podsFollow(of: Observed): Observed {
  const fresh = observed(Math.max(1, of.members.length));
  const members = of.members.map((member, at) => ({
    ...member,
    pod: member.ordinal < of.set.replicas ? (member.pod ?? fresh.members[at]?.pod ?? null) : null,
    server: member.ordinal < of.set.replicas ? member.server : ({ kind: "absent" } as const),
  }));
  return { ...of, members };
}

/** As the next pass reads it: by way of the annotation. */
export function readBack(of: Observed): Observed {
  const memory = restoreOf(of);
  if (memory === null) return of;
  const restore = decodeRestore(encodeRestore(memory)[ANNOTATION.restore], of.set.uid);
  assert(restore.kind === "valid", `what was written is ${restore.kind}`);
  const names = restoreJobs(of.set.name, restore.memory);
  assert(names.length === of.jobs.restore.length, "each Job that is under way is looked at");
  return { ...of, restore };
}
