/**
 * What a watch has shown so far, by uid. A new list is compared with it, so that whatever happened while
 * nobody watched comes out as the same three kinds of events, lost deletions included.
 */
import type { ObjectMeta } from "../../model/kube.ts";
import type { WatchEventType } from "../../ports/kube.ts";

export interface KnownSet<T> {
  present(object: T): void;
  absent(object: T): void;
  /** `objects` is all there is now. Deletions come first: a name may have been taken by a new object. */
  replace(objects: readonly T[]): void;
}

export function createKnownSet<T extends ObjectMeta>(
  emit: (type: WatchEventType, object: T) => void,
): KnownSet<T> {
  const known = new Map<string, T>();

  function present(object: T): void {
    const before = known.get(object.uid);
    if (before?.resourceVersion === object.resourceVersion) return;
    known.set(object.uid, object);
    emit(before === undefined ? "add" : "update", object);
  }

  function absent(object: T): void {
    if (known.delete(object.uid)) emit("delete", object);
  }

  function replace(objects: readonly T[]): void {
    const missing = new Map(known);
    for (const object of objects) missing.delete(object.uid);
    for (const object of missing.values()) absent(object);
    for (const object of objects) present(object);
  }

  return { present, absent, replace };
}
