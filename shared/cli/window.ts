/**
 * `window`: to which instants a cluster can be recovered, from its backups and the archive of its logs as the store has
 * them. The store is the only truth about that: what it promises here a restore finds there.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { oneLine } from "../annotations/text.ts";
import { parseWish } from "../annotations/wish.ts";
import { clustersIn, readCatalogue } from "../backup/holdings.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { API_VERSION, type RecoveryWindow, type RecoveryWindows } from "../model/documents.ts";
import { age, awayFrom } from "../model/format.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import { readCluster } from "./read.ts";
import { type Who, windowIn } from "./stored.ts";
import { fromHere, type Opened, openStore, whereOf } from "./stores.ts";
import { table } from "./table.ts";
import { type Answer, type Ask, failed, notACluster, print } from "./verbs.ts";

const TEXT_MAX = 200;

function nameOf({ namespace, name, clusterUid }: RecoveryWindow): string {
  return namespace === null || name === null ? clusterUid : `${namespace}/${name}`;
}

function sentence(window: RecoveryWindow, { here }: Ask): string {
  const { from, to, backups, segments } = window;
  const name = nameOf(window);
  if (backups === 0) return `${name} has no complete backup of all databases: it cannot be recovered.`;
  if (from === null || to === null) {
    const why = segments === 0 ? "no log of it is archived" : "no archived log goes on from one";
    return `${name} can be recovered to its backups only: ${why}.`;
  }
  return `${name} can be recovered to any instant from ${from} to ${to}, which is ${awayFrom(to, here)}.`;
}

function rendered(window: RecoveryWindow, ask: Ask): string {
  const { gaps, damage } = window;
  const rows = gaps.map(({ from, to }) => [
    ...[{ text: from }, { text: to }],
    { text: age(Date.parse(to) - Date.parse(from)), tone: "attention" as const },
  ]);
  const listed =
    rows.length === 0
      ? ""
      : `\nNot to what is within these gaps:\n\n${table(["AFTER", "BEFORE", "LASTS"], rows, ask.paint)}`;
  const broken = damage.map((one) => `\nCannot be used: ${one}.`).join("");
  return `${sentence(window, ask)}\n${listed}${broken === "" ? "" : `${broken}\n`}`;
}

async function answer(ask: Ask, opened: Opened, whose: readonly Who[]): Promise<Answer> {
  const items: RecoveryWindow[] = [];
  for (const who of whose) {
    const window = await windowIn(opened, who);
    if (!window.ok) return failed(fromHere(window.failure));
    items.push(window.value);
  }
  const where = whereOf(opened.store);
  const document: RecoveryWindows = { apiVersion: API_VERSION, kind: "RecoveryWindows", where, items };
  return print(document, ask, () => items.map((item) => rendered(item, ask)).join("\n"));
}

/** Of this name, or of this uid, by their manifests. */
async function clustersOf(opened: Opened, { namespace, name }: ClusterRef): Promise<Outcome<readonly Who[]>> {
  const { objects, store } = opened;
  const uids = await clustersIn(objects, store.prefix);
  if (!uids.ok) return uids;
  const found: Who[] = [];
  for (const clusterUid of uids.value) {
    const { backups, gap } = await readCatalogue(objects, { prefix: store.prefix, clusterUid });
    if (gap !== null) return { ok: false, failure: gap };
    const named = backups.findLast(({ manifest }) => manifest !== null)?.manifest?.cluster ?? null;
    if (clusterUid !== name && (named?.namespace !== namespace || named.name !== name)) continue;
    const line = (text: string) => oneLine(text, TEXT_MAX);
    found.push({ namespace: named && line(named.namespace), name: named && line(named.name), clusterUid });
  }
  return succeed(found);
}

async function ofOneThatIsGone(ask: Ask, opened: Opened, ref: ClusterRef): Promise<Answer> {
  const found = await clustersOf(opened, ref);
  if (!found.ok) return failed(fromHere(found.failure));
  if (found.value.length > 0) return await answer(ask, opened, found.value);
  const complaint = `There is no backup of ${ref.namespace}/${ref.name} in that store; list what there is with kubectl ordinal backups --store ${opened.store.name}.`;
  return { exitCode: 2, complaint };
}

/** `secret` null: the store that the cluster names. With one, also of a cluster that is gone, by its name or uid. */
export async function window(ask: Ask, ref: ClusterRef, secret: string | null): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  const set = found.value.kind === "cluster" ? found.value.set : null;
  if (found.value.kind !== "cluster" && secret === null) return notACluster(found.value, ref);
  const store = secret ?? (set && parseWish(set).spec?.backup?.store) ?? null;
  if (store === null) {
    const complaint = `${ANNOTATION.backupStore} names no store that can be used: set it to the name of its Secret, or give --store.`;
    return { exitCode: 2, complaint };
  }
  const opened = await openStore(ask, { namespace: ref.namespace, name: store });
  if (!opened.ok) return failed(opened.failure);
  try {
    return set === null
      ? await ofOneThatIsGone(ask, opened.value, ref)
      : await answer(ask, opened.value, [{ ...ref, clusterUid: set.uid }]);
  } finally {
    opened.value.objects.close();
  }
}
