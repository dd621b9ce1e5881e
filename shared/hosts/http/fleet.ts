/**
 * All clusters that somebody may see: those of each namespace in which they may list StatefulSets, asked of the API server
 * for every namespace in which there is one. That there is something in another namespace is not told.
 */
import { setImmediate as breath } from "node:timers/promises";
import { readObjects } from "../../cli/read.ts";
import { snapshot } from "../../cli/snapshot.ts";
import { API_VERSION, type Cluster, type Document } from "../../model/documents.ts";
import type { Pod, StatefulSet } from "../../model/kube.ts";
import type { User } from "../../ports/reviewer.ts";
import { end, type HttpAnswer, json, type Passed, pass, unavailable, unlessKnown } from "./answers.ts";
import type { Tools } from "./function.ts";

const HTTP_FORBIDDEN = 403;
/** Clusters that are read between two breaths of the process, some milliseconds. */
const AT_A_TIME = 20;
/** Namespaces of which rights are asked for at the same time. */
const REVIEWS_AT_A_TIME = 10;

interface Found {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
}

async function findAll({ kube, namespaces, log }: Tools): Promise<Passed<readonly Found[]>> {
  const found: Found[] = [];
  for (const scope of namespaces.length === 0 ? [null] : namespaces) {
    const read = await readObjects(kube, scope);
    if (!read.ok) return end(unavailable(read.failure, log));
    const { sets, podsOf } = read.value;
    found.push(...sets.map((set) => ({ set, pods: podsOf(set) })));
  }
  return pass(found);
}

/** Of these namespaces those that the user may see. */
async function visible(
  user: User,
  namespaces: readonly string[],
  { guard }: Tools,
): Promise<Passed<ReadonlySet<string>>> {
  const seen = new Set<string>();
  for (let at = 0; at < namespaces.length; at += REVIEWS_AT_A_TIME) {
    const some = namespaces.slice(at, at + REVIEWS_AT_A_TIME);
    const answers = await Promise.all(
      some.map((namespace) => guard.may(user, { verb: "list" }, { namespace, name: "" })),
    );
    for (const [index, may] of answers.entries()) {
      if (may.ok) seen.add(some[index] ?? "");
      else if (may.answer.status !== HTTP_FORBIDDEN) return may;
    }
  }
  return pass(seen);
}

export async function showFleet(
  user: User,
  tools: Tools,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<HttpAnswer> {
  const found = await findAll(tools);
  if (!found.ok) return found.answer;
  const namespaces = [...new Set(found.value.map(({ set }) => set.namespace))];
  const seen = await visible(user, namespaces, tools);
  if (!seen.ok) return seen.answer;
  const items: Cluster[] = [];
  for (const { set, pods } of found.value.filter(({ set: { namespace } }) => seen.value.has(namespace))) {
    items.push(snapshot(set, pods));
    // Passes go on meanwhile.
    if (items.length % AT_A_TIME === 0) await breath();
  }
  const order = ({ namespace, name }: Cluster) => `${namespace}/${name}`;
  items.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const document: Document = { apiVersion: API_VERSION, kind: "ClusterList", items };
  // An idle fleet is asked for again and again.
  return unlessKnown(json(200, document), headers["if-none-match"]);
}
