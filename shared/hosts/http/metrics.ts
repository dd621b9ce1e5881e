/**
 * The answer of `GET /metrics`: how the fleet is, from what is recorded, for whoever may list the StatefulSets of every
 * namespace that is served. Half of a fleet is never told as if it were the whole, since an alert would be missed by it.
 */
import { setImmediate as breath } from "node:timers/promises";
import { LABEL } from "../../annotations/keys.ts";
import { quote } from "../../annotations/text.ts";
import type { Pod, StatefulSet } from "../../model/kube.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import { PROGRAM_VERSION } from "../../model/program-version.ts";
import type { ListOptions } from "../../ports/kube.ts";
import type { User } from "../../ports/reviewer.ts";
import { scopesOf } from "../fleet.ts";
import { FORMATS, formatFor } from "../metrics/exposition.ts";
import { type ClusterFacts, factsOf } from "../metrics/facts.ts";
import { rendered } from "../metrics/families.ts";
import { isManaged } from "../sweep.ts";
import { type HttpAnswer, type Passed, pass, problem, unavailable } from "./answers.ts";
import type { Tools } from "./function.ts";
import { inPieces, mayListEach } from "./many.ts";

const HTTP_FORBIDDEN = 403;
/** There always is one of that name: that no cluster is there is for those to know who may look everywhere. */
const ANY_NAMESPACE = "default";

async function mayList(user: User, namespaces: readonly string[], tools: Tools): Promise<Passed<null>> {
  const answers = await mayListEach(user, namespaces, tools);
  return answers.find(({ ok }) => !ok) ?? pass(null);
}

/** Where all namespaces are served, which of them has a cluster is told to nobody who may not see it. */
function unnamed(user: User, answer: HttpAnswer): HttpAnswer {
  if (answer.status !== HTTP_FORBIDDEN) return answer;
  const detail = `${quote(user.name)} may not list statefulsets in every namespace that has a cluster: ask for that right.`;
  return problem(HTTP_FORBIDDEN, detail);
}

/** A pod of Ordinal's bears its label, so that those of everybody else are not read. */
async function readFleet(
  { kube }: Tools,
  scope: ListOptions,
): Promise<Outcome<{ readonly sets: readonly StatefulSet[]; readonly podsOf: Map<string | null, Pod[]> }>> {
  const [sets, pods] = await Promise.all([
    kube.list("StatefulSet", scope),
    kube.list("Pod", { ...scope, labels: { [LABEL.managed]: "true" } }),
  ]);
  if (!sets.ok) return sets;
  if (!pods.ok) return pods;
  return succeed({
    sets: sets.value.filter(isManaged),
    podsOf: Map.groupBy(pods.value, ({ ownerUid }) => ownerUid),
  });
}

async function factsIn(tools: Tools, scope: ListOptions): Promise<Outcome<readonly ClusterFacts[]>> {
  const fleet = await readFleet(tools, scope);
  if (!fleet.ok) return fleet;
  const { sets, podsOf } = fleet.value;
  return succeed(await inPieces(sets, (set) => factsOf(set, podsOf.get(set.uid) ?? [])));
}

const keyOf = ({ namespace, name }: ClusterFacts): string => `${namespace}/${name}`;

export async function showMetrics(
  user: User,
  tools: Tools,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<HttpAnswer> {
  const { namespaces } = tools;
  const may = await mayList(user, namespaces, tools);
  if (!may.ok) return may.answer;
  const clusters: ClusterFacts[] = [];
  for (const scope of scopesOf(namespaces)) {
    const found = await factsIn(tools, scope);
    if (!found.ok) return unavailable(found.failure, tools.log);
    clusters.push(...found.value);
  }
  if (namespaces.length === 0) {
    const found = [...new Set(clusters.map(({ namespace }) => namespace))];
    const mayAll = await mayList(user, found.length === 0 ? [ANY_NAMESPACE] : found, tools);
    if (!mayAll.ok) return unnamed(user, mayAll.answer);
  }
  const format = formatFor(headers["accept"]);
  const fleet = {
    clusters: clusters.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    nowMs: tools.clock.now(),
    lookedAtMs: (cluster: ClusterFacts) => tools.lookedAtMs?.(cluster) ?? null,
    build: { version: PROGRAM_VERSION, node: process.version },
  };
  let body = "";
  for (const family of rendered(fleet, format)) {
    body += family;
    await breath();
  }
  return { status: 200, headers: { "content-type": FORMATS[format], "cache-control": "no-store" }, body };
}
