/** The memory of a restore in one annotation. A text that is broken or another cluster's is none. */
import type { RestoreObservation } from "../model/observed.ts";
import { assert } from "../model/outcome.ts";
import { RESTORE_VERSION, type RestoreMemory, restoreMemorySchema } from "../model/restore.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { ANNOTATION, KEYS } from "./keys.ts";
import { oneLine, utf8Bytes } from "./text.ts";
import { versionOf } from "./version.ts";

const BYTES_MAX = KEYS.restore.bytesMax;
const FAULT_MAX = 400;

export function encodeRestore(memory: RestoreMemory): Readonly<Record<string, string>> {
  const { last } = memory;
  const bounded = last?.fault == null ? last : { ...last, fault: oneLine(last.fault, FAULT_MAX) };
  const text = canonicalJson({ ...memory, last: bounded });
  assert(utf8Bytes(text) <= BYTES_MAX, `the memory of a restore is longer than ${BYTES_MAX} bytes`);
  return { [ANNOTATION.restore]: text };
}

/** Never throws. `clusterUid` is the uid of the StatefulSet that carries the annotation. */
export function decodeRestore(raw: string | undefined, clusterUid: string): RestoreObservation {
  if (raw === undefined) return { kind: "none" };
  const parsed = parseJson(raw, BYTES_MAX);
  if (!parsed.ok) return { kind: "invalid" };
  const version = versionOf(parsed.value);
  if (version > RESTORE_VERSION) return { kind: "newer", version };
  const checked = restoreMemorySchema.safeParse(parsed.value);
  if (!checked.success || checked.data.clusterUid !== clusterUid) return { kind: "invalid" };
  return { kind: "valid", memory: checked.data };
}
