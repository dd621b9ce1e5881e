/**
 * A Kubernetes API server for simulations: the ports `Kube` and `Watches` in memory, with faults that a test
 * chooses call by call and a log of all calls. Deterministic: no time but the given clock, no chance. It is
 * held to the real one by the contract suite; the JSON goes through the adapter's own parsers. What it leaves
 * out: validation, admission, and the grace of what is removed, except of pods, which their kubelet takes away.
 */
import { manifestDocument, patchDocument } from "../../../shared/adapters/kube/documents.ts";
import type { Kind, KubeKinds, ObjectRef } from "../../../shared/model/kube.ts";
import { type Failure, fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Clock } from "../../../shared/ports/host.ts";
import type { Kube, Patch, Watches } from "../../../shared/ports/kube.ts";
import { type Change, type Contents, createStore, type Json, mergePatch, part, type Store } from "./store.ts";
import { createSimWatches, type Deliveries, listed, modelOf } from "./watching.ts";

export interface SimCall {
  readonly verb: "read" | "list" | "create" | "patch" | "remove";
  readonly kind: Kind;
  /** Null = all namespaces. */
  readonly namespace: string | null;
  /** Null for a list. */
  readonly name: string | null;
  readonly at: number;
}

export interface Fault {
  /** Waits so long, by the given clock, before anything is done. */
  readonly delayMs?: number;
  /** Answered instead of doing it. */
  readonly before?: Failure;
  /** Answered although it has been done. */
  readonly after?: Failure;
  /** A list of what was there so many commits ago. */
  readonly staleBy?: number;
}

export type Faults = (call: SimCall) => Fault;

export interface SimKube {
  readonly kube: Kube;
  readonly watches: Watches;
  readonly calls: readonly SimCall[];
  /** What callbacks of watches have thrown; a simulation should find it empty. */
  readonly callbackErrors: readonly unknown[];
  setFaults(faults: Faults): void;
  setDeliveries(deliveries: Deliveries): void;
  /** Creates an object, or merges into it, as somebody else would: no log, no faults, no conditions. */
  put<K extends Kind>(kind: K, ref: ObjectRef, json: Json): KubeKinds[K];
  /** Deletes an object as somebody else would. */
  drop(kind: Kind, ref: ObjectRef): void;
  /** The whole object. */
  raw(kind: Kind, ref: ObjectRef): Json | null;
  /** Deletes whatever has owners of which none is there any more. */
  collectGarbage(): void;
  /** Every watch lists again, and so finds what was dropped on the way. */
  relist(): void;
  /** Each commit as it happens, whoever made it. */
  onChange(listener: (change: Change) => void): void;
  contents(): Contents;
}

export function createSimKube(clock: Clock, begin?: Contents): SimKube {
  const store = createStore(clock, begin);
  const watches = createSimWatches(store, clock);
  const calls: SimCall[] = [];
  let faults: Faults = () => ({});

  async function call<T>(
    verb: SimCall["verb"],
    kind: Kind,
    where: Partial<ObjectRef>,
    effect: (fault: Fault) => Outcome<T>,
  ): Promise<Outcome<T>> {
    const { namespace = null, name = null } = where;
    const made: SimCall = { verb, kind, namespace, name, at: clock.now() };
    calls.push(made);
    const fault = faults(made);
    if (fault.delayMs !== undefined) await clock.sleep(fault.delayMs);
    if (fault.before) return { ok: false, failure: fault.before };
    const outcome = effect(fault);
    return fault.after ? { ok: false, failure: fault.after } : outcome;
  }

  return {
    kube: createKube(store, call, () => new Date(clock.now()).toISOString()),
    watches,
    calls,
    callbackErrors: watches.callbackErrors,
    setFaults(chosen) {
      faults = chosen;
    },
    setDeliveries: watches.setDeliveries,
    put: (kind, ref, json) => modelOf(kind, store.put(kind, ref, json)),
    drop: store.drop,
    raw: store.get,
    collectGarbage: () => collectGarbage(store),
    relist: watches.relist,
    onChange: (listener) => void store.subscribe(listener),
    contents: store.contents,
  };
}

