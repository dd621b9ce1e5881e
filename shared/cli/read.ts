/**
 * What the verbs read: StatefulSets and Pods through the Kube port, nothing else, so that the rights of
 * `kubectl get` are enough. It changes nothing and decides nothing.
 */
import { LABEL } from "../annotations/keys.ts";
import { nearest } from "../annotations/nearest.ts";
import type { ClusterRef } from "../model/cluster.ts";
import type { Cluster } from "../model/documents.ts";
import type { Pod, StatefulSet } from "../model/kube.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { Kube } from "../ports/kube.ts";
import { isCluster, snapshot } from "./snapshot.ts";

function podsOf(kube: Kube, set: StatefulSet): Promise<Outcome<readonly Pod[]>> {
  return kube.list("Pod", { namespace: set.namespace, labels: set.matchLabels });
}

export interface FleetObjects {
  readonly sets: readonly StatefulSet[];
  readonly podsOf: (set: StatefulSet) => readonly Pod[];
}

/**
 * All clusters of a namespace, or of all. The pods come in one list by the index label; only a cluster that
 * no pass has labelled yet is asked for by its own.
 */
export async function readObjects(kube: Kube, namespace: string | null): Promise<Outcome<FleetObjects>> {
  const place = namespace === null ? {} : { namespace };
  const [sets, labelled] = await Promise.all([
    kube.list("StatefulSet", place),
    kube.list("Pod", { ...place, labels: { [LABEL.managed]: "true" } }),
  ]);
  if (!sets.ok) return sets;
  if (!labelled.ok) return labelled;
  const clusters = sets.value.filter(isCluster);
  const unlabelled = clusters.filter((set) => set.labels[LABEL.managed] !== "true");
  const lists = await Promise.all(unlabelled.map((set) => podsOf(kube, set)));
  const pods: Pod[] = [...labelled.value];
  for (const list of lists) {
    if (!list.ok) return list;
    pods.push(...list.value);
  }
  const byOwner = Map.groupBy(pods, (pod) => pod.ownerUid);
  return succeed({ sets: clusters, podsOf: ({ uid }) => byOwner.get(uid) ?? [] });
}

export async function readFleet(kube: Kube, namespace: string | null): Promise<Outcome<readonly Cluster[]>> {
  const read = await readObjects(kube, namespace);
  if (!read.ok) return read;
  const { sets, podsOf: podsIn } = read.value;
  const order = ({ namespace, name }: Cluster) => `${namespace}/${name}`;
  return succeed(
    sets.map((set) => snapshot(set, podsIn(set))).sort((a, b) => (order(a) < order(b) ? -1 : 1)),
  );
}

export type Found =
  | { readonly kind: "cluster"; readonly set: StatefulSet; readonly cluster: Cluster }
  | { readonly kind: "unmanaged"; readonly set: StatefulSet }
  /** Names in the same namespace: the closest ones, else all clusters. */
  | { readonly kind: "missing"; readonly similar: readonly string[]; readonly clusters: readonly string[] };

async function missing(kube: Kube, ref: ClusterRef): Promise<Outcome<Found>> {
  const sets = await kube.list("StatefulSet", { namespace: ref.namespace });
  if (!sets.ok) return sets;
  const similar = nearest(
    ref.name,
    sets.value.map(({ name }) => name),
  ).slice(0, 3);
  const clusters = sets.value.filter(isCluster).map(({ name }) => name);
  return succeed({ kind: "missing", similar, clusters: clusters.slice(0, 5) });
}

export async function readCluster(kube: Kube, ref: ClusterRef): Promise<Outcome<Found>> {
  const set = await kube.read("StatefulSet", ref);
  if (!set.ok) return set.failure.kind === "gone" ? missing(kube, ref) : set;
  if (!isCluster(set.value)) return succeed({ kind: "unmanaged", set: set.value });
  const pods = await podsOf(kube, set.value);
  if (!pods.ok) return pods;
  return succeed({ kind: "cluster", set: set.value, cluster: snapshot(set.value, pods.value) });
}
