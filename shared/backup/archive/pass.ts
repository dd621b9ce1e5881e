/**
 * One pass of the archive: from what the bucket has on, a server's log becomes segments in the bucket. Killed anywhere it
 * loses nothing, because the next pass finds out anew what is missing; run twice at once it stores some
 * transactions twice, and they count once.
 */
import { BrokenStream, orBreak } from "../../model/broken-stream.ts";
import type { PositionAlgebra } from "../../model/engine.ts";
import type { JobOrder } from "../../model/job-order.ts";
import { fail, type Outcome } from "../../model/outcome.ts";
import type { Position } from "../../model/server.ts";
import type { Clock, Ids } from "../../ports/host.ts";
import type { LogPiece } from "../../ports/log-stream.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { parseRecipient } from "../age-keys.ts";
import { outcomeOf } from "../flow.ts";
import type { Place } from "../layout.ts";
import { type Patience, patiently } from "../patience.ts";
import { type SealShape, sealStream } from "../seal.ts";
import { CHAIN_VERSION, encodeChain, type SegmentRecord } from "./chain.ts";
import { divided } from "./doubled.ts";
import { archivedBy, inLogOrder } from "./inventory.ts";
import {
  CHAIN_SEGMENTS_MAX,
  type ChainName,
  chainFolder,
  chainKey,
  chainName,
  lookKey,
  objectName,
} from "./keys.ts";
import { type AskTip, encodeLook, type Look, lookOf, type Tip } from "./look.ts";
import { readRecorded } from "./recorded.ts";
import { type Cut, cutSegments } from "./segments.ts";
import type { Recorded } from "./window.ts";

/** A healthy server whose log is archived, as it was just now. */
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
  readonly askTip: AskTip;
  /** How long after one look at the primary there is no other, milliseconds. */
  readonly lookEveryMs: number;
  /** Told that all that was committed up to there is held, milliseconds since 1970. */
  readonly onHeld?: (toMs: number) => void;
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
  /** How many segments were held before that could be few if they were merged. */
  readonly loose: number;
}

/**
 * `conflict` while there is no backup to go on from: without one, logs recover nothing. `refused` when nothing of this
 * server's log may be stored; segments that were stored before a failure stay.
 */
export function archiveOnce(
  work: ArchiveWork,
  askSource: () => Promise<Outcome<LogSource>>,
): Promise<Outcome<Archived>> {
  return onePass(work, askSource, (source, held) => ({ source, held }));
}

/** `as`: how the pass is to see the server and what is held. Whether anything may be stored is decided by how they are. */
export async function onePass(
  work: ArchiveWork,
  askSource: () => Promise<Outcome<LogSource>>,
  as: (
    source: LogSource,
    held: Recorded,
  ) => {
    readonly source: LogSource;
    readonly held: Recorded;
  },
): Promise<Outcome<Archived>> {
  const held = await readRecorded(work.store, work.place, work.positions);
  if (!held.ok) return held;
  if (held.value.starts.length === 0)
    return fail("conflict", "There is no backup yet for which logs could be archived.");
  // Asked afterwards, so that whatever others have archived meanwhile is known to the servers too.
  const [source, tip] = await Promise.all([askSource(), work.askTip()]);
  if (!source.ok) return source;
  const { serverUuid, executed, isEncrypted } = source.value;
  if (isEncrypted && work.ageRecipients.length === 0) {
    const why =
      "The server encrypts its binary log and the store encrypts nothing; set ageRecipient in its Secret.";
    return fail("refused", why);
  }
  for (const server of [{ serverUuid, position: executed }, ...(tip.ok ? [tip.value] : [])]) {
    const again = countedAgain(held.value, server, work.positions);
    if (again !== null) return fail("refused", again);
  }
  const seen = as(source.value, held.value);
  return outcomeOf(() => goOn(work, seen.source, seen.held));
}

/**
 * A server whose log was reset, or that was put back to an earlier state without a new identity, gives the same
 * numbers to other transactions. Nobody could tell them apart any more, so nothing of that is stored.
 */
function countedAgain(
  { starts, segments }: Recorded,
  { serverUuid, position }: Pick<Tip, "serverUuid" | "position">,
  positions: PositionAlgebra,
): string | null {
  const held = starts.reduce(
    (all, start) => positions.union(all, start.position),
    archivedBy(segments, positions),
  );
  const own = positions.subtract(held, positions.without(held, serverUuid));
  const lacking = positions.subtract(own, position);
  if (lacking === "") return null;
  const which = positions.shorten(lacking, 80);
  return `The server ${serverUuid} has lost transactions of its own that are archived (${which}) and gives their numbers to others; let the store's Secret name another prefix, and make a backup there.`;
}

/**
 * Of what is held, that which leaves no hole in this server's log: every segment counts of which all that came before it
 * is held too, or can no longer be had from this server. Whatever lies behind a hole is stored once more with it.
 */
