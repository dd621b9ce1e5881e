/**
 * Which chains of the archive no recovery needs any more, once only these backups are there. A log is of use where it goes on
 * from a backup: what every backup that stays already holds, and what was abandoned before all of them, recovers nothing;
 * nor does what later chains hold too, if without it every point is reached that was. Whatever is not understood stays,
 * and so does everything while no backup is there to go on from.
 */
import { setImmediate as breath } from "node:timers/promises";
import type { PositionAlgebra } from "../../model/engine.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { Listed } from "../catalogue.ts";
import { listAll, readCatalogue } from "../holdings.ts";
import type { Place } from "../layout.ts";
import { type Deletion, LEFTOVER_MS } from "../retention.ts";
import { outdated } from "./doubled.ts";
import { archivedBy, type Inventory, readInventory, type Segment } from "./inventory.ts";
import { archiveFolder, chainBegunMs, chainFolder, parseArchiveKey } from "./keys.ts";
import { type Start, startsOf, windowOf } from "./window.ts";

/** Longer than any pass goes on with its chain. */
const GROWING_MS = 3_600_000;

interface Chain {
  readonly folder: string;
  readonly begunMs: number;
  /** The newest document last. */
  readonly documents: string[];
  readonly objects: string[];
}

function chainsOf(place: Place, listing: readonly Listed[]): readonly Chain[] {
  const chains = new Map<string, Chain>();
  for (const { key } of listing) {
    const parsed = parseArchiveKey(place, key);
    if (parsed === null) continue;
    const folder = chainFolder(place, parsed.chain);
    const begunMs = chainBegunMs(parsed.chain);
    const chain = chains.get(folder) ?? { folder, begunMs, documents: [], objects: [] };
    chains.set(folder, chain);
    (parsed.kind === "document" ? chain.documents : chain.objects).push(key);
  }
  for (const { documents } of chains.values()) documents.sort();
  return [...chains.values()];
}

const folderOf = ({ parts }: Segment) => parts[0]?.key.replace(/[^/]*$/, "") ?? "";

const deletionOf = ({ begunMs, documents, objects }: Chain): Deletion => ({
  ...{ slotMs: begunMs, keys: [...documents.toReversed(), ...objects], unless: null },
});

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

interface Holding {
  readonly listing: readonly Listed[];
  readonly inventory: Omit<Inventory, "gap" | "damage">;
  /** Backups that stay and that a recovery can begin with. */
  readonly starts: readonly Start[];
  readonly nowMs: number;
}

/** Chains of which no recovery from these backups replays anything, nor learns anything from them. */
function uselessChains(
  chains: readonly Chain[],
  { inventory, starts, nowMs }: Holding,
  positions: PositionAlgebra,
): readonly Chain[] {
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
  const beginsUs = Math.min(
    ...starts.map(({ endedAtUs }) => endedAtUs),
    known
      .filter(isReplayed)
      .reduce((first, { firstAtUs }) => Math.min(first, firstAtUs), inventory.look?.fromUs ?? Infinity),
  );
  /** What was abandoned says of instants after that that they are in question. */
  const isWitness = ({ position, lastAtUs }: Segment) =>
    lastAtUs >= beginsUs && !starts.every((start) => contains(start.position, position));
  const isNeeded = (segment: Segment) => isWitness(segment) || isReplayed(segment);
  const byFolder = Map.groupBy(known, folderOf);
  return chains.filter(({ folder, begunMs, documents }) => {
    const segments = byFolder.get(folder) ?? [];
    const ageMs = nowMs - begunMs;
    const isLeftover = documents.length === 0 && ageMs > LEFTOVER_MS;
    return isLeftover || (segments.length > 0 && ageMs > GROWING_MS && !segments.some(isNeeded));
  });
}

/**
 * To which instants and transactions these segments and backups lead, and to which ends of segments within which a backup was
 * made: how few transactions have to be named for each.
 */
