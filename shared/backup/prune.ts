/**
 * Carries out what the retention has planned. Each backup goes by its manifest first, so that it is whole until it is
 * none; what the store holds under a lock is kept, and a store that does not answer is asked for nothing more.
 */
import type { Failure, Outcome } from "../model/outcome.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { Deletion } from "./retention.ts";

export type Removal =
  | { readonly kind: "deleted" }
  /** All of it, or the part of it that is under a lock. */
  | { readonly kind: "kept"; readonly why: string }
  /** It may be there, in part or not at all. */
  | { readonly kind: "failed"; readonly why: string };

function failed({ message }: Failure): Removal {
  return { kind: "failed", why: message };
}

/** A manifest that is there after all makes what was taken for leftovers a backup. */
async function hindrance(store: ObjectStore, { unless }: Deletion): Promise<Removal | null> {
  if (unless === null) return null;
  const found: Outcome<unknown> = await store.head(unless);
  if (found.ok) return { kind: "kept", why: "there is a manifest now" };
  return found.failure.kind === "gone" ? null : failed(found.failure);
}

async function removeOne(store: ObjectStore, deletion: Deletion): Promise<Removal> {
  const hindered = await hindrance(store, deletion);
  if (hindered !== null) return hindered;
  let kept: Removal | null = null;
  for (const [at, key] of deletion.keys.entries()) {
    const removed = await store.remove(key);
    if (removed.ok) continue;
    if (removed.failure.kind !== "refused") return failed(removed.failure);
    kept = { kind: "kept", why: removed.failure.message };
    // With its first object it stays what it is.
    if (at === 0) return kept;
  }
  return kept ?? { kind: "deleted" };
}

/** One result for each deletion, in their order. */
export async function prune(
  store: ObjectStore,
  deletions: readonly Deletion[],
): Promise<readonly Removal[]> {
  const removals: Removal[] = [];
  for (const deletion of deletions) {
    const last = removals.at(-1);
    removals.push(last?.kind === "failed" ? last : await removeOne(store, deletion));
  }
  return removals;
}
