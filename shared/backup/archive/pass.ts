/**
 * One pass of the archive: from what the bucket has on, a server's log becomes segments in the bucket. Killed anywhere it
 * loses nothing, because the next pass finds out anew what is missing; run twice at once it stores some
 * transactions twice, and they count once.
 */
import { BrokenStream, orBreak } from "../../model/broken-stream.ts";
import type { PositionAlgebra } from "../../model/engine.ts";
import type { JobOrder } from "../../model/job-order.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { Clock, Ids } from "../../ports/host.ts";
import type { LogPiece } from "../../ports/log-stream.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { parseRecipient } from "../age-keys.ts";
import { type Catalogue, isRestorable } from "../catalogue.ts";
import { outcomeOf } from "../flow.ts";
import { readCatalogue } from "../holdings.ts";
import type { Place } from "../layout.ts";
import { type Patience, patiently } from "../patience.ts";
import { type SealShape, sealStream } from "../seal.ts";
import { CHAIN_VERSION, encodeChain, type SegmentRecord } from "./chain.ts";
import { archivedBy, readInventory, type Segment } from "./inventory.ts";
import { CHAIN_SEGMENTS_MAX, type ChainName, chainFolder, chainKey, chainName, objectName } from "./keys.ts";
import { type Cut, cutSegments } from "./segments.ts";
import type { Start } from "./window.ts";

/** A healthy server whose log is archived. */
export interface LogSource {
  readonly serverUuid: string;
  readonly version: string;
  readonly executed: Position;
  /** Executed, and no longer in its log. */
  readonly purged: Position;
  /** It encrypts its log on its disk. */
  readonly isEncrypted: boolean;
  /** What is in its log and not in `except`; throws `BrokenStream`. */
  stream(except: Position): AsyncIterable<LogPiece>;
}

export interface ArchiveWork {
  readonly cluster: JobOrder["cluster"];
  readonly place: Place;
  readonly store: ObjectStore;
  readonly positions: PositionAlgebra;
  /** Public keys of age; none = nothing is encrypted. */
  readonly ageRecipients: readonly string[];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly patience: Patience;
  /** Aborted when the pass is to end after the transaction under way. */
  readonly signal: AbortSignal;
  /** A segment takes no further transaction when it is so large or so old. */
  readonly segmentBytesMax: number;
  readonly segmentAgeMsMax: number;
  /** Absent = as a backup is. */
  readonly shape?: Partial<SealShape>;
}

export interface Archived {
  readonly segments: number;
  readonly transactions: number;
  /** Microseconds since 1970, of the latest commit that was stored; null = there was nothing to store. */
  readonly lastAtUs: number | null;
  /** What this server no longer has and the archive never had: a gap, until a newer backup holds it. */
  readonly lost: Position;
}

/** Backups that a recovery can begin with: restorable, and of all databases. */
export function startsOf({ backups }: Catalogue): readonly Start[] {
  return backups.flatMap((backup) => {
    const { slotMs, manifest } = backup;
    if (manifest === null || manifest.databases !== null || !isRestorable(backup)) return [];
    return [{ slotMs, position: manifest.position }];
  });
}

interface Held {
  /** Of the oldest backup. */
  readonly start: Position;
  readonly segments: readonly Segment[];
}

/** `conflict` while there is no backup to go on from: without one, logs recover nothing. */
async function alreadyHeld({ store, place, positions }: ArchiveWork): Promise<Outcome<Held>> {
  const catalogue = await readCatalogue(store, place);
  if (catalogue.gap !== null) return { ok: false, failure: catalogue.gap };
  const [oldest] = startsOf(catalogue);
  if (oldest === undefined)
    return fail("conflict", "There is no backup yet for which logs could be archived.");
  const { segments, gap } = await readInventory(store, place, positions);
  if (gap !== null) return { ok: false, failure: gap };
  return succeed({ start: oldest.position, segments });
}

/** `refused` when nothing of this server's log may be stored; segments that were stored before a failure stay. */
export async function archiveOnce(work: ArchiveWork, source: LogSource): Promise<Outcome<Archived>> {
  const { ageRecipients } = work;
  if (source.isEncrypted && ageRecipients.length === 0) {
    const why =
      "The server encrypts its binary log and the store encrypts nothing; set ageRecipient in its Secret.";
    return fail("refused", why);
  }
  const held = await alreadyHeld(work);
  if (!held.ok) return held;
  return outcomeOf(() => goOn(work, source, held.value));
}

/**
 * What a segment goes on from must be all that was there before it and nothing later. Where something is missing in the
 * midst of what is held, because a segment was lost, all that is later is stored once more.
 */
