/** The fleet as it is listed, and what a pass over one of it says in the log: the same on every host. */
import { clusterKey } from "../model/cluster.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Log } from "../ports/host.ts";
import type { Kube, ListOptions } from "../ports/kube.ts";
import type { PassRequest, PassResult } from "../reconcile/index.ts";

/** One list for each namespace that was named, else a single one: rights may end at the namespace. */
export function scopesOf(namespaces: readonly string[]): readonly ListOptions[] {
  return namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }));
}

/** All of the fleet, or why it could not be listed. */
export async function listFleet(
  kube: Kube,
  namespaces: readonly string[],
): Promise<readonly StatefulSet[] | string> {
  const lists = await Promise.all(scopesOf(namespaces).map((scope) => kube.list("StatefulSet", scope)));
  const sets: StatefulSet[] = [];
  for (const list of lists) {
    if (!list.ok) return list.failure.message;
    sets.push(...list.value);
  }
  return sets;
}

/** A look that found all as it was says nothing: with one every few seconds the log would hold little else. */
export function isQuiet({ cause }: Pick<PassRequest, "cause">, { outcome }: PassResult): boolean {
  return outcome === "unmanaged" || (outcome === "settled" && cause.startsWith("sweep"));
}

export function logPass(
  log: Log,
  request: Pick<PassRequest, "ref" | "cause">,
  result: PassResult,
  tookMs: number,
): void {
  if (isQuiet(request, result)) return;
  const { outcome, phase, message: why } = result;
  const fields = { cluster: clusterKey(request.ref), cause: request.cause, outcome, phase, tookMs, why };
  if (outcome === "failed") log.warn("pass", fields);
  else log.info("pass", fields);
}
