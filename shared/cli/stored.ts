/**
 * What a store holds of a cluster, as the documents tell it: its backups, and to which instants it can be recovered. The
 * plugin reads it from its user's machine, and a host for the dashboard.
 */
import { oneLine } from "../annotations/text.ts";
import { readArchive } from "../backup/archive/recorded.ts";
import { gapsBetween, type Span, spansOf } from "../backup/archive/window.ts";
import type { Backup } from "../backup/catalogue.ts";
import { mysql } from "../engines/mysql/index.ts";
import type { ListedBackup, RecoveryWindow } from "../model/documents.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { Store } from "../model/store.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { slotText } from "./backup-snapshot.ts";

const TEXT_MAX = 200;
const line = (text: string): string => oneLine(text, TEXT_MAX);

export interface OpenedStore {
  readonly store: Store;
  readonly objects: ObjectStore;
}

export function listed(clusterUid: string, backup: Backup): ListedBackup {
  const { slotMs, soundness, manifest, proof, bytes } = backup;
  const plain = manifest?.parts.reduce((sum, part) => sum + part.plainBytes, 0);
  return {
    namespace: manifest && line(manifest.cluster.namespace),
    name: manifest && line(manifest.cluster.name),
    clusterUid,
    slot: slotText(slotMs),
    soundness: soundness.kind,
    why: soundness.kind === "complete" ? null : line(soundness.why),
    method: manifest?.method ?? null,
    databases: manifest?.databases?.map(line) ?? null,
    endedAt: manifest?.endedAt ?? null,
    version: manifest && line(manifest.engine.version),
    encrypted: manifest && manifest.encryption !== null,
    bytes,
    plainBytes: plain ?? null,
    proof: proof && { at: proof.at, fault: proof.fault && line(proof.fault) },
  };
}

function shown(spans: readonly Span[]): RecoveryWindow["ranges"] {
  const instant = (ms: number) => new Date(ms).toISOString();
  return spans.map(({ fromMs, toMs }) => ({ from: instant(fromMs), to: instant(toMs) }));
}

export interface Who {
  readonly namespace: string | null;
  readonly name: string | null;
  readonly clusterUid: string;
}

export async function windowIn({ store, objects }: OpenedStore, who: Who): Promise<Outcome<RecoveryWindow>> {
  const place = { prefix: store.prefix, clusterUid: who.clusterUid };
  const archive = await readArchive(objects, place, mysql.rules.positions);
  if (!archive.ok) return archive;
  const { starts, segments, damage } = archive.value;
  const spans = spansOf(archive.value.window);
  const ranges = shown(spans);
  return succeed({
    ...who,
    ...{ from: ranges[0]?.from ?? null, to: ranges.at(-1)?.to ?? null, ranges },
    gaps: shown(gapsBetween(spans)),
    ...{ backups: starts.length, segments: segments.length },
    damage: damage.map((one) => oneLine(one, TEXT_MAX)),
  });
}
