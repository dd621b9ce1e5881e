/**
 * The part of the StatefulSet controller that brings a changed pod template to the pods: "Rolling Updates" in the
 * documentation of StatefulSets. Highest ordinals first, down to the partition, each once all others are ready.
 */
import type { Rollout } from "../../shared/model/kube.ts";
import { REVISION } from "./kube/actors.ts";
import { type Json, part } from "./kube/store.ts";
import { REF } from "./ref.ts";
import type { World } from "./world.ts";

const LATER_MS = 30;
const GRACE_MS = 30_000;

export interface Rollouts {
  /** The template becomes another one. */
  change(): void;
  /** Ordinals in the order in which their pods were deleted. */
  readonly deleted: readonly number[];
  /** Told of each pod that is about to be deleted. */
  onDelete: (ordinal: number) => void;
  revisions(): readonly (string | undefined)[];
  /** Of the StatefulSet. */
  partition(): number;
  isComplete(): boolean;
}

function isReady(pod: Json | null): boolean {
  const conditions = part(pod ?? {}, "status")["conditions"];
  const ready = Array.isArray(conditions)
    ? (conditions as Json[]).find((one) => one["type"] === "Ready")
    : null;
  return ready?.["status"] === "True" && part(pod ?? {}, "metadata")["deletionTimestamp"] === undefined;
}

export function playRollouts(world: World, strategy: NonNullable<Rollout["strategy"]>): Rollouts {
  const { sim, clock, kubelet } = world;
  const deleted: number[] = [];
  let revision = 1;
  const raw = (): Json => sim.raw("StatefulSet", REF) ?? {};
  const replicas = (): number => Number(part(raw(), "spec")["replicas"]);
  const ordinals = (): readonly number[] => Array.from({ length: replicas() }, (_, ordinal) => ordinal);
  const refOf = (ordinal: number) => ({ ...REF, name: `${REF.name}-${ordinal}` });
  const podOf = (ordinal: number): Json | null => sim.raw("Pod", refOf(ordinal));
  const revisionOf = (ordinal: number): string | undefined =>
    part(part(podOf(ordinal) ?? {}, "metadata"), "labels")[REVISION] as string | undefined;
  const partition = (): number =>
    Number(part(part(part(raw(), "spec"), "updateStrategy"), "rollingUpdate")["partition"] ?? 0);

  function tellStatus(): void {
    const { generation } = part(raw(), "metadata") as { generation: number };
    const all = ordinals().every(
      (ordinal) => revisionOf(ordinal) === `r${revision}` && isReady(podOf(ordinal)),
    );
    const complete = strategy === "RollingUpdate" && all;
    const status = { observedGeneration: generation, updateRevision: `r${revision}` };
    sim.put("StatefulSet", REF, {
      status: { ...status, ...(complete && { currentRevision: `r${revision}` }) },
    });
  }

  function goOn(): void {
    tellStatus();
    if (strategy !== "RollingUpdate" || !ordinals().every((ordinal) => isReady(podOf(ordinal)))) return;
    const next = ordinals().findLast(
      (ordinal) => ordinal >= partition() && revisionOf(ordinal) !== `r${revision}`,
    );
    if (next !== undefined) kubelet.deletePod(next, GRACE_MS, true);
  }

  const rollouts: Rollouts = {
    deleted,
    onDelete: () => undefined,
    change() {
      revision += 1;
      clock.after(LATER_MS, goOn);
    },
    revisions: () => ordinals().map(revisionOf),
    partition,
    isComplete: () => part(raw(), "status")["currentRevision"] === `r${revision}`,
  };
  const updateStrategy = {
    type: strategy,
    ...(strategy === "RollingUpdate" && { rollingUpdate: { partition: 0 } }),
  };
  sim.put("StatefulSet", REF, { spec: { updateStrategy }, status: { currentRevision: "r1" } });
  for (const ordinal of ordinals())
    sim.put("Pod", refOf(ordinal), { metadata: { labels: { [REVISION]: "r1" } } });
  let isDue = false;
  sim.onChange(({ kind, before, after }) => {
    const begun = part(after ?? {}, "metadata")["deletionTimestamp"];
    if (
      kind === "Pod" &&
      begun !== undefined &&
      part(before ?? {}, "metadata")["deletionTimestamp"] === undefined
    ) {
      const ordinal = Number(
        String(part(after ?? {}, "metadata")["name"])
          .split("-")
          .at(-1),
      );
      rollouts.onDelete(ordinal);
      deleted.push(ordinal);
    }
    if (isDue || (kind !== "Pod" && kind !== "StatefulSet")) return;
    isDue = true;
    clock.after(LATER_MS, () => {
      isDue = false;
      goOn();
    });
  });
  tellStatus();
  return rollouts;
}
