/**
 * The two documents of a backup. The manifest says all that a restore has to know, and is written when everything that it
 * names is there; the proof says how restoring it went. Both are read from a bucket that others may write to: strictly,
 * within limits, and only for the cluster and the slot under whose key they stand.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { canonicalJson, parseJson } from "../annotations/json.ts";
import { versionOf } from "../annotations/version.ts";
import { ATTEMPTS_MAX, BACKUP_METHODS } from "../model/backup.ts";

export const MANIFEST_VERSION = 1;
/** A position may hold ten thousand intervals; the rest is small. */
export const MANIFEST_BYTES_MAX: number = 4 * 1024 * 1024;
const PROOF_BYTES_MAX = 64 * 1024;

const instant = z.iso.datetime();
const bytes = z.number().int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const line = z.string().max(256);

/** One object of a sealed stream. */
export const partSchema = z.strictObject({
  /** Within the folder of the attempt. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._$-]{0,127}$/),
  /** As stored: compressed and encrypted. */
  bytes,
  sha256,
  /** As it was before that. */
  plainBytes: bytes,
  plainSha256: sha256,
});

const manifestSchema = z.strictObject({
  v: z.literal(MANIFEST_VERSION),
  cluster: z.strictObject({ namespace: line, name: line, uid: line }),
  slot: instant,
  /** In whose folder the parts are. */
  attempt: z.number().int().min(1).max(ATTEMPTS_MAX),
  engine: z.strictObject({ name: line, version: line }),
  method: z.enum(BACKUP_METHODS),
  /** Null = all. */
  databases: z.array(line).max(1_000).nullable(),
  startedAt: instant,
  endedAt: instant,
  /** Every transaction that the backup holds, as the engine writes positions. */
  position: z.string().max(2 * 1024 * 1024),
  /** The server that was copied. */
  serverUuid: line,
  parts: z.array(partSchema).min(1).max(10_000),
  /** The part with the rows of all tables as they were counted at this position; null = there is none. */
  checksums: line.nullable(),
  compression: z.strictObject({ name: z.enum(["zstd", "none"]), level: z.number().int() }),
  /** Public keys of those who can read it; null = it is not encrypted. */
  encryption: z.strictObject({ name: z.literal("age"), recipients: z.array(line).min(1).max(16) }).nullable(),
  asked: z.strictObject({ how: z.enum(["schedule", "request"]), by: line.nullable() }),
  tools: z.array(z.strictObject({ name: line, version: line })).max(16),
});
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * As it is written: with the SHA-256 of all the rest of it, since nothing else says what a manifest was. A changed part is
 * found by its hash, a changed name or instant by nothing.
 */
const writtenSchema = manifestSchema.extend({ sha256 });

const digestOf = (manifest: Manifest) => createHash("sha256").update(canonicalJson(manifest)).digest("hex");

const proofSchema = z.strictObject({
  v: z.literal(MANIFEST_VERSION),
  clusterUid: line,
  slot: instant,
  /** Of the manifest as it was read: a proof is of that backup and no other. */
  manifestSha256: sha256,
  at: instant,
  tookMs: z.number().int().min(0),
  /** Null = it was restored and found whole; else what was wrong. */
  fault: z.string().max(400).nullable(),
  /** What was compared, and how much of it. */
  checked: z.array(z.strictObject({ what: line, count: bytes })).max(16),
});
export type Proof = z.infer<typeof proofSchema>;

/** Under whose key a document stands. */
export interface Standing {
  readonly clusterUid: string;
  readonly slotMs: number;
}

export type Read<T> =
  | { readonly kind: "valid"; readonly value: T }
  /** One phrase for people. */
  | { readonly kind: "unusable"; readonly why: string };

function unusable(why: string): Read<never> {
  return { kind: "unusable", why };
}

function read<T extends { readonly slot: string }>(
  text: string,
  schema: z.ZodType<T>,
  bytesMax: number,
  belongs: (value: T) => boolean,
): Read<T> {
  const parsed = parseJson(text, bytesMax);
  if (!parsed.ok) return unusable(`it cannot be read: ${parsed.reason}`);
  const version = versionOf(parsed.value);
  if (version > MANIFEST_VERSION) return unusable(`it is of version ${version}, which a newer Ordinal wrote`);
  const checked = schema.safeParse(parsed.value);
  if (!checked.success) {
    const path = checked.error.issues[0]?.path.join(".");
    return unusable(path ? `its ${path} is not as it should be` : "it is not as it should be");
  }
  return belongs(checked.data)
    ? { kind: "valid", value: checked.data }
    : unusable("it is of another cluster or slot");
}

/** Never throws. */
export function decodeManifest(text: string, { clusterUid, slotMs }: Standing): Read<Manifest> {
  const written = read(
    text,
    writtenSchema,
    MANIFEST_BYTES_MAX,
    ({ cluster, slot }) => cluster.uid === clusterUid && Date.parse(slot) === slotMs,
  );
  if (written.kind === "unusable") return written;
  const { sha256: digest, ...manifest } = written.value;
  const { parts, checksums } = manifest;
  const names = new Set(parts.map(({ name }) => name));
  if (names.size < parts.length) return unusable("it names a part twice");
  if (checksums !== null && !names.has(checksums)) return unusable("its checksums are no part of it");
  if (digest !== digestOf(manifest)) return unusable("it was changed after it was written");
  return { kind: "valid", value: manifest };
}

/** Never throws. */
export function decodeProof(text: string, { clusterUid, slotMs }: Standing): Read<Proof> {
  return read(
    text,
    proofSchema,
    PROOF_BYTES_MAX,
    (proof) => proof.clusterUid === clusterUid && Date.parse(proof.slot) === slotMs,
  );
}

/** Canonical, so that its checksum says whether it is the same. Throws on a value that could not be read back. */
export function encodeManifest(manifest: Manifest): string {
  const checked = manifestSchema.parse(manifest);
  return canonicalJson({ ...checked, sha256: digestOf(checked) });
}

export function encodeProof(proof: Proof): string {
  return canonicalJson(proofSchema.parse(proof));
}
