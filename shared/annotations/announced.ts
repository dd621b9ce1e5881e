/**
 * What was sent to whoever wants to be told as CloudEvents: marks of it, by which the rest is found. What cannot be read is nothing:
 * then all that stands recorded is sent once more, under the ids that it had.
 */
import * as z from "zod";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";

const mark = z.string().regex(/^[0-9a-f]{16}$/);

const announcedSchema = z.strictObject({
  v: z.literal(1),
  /** Of the newest entry of the history that was sent. */
  history: mark.nullable(),
  /** By type. */
  conditions: z.record(z.string().max(64), mark),
  /** Slots. */
  backup: z.string().max(32).nullable(),
  proven: z.string().max(32).nullable(),
});
export type Announced = z.infer<typeof announcedSchema>;

export const NOTHING_ANNOUNCED: Announced = {
  ...{ v: 1, history: null, conditions: {}, backup: null, proven: null },
};

/** Never throws. */
export function decodeAnnounced(raw: string | undefined): Announced {
  const parsed = parseJson(raw ?? "", KEYS.announced.bytesMax);
  const checked = parsed.ok ? announcedSchema.safeParse(parsed.value) : null;
  return checked?.success ? checked.data : NOTHING_ANNOUNCED;
}

export function encodeAnnounced(announced: Announced): string {
  return canonicalJson(announced);
}
