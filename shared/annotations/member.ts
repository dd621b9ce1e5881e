/**
 * The annotation on a Pod that says what a pass saw of its server. For people only; what cannot be read is
 * no record. It is rewritten only when it has news, since lag moves in every pass.
 */
import { type MemberRecord, memberSchema } from "../model/member.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";
import { sameNews } from "./news.ts";
import { oneLine } from "./text.ts";

const NOTE_MAX = 200;

export function encodeMemberRecord(record: MemberRecord): string {
  return canonicalJson({ ...record, note: oneLine(record.note, NOTE_MAX) });
}

/** Never throws. */
export function decodeMemberRecord(raw: string | undefined): MemberRecord | null {
  const parsed = parseJson(raw ?? "", KEYS.member.bytesMax);
  const checked = parsed.ok ? memberSchema.safeParse(parsed.value) : null;
  return checked?.success ? checked.data : null;
}

/** Within a second, or within half and double of what is stored: so a lag near any limit does not flap. */
function sameLag(stored: number | null, lagMs: number | null): boolean {
  if (stored === null || lagMs === null) return stored === lagMs;
  return Math.abs(lagMs - stored) <= Math.max(1000, Math.min(stored, lagMs));
}

/** A copy of hours is told again and again, but nobody needs to see it more often. */
const COPIED_EVERY_MS = 10_000;

function sameCopied(stored: MemberRecord, record: MemberRecord): boolean {
  const [before, after] = [stored.copied, record.copied];
  if (before === undefined || after === undefined) return before === after;
  if (before.bytes === after.bytes && before.bytesExpected === after.bytesExpected) return true;
  return Math.abs(Date.parse(record.at) - Date.parse(stored.at)) < COPIED_EVERY_MS;
}

/** True when `record` has nothing to add to the stored text, its instant aside. */
export function sameMemberRecord(raw: string | undefined, record: MemberRecord): boolean {
  const stored = decodeMemberRecord(raw);
  if (stored === null) return false;
  return (
    stored.role === record.role &&
    stored.serverUuid === record.serverUuid &&
    stored.version === record.version &&
    stored.acks === record.acks &&
    sameLag(stored.lagMs, record.lagMs) &&
    sameCopied(stored, record) &&
    sameNews(stored.note, oneLine(record.note, NOTE_MAX))
  );
}
