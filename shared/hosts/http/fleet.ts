/**
 * All clusters that somebody may see: those of each namespace in which they may list StatefulSets, asked of the API server
 * for every namespace in which there is one. That there is something in another namespace is not told.
 */
import { readObjects } from "../../cli/read.ts";
import { snapshot } from "../../cli/snapshot.ts";
import { API_VERSION, type Cluster, type Document } from "../../model/documents.ts";
import type { Pod, StatefulSet } from "../../model/kube.ts";
import type { User } from "../../ports/reviewer.ts";
import { end, type HttpAnswer, json, type Passed, pass, unavailable, unlessKnown } from "./answers.ts";
import type { Tools } from "./function.ts";
import { inPieces, mayListEach } from "./many.ts";

const HTTP_FORBIDDEN = 403;

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
  tools: Tools,
): Promise<Passed<ReadonlySet<string>>> {
  const answers = await mayListEach(user, namespaces, tools);
  const failed = answers.find((may) => !may.ok && may.answer.status !== HTTP_FORBIDDEN);
  if (failed?.ok === false) return failed;
  return pass(new Set(namespaces.filter((_, at) => answers[at]?.ok === true)));
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
  const shown = found.value.filter(({ set: { namespace } }) => seen.value.has(namespace));
  const items = await inPieces(shown, ({ set, pods }) => snapshot(set, pods));
  const order = ({ namespace, name }: Cluster) => `${namespace}/${name}`;
  items.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const document: Document = { apiVersion: API_VERSION, kind: "ClusterList", items };
  // An idle fleet is asked for again and again.
  return unlessKnown(json(200, document), headers["if-none-match"]);
}
