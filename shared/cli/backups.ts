/**
 * `backups` and `prune`: what a store holds, and what of it the retention lets go. The store is the only truth about
 * them, so that both see what Ordinal would see, also where it has forgotten or does not run.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { oneLine } from "../annotations/text.ts";
import { parseWish } from "../annotations/wish.ts";
import { readUnneeded } from "../backup/archive/unneeded.ts";
import { startsAmong } from "../backup/archive/window.ts";
import { carryOutDeletions, type Removal } from "../backup/holdings.ts";
import { manifestKey } from "../backup/layout.ts";
import { type Deletion, keptSlots, planRetention, type RetentionPlan } from "../backup/retention.ts";
import { mysql } from "../engines/mysql/index.ts";
import type { BackupSpec } from "../model/backup.ts";
import type { ClusterRef } from "../model/cluster.ts";
import {
  API_VERSION,
  type BackupList,
  type Fate,
  type ListedBackup,
  type Pruning,
} from "../model/documents.ts";
import type { StatefulSet } from "../model/kube.ts";
import { worksOf } from "../model/under-way.ts";
import { memoryOf, slotText } from "./backup-snapshot.ts";
import { readCluster } from "./read.ts";
import { renderBackups, renderPruning } from "./render-backups.ts";
import { listed } from "./stored.ts";
import { type Found, fromHere, type Opened, openStore, readAll, readOne, whereOf } from "./stores.ts";
import { withProgress } from "./under-way.ts";
import { type Answer, type Ask, failed, notACluster, print } from "./verbs.ts";

function listOf(
  opened: Opened,
  found: readonly Found[],
  isMeant: (one: ListedBackup) => boolean,
): BackupList {
  const items = found.flatMap(({ clusterUid, catalogue }) =>
    catalogue.backups.map((backup) => listed(clusterUid, backup)),
  );
  const gap = found.find(({ catalogue }) => catalogue.gap !== null)?.catalogue.gap?.message ?? null;
  return {
    ...{ apiVersion: API_VERSION, kind: "BackupList", where: whereOf(opened.store), gap },
    items: items.filter(isMeant).toSorted((one, other) => Date.parse(other.slot) - Date.parse(one.slot)),
  };
}

/** `work`: what is under way beside what is listed. */
function shown(ask: Ask, list: BackupList, several: boolean, work: readonly string[] = []): Answer {
  const answer = print(list, ask, () => renderBackups(list, several, ask));
  if (answer.exitCode !== 0) return answer;
  const { bucket, prefix } = list.where;
  const remarks = [
    ...(list.gap !== null
      ? [`Not everything could be read, so there may be more: ${list.gap}`]
      : list.items.length === 0
        ? [`There is no such backup in s3://${bucket}${prefix === "" ? "" : `/${prefix}`}.`]
        : []),
    ...work,
  ];
  return remarks.length === 0 ? answer : { ...answer, remark: remarks.join("\n") };
}

/** Reads and closes. */
async function withStore(
  ask: Ask,
  ref: { readonly namespace: string; readonly name: string },
  use: (opened: Opened) => Promise<Answer>,
): Promise<Answer> {
  const opened = await openStore(ask, ref);
  if (!opened.ok) return failed(opened.failure);
  try {
    return await use(opened.value);
  } finally {
    opened.value.objects.close();
  }
}

const everyCluster =
  (ask: Ask, ref: ClusterRef | null) =>
  async (opened: Opened): Promise<Answer> => {
    const found = await readAll(opened);
    if (!found.ok) return failed(fromHere(found.failure));
    const isMeant = ({ namespace, name }: ListedBackup) =>
      ref === null || (namespace === ref.namespace && name === ref.name);
    return shown(ask, listOf(opened, found.value, isMeant), true);
  };

/** All that a store holds, of clusters too that are gone. */
export function backupsIn(ask: Ask, namespace: string, secret: string): Promise<Answer> {
  return withStore(ask, { namespace, name: secret }, everyCluster(ask, null));
}

/** Refused while it cannot be read what is asked for in the way of backups. */
function specOf(set: StatefulSet): BackupSpec | Answer {
  const { spec, problems } = parseWish(set);
  if (spec?.backup != null) return spec.backup;
  const wrong = problems.findLast(({ code }) => code === "AnnotationInvalid");
  const missing = `${ANNOTATION.backupStore} is missing: set it to the name of the Secret of a store.`;
  return { exitCode: 2, complaint: wrong?.message ?? missing };
}

/** `secret` null: the one that the cluster names. With one, also of a cluster that is gone. */
export async function backups(ask: Ask, ref: ClusterRef, secret: string | null): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  const { namespace } = ref;
  if (found.value.kind !== "cluster") {
    return secret === null
      ? notACluster(found.value, ref)
      : withStore(ask, { namespace, name: secret }, everyCluster(ask, ref));
  }
  const { set, cluster } = found.value;
  const spec = secret === null ? specOf(set) : null;
  if (spec !== null && "exitCode" in spec) return spec;
  return withStore(ask, { namespace, name: secret ?? spec?.store ?? "" }, async (opened) => {
    const own = await readOne(opened, set.uid);
    const { backups: all, gap } = own.catalogue;
    if (gap !== null && all.length === 0) return failed(fromHere(gap));
    const list = listOf(opened, [own], () => true);
    const works = worksOf(await withProgress(ask, { set, cluster }), ask.here);
    const ofBackups = works.filter(({ key }) => key === "backup" || key === "proof");
    return shown(
      ask,
      list,
      false,
      ofBackups.map(({ text }) => text),
    );
  });
}

