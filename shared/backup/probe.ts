/** Finds out whether a store keeps to `If-None-Match`, on which "a backup exists once" rests. */
import { type Outcome, succeed } from "../model/outcome.ts";
import type { ObjectStore } from "../ports/object-store.ts";

const BYTES = Buffer.from("Ordinal asks here whether this store writes a new key once.\n");

/**
 * True when a key that was to be new is refused the second time. Writes the object `key`, which stays, so that a
 * later probe is a single refused write.
 */
export async function probeConditions(store: ObjectStore, key: string): Promise<Outcome<boolean>> {
  for (let round = 0; round < 2; round += 1) {
    // Other bytes in each round, so that no answer can be taken for that to a repetition of the other.
    const bytes = Buffer.concat([BYTES, Buffer.from(`${round}\n`)]);
    const written = await store.put(key, bytes, { ifAbsent: true });
    if (!written.ok) return written.failure.kind === "conflict" ? succeed(true) : written;
  }
  return succeed(false);
}
