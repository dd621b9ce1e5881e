/** A bucket with backups in it, as the store lists it and as its documents read. */
import type { Document, Holdings, Listed } from "../../../shared/backup/catalogue.ts";
import { manifestKey, type Place, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { encodeManifest, encodeProof, type Manifest, type Proof } from "../../../shared/backup/manifest.ts";
import { type Outcome, succeed } from "../../../shared/model/outcome.ts";

export const PLACE: Place = { prefix: "team/shop", clusterUid: "6f0c1c5e-52e5-4a39-9b05-0c7f3d5f3a11" };
export const SHA = "0".repeat(64);
const MODIFIED = "2026-11-23T03:05:00.000Z";

export const at = (text: string): number => Date.parse(text);

export function manifest(slotMs: number, more: Partial<Manifest> = {}): Manifest {
  return {
    v: 1,
    cluster: { namespace: "shop", name: "mysql", uid: PLACE.clusterUid },
    slot: new Date(slotMs).toISOString(),
    attempt: 1,
    engine: { name: "mysql", version: "9.7.4" },
    method: "physical",
    databases: null,
    startedAt: new Date(slotMs + 2_000).toISOString(),
    endedAt: new Date(slotMs + 60_000).toISOString(),
    position: "00000000-0000-0000-0000-000000000000:1-100",
    serverUuid: "00000001-0000-0000-0000-000000000000",
    parts: [
      { name: "volume.tar.zst", bytes: 900, sha256: SHA, plainBytes: 4_000, plainSha256: SHA },
      { name: "checksums.json", bytes: 10, sha256: SHA, plainBytes: 10, plainSha256: SHA },
    ],
    checksums: "checksums.json",
    compression: { name: "zstd", level: 3 },
    encryption: null,
    asked: { how: "schedule", by: null },
    tools: [{ name: "ordinal", version: "0.0.0" }],
    ...more,
  };
}

export function proof(slotMs: number, more: Partial<Proof> = {}): Proof {
  return {
    v: 1,
    clusterUid: PLACE.clusterUid,
    slot: new Date(slotMs).toISOString(),
    manifestSha256: digest(encodeManifest(manifest(slotMs))),
    at: new Date(slotMs + 600_000).toISOString(),
    tookMs: 30_000,
    fault: null,
    checked: [{ what: "tables", count: 12 }],
    ...more,
  };
}

/** Stands for the real digest: equal texts, equal digests. */
function digest(text: string): string {
  let sum = 7;
  for (const sign of text) sum = (sum * 31 + (sign.codePointAt(0) ?? 0)) % 4_294_967_291;
  return sum.toString(16).padStart(64, "0");
}

export interface Bucket {
  readonly listing: readonly Listed[];
  readonly documents: ReadonlyMap<string, Outcome<Document>>;
}

const EMPTY: Bucket = { listing: [], documents: new Map() };

export function object(key: string, size: number, modifiedAt: string = MODIFIED): Bucket {
  return { listing: [{ key, size, modifiedAt }], documents: new Map() };
}

export function document(key: string, text: string): Bucket {
  const { listing } = object(key, text.length);
  return { listing, documents: new Map([[key, succeed({ text, sha256: digest(text) })]]) };
}

export function bucket(...parts: readonly Bucket[]): Bucket {
  return parts.reduce(
    (all, one) => ({
      listing: [...all.listing, ...one.listing],
      documents: new Map([...all.documents, ...one.documents]),
    }),
    EMPTY,
  );
}

/** The objects of one attempt, without a manifest. */
export function parts(slotMs: number, attempt = 1, modifiedAt: string = MODIFIED): Bucket {
  const of = manifest(slotMs).parts;
  return bucket(
    ...of.map(({ name, bytes }) => object(partKey(PLACE, { slotMs, attempt, name }), bytes, modifiedAt)),
  );
}

export function backup(slotMs: number): Bucket {
  return bucket(parts(slotMs), document(manifestKey(PLACE, slotMs), encodeManifest(manifest(slotMs))));
}

export function proven(slotMs: number, more: Partial<Proof> = {}): Bucket {
  return bucket(backup(slotMs), document(proofKey(PLACE, slotMs), encodeProof(proof(slotMs, more))));
}

export function without({ listing, documents }: Bucket, key: string): Bucket {
  return { documents, listing: listing.filter((one) => one.key !== key) };
}

export function holdings({ listing, documents }: Bucket): Holdings {
  return { listing: succeed(listing), documents };
}