function withoutHoles(inLog: Position, { starts, segments }: Recorded, positions: PositionAlgebra): Position {
  let held = starts[0]?.position ?? "";
  let waiting = inLogOrder(segments, positions);
  for (let before = -1; before !== waiting.length; ) {
    before = waiting.length;
    waiting = waiting.filter(({ after, position }) => {
      const missing = positions.subtract(inLog, held);
      if (positions.subtract(after, missing) !== after) return true;
      held = positions.union(held, position);
      return false;
    });
  }
  return held;
}

async function goOn(work: ArchiveWork, source: LogSource, held: Recorded): Promise<Archived> {
  const { positions, clock, signal, segmentBytesMax, segmentAgeMsMax } = work;
  const { executed, purged } = source;
  const inLog = positions.subtract(executed, purged);
  const all = positions.union(held.starts[0]?.position ?? "", archivedBy(held.segments, positions));
  // Only what this server has itself: it refuses whoever claims more, and what others have alone was never before its log.
  const missing = positions.subtract(inLog, withoutHoles(inLog, held, positions));
  const after = positions.subtract(executed, missing);
  const loose = divided(held.segments, inLog, positions).loose.length;
  const limits = { bytesMax: segmentBytesMax, ageMsMax: segmentAgeMsMax, clock, positions };
  const watch = watchTip(work, held.look);
  let [segments, transactions] = [0, 0];
  let lastAtUs: number | null = null;
  let chain = beginChain(work, source, after);
  const begunMs = clock.now();
  for await (const cut of cutSegments(source.stream(after), limits)) {
    if (cut.kind === "quiet") {
      work.onHeld?.(clock.now());
      await watch.look(positions.union(all, chain.end()));
    } else {
      if (chain.isFull()) {
        await chain.tidy();
        chain = beginChain(work, source, chain.end());
      }
      const record = await chain.add(cut);
      segments += 1;
      transactions += record.transactions;
      lastAtUs = Math.max(lastAtUs ?? 0, record.lastAtUs);
      work.onHeld?.(record.lastAtUs / 1_000);
    }
    if (signal.aborted) break;
  }
  // The log has ended, so all that was in it when it was begun is held.
  if (!signal.aborted) work.onHeld?.(begunMs);
  await watch.look(positions.union(all, chain.end()));
  await chain.tidy();
  return { segments, transactions, lastAtUs, loose, lost: positions.subtract(purged, all) };
}

/** Notes when all that the primary has is held; seldom, because while nothing is written it is all that is stored. */
function watchTip(work: ArchiveWork, before: Look | null) {
  const { askTip, clock, lookEveryMs, patience, place, positions, store } = work;
  let noted = before;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  return {
    async look(held: Position): Promise<void> {
      if (clock.now() < notBeforeMs) return;
      const tip = await askTip();
      if (!tip.ok || !positions.contains(held, tip.value.position)) return;
      noted = lookOf({ ...tip.value, position: positions.union(tip.value.position, "") }, noted);
      const bytes = Buffer.from(encodeLook(noted, place.clusterUid));
      await patiently(patience, () => store.put(lookKey(place), bytes));
      notBeforeMs = clock.now() + lookEveryMs;
    },
  };
}

const TOKEN_CHARS = 8;

/** Documents of a chain that are left beside its newest, for whoever has just listed one of them and reads it next. */
const DOCUMENTS_KEPT = 10;

interface OpenChain {
  isFull(): boolean;
  /** What the server had after its last segment. */
  end(): Position;
  /** Stores the next segment, which counts once its document is written: that is the last act. */
  add(cut: Cut): Promise<SegmentRecord>;
  /** Takes away documents that a later one has replaced; what stays does no harm. */
  tidy(): Promise<void>;
}

function beginChain(work: ArchiveWork, { serverUuid, version }: LogSource, after: Position): OpenChain {
  const { place, clock, ids, store, patience, positions, cluster, ageRecipients } = work;
  const name: ChainName = chainName(serverUuid, clock.now(), ids.password().slice(0, TOKEN_CHARS));
  const records: SegmentRecord[] = [];
  let [end, oldest] = [after, 1];
  const text = () =>
    encodeChain({
      ...{ v: CHAIN_VERSION, cluster, serverUuid, after, segments: records, compression: "zstd" },
      engine: { name: "mysql", version },
      recipients: ageRecipients.length === 0 ? null : [...ageRecipients],
    });
  async function removeDocuments(kept: number): Promise<void> {
    for (; oldest <= records.length - kept; oldest += 1) await store.remove(chainKey(place, name, oldest));
  }
  return {
    isFull: () => records.length >= CHAIN_SEGMENTS_MAX,
    end: () => end,
    async add(cut) {
      const parts = await sealSegment(work, name, records.length + 1, cut);
      const record = { ...cut.facts(), parts: [...parts] };
      records.push(record);
      const [key, bytes] = [chainKey(place, name, records.length), Buffer.from(text())];
      await patiently(patience, () => store.put(key, bytes));
      end = positions.union(end, record.position);
      await removeDocuments(DOCUMENTS_KEPT);
      return record;
    },
    tidy: () => removeDocuments(1),
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