async function goOn(work: ArchiveWork, source: LogSource, { start, segments }: Held): Promise<Archived> {
  const { positions } = work;
  const unknown = (position: Position) => positions.subtract(position, source.executed);
  const lost = positions.subtract(source.purged, positions.union(start, archivedBy(segments, positions)));
  let used = segments.filter(({ position }) => unknown(position) !== position);
  for (;;) {
    const held = positions.union(start, archivedBy(used, positions));
    // Only what this server has itself: it refuses whoever claims more, and what others have alone was never before its log.
    const missing = positions.subtract(positions.subtract(source.executed, held), source.purged);
    const after = positions.subtract(source.executed, missing);
    const newestUs = used.reduce((newest, { lastAtUs }) => Math.max(newest, lastAtUs), 0);
    const made = await store(work, source, { after, newestUs });
    if (made.kind === "done") return { ...made.archived, lost };
    used = used.filter(({ lastAtUs }) => lastAtUs <= made.earlierUs);
  }
}

type Made =
  | { readonly kind: "done"; readonly archived: Omit<Archived, "lost"> }
  /** The log began with something that was committed then, before what it was to go on from; nothing was stored. */
  | { readonly kind: "hole"; readonly earlierUs: number };

async function store(
  work: ArchiveWork,
  source: LogSource,
  { after, newestUs }: { readonly after: Position; readonly newestUs: number },
): Promise<Made> {
  const { clock, positions, segmentBytesMax, segmentAgeMsMax, signal } = work;
  const limits = { bytesMax: segmentBytesMax, ageMsMax: segmentAgeMsMax, clock, positions };
  let [segments, transactions] = [0, 0];
  let lastAtUs: number | null = null;
  let chain = beginChain(work, source, after);
  for await (const cut of cutSegments(source.stream(after), limits)) {
    if (chain.isFull()) {
      await chain.tidy();
      chain = beginChain(work, source, chain.end());
    }
    const record = await chain.store(cut);
    if (segments === 0 && record.firstAtUs < newestUs) {
      await chain.drop(record);
      return { kind: "hole", earlierUs: record.firstAtUs };
    }
    await chain.add(record);
    segments += 1;
    transactions += record.transactions;
    lastAtUs = Math.max(lastAtUs ?? 0, record.lastAtUs);
    if (signal.aborted) break;
  }
  await chain.tidy();
  return { kind: "done", archived: { segments, transactions, lastAtUs } };
}

const TOKEN_CHARS = 8;

interface OpenChain {
  isFull(): boolean;
  /** What the server had after its last segment. */
  end(): Position;
  /** Stores what is to be the next segment. */
  store(cut: Cut): Promise<SegmentRecord>;
  /** It counts from now on: its document is written, which is the last act. */
  add(record: SegmentRecord): Promise<void>;
  /** It is not to count. */
  drop(record: SegmentRecord): Promise<void>;
  /** Takes away documents that a later one has replaced; what stays does no harm. */
  tidy(): Promise<void>;
}

function beginChain(work: ArchiveWork, { serverUuid, version }: LogSource, after: Position): OpenChain {
  const { place, clock, ids, store, patience, positions, cluster, ageRecipients } = work;
  const name: ChainName = chainName(serverUuid, clock.now(), ids.password().slice(0, TOKEN_CHARS));
  const records: SegmentRecord[] = [];
  const text = () =>
    encodeChain({
      ...{ v: CHAIN_VERSION, cluster, serverUuid, after, segments: records, compression: "zstd" },
      engine: { name: "mysql", version },
      recipients: ageRecipients.length === 0 ? null : [...ageRecipients],
    });
  return {
    isFull: () => records.length >= CHAIN_SEGMENTS_MAX,
    end: () => records.reduce((all, { position }) => positions.union(all, position), after),
    async store(cut) {
      const parts = await sealSegment(work, name, records.length + 1, cut);
      return { ...cut.facts(), parts: [...parts] };
    },
    async add(record) {
      records.push(record);
      const [key, bytes] = [chainKey(place, name, records.length), Buffer.from(text())];
      await patiently(patience, () => store.put(key, bytes));
    },
    async drop({ parts }) {
      for (const part of parts) await store.remove(`${chainFolder(place, name)}${part.name}`);
    },
    async tidy() {
      for (let number = 1; number < records.length; number += 1)
        await store.remove(chainKey(place, name, number));
    },
  };
}

async function sealSegment(
  work: ArchiveWork,
  chain: ChainName,
  segment: number,
  cut: Cut,
): Promise<SegmentRecord["parts"]> {
  const { place, store, patience, ageRecipients } = work;
  const recipients = ageRecipients.map((text) => {
    const recipient = parseRecipient(text);
    if (recipient !== null) return recipient;
    throw new BrokenStream({
      kind: "refused",
      message: "A recipient of the store is not a public key of age.",
    });
  });
  const folder = chainFolder(place, chain);
  const nameOf = (object: number) => objectName(segment, object, recipients.length > 0);
  const sealed = await sealStream(cut.bytes, {
    ...{ store, recipients, patience, keyOf: (object) => `${folder}${nameOf(object)}` },
    ...(work.shape && { shape: work.shape }),
  });
  return orBreak(sealed).map(({ stored, plain }, index) => ({
    ...{ name: nameOf(index + 1), bytes: stored.size, sha256: stored.sha256 },
    ...{ plainBytes: plain.size, plainSha256: plain.sha256 },
  }));
}
