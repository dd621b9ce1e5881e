/**
 * The memory of backups in one annotation, and its two results for people and for `kubectl wait` beside it. A text that
 * cannot be read is told apart by why: that of a newer version is left alone, anything else is begun anew, which costs
 * nothing but the memory of failures, since what there is says the store.
 */
import { BACKUPS_VERSION, type BackupMemory, backupMemorySchema, REASON_MAX } from "../model/backup.ts";
import type { BackupsObservation } from "../model/observed.ts";
import { assert } from "../model/outcome.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { ANNOTATION, KEYS } from "./keys.ts";
import { oneLine, utf8Bytes } from "./text.ts";
import { versionOf } from "./version.ts";

const BYTES_MAX = KEYS.backups.bytesMax;

/** Within the limits of the schema, so that what is written can be read back. */
function bounded(memory: BackupMemory): BackupMemory {
  const cut = <T extends { readonly reason: string }>(one: T | null): T | null =>
    one === null ? null : { ...one, reason: oneLine(one.reason, REASON_MAX) };
  const { retry, failed, unproven, demanded, archive } = memory;
  const fault = demanded?.fault == null ? null : oneLine(demanded.fault, REASON_MAX);
  const failure = archive?.failure == null ? null : oneLine(archive.failure, REASON_MAX);
  return {
    ...{ ...memory, retry: cut(retry), failed: cut(failed), unproven: cut(unproven) },
    archive: archive && { ...archive, failure },
    demanded: demanded && { ...demanded, fault },
  };
}

/** The annotations that say it. A text above the limit is a programmer's error: nothing in it grows with use. */
export function encodeBackups(memory: BackupMemory): Readonly<Record<string, string>> {
  const text = canonicalJson(bounded(memory));
  assert(utf8Bytes(text) <= BYTES_MAX, `the memory of backups is longer than ${BYTES_MAX} bytes`);
  const { last, proven } = memory;
  return {
    [ANNOTATION.backups]: text,
    ...(last === null ? {} : { [ANNOTATION.lastBackup]: last.slot }),
    ...(proven === null ? {} : { [ANNOTATION.lastProven]: proven.slot }),
  };
}

/** Annotations that say no longer what is so: a backup that was proven may fail a later proof. */
export function lapsedResults(memory: BackupMemory | null): readonly string[] {
  return memory !== null && memory.proven === null ? [ANNOTATION.lastProven] : [];
}

/** Never throws. `clusterUid` is the uid of the StatefulSet that carries the annotation. */
export function decodeBackups(raw: string | undefined, clusterUid: string): BackupsObservation {
  if (raw === undefined) return { kind: "none" };
  const parsed = parseJson(raw, BYTES_MAX);
  if (!parsed.ok) return { kind: "invalid" };
  const version = versionOf(parsed.value);
  if (version > BACKUPS_VERSION) return { kind: "newer", version };
  const checked = backupMemorySchema.safeParse(parsed.value);
  // A manifest that was copied with it: those are the backups of another cluster.
  if (!checked.success || checked.data.clusterUid !== clusterUid) return { kind: "invalid" };
  return { kind: "valid", memory: checked.data };
}
