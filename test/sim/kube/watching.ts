/**
 * The watches of the simulated API server. Events reach a callback in a later microtask, or later by the
 * clock, or never, or twice, as the test has it; `relist` finds by comparison what never came.
 */

import { createKnownSet } from "../../../shared/adapters/kube/known-set.ts";
import { SCHEMAS } from "../../../shared/adapters/kube/objects.ts";
import type { Kind, KubeKinds, ObjectRef } from "../../../shared/model/kube.ts";
import type { Clock } from "../../../shared/ports/host.ts";
import type { ListOptions, WatchEventType, Watches } from "../../../shared/ports/kube.ts";
import { type Change, type Json, part, type Store } from "./store.ts";

/** What happens to one event on its way to one watch; different delays make another order. */
export interface Delivery {
  readonly drop?: boolean;
  readonly twice?: boolean;
  readonly delayMs?: number;
}

export type Deliveries = (type: WatchEventType, kind: Kind, ref: ObjectRef) => Delivery;

export interface SimWatches extends Watches {
  setDeliveries(deliveries: Deliveries): void;
  relist(): void;
  /** What callbacks have thrown. */
  readonly callbackErrors: readonly unknown[];
}

export function createSimWatches(store: Store, clock: Clock): SimWatches {
  const relists = new Set<() => void>();
  const callbackErrors: unknown[] = [];
  let deliveries: Deliveries = () => ({});

  function watch<K extends Kind>(
    kind: K,
    options: ListOptions,
    onEvent: (type: WatchEventType, object: KubeKinds[K]) => void,
  ): ReturnType<Watches["watch"]> {
    let closed = false;
    const emit = (type: WatchEventType, object: KubeKinds[K]): void => {
      try {
        if (!closed) onEvent(type, object);
      } catch (error) {
        callbackErrors.push(error);
      }
    };
    const known = createKnownSet<KubeKinds[K]>(emit);

    async function deliver(type: WatchEventType, json: Json): Promise<void> {
      const object = modelOf(kind, json);
      const { drop, twice, delayMs } = deliveries(type, kind, object);
      await (delayMs === undefined ? null : clock.sleep(delayMs));
      if (drop) return;
      if (type === "delete") known.absent(object);
      else known.present(object);
      if (twice) emit(type, object);
    }

    function take({ kind: changed, before, after, version }: Change): void {
      if (changed !== kind) return;
      const was = before && isMeant(before, options) ? before : null;
      const is = after && isMeant(after, options) ? after : null;
      if (is) void deliver(was ? "update" : "add", is);
      else if (was) void deliver("delete", atVersion(after ?? was, version));
    }

    const relist = (): void => known.replace(listed(store, kind, options, 0));
    const unsubscribe = store.subscribe(take);
    relists.add(relist);
    return {
      synced: Promise.resolve().then(relist),
      close() {
        closed = true;
        relists.delete(relist);
        unsubscribe();
      },
    };
  }

  return {
    watch,
    callbackErrors,
    setDeliveries(chosen) {
      deliveries = chosen;
    },
    relist() {
      for (const each of relists) each();
    },
  };
}

/** What the parser made of a stored object, which is never changed, so that it need not be parsed twice. */
const parsed = new WeakMap<Json, unknown>();

export function modelOf<K extends Kind>(kind: K, json: Json): KubeKinds[K] {
  const known = parsed.get(json);
  if (known !== undefined) return known as KubeKinds[K];
  const model = SCHEMAS[kind].parse(json);
  parsed.set(json, model);
  return model;
}

export function listed<K extends Kind>(
  store: Store,
  kind: K,
  options: ListOptions,
  staleBy: number,
): readonly KubeKinds[K][] {
  const meant = store.all(kind, staleBy).filter((json) => isMeant(json, options));
  return meant.map((json) => modelOf(kind, json));
}

function isMeant(json: Json, options: ListOptions): boolean {
  const metadata = part(json, "metadata");
  const labels = part(metadata, "labels");
  if (options.namespace !== undefined && metadata["namespace"] !== options.namespace) return false;
  return Object.entries(options.labels ?? {}).every(([key, value]) => labels[key] === value);
}

/** The last event of an object carries the version of its deletion. */
function atVersion(json: Json, version: number): Json {
  return { ...json, metadata: { ...part(json, "metadata"), resourceVersion: String(version) } };
}
