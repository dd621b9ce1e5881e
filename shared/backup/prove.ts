/**
 * Proves a backup: restores it into a server that is thrown away, and compares what that holds with what the manifest
 * says. The result is written beside the manifest and is of this manifest alone. Whatever could be otherwise tomorrow (a
 * store that is away, a disk that is full) is no result, and nothing is written of it.
 */
import { BrokenStream, orBreak } from "../model/broken-stream.ts";
import type { ProofTask } from "../model/job-order.ts";
import type { Outcome } from "../model/outcome.ts";
import { type Identity, parseIdentity } from "./age-keys.ts";
import type { Document } from "./catalogue.ts";
import { type Restored, type TableCounts, tableCountsSchema } from "./copies.ts";
import { type Bytes, outcomeOf, unusable } from "./flow.ts";
import { readDocument } from "./holdings.ts";
import { manifestKey, partKey, proofKey } from "./layout.ts";
import { decodeManifest, encodeProof, MANIFEST_VERSION, type Manifest, type Proof } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { openSealed, type SealedObject } from "./seal.ts";
import { patienceOf, placeOf, progressOf, stoppable, type Work } from "./work.ts";

const FAULT_CHARS_MAX = 400;
/** A hundred thousand tables with long names. */
const COUNTS_BYTES_MAX = 32 * 1024 * 1024;

/** What was proven, as one sentence; the failure is what is wrong with the backup. */
export async function proveBackup(work: Work, task: ProofTask): Promise<Outcome<string>> {
  return await outcomeOf(async () => {
    const { store, clock } = work;
    const startMs = clock.now();
    const standing = { clusterUid: work.cluster.uid, slotMs: Date.parse(task.slot) };
    const key = manifestKey(placeOf(work), standing.slotMs);
    const document = await patiently(patienceOf(work), () => readDocument(store, key));
    const read = decodeManifest(document.text, standing);
    if (read.kind === "unusable")
      throw unusable(`The manifest of the backup of ${task.slot} is no use: ${read.why}.`);
    const identity = identityFor(work, read.value);
    const checked = await outcomeOf(() => restoreAndCheck(work, read.value, identity));
    if (!checked.ok && checked.failure.kind !== "refused") throw new BrokenStream(checked.failure);
    await writeProof(work, task, document, {
      at: new Date(clock.now()).toISOString(),
      tookMs: Math.max(0, Math.round(clock.now() - startMs)),
      fault: checked.ok ? null : checked.failure.message.slice(0, FAULT_CHARS_MAX),
      checked: checked.ok ? [...checked.value] : [],
    });
    const found = orBreak(checked).map(({ what, count }) => `${count} ${what}`);
    return `The backup of ${task.slot} was restored and found whole: ${found.join(", ")}.`;
  });
}

async function writeProof(
  work: Work,
  { slot }: ProofTask,
  { sha256 }: Document,
  result: Pick<Proof, "at" | "tookMs" | "fault" | "checked">,
): Promise<void> {
  const of = { v: MANIFEST_VERSION, clusterUid: work.cluster.uid, slot, manifestSha256: sha256 } as const;
  const text = Buffer.from(encodeProof({ ...of, ...result }));
  await patiently(patienceOf(work), () => work.store.put(proofKey(placeOf(work), Date.parse(slot)), text));
}

function identityFor({ settings }: Work, { encryption }: Manifest): Identity | null {
  if (encryption === null) return null;
  const identity = settings.ageIdentity === null ? null : parseIdentity(settings.ageIdentity);
  if (identity !== null) return identity;
  const message = `The backup is encrypted; put ageIdentity into the Secret ${settings.name} to have it proven.`;
  throw unusable(message);
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
  const data = parts.filter(({ name }) => name !== checksums);
  const counted = parts.filter(({ name }) => name === checksums);
  if (data.length === 0) throw unusable("The manifest names nothing that was copied.");
  return {
    data: open(data),
    bytes: data.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
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

async function restoreAndCheck(
  work: Work,
  manifest: Manifest,
  identity: Identity | null,
): Promise<Proof["checked"]> {
  const { data, bytes, counts } = contentsOf(work, manifest, identity);
  // The small one first: what is wrong with it is found before hours have gone by.
  const expected = counts === null ? null : await readCounts(counts);
  const stream = measured(data, progressOf(work, bytes));
  const restored = await work.copies.restore(manifest.method, stream, manifest.position);
  const fault = faultOf(restored, expected);
  if (fault !== null) throw unusable(`The backup of ${manifest.slot} was restored, and ${fault}.`);
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
  if (expected === null) return null;
  const named = new Map(expected.tables.map(([database, table, count]) => [`${database}.${table}`, count]));
  for (const [database, table, count] of counts.tables) {
    const wanted = named.get(`${database}.${table}`);
    if (wanted !== count) return `${database}.${table} has ${count} rows in place of ${wanted ?? "no table"}`;
    named.delete(`${database}.${table}`);
  }
  const [missing] = named.keys();
  return missing === undefined ? null : `${missing} is missing`;
}
