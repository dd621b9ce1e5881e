/**
 * A list of the last entries, newest last, in one annotation: the oldest go when there are too many or when room
 * is short, and what cannot be read is left out without a word.
 */
import type * as z from "zod";
import { canonicalJson, parseJson } from "./json.ts";
import { utf8Bytes } from "./text.ts";

export interface RingLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

/** The newest entries that fit; `[]` when not even one does. */
export function encodeRing(entries: readonly unknown[], { entriesMax, bytesMax }: RingLimits): string {
  const kept: string[] = [];
  let bytes = 2;
  for (const entry of entries.slice(-entriesMax).reverse()) {
    const text = canonicalJson(entry);
    bytes += utf8Bytes(text) + (kept.length > 0 ? 1 : 0);
    if (bytes > bytesMax) break;
    kept.unshift(text);
  }
  return `[${kept.join(",")}]`;
}

/** Never throws. */
export function decodeRing<T>(
  raw: string | undefined,
  schema: z.ZodType<T>,
  { entriesMax, bytesMax }: RingLimits,
): readonly T[] {
  const parsed = parseJson(raw ?? "[]", bytesMax);
  if (!parsed.ok || !Array.isArray(parsed.value)) return [];
  return parsed.value.slice(-entriesMax).flatMap((entry) => {
    const checked = schema.safeParse(entry);
    return checked.success ? [checked.data] : [];
  });
}
