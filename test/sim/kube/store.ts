/**
 * What etcd and the generic part of an API server are to a simulation: objects as raw JSON by kind and name,
 * one counter of versions, and the list of all commits, from which any older state can be had back. Nothing
 * here knows a fault, a clock beside the one given, or chance.
 */
import { isDeepStrictEqual } from "node:util";
import type { Kind, ObjectRef } from "../../../shared/model/kube.ts";
import type { Clock } from "../../../shared/ports/host.ts";

export type Json = { readonly [key: string]: unknown };

export interface Change {
  readonly kind: Kind;
  readonly ref: ObjectRef;
  /** Null = it did not exist. */
  readonly before: Json | null;
  /** Null = it was deleted. */
  readonly after: Json | null;
  readonly version: number;
}

export interface Store {
  get(kind: Kind, ref: ObjectRef): Json | null;
  /** All objects of a kind in the order of their keys, as they were `staleBy` commits ago. */
  all(kind: Kind, staleBy: number): readonly Json[];
  /** A new object, or one with all of `json` merged in; the same object when nothing differs. */
  put(kind: Kind, ref: ObjectRef, json: Json): Json;
  drop(kind: Kind, ref: ObjectRef): void;
  hasUid(uid: string): boolean;
  /** Everything, to begin another store with. */
  contents(): Contents;
  subscribe(listener: (change: Change) => void): () => void;
}

/** Stored objects are never changed in place, so two stores may share them. */
export interface Contents {
  readonly objects: ReadonlyMap<string, Json>;
  readonly versions: number;
  readonly uids: number;
}

const NOTHING: Contents = { objects: new Map(), versions: 0, uids: 0 };

export function createStore(clock: Clock, begin: Contents = NOTHING): Store {
  const objects = new Map<string, Json>(begin.objects);
  const commits: Change[] = [];
  const listeners = new Set<(change: Change) => void>();
  let { uids } = begin;

  function get(kind: Kind, ref: ObjectRef): Json | null {
    return objects.get(keyOf(kind, ref)) ?? null;
  }

  function commit(kind: Kind, ref: ObjectRef, json: Json | null): Json | null {
    const version = begin.versions + commits.length + 1;
    const after = json && mergePatch(json, { metadata: { resourceVersion: String(version) } });
    const change: Change = { kind, ref, before: get(kind, ref), after, version };
    if (after) objects.set(keyOf(kind, ref), after);
    else objects.delete(keyOf(kind, ref));
    commits.push(change);
    for (const listener of listeners) listener(change);
    return after;
  }

  function put(kind: Kind, { namespace, name }: ObjectRef, json: Json): Json {
    const ref = { namespace, name };
    const before = get(kind, ref);
    const merged = mergePatch(before ?? born(ref), structuredClone(json));
    if (before && isDeepStrictEqual(before, merged)) return before;
    const again = before !== null && !isDeepStrictEqual(before["spec"], merged["spec"]);
    const generation = Number(part(before ?? {}, "metadata")["generation"] ?? 0) + (again || !before ? 1 : 0);
    const whole = kind === "StatefulSet" ? mergePatch(merged, { metadata: { generation } }) : merged;
    return commit(kind, ref, whole) ?? {};
  }

  function born(ref: ObjectRef): Json {
    uids += 1;
    const creationTimestamp = new Date(clock.now()).toISOString();
    return { metadata: { ...ref, uid: `uid-${uids}`, creationTimestamp } };
  }

  function all(kind: Kind, staleBy: number): readonly Json[] {
    const then = staleBy === 0 ? objects : new Map(objects);
    const recent = staleBy === 0 ? [] : commits.slice(-staleBy);
    for (const { kind: changed, ref, before } of recent.reverse()) {
      if (before) then.set(keyOf(changed, ref), before);
      else then.delete(keyOf(changed, ref));
    }
    const prefix = `${kind}/`;
    const keys: string[] = [];
    for (const key of then.keys()) if (key.startsWith(prefix)) keys.push(key);
    return keys.sort().map((key) => then.get(key) ?? {});
  }

  return {
    get,
    all,
    put,
    drop(kind, ref) {
      if (get(kind, ref)) commit(kind, ref, null);
    },
    contents: () => ({ objects: new Map(objects), versions: begin.versions + commits.length, uids }),
    hasUid: (uid) => [...objects.values()].some((object) => part(object, "metadata")["uid"] === uid),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function keyOf(kind: Kind, ref: ObjectRef): string {
  return `${kind}/${ref.namespace}/${ref.name}`;
}

export function part(json: Json, key: string): Json {
  const value = json[key];
  return isMap(value) ? value : {};
}

function isMap(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * RFC 7386: maps are merged, null takes a key away, everything else replaces. And of strategic merge patches
 * the one directive that the adapter sends: `$patch: replace`.
 */
export function mergePatch(target: Json, { $patch, ...patch }: Json): Json {
  const merged: Record<string, unknown> = $patch === "replace" ? {} : { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = isMap(value) ? mergePatch(part(target, key), value) : value;
  }
  return merged;
}
