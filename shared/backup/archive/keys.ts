/**
 * Where the archive of a cluster's logs is in the bucket, beside its backups. What one pass stores of one server's log is a
 * chain: a folder of its own, which nobody else writes to.
 *
 *   <prefix>/<uid>/binlogs/<server>/<instant>-<token>/0001.1.zst      segment 1, its first object (`.zst.age`: encrypted)
 *   <prefix>/<uid>/binlogs/<server>/<instant>-<token>/chain-0001.json says all of the chain up to segment 1
 *   <prefix>/<uid>/binlogs/look.json                                   when it was last seen that there is no more
 *
 * A segment is there if and only if the chain's document of the highest number names it. Documents are never
 * written again: a late one can take back nothing.
 */
import { assert } from "../../model/outcome.ts";
import { clustersFolder, type Place, slotName } from "../layout.ts";

const SERVER = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CHAIN = /^\d{8}T\d{6}Z-[A-Za-z0-9]{8}$/;
const DOCUMENT = /^chain-(\d{4})\.json$/;
const OBJECT = /^\d{4}\.\d{1,4}\.zst(?:\.age)?$/;

/** Of one document. So many segments are told again with each that is added. */
export const CHAIN_SEGMENTS_MAX = 100;

export interface ChainName {
  /** The server whose log it is. */
  readonly serverUuid: string;
  /** When it was begun, and a token. */
  readonly name: string;
}

export function archiveFolder({ prefix, clusterUid }: Place): string {
  return `${clustersFolder(prefix)}${clusterUid}/binlogs/`;
}

export function lookKey(place: Place): string {
  return `${archiveFolder(place)}look.json`;
}

export function chainName(serverUuid: string, nowMs: number, token: string): ChainName {
  const name = `${slotName(Math.floor(nowMs / 1000) * 1000)}-${token}`;
  assert(SERVER.test(serverUuid) && CHAIN.test(name), `no name of a chain: ${serverUuid}/${name}`);
  return { serverUuid, name };
}

export function chainFolder(place: Place, { serverUuid, name }: ChainName): string {
  return `${archiveFolder(place)}${serverUuid}/${name}/`;
}

const digits = (number: number) => String(number).padStart(4, "0");

/** `segments`: how many the document names, from 1. */
export function chainKey(place: Place, chain: ChainName, segments: number): string {
  return `${chainFolder(place, chain)}chain-${digits(segments)}.json`;
}

/** Both from 1. */
export function objectName(segment: number, object: number, isEncrypted: boolean): string {
  return `${digits(segment)}.${object}.zst${isEncrypted ? ".age" : ""}`;
}

export function isEncryptedObject(key: string): boolean {
  return key.endsWith(".age");
}

export type ArchiveKey =
  | { readonly kind: "document"; readonly chain: ChainName; readonly segments: number }
  | { readonly kind: "object"; readonly chain: ChainName };

/** Null for every key that could not have been built here for this cluster. */
export function parseArchiveKey(place: Place, key: string): ArchiveKey | null {
  const folder = archiveFolder(place);
  if (!key.startsWith(folder)) return null;
  const [serverUuid = "", name = "", file = "", ...deeper] = key.slice(folder.length).split("/");
  if (deeper.length > 0 || !SERVER.test(serverUuid) || !CHAIN.test(name)) return null;
  const chain = { serverUuid, name };
  const segments = DOCUMENT.exec(file)?.[1];
  if (segments !== undefined) return { kind: "document", chain, segments: Number(segments) };
  return OBJECT.test(file) ? { kind: "object", chain } : null;
}
