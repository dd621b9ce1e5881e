/**
 * Where things are in the bucket, and which of them are ours. All of a cluster stands under the uid of its StatefulSet, so
 * that clusters which share a bucket and a prefix, a copied namespace or a cluster that was made anew never meet. A key
 * that was not built here is nobody's business: it is not read, counted or deleted.
 *
 *   <prefix>/<uid>/backups/<slot>/<attempt>/<name>    what was copied
 *   <prefix>/<uid>/backups/<slot>/manifest.json       written last: there is a backup if and only if there is this
 *   <prefix>/<uid>/backups/<slot>/proof.json          how the last restore of it went
 *   <prefix>/<uid>/probe.txt                          written once, to see whether the store writes a new key once
 */
import { assert } from "../model/outcome.ts";

/** One cluster's part of one bucket. */
export interface Place {
  /** Without a slash at either end; empty = none. */
  readonly prefix: string;
  /** `metadata.uid` of the StatefulSet. */
  readonly clusterUid: string;
}

const UID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._$-]{0,127}$/;
const SLOT = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
const ATTEMPT = /^[1-9]\d?$/;

/** Sorted as text they are sorted by time; no colon, which some tools take for a drive or a port. */
export function slotName(slotMs: number): string {
  assert(slotMs % 1000 === 0, "a slot stands on a full second");
  return new Date(slotMs).toISOString().replace(".000", "").replaceAll(/[-:]/g, "");
}

/** Null for every other text. */
export function slotOf(text: string): number | null {
  const [, year, month, day, hour, minute, second] = SLOT.exec(text) ?? [];
  const slotMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // A date that is none may be read as another one.
  return Number.isNaN(slotMs) || slotName(slotMs) !== text ? null : slotMs;
}

/** Directly in it are the folders of all clusters that have backups there. */
export function clustersFolder(prefix: string): string {
  return prefix === "" ? "" : `${prefix}/`;
}

/** The cluster whose folder it is; null for every other folder. */
export function clusterOfFolder(prefix: string, folder: string): string | null {
  const uid = folder.slice(clustersFolder(prefix).length, -1);
  return UID.test(uid) && folder === `${clustersFolder(prefix)}${uid}/` ? uid : null;
}

function ownFolder({ prefix, clusterUid }: Place): string {
  assert(UID.test(clusterUid), "not the uid of an object");
  return `${clustersFolder(prefix)}${clusterUid}/`;
}

/** All keys of a cluster's backups begin with it. */
export function backupsFolder(place: Place): string {
  return `${ownFolder(place)}backups/`;
}

export function probeKey(place: Place): string {
  return `${ownFolder(place)}probe.txt`;
}

export function manifestKey(place: Place, slotMs: number): string {
  return `${backupsFolder(place)}${slotName(slotMs)}/manifest.json`;
}

export function proofKey(place: Place, slotMs: number): string {
  return `${backupsFolder(place)}${slotName(slotMs)}/proof.json`;
}

export interface PartName {
  readonly slotMs: number;
  readonly attempt: number;
  readonly name: string;
}

export function partKey(place: Place, { slotMs, attempt, name }: PartName): string {
  assert(NAME.test(name) && ATTEMPT.test(String(attempt)), `no name of a part: ${attempt}/${name}`);
  return `${backupsFolder(place)}${slotName(slotMs)}/${attempt}/${name}`;
}

export type BackupKey =
  | { readonly kind: "manifest"; readonly slotMs: number }
  | { readonly kind: "proof"; readonly slotMs: number }
  | ({ readonly kind: "part" } & PartName);

/** Null for every key that could not have been built here for this cluster. */
export function parseKey(place: Place, key: string): BackupKey | null {
  const folder = backupsFolder(place);
  if (!key.startsWith(folder)) return null;
  const [slotText = "", ...rest] = key.slice(folder.length).split("/");
  const slotMs = slotOf(slotText);
  if (slotMs === null) return null;
  const [first = "", name, ...deeper] = rest;
  if (name === undefined) {
    if (first === "manifest.json") return { kind: "manifest", slotMs };
    return first === "proof.json" ? { kind: "proof", slotMs } : null;
  }
  if (deeper.length > 0 || !ATTEMPT.test(first) || !NAME.test(name)) return null;
  return { kind: "part", slotMs, attempt: Number(first), name };
}
