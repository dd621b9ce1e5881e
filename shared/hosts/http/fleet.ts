/**
 * All clusters that somebody may see: those of each namespace in which they may list StatefulSets, asked of the API server
 * for every namespace in which there is one. That there is something in another namespace is not told.
 */

import { readFleet } from "../../cli/read.ts";
import { API_VERSION, type Document } from "../../model/documents.ts";
import type { User } from "../../ports/reviewer.ts";
import { type HttpAnswer, json, unavailable, unlessKnown } from "./answers.ts";
import type { Tools } from "./function.ts";

const HTTP_FORBIDDEN = 403;

export async function showFleet(
  user: User,
  tools: Tools,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<HttpAnswer> {
  const { kube, guard, log, namespaces } = tools;
  const scopes = namespaces.length === 0 ? [null] : namespaces;
  const lists = await Promise.all(scopes.map((scope) => readFleet(kube, scope)));
  const clusters = [];
  for (const list of lists) {
    if (!list.ok) return unavailable(list.failure, log);
    clusters.push(...list.value);
  }
  const byNamespace = Map.groupBy(clusters, ({ namespace }) => namespace);
  const reviewed = await Promise.all(
    [...byNamespace].map(async ([namespace, items]) => ({
      may: await guard.may(user, { verb: "list" }, { namespace, name: "" }),
      items,
    })),
  );
  const failed = reviewed.find(({ may }) => !may.ok && may.answer.status !== HTTP_FORBIDDEN);
  if (failed !== undefined && !failed.may.ok) return failed.may.answer;
  const items = reviewed.flatMap(({ may, items: seen }) => (may.ok ? seen : []));
  const document: Document = { apiVersion: API_VERSION, kind: "ClusterList", items };
  // An idle fleet is asked for again and again.
  return unlessKnown(json(200, document), headers["if-none-match"]);
}
