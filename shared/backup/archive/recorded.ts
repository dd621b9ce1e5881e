/** Reads from the bucket alone what there is of a cluster, and to what it can be recovered: the cluster may be gone. */
import type { PositionAlgebra } from "../../model/engine.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { readCatalogue } from "../holdings.ts";
import type { Place } from "../layout.ts";
import { readInventory } from "./inventory.ts";
import { type Recorded, startsOf, type Window, windowOf } from "./window.ts";

/** Fails when anything could not be read: half a picture would show gaps that there are not. */
export async function readRecorded(
  store: ObjectStore,
  place: Place,
  positions: PositionAlgebra,
): Promise<Outcome<Recorded>> {
  const [catalogue, inventory] = await Promise.all([
    readCatalogue(store, place),
    readInventory(store, place, positions),
  ]);
  const gap = catalogue.gap ?? inventory.gap;
  if (gap !== null) return { ok: false, failure: gap };
  const { segments, lost, look, damage } = inventory;
  return succeed({ starts: startsOf(catalogue), segments, lost, look, damage });
}

export interface Archive extends Recorded {
  readonly window: Window;
}

export async function readArchive(
  store: ObjectStore,
  place: Place,
  positions: PositionAlgebra,
): Promise<Outcome<Archive>> {
  const recorded = await readRecorded(store, place, positions);
  if (!recorded.ok) return recorded;
  return succeed({ ...recorded.value, window: windowOf(recorded.value, positions) });
}