type MakeCall = <T>(
  verb: SimCall["verb"],
  kind: Kind,
  where: Partial<ObjectRef>,
  effect: (fault: Fault) => Outcome<T>,
) => Promise<Outcome<T>>;

function createKube(store: Store, call: MakeCall, now: () => string): Kube {
  return {
    read: (kind, ref) =>
      call("read", kind, ref, () => {
        const json = store.get(kind, ref);
        return json ? succeed(modelOf(kind, json)) : absent(kind, ref);
      }),
    list: (kind, options) =>
      call("list", kind, options, ({ staleBy = 0 }) => succeed(listed(store, kind, options, staleBy))),
    create: (kind, manifest) =>
      call("create", kind, manifest, () => {
        if (store.get(kind, manifest)) {
          return fail("conflict", `${placeOf(kind, manifest)} already exists`, { code: 409 });
        }
        const json = manifestDocument(kind, manifest).body as Json;
        return succeed(modelOf(kind, store.put(kind, manifest, encoded(json))));
      }),
    patch: (kind, ref, patch) =>
      call("patch", kind, ref, () => {
        const json = patchDocument(kind, patch).body as Json;
        return objection(store, kind, ref, patch) ?? succeed(modelOf(kind, store.put(kind, ref, json)));
      }),
    remove: (kind, ref) =>
      call("remove", kind, ref, () => {
        const against = objection(store, kind, ref, ref);
        if (against) return against.failure.kind === "gone" ? succeed(null) : against;
        if (kind === "Pod") store.put(kind, ref, { metadata: { deletionTimestamp: now() } });
        else store.drop(kind, ref);
        return succeed(null);
      }),
  };
}

type Refusal = Extract<Outcome<never>, { readonly ok: false }>;

/** Why this object cannot be changed; null when it can. */
function objection(
  store: Store,
  kind: Kind,
  ref: ObjectRef,
  expected: Pick<Patch, "uid" | "resourceVersion">,
): Refusal | null {
  const json = store.get(kind, ref);
  if (!json) return absent(kind, ref);
  const { uid, resourceVersion } = modelOf(kind, json);
  if ((expected.resourceVersion ?? resourceVersion) !== resourceVersion) {
    return conflict(`${placeOf(kind, ref)} has been modified`, 409);
  }
  return uid === expected.uid ? null : conflict(`${placeOf(kind, ref)} has another uid`, 422);
}

function absent(kind: Kind, ref: ObjectRef): Refusal {
  return { ok: false, failure: { kind: "gone", message: `${placeOf(kind, ref)} not found`, code: 404 } };
}

function conflict(message: string, code: number): Refusal {
  return { ok: false, failure: { kind: "conflict", message, code } };
}

function placeOf(kind: Kind, ref: ObjectRef): string {
  return `${kind} ${ref.namespace}/${ref.name}`;
}

/** `stringData` is how a Secret may be written, never how it is kept. */
function encoded({ stringData, ...json }: Json): Json {
  if (stringData === undefined) return json;
  const data = Object.entries(stringData as Json).map(([key, value]) => [
    key,
    Buffer.from(String(value), "utf8").toString("base64"),
  ]);
  return mergePatch(json, { data: Object.fromEntries(data) });
}

function collectGarbage(store: Store): void {
  const kinds = ["StatefulSet", "Pod", "PersistentVolumeClaim", "Secret", "Service", "Job"] as const;
  for (let again = true; again; ) {
    again = false;
    for (const kind of kinds) {
      for (const json of store.all(kind, 0)) {
        const owners = (part(json, "metadata")["ownerReferences"] ?? []) as readonly Json[];
        if (owners.length === 0 || owners.some((owner) => store.hasUid(String(owner["uid"])))) continue;
        store.drop(kind, modelOf(kind, json));
        again = true;
      }
    }
  }
}
