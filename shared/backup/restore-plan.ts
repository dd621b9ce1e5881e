/**
 * What a restore is made of: from whom, which backup, and what is replayed on it. The store alone is asked,
 * so that it works where the cluster, its namespace or its Kubernetes are gone. Whatever cannot be done is refused with what
 * could be done instead.
 */
import { BrokenStream } from "../model/broken-stream.ts";
import type { JobOrder } from "../model/job-order.ts";
import type { RestoreSource } from "../model/restore.ts";
import type { Replay } from "./archive/recovery.ts";
import { type Backup, type Catalogue, isProven, isRestorable } from "./catalogue.ts";
import { identityFor, type Opened } from "./contents.ts";
import type { Origin } from "./copies.ts";
import { unusable } from "./flow.ts";
import { clustersIn, newestManifest, readCatalogue } from "./holdings.ts";
import type { Manifest } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { planPoint } from "./restore-point.ts";
import { patienceOf, placeOf, type Work } from "./work.ts";

export interface RestorePlan extends Opened {
  /** As it would be for the cluster whose backup it is. */
  readonly work: Work;
  /** What came after the backup, in its order; none = the backup is all. */
  readonly replays: readonly Replay[];
  /** Newer backups that cannot be restored. */
  readonly passedOver: number;
}

/** Throws `BrokenStream`, `refused` with what is wrong and what there is. */
export async function planRestore(work: Work, source: RestoreSource): Promise<RestorePlan> {
  const cluster = await clusterFor(work, source.from);
  const there: Work = { ...work, cluster };
  const catalogue = await readPatiently(there);
  if (catalogue.backups.length === 0) throw await nothingThere(there);
  const { manifest, passedOver, replays } = await baseOf(there, catalogue, source);
  const misfit = await work.copies.misfit(originOf(manifest));
  if (misfit !== null) throw unusable(misfit);
  const backup = catalogue.backups.find((one) => one.manifest === manifest);
  const proof = backup !== undefined && isProven(backup) ? backup.proof : null;
  const opened = { manifest, identity: identityFor(work, manifest), proof };
  return { ...opened, work: { ...there, cluster: manifest.cluster }, replays, passedOver };
}

export function originOf({ engine, method, databases }: Manifest): Origin {
  return { engine, method, databases };
}

async function readPatiently(work: Work): Promise<Catalogue> {
  return await patiently(patienceOf(work), async () => {
    const catalogue = await readCatalogue(work.store, placeOf(work));
    const { gap } = catalogue;
    // What is gone or cannot be read stays so, and may not matter; that nothing was listed does.
    const fails = gap?.kind === "transient" || (gap !== null && catalogue.backups.length === 0);
    return fails && gap !== null ? { ok: false, failure: gap } : { ok: true, value: catalogue };
  });
}

type Cluster = JobOrder["cluster"];

const UID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function clusterFor(work: Work, from: string | null): Promise<Cluster> {
  if (from === null) return work.cluster;
  if (UID.test(from)) return { ...work.cluster, uid: from };
  const known = await clustersOf(work);
  const named = known.filter(({ cluster }) => nameOf(cluster) === from);
  const [one] = named;
  if (one === undefined)
    throw unusable(`No cluster ${from} has backups in ${work.settings.name}; ${listed(known)}.`);
  if (named.length === 1) return one.cluster;
  throw unusable(
    `${named.length} clusters with backups in ${work.settings.name} were called ${from}: ${list(named)}; name one by its uid.`,
  );
}

async function clustersOf(work: Work): Promise<readonly Manifest[]> {
  const { store, settings } = work;
  const { prefix } = settings;
  const found: Manifest[] = [];
  for (const clusterUid of await patiently(patienceOf(work), () => clustersIn(store, prefix))) {
    const place = { prefix, clusterUid };
    const newest = await patiently(patienceOf(work), () => newestManifest(store, place));
    if (newest !== null) found.push(newest);
  }
  return found;
}

const nameOf = ({ namespace, name }: Cluster) => `${namespace}/${name}`;

/** More would not fit where it is shown. */
const SHOWN_MAX = 5;

