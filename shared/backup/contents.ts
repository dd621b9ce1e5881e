/**
 * What a manifest names, read from the store and put together again, and what a server that was made of it is compared
 * with. A proof and a restore look at a backup in the same way, so that the one says something of the other.
 */
import { type Identity, parseIdentity } from "./age-keys.ts";
import { type Restored, type TableCounts, tableCountsSchema } from "./copies.ts";
import { type Bytes, unusable } from "./flow.ts";
import { partKey } from "./layout.ts";
import type { Manifest, Proof } from "./manifest.ts";
import { openSealed, type SealedObject } from "./seal.ts";
import { patienceOf, placeOf, progressOf, stoppable, type Work } from "./work.ts";

/** A hundred thousand tables with long names. */
const COUNTS_BYTES_MAX = 32 * 1024 * 1024;

/** The key that opens it; null = it is not encrypted. Throws `BrokenStream`, `refused`, when we have none. */
export function identityFor({ settings }: Work, { encryption }: Manifest): Identity | null {
  if (encryption === null) return null;
  const identity = settings.ageIdentity === null ? null : parseIdentity(settings.ageIdentity);
  if (identity === null) {
    throw unusable(
      `The backup is encrypted; put ageIdentity into the Secret ${settings.name} to have it read.`,
    );
  }
  if (encryption.recipients.includes(identity.recipient)) return identity;
  throw unusable(
    `The backup is encrypted for other keys than the ageIdentity in the Secret ${settings.name}; put that of ` +
      `${encryption.recipients[0]} there.`,
  );
}

/** A manifest, and the key of what it names; null = it is not encrypted. */
export interface Opened {
  readonly manifest: Manifest;
  readonly identity: Identity | null;
  /** That it was restored before, as it is byte by byte, and found whole; null = nobody knows. */
  readonly proof: Proof | null;
}

/** What was copied, without what was counted. */
export function copiedParts({ parts, checksums }: Manifest): Manifest["parts"] {
  return parts.filter(({ name }) => name !== checksums);
}

/** Bytes of the stream that was copied. */
export function copiedBytes(manifest: Manifest): number {
  return copiedParts(manifest).reduce((sum, { plainBytes }) => sum + plainBytes, 0);
}

interface Contents {
  /** The stream that was copied. */
  readonly data: Bytes;
  readonly bytes: number;
  /** Null where nothing was counted. */
  readonly counts: Bytes | null;
}

function contentsOf(work: Work, manifest: Manifest, identity: Identity | null): Contents {
  const { parts, checksums, attempt, slot } = manifest;
  const slotMs = Date.parse(slot);
  const open = (chosen: typeof parts): Bytes => {
    const objects = chosen.map(
      ({ name, bytes, sha256, plainBytes, plainSha256 }): SealedObject => ({
        key: partKey(placeOf(work), { slotMs, attempt, name }),
        stored: { size: bytes, sha256 },
        plain: { size: plainBytes, sha256: plainSha256 },
      }),
    );
    const sealed = openSealed({ store: work.store, objects, identity, patience: patienceOf(work) });
    return stoppable(sealed, work.signal);
  };
  const data = copiedParts(manifest);
  const counted = parts.filter(({ name }) => name === checksums);
  if (data.length === 0) throw unusable("The manifest names nothing that was copied.");
  return {
    data: open(data),
    bytes: copiedBytes(manifest),
    counts: counted.length === 0 ? null : open(counted),
  };
}

async function readCounts(source: Bytes): Promise<TableCounts> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > COUNTS_BYTES_MAX) throw unusable("The rows of the tables are counted in too large an object.");
    chunks.push(Uint8Array.from(chunk));
  }
  const text = Buffer.concat(chunks).toString("utf8");
  const parsed = tableCountsSchema.safeParse(jsonOrNull(text));
  if (!parsed.success) throw unusable("The rows of the tables are not counted as they should be.");
  return parsed.data;
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function* measured(source: Bytes, onBytes: (bytes: number) => void): Bytes {
  for await (const chunk of source) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/**
 * Has a server made of the stream by `restore`, and compares; gives what was looked at. Throws `BrokenStream`, `refused`
 * with what is wrong when it is the backup.
 */
export async function restoreAndCheck(
  work: Work,
  { manifest, identity, proof }: Opened,
  restore: (stream: Bytes) => Promise<Restored>,
): Promise<Proof["checked"]> {
  const { data, bytes, counts } = contentsOf(work, manifest, identity);
  // The small one first: what is wrong with it is found before hours have gone by.
  const expected = counts === null ? null : await readCounts(counts);
  const stream = measured(data, progressOf(work, bytes));
  const restored = await restore(stream);
  const fault = faultOf(restored, expected);
  if (fault !== null) throw unusable(`The backup of ${manifest.slot} was restored, and ${fault}.`);
  if (restored.counts === null) return proof?.checked ?? [{ what: "bytes", count: bytes }];
  const { tables } = restored.counts;
  const rows = tables.reduce((sum, [, , count]) => sum + count, 0);
  return [
    { what: "bytes", count: bytes },
    { what: "tables", count: tables.length },
    { what: "rows", count: rows },
  ];
}

function faultOf({ astray, damage, counts }: Restored, expected: TableCounts | null): string | null {
  if (astray !== null) return astray;
  if (damage !== null) return `a table is damaged: ${damage}`;
  if (expected === null || counts === null) return null;
  const named = new Map(expected.tables.map(([database, table, count]) => [`${database}.${table}`, count]));
  for (const [database, table, count] of counts.tables) {
    const wanted = named.get(`${database}.${table}`);
    if (wanted !== count) return `${database}.${table} has ${count} rows in place of ${wanted ?? "no table"}`;
    named.delete(`${database}.${table}`);
  }
  const [missing] = named.keys();
  return missing === undefined ? null : `${missing} is missing`;
}

/** `4000 bytes, 2 tables, 10 rows`. */
export function found(checked: Proof["checked"]): string {
  return checked.map(({ what, count }) => `${count} ${what}`).join(", ");
}
