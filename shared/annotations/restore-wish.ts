/** What is to be restored, as somebody has written it into one annotation. A time without an offset could be any of a day's. */
import { z } from "zod";
import { parseSlot } from "../model/backup.ts";
import { digestOf } from "../model/job-name.ts";
import { type RestoreTarget, type RestoreWish, restoreWishSchema } from "../model/restore.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";
import { type Reading, secretName } from "./reading.ts";

const { id: idSchema } = restoreWishSchema.shape;

/** Of a StatefulSet, or `namespace/name` of one. */
const CLUSTER = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253})$/;
/** What GTID sets are made of, tags included. */
const GTIDS = /^[0-9A-Za-z_:,\s-]{1,4096}$/;

const textSchema = z.strictObject({
  cluster: z.string().regex(CLUSTER).nullable().default(null),
  backup: z.string().max(32).optional(),
  time: z.string().max(40).optional(),
  gtid: z.string().regex(GTIDS).optional(),
  store: z.string().max(253).optional(),
  inPlace: z.boolean().default(false),
  id: idSchema.optional(),
});
type Text = z.infer<typeof textSchema>;

const FORM =
  'set it to JSON such as {"backup":"latest"}, {"time":"2026-11-23T03:00:00+01:00"} or {"gtid":"<set>"}, with "cluster", "store", "inPlace" and "id" where they are needed';

function targetOf({ backup, time, gtid }: Text): Reading<RestoreTarget> {
  if ([backup, time, gtid].filter((one) => one !== undefined).length !== 1)
    return { wanted: 'name one of "backup", "time" and "gtid"' };
  if (gtid !== undefined) return { value: { kind: "gtid", set: gtid.replaceAll(/\s/g, "") } };
  if (time !== undefined) {
    if (!z.iso.datetime({ offset: true }).safeParse(time).success)
      return { wanted: "write the time with its offset, such as 2026-11-23T03:00:00+01:00" };
    return { value: { kind: "time", at: new Date(time).toISOString() } };
  }
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
    const checked = textSchema.safeParse(parsed.ok ? parsed.value : null);
    if (!checked.success) return { wanted: FORM };
    const { cluster, inPlace, id } = checked.data;
    const target = targetOf(checked.data);
    if ("wanted" in target) return target;
    const store = secretName(checked.data.store ?? storeOfBackups ?? "");
    if ("wanted" in store)
      return { wanted: `name the Secret of the store as "store", or set ${KEYS.backupStore.key}` };
    const wish = { store: store.value, from: cluster, target: target.value, inPlace };
    return { value: { id: id ?? `r${digestOf(canonicalJson(wish))}`, ...wish } };
  };
}

/** The inverse of `restoreWish`: what somebody who asks for a restore writes. */
export function restoreText({ id, store, from, target, inPlace }: RestoreWish): string {
  const wanted =
    target.kind === "backup"
      ? { backup: target.slot ?? "latest" }
      : target.kind === "time"
        ? { time: target.at }
        : { gtid: target.set };
  return canonicalJson({ id, store, ...wanted, ...(from !== null && { cluster: from }), inPlace });
}

export function restoreId(raw: string): Reading<string> {
  if (idSchema.safeParse(raw).success) return { value: raw };
  return { wanted: "set it to the id of a restore, as status shows it" };
}
