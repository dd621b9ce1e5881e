/**
 * Which backups there are, from what the store lists and from the documents that it holds: the only truth about them. A
 * backup counts when its manifest can be read and each of its parts is listed with the very size that the manifest
 * names. What cannot be told for sure is said to be so, and whatever deletes then deletes nothing.
 */
import type { Failure, Outcome } from "../model/outcome.ts";
import { type BackupKey, type Place, parseKey, partKey } from "./layout.ts";
import { decodeManifest, decodeProof, type Manifest, type Proof } from "./manifest.ts";

/** An object as the store lists it. */
export interface Listed {
  readonly key: string;
  readonly size: number;
  /** RFC 3339, by the store's clock. */
  readonly modifiedAt: string;
}

/** A manifest or a proof as it was fetched. */
export interface Document {
  readonly text: string;
  /** Of the text, lower-case hexadecimal. */
  readonly sha256: string;
}

export interface Holdings {
  /** Everything under `backupsFolder`, every page of it. */
  readonly listing: Outcome<readonly Listed[]>;
  /** By key: one for each that `documentKeys` names. */
  readonly documents: ReadonlyMap<string, Outcome<Document>>;
}

export type Soundness =
  | { readonly kind: "complete" }
  /** It cannot be restored: a part is missing or of another size. */
  | { readonly kind: "damaged"; readonly why: string }
  /** Its manifest cannot be used, so it is not known what belongs to it. */
  | { readonly kind: "unknown"; readonly why: string };

export interface Backup {
  readonly slotMs: number;
  readonly soundness: Soundness;
  /** Null when it cannot be used. */
  readonly manifest: Manifest | null;
  /** Of this very manifest; null = none, or of another one. */
  readonly proof: Proof | null;
  /** All keys of its own, its manifest first. */
  readonly keys: readonly string[];
  /** Of its parts. */
  readonly bytes: number;
}

/** Parts of an attempt that no manifest names: it was given up, or is under way. */
export interface Leftover {
  readonly slotMs: number;
  readonly keys: readonly string[];
  readonly bytes: number;
  /** When the last of them was written, milliseconds since 1970; NaN where the store does not say. */
  readonly modifiedAtMs: number;
}

export interface Catalogue {
  /** Oldest first. */
  readonly backups: readonly Backup[];
  readonly leftovers: readonly Leftover[];
  /** What could not be read; null = everything was, and nothing is missing from the picture. */
  readonly gap: Failure | null;
}

type Placed = Listed & { readonly parsed: BackupKey };

function placed(place: Place, listing: readonly Listed[]): readonly Placed[] {
  return listing.flatMap((listed) => {
    const parsed = parseKey(place, listed.key);
    return parsed === null ? [] : [{ ...listed, parsed }];
  });
}

/** What has to be fetched before the catalogue can be made. */
export function documentKeys(place: Place, listing: readonly Listed[]): readonly string[] {
  return placed(place, listing)
    .filter(({ parsed }) => parsed.kind !== "part")
    .map(({ key }) => key);
}

interface Slot {
  readonly slotMs: number;
  readonly objects: readonly Placed[];
}

function soundnessOf(place: Place, manifest: Manifest, { slotMs, objects }: Slot): Soundness {
  const sizes = new Map(objects.map(({ key, size }) => [key, size]));
  for (const { name, bytes } of manifest.parts) {
    const listed = sizes.get(partKey(place, { slotMs, attempt: manifest.attempt, name }));
    if (listed === undefined) return { kind: "damaged", why: `part ${name} is missing` };
    if (listed !== bytes)
      return { kind: "damaged", why: `part ${name} has ${listed} bytes and not ${bytes}` };
  }
  return { kind: "complete" };
}

function proofOf(place: Place, slot: Slot, manifest: Document, proof: Document | null): Proof | null {
  if (proof === null) return null;
  const read = decodeProof(proof.text, { ...place, slotMs: slot.slotMs });
  return read.kind === "valid" && read.value.manifestSha256 === manifest.sha256 ? read.value : null;
}

