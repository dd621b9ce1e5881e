/**
 * Takes away what a killed backup has left of uploads that were never completed: a store keeps and charges their
 * parts for ever, and shows them to nobody.
 */
import { type Outcome, succeed } from "../model/outcome.ts";
import type { ObjectStore } from "../ports/object-store.ts";

/**
 * Aborts the open uploads under `prefix` for which `isLeft` holds; gives how many. The caller knows which attempts
 * are still at work: aborting one of theirs makes it fail.
 */
export async function abortUploads(
  store: ObjectStore,
  prefix: string,
  isLeft: (key: string, startedAt: string) => boolean,
): Promise<Outcome<number>> {
  const open = await store.uploads(prefix);
  if (!open.ok) return open;
  const left = open.value.filter(({ key, startedAt }) => isLeft(key, startedAt));
  for (const upload of left) {
    const aborted = await store.abort(upload);
    if (!aborted.ok) return aborted;
  }
  return succeed(left.length);
}
