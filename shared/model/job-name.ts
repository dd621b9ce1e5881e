/**
 * Names of Jobs, made of what they are for: whoever comes to the same slot and attempt finds the Job that is there, and
 * never makes a second one.
 */

/** A Job's name becomes a label of its pods. */
const NAME_MAX = 63;

/** FNV-1a, 32 bits, as eight hexadecimal digits: tells names apart that are cut to the same one. */
function digestOf(text: string): string {
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

/** A DNS-1123 label. `slot` is an instant, RFC 3339. */
export function backupJobName(cluster: string, { slot, attempt }: { slot: string; attempt: number }): string {
  return named(cluster, `-backup-${stamp(slot)}-${attempt}`);
}

/** A backup may be proven again and again; each time is told by when it was begun. */
export function proofJobName(cluster: string, { slot, begunAt }: { slot: string; begunAt: string }): string {
  return named(cluster, `-proof-${stamp(slot)}-${stamp(begunAt)}`);
}
