/**
 * Which segments of the logs there are, from what the store lists and from the chains' documents: nothing is remembered
 * anywhere else. A segment counts when each of its objects is listed with the very size that its document names.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import { type Failure, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { Document, Listed } from "../catalogue.ts";
import { listAll, readDocument } from "../holdings.ts";
import type { Place } from "../layout.ts";
import { type Chain, decodeChain, type SegmentRecord } from "./chain.ts";
import { type ArchiveKey, archiveFolder, chainFolder, lookKey, parseArchiveKey } from "./keys.ts";
import { decodeLook, type Look } from "./look.ts";

export interface Segment extends Omit<SegmentRecord, "parts"> {
  readonly serverUuid: string;
  /** What the server had before it: whoever has this can go on with it. */
  readonly after: Position;
  /** In their order; together one log file. */
  readonly parts: readonly (SegmentRecord["parts"][number] & { readonly key: string })[];
}

export interface Inventory {
  /** Those of which everything is there, in the order of their chains. */
  readonly segments: readonly Segment[];
  /** Those of which something is missing: they tell all the same what was committed and when. */
  readonly lost: readonly Segment[];
  /** Null = the archive was never seen to have all there was. */
  readonly look: Look | null;
  /** One phrase each: what is named and cannot be used. */
  readonly damage: readonly string[];
  /** What could not be read; null = nothing is missing from the picture. */
  readonly gap: Failure | null;
}

type DocumentKey = Extract<ArchiveKey, { kind: "document" }> & { readonly key: string };

/** The document of each chain that names the most segments. */
export function newestDocuments(place: Place, listing: readonly Listed[]): readonly DocumentKey[] {
  const newest = new Map<string, DocumentKey>();
  for (const { key } of listing) {
    const parsed = parseArchiveKey(place, key);
    if (parsed?.kind !== "document") continue;
    const folder = chainFolder(place, parsed.chain);
    if (parsed.segments > (newest.get(folder)?.segments ?? 0)) newest.set(folder, { ...parsed, key });
  }
  return [...newest.values()];
}

/** Positions are written anew, so that the same ones are the same text. */
function segmentsOf(chain: Chain, folder: string, positions: PositionAlgebra): readonly Segment[] {
  let after = positions.union(chain.after, "");
  return chain.segments.map((record) => {
    const parts = record.parts.map((part) => ({ ...part, key: `${folder}${part.name}` }));
    const position = positions.union(record.position, "");
    const segment = { ...record, position, serverUuid: chain.serverUuid, after, parts };
    after = positions.union(after, position);
    return segment;
  });
}

/** Never throws for anything that a bucket may hold. */
export function inventoryOf(
  place: Place,
  {
    listing,
    documents,
  }: { readonly listing: readonly Listed[]; readonly documents: ReadonlyMap<string, Document> },
  positions: PositionAlgebra,
): Omit<Inventory, "gap"> {
  const sizes = new Map(listing.map(({ key, size }) => [key, size]));
  const segments: Segment[] = [];
  const lost: Segment[] = [];
  const damage: string[] = [];
  for (const { key, chain: name, segments: count } of newestDocuments(place, listing)) {
    const document = documents.get(key);
    if (document === undefined) continue;
    const read = decodeChain(document.text, { ...name, clusterUid: place.clusterUid, segments: count });
    const found =
      read.kind === "valid" ? readable(read.value, chainFolder(place, name), positions) : read.why;
    if (typeof found === "string") {
      damage.push(`${key}: ${found}`);
      continue;
    }
    for (const segment of found) {
      const wrong = segment.parts.find((part) => sizes.get(part.key) !== part.bytes);
      if (wrong === undefined) segments.push(segment);
      else {
        lost.push(segment);
        damage.push(`${wrong.key} is missing or of another size`);
      }
    }
  }
  const told = documents.get(lookKey(place));
  const look = told === undefined ? null : decodeLook(told.text, place.clusterUid, positions);
  if (look?.kind === "unusable") damage.push(`${lookKey(place)}: ${look.why}`);
  return { segments, lost, damage, look: look?.kind === "valid" ? look.value : null };
}

/** The algebra throws for what is no position, and in a bucket anything may stand. */
function readable(chain: Chain, folder: string, positions: PositionAlgebra): readonly Segment[] | string {
  try {
    return segmentsOf(chain, folder, positions);
  } catch {
    return "a position in it is none";
  }
}

const NOTHING = { segments: [], lost: [], damage: [], look: null };
const TRIES = 5;
/** Documents that are asked for side by side. */
const PARALLEL = 16;

/** A chain that grows replaces its document, so one that is gone by now is looked for again. */
export async function readInventory(
  store: ObjectStore,
  place: Place,
  positions: PositionAlgebra,
): Promise<Inventory> {
  for (let tried = 1; ; tried += 1) {
    const listing = await listAll(store, archiveFolder(place));
    if (!listing.ok) return { ...NOTHING, gap: listing.failure };
    const documents = await fetchAll(store, [
      ...newestDocuments(place, listing.value).map(({ key }) => key),
      ...listing.value.filter(({ key }) => key === lookKey(place)).map(({ key }) => key),
    ]);
    if (documents.ok) {
      return {
        ...inventoryOf(place, { listing: listing.value, documents: documents.value }, positions),
        gap: null,
      };
    }
    if (documents.failure.kind !== "gone" || tried === TRIES) {
      return { ...NOTHING, gap: documents.failure };
    }
  }
}

async function fetchAll(
  store: ObjectStore,
  keys: readonly string[],
): Promise<Outcome<ReadonlyMap<string, Document>>> {
  const documents = new Map<string, Document>();
  for (let at = 0; at < keys.length; at += PARALLEL) {
    const some = keys.slice(at, at + PARALLEL);
    const read = await Promise.all(some.map((key) => readDocument(store, key)));
    for (const [index, document] of read.entries()) {
      if (!document.ok) return document;
      documents.set(some[index] ?? "", document.value);
    }
  }
  return succeed(documents);
}

/** All transactions that can be had from the archive. */
export function archivedBy(segments: readonly Segment[], positions: PositionAlgebra): Position {
  return segments.reduce((all, { position }) => positions.union(all, position), "");
}

/**
 * One that goes on from another comes after it; of those with the same beginning the longest comes first. Clocks have no part
 * in it: they differ from server to server.
 */
export function inLogOrder(segments: readonly Segment[], positions: PositionAlgebra): readonly Segment[] {
  return segments
    .map((segment) => ({
      segment,
      before: positions.count(segment.after),
      own: positions.count(segment.position),
    }))
    .sort((a, b) => compare(a.before, b.before) || compare(b.own, a.own))
    .map(({ segment }) => segment);
}

export const compare = (a: bigint, b: bigint) => (a < b ? -1 : Number(a > b));