/** What has become of each deletion. */
type Fates = ReadonlyMap<Deletion, Removal>;

interface Outlook {
  readonly plan: Extract<RetentionPlan, { kind: "plan" }>;
  /** Of the archive. */
  readonly chains: readonly Deletion[];
  /** Null = nothing is to be done. */
  readonly fates: Fates | null;
}

const TEXT_MAX = 200;
const UNKNOWN = "the store failed before or while it was deleted";

function fateOf(
  deletion: Deletion,
  fates: Fates | null,
): { readonly fate: Fate; readonly why: string | null } {
  if (fates === null) return { fate: "delete", why: null };
  const removal = fates.get(deletion);
  if (removal === undefined) return { fate: "failed", why: UNKNOWN };
  return { fate: removal.kind, why: removal.kind === "kept" ? oneLine(removal.why, TEXT_MAX) : null };
}

function pruningItems(
  isManifest: (deletion: Deletion) => boolean,
  { plan: { verdicts, deletions }, chains, fates }: Outlook,
): Pick<Pruning, "items" | "leftovers"> {
  const items = verdicts.toReversed().map(({ slotMs, reason, bytes }): Pruning["items"][number] => {
    const deletion = deletions.find((one) => one.slotMs === slotMs && isManifest(one));
    const { fate, why } = deletion ? fateOf(deletion, fates) : { fate: "keep" as const, why: null };
    return { slot: slotText(slotMs), bytes, fate, reason: why ?? reason };
  });
  const leftovers = deletions
    .filter((deletion) => !isManifest(deletion))
    .map((deletion): Pruning["leftovers"][number] => {
      const { fate, why } = fateOf(deletion, fates);
      const reason = why ?? "left by an attempt that made no backup";
      return { slot: slotText(deletion.slotMs), objects: deletion.keys.length, fate, reason };
    });
  const logs = chains.map((deletion): Pruning["leftovers"][number] => {
    const { fate, why } = fateOf(deletion, fates);
    const reason = why ?? "logs that no recovery needs any more";
    return { slot: slotText(deletion.slotMs), objects: deletion.keys.length, fate, reason };
  });
  return { items, leftovers: [...leftovers, ...logs] };
}

/** Slots that somebody is working on. */
function busySlots(set: StatefulSet): ReadonlySet<number> {
  const memory = memoryOf(set);
  const busy = memory === null ? [] : [memory.running, memory.retry, memory.proving];
  return new Set(busy.flatMap((one) => (one === null ? [] : [Date.parse(one.slot)])));
}

/** Plans on the whole listing or not at all, says all of it, and deletes only without `dryRun`. */
export async function prune(ask: Ask, ref: ClusterRef, dryRun: boolean): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set } = found.value;
  const spec = specOf(set);
  if ("exitCode" in spec) return spec;
  return withStore(ask, { namespace: ref.namespace, name: spec.store }, async (opened) => {
    const place = { prefix: opened.store.prefix, clusterUid: set.uid };
    const { catalogue } = await readOne(opened, set.uid);
    if (catalogue.gap !== null && catalogue.backups.length === 0) return failed(fromHere(catalogue.gap));
    const { retention, timeZone } = spec;
    const [needed, busy] = [new Set<number>(), busySlots(set)];
    const plan = planRetention({
      ...{ place, catalogue, retention, timeZone, needed, busy },
      nowMs: ask.here.nowMs,
    });
    if (plan.kind === "refused") return { exitCode: 1, complaint: `Nothing was deleted: ${plan.why}` };
    const starts = startsAmong(catalogue, keptSlots(plan.verdicts));
    const { positions } = mysql.rules;
    const chains = await readUnneeded(opened.objects, place, { starts, nowMs: ask.here.nowMs }, positions);
    if (!chains.ok) return failed(fromHere(chains.failure));
    const fates = new Map<Deletion, Removal>();
    const pruned = dryRun
      ? null
      : await carryOutDeletions(opened.objects, [...plan.deletions, ...chains.value], (deletion, removal) =>
          fates.set(deletion, removal),
        );
    const isManifest = ({ slotMs, keys }: Deletion) => keys[0] === manifestKey(place, slotMs);
    const document: Pruning = {
      ...{ apiVersion: API_VERSION, kind: "Pruning", ...ref, where: whereOf(opened.store), dryRun },
      ...pruningItems(isManifest, { plan, chains: chains.value, fates: dryRun ? null : fates }),
    };
    const rule = set.annotations[ANNOTATION.backupRetention] ?? null;
    const counts = { rule, timeZone: retention?.kind === "calendar" ? timeZone : null };
    const answer = print(document, ask, () => renderPruning(document, counts, ask));
    if (pruned === null || pruned.ok || answer.exitCode !== 0) return answer;
    const complaint = `Not all of it was deleted: ${fromHere(pruned.failure).message}`;
    return { exitCode: 1, output: answer.output, complaint };
  });
}
