/**
 * Which clusters have a backup to begin now, from one list of the fleet. A sweep comes to it as well; this finds it in
 * the minute of the slot, wherever sweeps are rare. Only a pass decides and begins.
 */
import { decodeBackups } from "../annotations/backups.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { parseWish } from "../annotations/wish.ts";
import { slotDue } from "../decide/backup/memory.ts";
import type { StatefulSet } from "../model/kube.ts";

/** A slot of its schedule or an attempt to be made again, while no backup runs. */
export function isBackupDue(set: StatefulSet, nowMs: number): boolean {
  const backups = decodeBackups(set.annotations[ANNOTATION.backups], set.uid);
  if (backups.kind !== "valid" || backups.memory.running !== null) return false;
  const spec = parseWish(set).spec?.backup ?? null;
  const { retry } = backups.memory;
  const again = spec !== null && retry !== null && Date.parse(retry.notBefore) <= nowMs;
  return again || slotDue(backups.memory, { spec, nowMs }) !== null;
}