function list(manifests: readonly Manifest[]): string {
  const newestFirst = manifests.toSorted((a, b) => Date.parse(b.slot) - Date.parse(a.slot));
  const shown = newestFirst.slice(0, SHOWN_MAX);
  const texts = shown.map(
    ({ cluster, slot }) => `${nameOf(cluster)} (${cluster.uid}, newest ${instant(slot)})`,
  );
  const more = manifests.length - shown.length;
  return [...texts, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

function listed(manifests: readonly Manifest[]): string {
  return manifests.length === 0
    ? "there are none of any other either"
    : `there are those of ${list(manifests)}`;
}

async function nothingThere(work: Work): Promise<BrokenStream> {
  const { cluster, settings } = work;
  const known = await clustersOf(work);
  return unusable(`There is no backup of the cluster ${cluster.uid} in ${settings.name}; ${listed(known)}.`);
}

/** As annotations and people write slots. */
function instant(at: number | string): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}

type Base = Pick<RestorePlan, "manifest" | "replays" | "passedOver">;

const alone = (manifest: Manifest): Base => ({ manifest, replays: [], passedOver: 0 });

async function baseOf(work: Work, catalogue: Catalogue, { target, begunAt }: RestoreSource): Promise<Base> {
  if (target.kind === "backup") {
    return target.slot === null
      ? newestOf(catalogue, Date.parse(begunAt))
      : alone(chosen(catalogue, Date.parse(target.slot)));
  }
  const point = await planPoint(work, catalogue, target);
  if (point !== null) return { ...point, passedOver: 0 };
  throw beyond(catalogue, target.kind === "time" ? Date.parse(target.at) : Number.POSITIVE_INFINITY);
}

/** Of those that were there when the restore was begun, so that every Job of it takes the same. */
function newestOf({ backups: all, gap }: Catalogue, begunAtMs: number): Base {
  const backups = all.filter(
    ({ manifest }) => manifest === null || Date.parse(manifest.endedAt) <= begunAtMs,
  );
  if (gap !== null) {
    const why = `Not all that the store holds could be read, so the newest backup is not known (${gap.message}); name its slot.`;
    throw new BrokenStream({ ...gap, message: why });
  }
  const at = backups.findLastIndex(isRestorable);
  const manifest = backups[at]?.manifest;
  if (manifest) return { ...alone(manifest), passedOver: backups.length - 1 - at };
  const newest = backups.at(-1);
  throw unusable(
    `None of the backups can be restored; the newest: ${newest === undefined ? "–" : faultOf(newest)}.`,
  );
}

function chosen(catalogue: Catalogue, slotMs: number): Manifest {
  const backup = catalogue.backups.find((one) => one.slotMs === slotMs);
  if (backup?.manifest && isRestorable(backup)) return backup.manifest;
  const others = around(catalogue, slotMs);
  if (backup !== undefined) throw unusable(`The backup cannot be restored: ${faultOf(backup)}; ${others}.`);
  if (catalogue.gap !== null) throw new BrokenStream(catalogue.gap);
  throw unusable(`There is no backup of ${instant(slotMs)}; ${others}.`);
}

function faultOf({ slotMs, soundness, proof }: Backup): string {
  const why = soundness.kind === "complete" ? `its proof failed (${proof?.fault})` : soundness.why;
  return `that of ${instant(slotMs)}: ${why}`;
}

/** The restorable ones before and after. */
function around({ backups }: Catalogue, ms: number): string {
  const able = backups.filter(isRestorable).map(({ slotMs }) => slotMs);
  const nearest = [able.findLast((slotMs) => slotMs < ms), able.find((slotMs) => slotMs > ms)];
  const texts = nearest.flatMap((slotMs) => (slotMs === undefined ? [] : [instant(slotMs)]));
  return texts.length === 0
    ? "no other can be restored"
    : `the nearest that can be restored: ${texts.join(" and ")}`;
}

/** Nothing of this cluster's logs was ever archived. */
function beyond(catalogue: Catalogue, ms: number): BrokenStream {
  return unusable(`What was written after a backup is not archived; ${around(catalogue, ms)}.`);
}
