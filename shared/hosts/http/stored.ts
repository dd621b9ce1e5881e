/**
 * What the store of a cluster holds, for whoever may see the cluster: sizes and instants, nothing of a key and nothing of what is
 * in a backup. It is asked of the store with the host's own right to the Secret; a host that has none says so.
 */
import { parseWish } from "../../annotations/wish.ts";
import { readCatalogue } from "../../backup/holdings.ts";
import { parseStore } from "../../backup/store.ts";
import { listed, type OpenedStore, windowIn } from "../../cli/stored.ts";
import type { StoredBackups } from "../../model/answers.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Failure } from "../../model/outcome.ts";
import { type HttpAnswer, json } from "./answers.ts";
import { findSet } from "./clusters.ts";
import type { Asked, Tools } from "./function.ts";

function unknown(gap: string): HttpAnswer {
  return json(200, { backups: [], window: null, gap } satisfies StoredBackups);
}

async function holdingsOf(
  opened: OpenedStore,
  { namespace, name, uid }: StatefulSet,
): Promise<StoredBackups> {
  const place = { prefix: opened.store.prefix, clusterUid: uid };
  const [{ backups, gap }, window] = await Promise.all([
    readCatalogue(opened.objects, place),
    windowIn(opened, { namespace, name, clusterUid: uid }),
  ]);
  const items = backups.map((backup) => listed(uid, backup));
  const failure: Failure | null = gap ?? (window.ok ? null : window.failure);
  return {
    backups: items.toSorted((one, other) => Date.parse(other.slot) - Date.parse(one.slot)),
    window: window.ok ? window.value : null,
    gap: failure?.message ?? null,
  };
}

export async function showStored(asked: Asked, tools: Tools): Promise<HttpAnswer> {
  const found = await findSet(asked, tools);
  if (!found.ok) return found.answer;
  const { kube, openStore } = tools;
  const name = parseWish(found.value).spec?.backup?.store;
  if (name === undefined) return unknown("No store is named that can be used.");
  if (openStore === undefined) return unknown("This host asks no store.");
  const secret = await kube.read("Secret", { namespace: asked.ref.namespace, name });
  // Why is for the log: it may hold addresses.
  if (!secret.ok) {
    tools.log.warn("the Secret of a store could not be read", { reason: secret.failure.message });
    return unknown(`Ordinal's host may not read the Secret ${name}, or it is not there.`);
  }
  const store = parseStore(name, secret.value.values);
  if (!store.ok) return unknown(store.failure.message);
  const objects = openStore(store.value);
  try {
    return json(200, await holdingsOf({ store: store.value, objects }, found.value));
  } finally {
    objects.close();
  }
}
