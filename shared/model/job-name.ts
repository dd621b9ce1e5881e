/**
 * Names of Jobs, made of what they are for: whoever comes to the same slot and attempt finds the Job that is there, and
 * never makes a second one.
 */

import type { RestoreMemory } from "./restore.ts";

/** A Job's name becomes a label of its pods. */
const NAME_MAX = 63;

/** FNV-1a, 32 bits, as eight hexadecimal digits: tells names apart that are cut to the same one. */
export function digestOf(text: string): string {
  let sum = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) sum = Math.imul(sum ^ byte, 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}

/** `<cluster><ending>`; a cluster whose name is too long or has dots is cut and told by a digest. */
function named(cluster: string, ending: string): string {
  const room = NAME_MAX - ending.length;
  if (cluster.length <= room && !cluster.includes(".")) return `${cluster}${ending}`;
  const beginning = cluster.replaceAll(".", "-").slice(0, room - 9);
  return `${beginning.replace(/-+$/, "")}-${digestOf(cluster)}${ending}`;
}

/** `2026-11-23T03:00:00Z` as `20261123030000`. */
function stamp(slot: string): string {
  return new Date(slot).toISOString().slice(0, 19).replaceAll(/\D/g, "");
}

const words = { Checking: "check", Stopping: null, Filling: "fill", Exchanging: "exchange" } as const;

/**
 * Of the Jobs that what is remembered of a restore has under way, in the order of the members that they are about; none
 * where it waits for something else.
 */
export function restoreJobs(cluster: string, { running, kept }: RestoreMemory): readonly string[] {
  const each = (word: string, id: string, attempt: number, replicas: number): readonly string[] =>
    Array.from({ length: replicas }, (_, ordinal) =>
      named(cluster, `-${word}-${digestOf(id)}-${ordinal}-${attempt}`),
    );
  if (running !== null) {
    const { wish, direction, phase, attempt, replicas } = running;
    const word = words[phase];
    if (word === null) return [];
    const of = direction === "in" ? word : `${word}-back`;
    return each(of, `${wish.id}|${running.begunAt}`, attempt, phase === "Exchanging" ? replicas : 1);
  }
  if (kept === null || kept.forgetting === 0) return [];
  return each("forget", kept.id, kept.forgetting, kept.replicas);
}

/** A DNS-1123 label. `slot` is an instant, RFC 3339. */
export function backupJobName(cluster: string, { slot, attempt }: { slot: string; attempt: number }): string {
  return named(cluster, `-backup-${stamp(slot)}-${attempt}`);
}

/** A backup may be proven again and again; each time is told by when it was begun. */
export function proofJobName(cluster: string, { slot, begunAt }: { slot: string; begunAt: string }): string {
  return named(cluster, `-proof-${stamp(slot)}-${stamp(begunAt)}`);
}
