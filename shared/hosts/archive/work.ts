/** What a host brings to the archive of one cluster: its store, opened for as long as it is worked on, and whose log is read. */
import { decodeBackups } from "../../annotations/backups.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import { decodeState } from "../../annotations/state.ts";
import { oneLine } from "../../annotations/text.ts";
import { parseWish } from "../../annotations/wish.ts";
import type { Tip } from "../../backup/archive/look.ts";
import { mergeOnce } from "../../backup/archive/merge.ts";
import type { ArchiveWork, LogSource } from "../../backup/archive/pass.ts";
import { readDoubled } from "../../backup/archive/unneeded.ts";
import { carryOutDeletions } from "../../backup/holdings.ts";
import { parseStore } from "../../backup/store.ts";
import type { StatefulSet } from "../../model/kube.ts";
import { type Failure, type Outcome, succeed } from "../../model/outcome.ts";
import type { Store } from "../../model/store.ts";
import type { Clock, Ids } from "../../ports/host.ts";
import type { LogWish } from "../../ports/log-stream.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { ConnectOptions } from "../../ports/server.ts";
import { isManaged } from "../sweep.ts";
import { type Asking, askPrimary, reachSource } from "./members.ts";

export interface ArchiveHost extends Omit<Asking, "engine"> {
  readonly engineOf: (set: StatefulSet) => Asking["engine"];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly openStore: (store: Store) => ObjectStore;
  readonly lookAtLog: (to: ConnectOptions, wish: LogWish) => Promise<Outcome<LogSource>>;
  readonly askTip: (to: ConnectOptions) => Promise<Outcome<Tip>>;
}

/** So many small segments are merged: at two a second they come in a quarter of an hour. */
export const LOOSE_MAX = 2_000;
const REASON_MAX = 160;

export function isArchived(set: StatefulSet): boolean {
  if (!isManaged(set) || set.deleting || parseWish(set).spec?.backup?.archive !== true) return false;
  const state = decodeState(set.annotations[ANNOTATION.state], set.uid);
  return state.kind === "valid" && state.state.established !== null;
}

/**
 * A backup under way began to copy at a point that is not known yet: what holds that point stays in the small pieces from
 * which recovery could begin.
 */
export function isBackupUnderWay(set: StatefulSet): boolean {
  const read = decodeBackups(set.annotations[ANNOTATION.backups], set.uid);
  return read.kind !== "none" && (read.kind !== "valid" || read.memory.running !== null);
}

/** As it is reported. */
export function reasonOf({ message }: Failure): string {
  return oneLine(message, REASON_MAX).replace(/\.$/, "");
}

export interface Turn {
  /** At the end of the log: true = wait for more. */
  readonly follow: boolean;
  /** Aborted when it is to end after the transaction under way. */
  readonly signal: AbortSignal;
  /** It ends so long after its beginning as if it were aborted, milliseconds. */
  readonly msMax: number;
  readonly onHeld?: (toMs: number) => void;
}

/** The rest of a transaction has so long to come once a turn is to end. */
const REST_MS_MAX = 10_000;
/** A server that has nothing to send says so twice a second. */
const SILENCE_MS_MAX = 10_000;
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
/** What is committed waits for the end of its segment. */
const SEGMENT_MS_MAX = 500;
const LOOK_EVERY_MS = 10_000;
/** A host has no room for more: 10 MiB for each cluster. */
const SHAPE = { parallel: 1, partBytes: 5 * 1024 * 1024 };
const TRIES = 3;

/** One turn of work on the archive of this cluster. */
export async function onArchive<T>(
  host: ArchiveHost,
  set: StatefulSet,
  { follow, signal: stop, msMax, onHeld }: Turn,
  does: (work: ArchiveWork, askSource: () => Promise<Outcome<LogSource>>) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const { kube, clock, ids, component } = host;
  const { namespace, name, uid } = set;
  const engine = host.engineOf(set);
  const secret = await kube.read("Secret", { namespace, name: parseWish(set).spec?.backup?.store ?? "" });
  if (!secret.ok) return secret;
  const settings = parseStore(secret.value.name, secret.value.values);
  if (!settings.ok) return settings;
  const store = host.openStore(settings.value);
  const [over, cut] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([stop, over.signal]);
  const timer = setTimeout(() => over.abort(), msMax);
  signal.addEventListener("abort", () => setTimeout(() => cut.abort(), REST_MS_MAX).unref(), { once: true });
  const asking = { kube, engine, component };
  const wish = { follow, silenceMsMax: SILENCE_MS_MAX, signal: cut.signal };
  const work: ArchiveWork = {
    ...{ cluster: { namespace, name, uid }, store, clock, ids, signal, shape: SHAPE },
    segmentBytesMax: SEGMENT_BYTES_MAX,
    segmentAgeMsMax: SEGMENT_MS_MAX,
    place: { prefix: settings.value.prefix, clusterUid: uid },
    positions: engine.rules.positions,
    ageRecipients: settings.value.ageRecipients,
    patience: { clock, ids, tries: TRIES },
    lookEveryMs: LOOK_EVERY_MS,
    askTip: () => askPrimary(asking, set, host.askTip),
    ...(onHeld && { onHeld }),
  };
  const askSource = async () => {
    const source = await reachSource(asking, set);
    return source.ok ? await host.lookAtLog(source.value, wish) : source;
  };
  try {
    return await does(work, askSource);
  } finally {
    clearTimeout(timer);
    store.close();
  }
}

export interface Tidied {
  /** Large ones that were made. */
  readonly segments: number;
  readonly transactions: number;
  /** Objects that went. */
  readonly deleted: number;
}

/** Makes few large segments of many small ones, and lets go of those that were made large an hour ago. */
export function tidyUp(host: ArchiveHost, set: StatefulSet, turn: Turn): Promise<Outcome<Tidied>> {
  return onArchive(host, set, turn, async (work, askSource) => {
    const merged = await mergeOnce(work, askSource);
    if (!merged.ok) return merged;
    const { segments, transactions } = merged.value;
    const doubled = await readDoubled(work.store, work.place, host.clock.now(), work.positions);
    if (!doubled.ok) return doubled;
    const pruned = await carryOutDeletions(work.store, doubled.value);
    return pruned.ok ? succeed({ segments, transactions, deleted: pruned.value.deleted }) : pruned;
  });
}
