/**
 * Stores of backups as somebody reaches them who has a kubeconfig: the Secret is read with their rights, and the bucket is
 * asked from their machine. Nothing of the key is ever shown.
 */
import type { Catalogue } from "../backup/catalogue.ts";
import { clustersIn, readCatalogue } from "../backup/holdings.ts";
import { parseStore } from "../backup/store.ts";
import type { BackupList } from "../model/documents.ts";
import type { ObjectRef } from "../model/kube.ts";
import { type Failure, fail, type Outcome, succeed } from "../model/outcome.ts";
import type { Store } from "../model/store.ts";
import type { OpenedStore } from "./stored.ts";
import type { Ask } from "./verbs.ts";

export type Opened = OpenedStore;

/** To be closed by whoever opened it. */
export async function openStore(ask: Ask, ref: ObjectRef): Promise<Outcome<Opened>> {
  const secret = await ask.kube.read("Secret", ref);
  if (!secret.ok) {
    const { kind } = secret.failure;
    if (kind !== "gone") return secret;
    return fail(
      "refused",
      `There is no Secret ${ref.name} in namespace ${ref.namespace}: name that of a store.`,
    );
  }
  const store = parseStore(ref.name, secret.value.values);
  return store.ok ? succeed({ store: store.value, objects: ask.openStore(store.value) }) : store;
}

export function whereOf({ name, endpoint, bucket, prefix }: Store): BackupList["where"] {
  return { secret: name, endpoint: endpoint.origin, bucket, prefix };
}

/** From here it may be another network than the one that Ordinal is in. */
export function fromHere(failure: Failure): Failure {
  if (failure.kind !== "transient") return failure;
  const hint = "A store is asked from this machine: run this where it can be reached.";
  return { ...failure, message: `${failure.message}\n  ${hint}` };
}

export interface Found {
  readonly clusterUid: string;
  readonly catalogue: Catalogue;
}

export async function readOne({ store, objects }: Opened, clusterUid: string): Promise<Found> {
  return { clusterUid, catalogue: await readCatalogue(objects, { prefix: store.prefix, clusterUid }) };
}

/** Of every cluster that has a folder in the store, whether it still exists or not. */
export async function readAll(opened: Opened): Promise<Outcome<readonly Found[]>> {
  const uids = await clustersIn(opened.objects, opened.store.prefix);
  if (!uids.ok) return uids;
  const found: Found[] = [];
  for (const uid of uids.value) found.push(await readOne(opened, uid));
  return succeed(found);
}
