/**
 * The document that says when the archive was last seen to have all there was. While nothing is written no segment is
 * added, and without it nobody could tell an hour without writes from an hour without an archive.
 */
import * as z from "zod";
import { canonicalJson, parseJson } from "../../annotations/json.ts";
import { versionOf } from "../../annotations/version.ts";
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import { MANIFEST_BYTES_MAX, type Read } from "../manifest.ts";

const LOOK_VERSION = 1;

const instantUs = z.number().int().min(0);

const lookSchema = z.strictObject({
  v: z.literal(LOOK_VERSION),
  clusterUid: z.string().max(256),
  position: z.string().max(2 * 1024 * 1024),
  fromUs: instantUs,
  toUs: instantUs,
});

/** From the one instant to the other the primary had executed this and nothing else. Microseconds since 1970, by its clock. */
export interface Look {
  readonly position: Position;
  readonly fromUs: number;
  readonly toUs: number;
}

/** What the primary has executed, and its clock at that moment. */
export interface Tip {
  readonly serverUuid: string;
  readonly position: Position;
  readonly atUs: number;
}

/** `transient` while there is no primary to be asked. */
export type AskTip = () => Promise<Outcome<Tip>>;

/** Never throws. */
export function decodeLook(text: string, clusterUid: string, positions: PositionAlgebra): Read<Look> {
  const parsed = parseJson(text, MANIFEST_BYTES_MAX);
  if (!parsed.ok) return { kind: "unusable", why: `it cannot be read: ${parsed.reason}` };
  if (versionOf(parsed.value) > LOOK_VERSION) return { kind: "unusable", why: "a newer Ordinal wrote it" };
  const checked = lookSchema.safeParse(parsed.value);
  if (!checked.success || checked.data.clusterUid !== clusterUid || checked.data.fromUs > checked.data.toUs) {
    return { kind: "unusable", why: "it is not as it should be" };
  }
  const { position, fromUs, toUs } = checked.data;
  try {
    return { kind: "valid", value: { position: positions.union(position, ""), fromUs, toUs } };
  } catch {
    return { kind: "unusable", why: "its position is none" };
  }
}

export function encodeLook(look: Look, clusterUid: string): string {
  return canonicalJson(lookSchema.parse({ v: LOOK_VERSION, clusterUid, ...look }));
}

/** The look before goes on with this one when nothing was committed in between, and its clock was not put back. */
export function lookOf({ position, atUs }: Tip, before: Look | null): Look {
  const goesOn = before !== null && before.position === position && before.toUs <= atUs;
  return { position, fromUs: goesOn ? before.fromUs : atUs, toUs: atUs };
}
