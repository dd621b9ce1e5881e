/** A process that is killed, as its bucket sees it: after so many calls nothing that it does happens any more. */
import type { ObjectStore } from "../../shared/ports/object-store.ts";

/** True when it was killed, false when it had ended before. */
export async function killedAfter(
  store: ObjectStore,
  calls: number,
  work: (dying: ObjectStore) => Promise<unknown>,
): Promise<boolean> {
  let called = 0;
  const never = new Promise<never>(() => undefined);
  return await new Promise((resolve) => {
    const dying = new Proxy(store, {
      get(target, name: keyof ObjectStore) {
        const verb = target[name] as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          called += 1;
          if (called <= calls) return verb.apply(target, args);
          resolve(true);
          return never;
        };
      },
    });
    void work(dying).then(() => resolve(false));
  });
}