interface Documents {
  readonly manifest: Document;
  readonly proof: Document | null;
}

function backupOf(place: Place, slot: Slot, documents: Documents): Backup {
  const { slotMs, objects } = slot;
  const read = decodeManifest(documents.manifest.text, { ...place, slotMs });
  const manifest = read.kind === "valid" ? read.value : null;
  // Without a manifest that can be used everything in its folder may belong to it.
  const own = objects.filter(
    ({ parsed }) => parsed.kind !== "part" || manifest === null || parsed.attempt === manifest.attempt,
  );
  const rank = ({ parsed }: Placed) => ["manifest", "proof", "part"].indexOf(parsed.kind);
  return {
    slotMs,
    manifest,
    soundness:
      read.kind === "valid" ? soundnessOf(place, read.value, slot) : { kind: "unknown", why: read.why },
    proof: manifest === null ? null : proofOf(place, slot, documents.manifest, documents.proof),
    keys: own.toSorted((a, b) => rank(a) - rank(b)).map(({ key }) => key),
    bytes: own.filter(({ parsed }) => parsed.kind === "part").reduce((sum, { size }) => sum + size, 0),
  };
}

/** What is left of a slot beside `own`, one entry for each attempt; a proof goes with the first. */
function leftoversOf({ slotMs, objects }: Slot, own: ReadonlySet<string>): readonly Leftover[] {
  const attemptOf = ({ parsed }: Placed) => (parsed.kind === "part" ? parsed.attempt : 0);
  const rest = objects.filter(({ key }) => !own.has(key));
  return [...Map.groupBy(rest, attemptOf).values()].map((parts) => ({
    slotMs,
    keys: parts.map(({ key }) => key),
    bytes: parts.reduce((sum, { size }) => sum + size, 0),
    modifiedAtMs: Math.max(...parts.map(({ modifiedAt }) => Date.parse(modifiedAt))),
  }));
}

/** Never throws. */
export function catalogueOf(place: Place, { listing, documents }: Holdings): Catalogue {
  if (!listing.ok) return { backups: [], leftovers: [], gap: listing.failure };
  const backups: Backup[] = [];
  const leftovers: Leftover[] = [];
  let gap: Failure | null = null;
  const fetched = (key: string | undefined): Document | null => {
    if (key === undefined) return null;
    const document = documents.get(key);
    if (document?.ok === true) return document.value;
    gap ??= document?.failure ?? { kind: "gone", message: `${key} was listed and not read` };
    return null;
  };
  const slots = Map.groupBy(placed(place, listing.value), ({ parsed }) => parsed.slotMs);
  for (const [slotMs, objects] of [...slots].toSorted(([a], [b]) => a - b)) {
    const keyOf = (kind: BackupKey["kind"]) => objects.find(({ parsed }) => parsed.kind === kind)?.key;
    const [manifest, proof] = [fetched(keyOf("manifest")), fetched(keyOf("proof"))];
    const slot = { slotMs, objects };
    const backup = manifest === null ? null : backupOf(place, slot, { manifest, proof });
    if (backup !== null) backups.push(backup);
    leftovers.push(...leftoversOf(slot, new Set(backup?.keys)));
  }
  return { backups, leftovers, gap };
}

function isComplete({ soundness }: Backup): boolean {
  return soundness.kind === "complete";
}

/** Complete, and nobody has tried to restore it and found that it cannot be. */
export function isRestorable(backup: Backup): boolean {
  return isComplete(backup) && (backup.proof === null || backup.proof.fault === null);
}

/** It was restored and found whole, as it is now. */
export function isProven(backup: Backup): boolean {
  return isRestorable(backup) && backup.proof !== null;
}

/** The newest one, unless it is proven already or failed its proof: then there is nothing to be learnt. */
export function nextToProve({ backups }: Catalogue): Backup | null {
  const newest = backups.findLast(isComplete);
  return newest === undefined || newest.proof !== null ? null : newest;
}
