/** Which clusters one invocation looks at: those that its event names, and what a tick finds in the fleet. */
import { clusterKey } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { PassRequest } from "../../reconcile/index.ts";
import { isBackupDue } from "../due-backups.ts";
import type { Reaction } from "../functions.ts";
import { chooseLooks, isManaged } from "../sweep.ts";
import type { LambdaHost } from "./host.ts";

/** One that is to be looked at, and why. */
export type Look = Pick<PassRequest, "ref" | "cause" | "origins">;

/** Each cluster once, those that were named first. `fleet` is what was listed, if anything had to be. */
export function wanted(
  { clock, ids, settings }: LambdaHost,
  { sweep, backups, wakes }: Reaction,
  fleet: readonly StatefulSet[],
): readonly Look[] {
  const nowMs = clock.now();
  const swept = sweep ? chooseLooks(fleet, { nowMs, lookEveryMs: 0, seen: new Map() }) : [];
  // Beginning anywhere, so that with too little time for all of them none is always the last.
  const first = Math.floor(ids.fraction() * swept.length);
  const due = backups ? fleet.filter((set) => isManaged(set) && isBackupDue(set, nowMs)) : [];
  const { ORDINAL_NAMESPACES: namespaces } = settings;
  const served = wakes.filter(({ ref }) => namespaces.length === 0 || namespaces.includes(ref.namespace));
  const looks: readonly Look[] = [
    ...served,
    ...due.map(({ namespace, name }) => ({ ref: { namespace, name }, cause: "a backup is due" })),
    ...[...swept.slice(first), ...swept.slice(0, first)].map(({ ref, reason }) => ({
      ...{ ref, cause: `sweep: ${reason}` },
    })),
  ];
  return [...new Map(looks.map((look) => [clusterKey(look.ref), look])).values()];
}
