/**
 * Which chains of the archive no recovery needs any more, once only these backups are there. A log is of use where it goes on
 * from a backup: what every backup that stays already holds, and what was abandoned before all of them, recovers nothing.
 * Whatever is not understood stays, and so does everything while no backup is there to go on from.
 */
import type { PositionAlgebra } from "../../model/engine.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { Listed } from "../catalogue.ts";
import { listAll } from "../holdings.ts";
import type { Place } from "../layout.ts";
import { type Deletion, LEFTOVER_MS } from "../retention.ts";
import { type Inventory, readInventory, type Segment } from "./inventory.ts";
import { archiveFolder, chainBegunMs, chainFolder, parseArchiveKey } from "./keys.ts";
import type { Start } from "./window.ts";

/** Longer than any pass goes on with its chain. */
const GROWING_MS = 3_600_000;

interface Chain {
  readonly begunMs: number;
  /** The newest document last. */
  readonly documents: string[];
  readonly objects: string[];
}

function chainsOf(place: Place, listing: readonly Listed[]): ReadonlyMap<string, Chain> {
  const chains = new Map<string, Chain>();
  for (const { key } of listing) {
    const parsed = parseArchiveKey(place, key);
    if (parsed === null) continue;
    const folder = chainFolder(place, parsed.chain);
    const begunMs = chainBegunMs(parsed.chain);
    const chain = chains.get(folder) ?? { begunMs, documents: [], objects: [] };
    chains.set(folder, chain);
    (parsed.kind === "document" ? chain.documents : chain.objects).push(key);
  }
  for (const { documents } of chains.values()) documents.sort();
  return chains;
}

/** For each backup all that any known state holds beyond it: a recovery that begins with it replays nothing else. */
function neededFrom(
  starts: readonly Start[],
  segments: readonly Segment[],
  { contains, subtract, union }: PositionAlgebra,
): readonly Position[] {
  return starts.map(({ position: start }) => {
    const states = segments.flatMap(({ after, position }) => [after, union(after, position)]);
    const reached = states.filter((state) => contains(state, start));
    return subtract(
      reached.reduce((all, state) => union(all, state), start),
      start,
    );
  });
}

export interface Holding {
  readonly listing: readonly Listed[];
  readonly inventory: Omit<Inventory, "gap" | "damage">;
  /** Backups that stay and that a recovery can begin with. */
  readonly starts: readonly Start[];
  readonly nowMs: number;
}

/** Carrying it out twice, or half, is the same as once: without its documents nothing of a chain counts. */
export function unneededChains(
  place: Place,
  { listing, inventory, starts, nowMs }: Holding,
  positions: PositionAlgebra,
): readonly Deletion[] {
  if (starts.length === 0) return [];
  const known = [...inventory.segments, ...inventory.lost];
  const needed = neededFrom(starts, known, positions);
  const { contains, subtract, union } = positions;
  /** The segment in which a backup was made says since when there was what it holds. */
  const isAround = ({ after, position }: Segment, start: Position) =>
    !contains(after, start) && contains(union(after, position), start);
  const isReplayed = (segment: Segment) =>
    needed.some((wanted) => subtract(segment.position, wanted) !== segment.position) ||
    starts.some(({ position }) => isAround(segment, position));
  // Nothing can be recovered to before, with or without what is in question.
  const beginsUs = known
    .filter(isReplayed)
    .reduce((first, { firstAtUs }) => Math.min(first, firstAtUs), inventory.look?.fromUs ?? Infinity);
  /** What was abandoned says of instants after that that they are in question. */
  const isWitness = ({ position, lastAtUs }: Segment) =>
    lastAtUs >= beginsUs && !starts.every((start) => contains(start.position, position));
  const isNeeded = (segment: Segment) => isWitness(segment) || isReplayed(segment);
  const byFolder = Map.groupBy(known, ({ parts }) => parts[0]?.key.replace(/[^/]*$/, "") ?? "");
  return [...chainsOf(place, listing)].flatMap(([folder, { begunMs, documents, objects }]) => {
    const segments = byFolder.get(folder) ?? [];
    const ageMs = nowMs - begunMs;
    const isLeftover = documents.length === 0 && ageMs > LEFTOVER_MS;
    const isOver = segments.length > 0 && ageMs > GROWING_MS && !segments.some(isNeeded);
    if (!isLeftover && !isOver) return [];
    return [{ slotMs: begunMs, keys: [...documents.toReversed(), ...objects], unless: null }];
  });
}

/** Fails when anything could not be read. */
export async function readUnneeded(
  store: ObjectStore,
  place: Place,
  { starts, nowMs }: Pick<Holding, "starts" | "nowMs">,
  positions: PositionAlgebra,
): Promise<Outcome<readonly Deletion[]>> {
  // Before what the documents say: what comes later is of chains that are young.
  const listing = await listAll(store, archiveFolder(place));
  if (!listing.ok) return listing;
  const inventory = await readInventory(store, place, positions);
  if (inventory.gap !== null) return { ok: false, failure: inventory.gap };
  return succeed(unneededChains(place, { listing: listing.value, inventory, starts, nowMs }, positions));
}
