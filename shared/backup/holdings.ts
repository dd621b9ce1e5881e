/** Reads what a store holds of a cluster's backups, all of it or not at all, and carries out deletions. */
import { createHash } from "node:crypto";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { ListPage, ObjectStore } from "../ports/object-store.ts";
import { type Catalogue, catalogueOf, type Document, documentKeys, type Listed } from "./catalogue.ts";
import {
  backupsFolder,
  clusterOfFolder,
  clustersFolder,
  manifestKey,
  type Place,
  parseKey,
} from "./layout.ts";
import { decodeManifest, MANIFEST_BYTES_MAX, type Manifest } from "./manifest.ts";
import type { Deletion } from "./retention.ts";

/** More than ten years of hourly backups, each in many parts. */
const OBJECTS_MAX = 1_000_000;

/** Every page of it. */
export async function listAll(store: ObjectStore, prefix: string): Promise<Outcome<readonly Listed[]>> {
  const listed: Listed[] = [];
  let after: string | null = null;
  do {
    const page: Outcome<ListPage> = await store.list({
      prefix,
      ...(after !== null && { after }),
    });
    if (!page.ok) return page;
    listed.push(...page.value.objects);
    if (listed.length > OBJECTS_MAX) return fail("refused", `${prefix} holds too many objects`);
    after = page.value.next;
  } while (after !== null);
  return succeed(listed);
}

export async function readDocument(store: ObjectStore, key: string): Promise<Outcome<Document>> {
  const bytes = await store.read(key, MANIFEST_BYTES_MAX);
  if (!bytes.ok) return bytes;
  const text = Buffer.from(bytes.value).toString("utf8");
  return succeed({ text, sha256: createHash("sha256").update(bytes.value).digest("hex") });
}

export async function readCatalogue(store: ObjectStore, place: Place): Promise<Catalogue> {
  const listing = await listAll(store, backupsFolder(place));
  const documents = new Map<string, Outcome<Document>>();
  for (const key of listing.ok ? documentKeys(place, listing.value) : []) {
    documents.set(key, await readDocument(store, key));
  }
  return catalogueOf(place, { listing, documents });
}

/** The folders that are directly in one, whose name ends with a slash. */
async function foldersIn(store: ObjectStore, folder: string): Promise<Outcome<readonly string[]>> {
  const folders: string[] = [];
  let after: string | null = null;
  do {
    const page = await store.list({ prefix: folder, shallow: true, ...(after !== null && { after }) });
    if (!page.ok) return page;
    folders.push(...page.value.folders);
    after = page.value.next;
  } while (after !== null);
  return succeed(folders);
}

/** The uids of all clusters that have a folder under this prefix. */
export async function clustersIn(store: ObjectStore, prefix: string): Promise<Outcome<readonly string[]>> {
  const folders = await foldersIn(store, clustersFolder(prefix));
  if (!folders.ok) return folders;
  return succeed(folders.value.flatMap((folder) => clusterOfFolder(prefix, folder) ?? []));
}

/** The newest manifest of a cluster that can be read; null = it has none. */
export async function newestManifest(store: ObjectStore, place: Place): Promise<Outcome<Manifest | null>> {
  const folders = await foldersIn(store, backupsFolder(place));
  if (!folders.ok) return folders;
  // Names of slots are in the order of time.
  for (const folder of folders.value.toSorted().reverse()) {
    const parsed = parseKey(place, `${folder}manifest.json`);
    if (parsed?.kind !== "manifest") continue;
    const document = await readDocument(store, manifestKey(place, parsed.slotMs));
    if (!document.ok && document.failure.kind === "gone") continue;
    if (!document.ok) return document;
    const manifest = decodeManifest(document.value.text, { ...place, slotMs: parsed.slotMs });
    if (manifest.kind === "valid") return succeed(manifest.value);
  }
  return succeed(null);
}

/** What became of one deletion; of one that is not told, nobody knows. */
export type Removal =
  | { readonly kind: "deleted" }
  /** All of it, or what of it is under a lock. */
  | { readonly kind: "kept"; readonly why: string };

export interface Pruned {
  readonly deleted: number;
  /** Held by the store under a lock. */
  readonly locked: number;
}

/** Objects of backups, one after the other. A lock on a manifest keeps all of its backup. */
export async function carryOutDeletions(
  store: ObjectStore,
  deletions: readonly Deletion[],
  onEnd: (deletion: Deletion, removal: Removal) => void = () => undefined,
): Promise<Outcome<Pruned>> {
  let [deleted, locked] = [0, 0];
  for (const deletion of deletions) {
    const { keys, unless } = deletion;
    let removal: Removal = { kind: "deleted" };
    if (unless !== null) {
      const found = await store.head(unless);
      if (found.ok) {
        onEnd(deletion, { kind: "kept", why: "there is a manifest now" });
        continue;
      }
      if (found.failure.kind !== "gone") return found;
    }
    for (const key of keys) {
      const removed = await store.remove(key);
      if (removed.ok) deleted += 1;
      else if (removed.failure.kind === "refused") {
        locked += 1;
        removal = { kind: "kept", why: removed.failure.message };
        break;
      } else return removed;
    }
    onEnd(deletion, removal);
  }
  return succeed({ deleted, locked });
}