function pointsOf(
  { starts, look }: Pick<Holding, "starts"> & Pick<Inventory, "look">,
  { segments, lost }: Pick<Inventory, "segments" | "lost">,
  positions: PositionAlgebra,
): string {
  const { contains, subtract, union } = positions;
  const archived = archivedBy(segments, positions);
  const startFor = (state: Position) => {
    const unarchived = subtract(state, archived);
    return starts.find(({ position }) => contains(state, position) && contains(position, unarchived));
  };
  const reached = segments.filter(({ after }) => startFor(after) !== undefined);
  const whole = archivedBy(reached, positions);
  const ends = new Map<Position, number>();
  for (const { after, position, transactions } of segments) {
    if (contains(whole, position)) continue;
    const end = union(after, position);
    const start = startFor(end);
    if (start === undefined) continue;
    const beyond = subtract(position, start.position);
    if (beyond !== "" && contains(whole, beyond)) continue;
    ends.set(end, Math.min(transactions, ends.get(end) ?? Number.POSITIVE_INFINITY));
  }
  const { ranges } = windowOf({ starts, segments, lost, look }, positions);
  return JSON.stringify([ranges, whole, [...ends].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

/**
 * Chains of which later ones hold everything, and without which every point is reached as before. The later ones are an hour
 * old too, so that whoever reads what he has just seen in the bucket finds it.
 */
async function doubledChains(
  chains: readonly Chain[],
  { inventory, starts, nowMs }: Holding,
  positions: PositionAlgebra,
): Promise<readonly Chain[]> {
  if (starts.length === 0) return [];
  const ripe = new Map(
    chains.filter(({ begunMs }) => nowMs - begunMs > GROWING_MS).map((chain) => [chain.folder, chain]),
  );
  const isOf = (among: ReadonlyMap<string, Chain>) => (segment: Segment) => among.has(folderOf(segment));
  const { segments, lost, look } = inventory;
  const old = outdated(segments.filter(isOf(ripe)), positions);
  const current = new Set([...segments.filter((segment) => !old.has(segment)), ...lost].map(folderOf));
  const held = new Set([...old].map(folderOf));
  const before = pointsOf({ starts, look }, inventory, positions);
  const gone = new Map<string, Chain>();
  const open = [[...ripe.values()].filter(({ folder }) => held.has(folder) && !current.has(folder))];
  // All of them, or the halves of those that cannot all go.
  for (let some = open.pop(); some !== undefined; some = open.pop()) {
    if (some.length === 0) continue;
    // Others are let in, since with many segments each of these takes a second.
    await breath();
    const without = new Map([...gone, ...some.map((chain) => [chain.folder, chain] as const)]);
    const stays = (segment: Segment) => !isOf(without)(segment);
    const left = { segments: segments.filter(stays), lost: lost.filter(stays) };
    if (pointsOf({ starts, look }, left, positions) === before) {
      for (const chain of some) gone.set(chain.folder, chain);
    } else if (some.length > 1) {
      const half = Math.ceil(some.length / 2);
      open.push(some.slice(half), some.slice(0, half));
    }
  }
  return [...gone.values()];
}

/** Carrying it out twice, or half, is the same as once: without its documents nothing of a chain counts. */
async function unneededChains(
  place: Place,
  holding: Holding,
  positions: PositionAlgebra,
): Promise<readonly Deletion[]> {
  if (holding.starts.length === 0) return [];
  const chains = chainsOf(place, holding.listing);
  const useless = new Set(uselessChains(chains, holding, positions));
  const going = new Set([...useless].map(({ folder }) => folder));
  const stays = (segment: Segment) => !going.has(folderOf(segment));
  const { segments, lost, look } = holding.inventory;
  const inventory = { segments: segments.filter(stays), lost: lost.filter(stays), look };
  const rest = chains.filter((chain) => !useless.has(chain));
  const doubled = await doubledChains(rest, { ...holding, inventory }, positions);
  return [...useless, ...doubled].map(deletionOf);
}

async function read(
  store: ObjectStore,
  place: Place,
  positions: PositionAlgebra,
): Promise<Outcome<Pick<Holding, "listing" | "inventory">>> {
  // Before what the documents say: what comes later is of chains that are young.
  const listing = await listAll(store, archiveFolder(place));
  if (!listing.ok) return listing;
  const inventory = await readInventory(store, place, positions);
  if (inventory.gap !== null) return { ok: false, failure: inventory.gap };
  return succeed({ listing: listing.value, inventory });
}

/** Fails when anything could not be read. */
export async function readUnneeded(
  store: ObjectStore,
  place: Place,
  { starts, nowMs }: Pick<Holding, "starts" | "nowMs">,
  positions: PositionAlgebra,
): Promise<Outcome<readonly Deletion[]>> {
  const found = await read(store, place, positions);
  if (!found.ok) return found;
  return succeed(await unneededChains(place, { ...found.value, starts, nowMs }, positions));
}

/** Only what later chains hold too, whatever backups stay. Fails when anything could not be read. */
export async function readDoubled(
  store: ObjectStore,
  place: Place,
  nowMs: number,
  positions: PositionAlgebra,
): Promise<Outcome<readonly Deletion[]>> {
  const found = await read(store, place, positions);
  if (!found.ok) return found;
  const catalogue = await readCatalogue(store, place);
  if (catalogue.gap !== null) return { ok: false, failure: catalogue.gap };
  const holding = { ...found.value, starts: startsOf(catalogue), nowMs };
  const doubled = await doubledChains(chainsOf(place, found.value.listing), holding, positions);
  return succeed(doubled.map(deletionOf));
}
