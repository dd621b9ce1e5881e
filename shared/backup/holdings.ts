/**
 * Reads from a store all that its catalogue is made of: every page of the listing, and the documents that it names. It
 * changes nothing. What could not be read is told, so that nobody takes a part for the whole.
 */
import { createHash } from "node:crypto";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { type Document, documentKeys, type Holdings, type Listed } from "./catalogue.ts";
import { backupsFolder, clusterOfFolder, clustersFolder, type Place } from "./layout.ts";
import { MANIFEST_BYTES_MAX } from "./manifest.ts";

/** A document is small and far away. */
const AT_ONCE = 8;

async function listed(store: ObjectStore, prefix: string): Promise<Outcome<readonly Listed[]>> {
  const objects: Listed[] = [];
  let after: string | null = null;
  do {
    const page = await store.list({ prefix, ...(after !== null && { after }) });
    if (!page.ok) return page;
    objects.push(...page.value.objects);
    after = page.value.next;
  } while (after !== null);
  return succeed(objects);
}

async function fetched(store: ObjectStore, key: string): Promise<Outcome<Document>> {
  const bytes = await store.read(key, MANIFEST_BYTES_MAX);
  if (!bytes.ok) return bytes;
  const sha256 = createHash("sha256").update(bytes.value).digest("hex");
  return succeed({ text: new TextDecoder().decode(bytes.value), sha256 });
}

export async function readHoldings(store: ObjectStore, place: Place): Promise<Holdings> {
  const listing = await listed(store, backupsFolder(place));
  const documents = new Map<string, Outcome<Document>>();
  if (!listing.ok) return { listing, documents };
  const keys = documentKeys(place, listing.value);
  for (let from = 0; from < keys.length; from += AT_ONCE) {
    const some = keys.slice(from, from + AT_ONCE);
    const read = await Promise.all(some.map((key) => fetched(store, key)));
    for (const [at, key] of some.entries()) {
      const document = read[at];
      if (document !== undefined) documents.set(key, document);
    }
  }
  return { listing, documents };
}

/** The uids of all clusters that have a folder under this prefix. */
export async function clustersIn(store: ObjectStore, prefix: string): Promise<Outcome<readonly string[]>> {
  const uids: string[] = [];
  let after: string | null = null;
  do {
    const wish = { prefix: clustersFolder(prefix), shallow: true, ...(after !== null && { after }) };
    const page = await store.list(wish);
    if (!page.ok) return page;
    uids.push(...page.value.folders.flatMap((folder) => clusterOfFolder(prefix, folder) ?? []));
    after = page.value.next;
  } while (after !== null);
  return succeed(uids);
}
