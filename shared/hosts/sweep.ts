/**
 * Which clusters a sweep looks at. One list of StatefulSets answers for the whole fleet; each cluster that
 * is then looked at costs one further read, because the listed object is handed to its pass. A sweep writes
 * nothing and remembers nothing that a lost sweep or a new process could not find again.
 */
import { ANNOTATION, LABEL, SET_ANNOTATIONS } from "../annotations/keys.ts";
import { type ClusterRef, clusterKey } from "../model/cluster.ts";
import type { Phase } from "../model/condition.ts";
import type { StatefulSet } from "../model/kube.ts";

/** Why a cluster is looked at, the most pressing first. */
const REASONS = ["wish changed", "unsettled", "object changed", "first look", "long silent"] as const;
export type LookReason = (typeof REASONS)[number];

export interface Look {
  readonly ref: ClusterRef;
  readonly entry: StatefulSet;
  readonly reason: LookReason;
}

/** A listed object in short, so that an unchanged one need not be read again in the next sweep. */
export interface Sighting {
  readonly resourceVersion: string;
  /** Changes exactly when the user's part changes: our own writes and the status leave it as it is. */
  readonly wish: string;
}

/** What a resident host remembers of a cluster between two sweeps. */
export interface Seen {
  readonly sighting: Sighting;
  /** Start of the last pass, milliseconds since 1970. */
  readonly lookedAtMs: number;
}

/** In these phases nothing goes on, so that time alone changes nothing. */
const SETTLED: ReadonlySet<string> = new Set<Phase>(["Healthy", "Paused", "Blocked", "Released"]);
const WISHES = SET_ANNOTATIONS.filter(({ writer }) => writer === "user").map(({ key }) => key);

/** The annotation asks for management; the label alone means that a release is not finished. */
export function isManaged(set: StatefulSet): boolean {
  return set.annotations[ANNOTATION.engine] !== undefined || set.labels[LABEL.managed] === "true";
}

function wishOf(set: StatefulSet): string {
  return JSON.stringify([set.uid, set.generation, ...WISHES.map((key) => set.annotations[key] ?? null)]);
}

export function sightingOf(set: StatefulSet): Sighting {
  return { resourceVersion: set.resourceVersion, wish: wishOf(set) };
}

export interface LookOptions {
  readonly nowMs: number;
  /** A settled cluster is looked at again after this long without a pass. */
  readonly lookEveryMs: number;
  /** By cluster key. Empty on a stateless host, which therefore looks at all. */
  readonly seen: ReadonlyMap<string, Seen>;
}

function reasonFor(set: StatefulSet, { nowMs, lookEveryMs, seen }: LookOptions): LookReason | null {
  const before = seen.get(clusterKey(set));
  if (before === undefined) return "first look";
  const { resourceVersion, wish } = before.sighting;
  const changed = set.resourceVersion !== resourceVersion;
  if (changed && wishOf(set) !== wish) return "wish changed";
  if (!SETTLED.has(set.annotations[ANNOTATION.phase] ?? "")) return "unsettled";
  // The status counts too: a Pod that went is noticed here even if its event was lost.
  if (changed) return "object changed";
  // Also when the clock was set back: nothing else would make up for the difference.
  return Math.abs(nowMs - before.lookedAtMs) >= lookEveryMs ? "long silent" : null;
}

/** The looks of one sweep over the listed sets, the most pressing first. */
export function chooseLooks(sets: readonly StatefulSet[], options: LookOptions): readonly Look[] {
  const looks: Look[] = [];
  for (const set of sets) {
    const reason = isManaged(set) ? reasonFor(set, options) : null;
    if (reason === null) continue;
    looks.push({ ref: { namespace: set.namespace, name: set.name }, entry: set, reason });
  }
  return looks.sort((a, b) => REASONS.indexOf(a.reason) - REASONS.indexOf(b.reason));
}
