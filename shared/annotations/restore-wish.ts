/** What is to be restored, as somebody has written it into one annotation. A time without an offset could be any of a day's. */
import { parseSlot } from "../model/backup.ts";
import { instantOf, microsecondsOf } from "../model/instant.ts";
import { digestOf } from "../model/job-name.ts";
import {
  namesOneTarget,
  type RestoreTarget,
  type RestoreText,
  type RestoreWish,
  restoreTextSchema,
  restoreWishSchema,
} from "../model/restore.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";
import { type Reading, secretName } from "./reading.ts";

const FORM =
  'set it to JSON such as {"backup":"latest"}, {"time":"2026-11-23T03:00:00+01:00"} or {"gtid":"<set>"}, with "cluster", "store", "inPlace" and "id" where they are needed';

function targetOf(text: RestoreText): Reading<RestoreTarget> {
  if (!namesOneTarget(text)) return { wanted: 'name one of "backup", "time" and "gtid"' };
  const { backup, time, gtid } = text;
  if (gtid !== undefined) return { value: { kind: "gtid", set: gtid.replaceAll(/\s/g, "") } };
  if (time !== undefined) return { value: { kind: "time", at: instantOf(microsecondsOf(time)) } };
  if (backup === "latest") return { value: { kind: "backup", slot: null } };
  const slot = parseSlot(backup ?? "");
  return slot === null
    ? { wanted: 'set "backup" to latest, or to the slot of a backup such as 2026-11-23T03:00:00Z' }
    : { value: { kind: "backup", slot } };
}

/** `storeOfBackups`: where it looks when the wish names no store. */
export function restoreWish(storeOfBackups: string | null): (raw: string) => Reading<RestoreWish> {
  return (raw) => {
    const parsed = parseJson(raw, KEYS.restoreFrom.bytesMax);
    const checked = restoreTextSchema.safeParse(parsed.ok ? parsed.value : null);
    if (!checked.success) {
      const isTime = checked.error.issues.some(({ path }) => path[0] === "time");
      return { wanted: isTime ? "write the time with its offset, such as 2026-11-23T03:00:00+01:00" : FORM };
    }
    const { cluster = null, inPlace = false, id } = checked.data;
    const target = targetOf(checked.data);
    if ("wanted" in target) return target;
    const store = secretName(checked.data.store ?? storeOfBackups ?? "");
    if ("wanted" in store)
      return { wanted: `name the Secret of the store as "store", or set ${KEYS.backupStore.key}` };
    const wish = { store: store.value, from: cluster, target: target.value, inPlace };
    return { value: { id: id ?? `r${digestOf(canonicalJson(wish))}`, ...wish } };
  };
}

export function restoreId(raw: string): Reading<string> {
  if (restoreWishSchema.shape.id.safeParse(raw).success) return { value: raw };
  return { wanted: "set it to the id of a restore, as status shows it" };
}
