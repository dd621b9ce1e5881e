/**
 * Logs to be archived, of servers that are lists of transactions: each a few bytes that name it, so that what lies in a
 * bucket can be read back without any code of the archive's own.
 */
import { type Inventory, readInventory } from "../../shared/backup/archive/inventory.ts";
import { archiveFolder } from "../../shared/backup/archive/keys.ts";
import {
  type Archived,
  type ArchiveWork,
  archiveOnce,
  type LogSource,
} from "../../shared/backup/archive/pass.ts";
import { manifestKey, type Place, partKey } from "../../shared/backup/layout.ts";
import { encodeManifest, type Manifest } from "../../shared/backup/manifest.ts";
import { openSealed } from "../../shared/backup/seal.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { fail, type Outcome, succeed } from "../../shared/model/outcome.ts";
import type { LogPiece, ReadLogFile } from "../../shared/ports/log-stream.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { CLUSTER, PLACE } from "./job-work.ts";
import { collect, patienceOf } from "./streams.ts";

export interface Committed {
  readonly gtid: string;
  readonly atUs: number;
}

export const UUID_A = "aaaaaaaa-0000-4000-8000-000000000000";
export const UUID_B = "bbbbbbbb-0000-4000-8000-000000000000";
export const START_US: number = Date.parse("2026-11-23T04:00:00Z") * 1_000;

/** One transaction each step; what B commits is later by a hundred steps. */
export const committed = (uuid: string, from: number, to: number, stepUs = 1_000_000): readonly Committed[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    gtid: `${uuid}:${from + index}`,
    atUs: START_US + (from + index + (uuid === UUID_B ? 100 : 0)) * stepUs,
  }));

export interface Logged {
  readonly uuid: string;
  readonly log: readonly Committed[];
  /** How many of the first are no longer in the log. */
  readonly purged: number;
}

export const HEAD = Buffer.from("head;");
export const setOf = (committed: readonly Committed[]): string =>
  gtidSets.union(committed.map(({ gtid }) => gtid).join(","), "");

/** Every transaction comes in three pieces, so that it can be cut off within. */
export async function* piecesOf(
  committed: readonly Committed[],
  everyHead = 1_000,
): AsyncGenerator<LogPiece> {
  for (const [index, { gtid, atUs }] of committed.entries()) {
    if (index % everyHead === 0) yield { kind: "head", bytes: HEAD };
    yield { kind: "transaction", gtid, committedAtUs: atUs, bytes: Buffer.from("<"), ends: false };
    yield { kind: "more", bytes: Buffer.from(`${gtid}@${atUs}`), ends: false };
    yield { kind: "more", bytes: Buffer.from(">"), ends: true };
  }
}

export function sourceOf({ uuid, log, purged }: Logged, more: Partial<LogSource> = {}): LogSource {
  return {
    ...{ serverUuid: uuid, version: "9.7.4", isEncrypted: false },
    ...{ executed: setOf(log), purged: setOf(log.slice(0, purged)) },
    stream: (except) => piecesOf(log.slice(purged).filter(({ gtid }) => !gtidSets.contains(except, gtid))),
    ...more,
  };
}

export function archive(work: ArchiveWork, source: LogSource): Promise<Outcome<Archived>> {
  return archiveOnce(work, () => Promise.resolve(succeed(source)));
}

/** Of a file of these logs. */
export function transactionsIn(text: string): readonly Committed[] {
  return [...text.matchAll(/<([^<>@]*)@(\d+)>/g)].map(([, gtid = "", atUs]) => ({
    gtid,
    atUs: Number(atUs),
  }));
}

export const readLogFile: ReadLogFile = async function* (file) {
  yield* piecesOf(transactionsIn((await collect(file)).toString()));
};

let tokens = 0;

export function archiveWork(store: ObjectStore, more: Partial<ArchiveWork> = {}): ArchiveWork {
  const clock = { now: () => Date.parse("2026-11-23T05:00:00Z"), sleep: () => Promise.resolve() };
  const ids = {
    password() {
      tokens += 1;
      return `${10_000_000 + tokens}`.padEnd(32, "x");
    },
    fraction: () => 0,
  };
  return {
    ...{ cluster: CLUSTER, place: PLACE, store, positions: gtidSets, ageRecipients: [], clock, ids },
    ...{ patience: { ...patienceOf(1), clock, ids }, signal: new AbortController().signal },
    ...{ segmentBytesMax: 200, segmentAgeMsMax: 60_000, lookEveryMs: 0 },
    askTip: () => Promise.resolve(fail("transient", "there is no primary")),
    shape: { sliceBytes: 1_000, partBytes: 100, parallel: 1 },
    ...more,
  };
}

/** Later than anything that these tests archive, so that it is the log alone that says what was held when. */
const ENDED = "2026-12-31T00:00:00.000Z";

/** A backup that holds `position`, without anything in it. */
export async function putBackup(
  store: ObjectStore,
  position: string,
  more: Partial<Manifest> = {},
  slot = "2026-11-23T03:00:00.000Z",
): Promise<void> {
  const SHA = "0".repeat(64);
  const slotMs = Date.parse(slot);
  const manifest: Manifest = {
    ...{ v: 1, cluster: CLUSTER, slot, attempt: 1, method: "physical", databases: null, position },
    engine: { name: "mysql", version: "9.7.4" },
    ...{ startedAt: slot, endedAt: ENDED, serverUuid: "00000001-0000-0000-0000-000000000000" },
    parts: [{ name: "data.tar.zst", bytes: 4, sha256: SHA, plainBytes: 4, plainSha256: SHA }],
    ...{ checksums: null, compression: { name: "zstd", level: 3 }, encryption: null, tools: [] },
    asked: { how: "schedule", by: null },
    ...more,
  };
  await store.put(partKey(PLACE, { slotMs, attempt: 1, name: "data.tar.zst" }), Buffer.alloc(4));
  await store.put(manifestKey(PLACE, slotMs), Buffer.from(encodeManifest(manifest)));
}

export function inventoryIn(store: ObjectStore, place: Place = PLACE): Promise<Inventory> {
  return readInventory(store, place, gtidSets);
}

/** The transactions that stand in the segments' bytes, in their order. */
export async function storedIn(store: ObjectStore): Promise<readonly (readonly string[])[]> {
  const { segments } = await inventoryIn(store);
  const found: string[][] = [];
  for (const { parts } of segments) {
    const objects = parts.map(({ key, bytes, sha256, plainBytes, plainSha256 }) => ({
      key,
      stored: { size: bytes, sha256 },
      plain: { size: plainBytes, sha256: plainSha256 },
    }));
    const text = await collect(openSealed({ store, objects, identity: null, patience: patienceOf(1) }));
    found.push(transactionsIn(text.toString()).map(({ gtid }) => gtid));
  }
  return found;
}

export const ARCHIVE = archiveFolder(PLACE);
