/**
 * The state annotation. A text that cannot be read is told apart by why (somebody else's, a newer version's,
 * broken), because each leads elsewhere: none of them is ever taken for "no state", which alone may bootstrap.
 */
import type { StateObservation } from "../model/observed.ts";
import { assert } from "../model/outcome.ts";
import { STATE_VERSION, type State, stateSchema } from "../model/state.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";
import { oneLine, utf8Bytes } from "./text.ts";
import { versionOf } from "./version.ts";

const BYTES_MAX = KEYS.state.bytesMax;

/** Canonical JSON. A state above the limit is a programmer's error: nothing in it grows with use. */
export function encodeState(state: State): string {
  const text = canonicalJson(state);
  assert(utf8Bytes(text) <= BYTES_MAX, `state is longer than ${BYTES_MAX} bytes`);
  return text;
}

/** Never throws. `clusterUid` is the uid of the StatefulSet that carries the annotation. */
export function decodeState(raw: string | undefined, clusterUid: string): StateObservation {
  if (raw === undefined) return { kind: "none" };
  const parsed = parseJson(raw, BYTES_MAX);
  if (!parsed.ok) return { kind: "invalid", reason: parsed.reason };

  const version = versionOf(parsed.value);
  if (version > STATE_VERSION) return { kind: "newer", version };

  const checked = stateSchema.safeParse(parsed.value);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    const path = issue?.path.join(".") || "state";
    return { kind: "invalid", reason: oneLine(`${path}: ${issue?.message ?? "not valid"}`, 120) };
  }
  if (checked.data.clusterUid !== clusterUid) return { kind: "foreign", clusterUid: checked.data.clusterUid };
  return { kind: "valid", state: checked.data };
}
