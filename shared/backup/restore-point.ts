/**
 * How a restore gets to a time or to a GTID: which backup it begins with, and what of the archive is replayed on it. What
 * cannot be reached exactly is refused with the nearest instants that can, written as somebody may ask for them.
 */
import { orBreak } from "../model/broken-stream.ts";
import { instantOf, microsecondsOf } from "../model/instant.ts";
import { assert, succeed } from "../model/outcome.ts";
import type { RestoreTarget } from "../model/restore.ts";
import { type Identity, parseIdentity } from "./age-keys.ts";
import { type Fetched, fetchReplays, type ReadWish, readReplay } from "./archive/fetch.ts";
import { readInventory } from "./archive/inventory.ts";
import { isEncryptedObject } from "./archive/keys.ts";
import type { Archive } from "./archive/recorded.ts";
import { planRecovery, type Refusal, type Replay, type Target } from "./archive/recovery.ts";
import { startsOf, windowOf } from "./archive/window.ts";
import type { Catalogue } from "./catalogue.ts";
import { unusable } from "./flow.ts";
import type { Manifest } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { patienceOf, placeOf, type Work } from "./work.ts";

/** A point that lies after a backup. */
export type PointTarget = Exclude<RestoreTarget, { kind: "backup" }>;

interface Point {
  readonly manifest: Manifest;
  /** In their order; none = the backup is the point. */
  readonly replays: readonly Replay[];
}

const SHOWN_CHARS = 120;

/**
 * Null when nothing was ever archived, so that there are backups alone. Throws `BrokenStream`, `refused` with the nearest
 * points when this one cannot be reached.
 */
export async function planPoint(
  work: Work,
  catalogue: Catalogue,
  target: PointTarget,
): Promise<Point | null> {
  const { positions } = work.logs;
  const inventory = await patiently(patienceOf(work), async () => {
    const read = await readInventory(work.store, placeOf(work), positions);
    return read.gap === null ? succeed(read) : { ok: false, failure: read.gap };
  });
  if (inventory.segments.length === 0 && inventory.look === null && inventory.damage.length === 0)
    return null;
  // Half a picture would show gaps that there are not.
  if (catalogue.gap !== null) orBreak({ ok: false, failure: catalogue.gap });
  const recorded = { ...inventory, starts: startsOf(catalogue) };
  const archive: Archive = { ...recorded, window: windowOf(recorded, positions) };
  const planned = planRecovery(archive, aimOf(work, target), positions);
  if (planned.kind === "refused") throw unusable(refusalOf(work, target, planned, archive.damage));
  const { start, replays } = planned.plan;
  const manifest = catalogue.backups.find(({ slotMs }) => slotMs === start.slotMs)?.manifest;
  assert(manifest !== null && manifest !== undefined, "a recovery begins with a backup of the catalogue");
  return { manifest, replays };
}

function aimOf({ logs }: Work, target: PointTarget): Target {
  if (target.kind === "time") return { kind: "time", atUs: microsecondsOf(target.at) };
  try {
    return { kind: "position", position: logs.positions.union(target.set, "") };
  } catch {
    throw unusable(
      "What was asked for is no set of GTIDs; write it as in 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5.",
    );
  }
}

const WHY_NOT = {
  time: {
    before: "lies before all that can be recovered",
    gap: "lies in a gap of the archive",
    after: "lies after all that is archived",
  },
  gtid: {
    before: "was executed before each of the backups was made",
    gap: "lies in a gap of the archive",
    after: "is not archived, or not all of it",
  },
} as const;

function refusalOf(
  { logs }: Work,
  target: PointTarget,
  { why, beforeUs, afterUs }: Refusal,
  damage: readonly string[],
): string {
  const asked =
    target.kind === "time"
      ? instantOf(microsecondsOf(target.at))
      : logs.positions.shorten(target.set, SHOWN_CHARS);
  const nearest = [beforeUs, afterUs].flatMap((us) => (us === null ? [] : [instantOf(us)]));
  const instead =
    nearest.length === 0
      ? "there is no point after a backup that can be recovered"
      : `the nearest that can be recovered: ${nearest.join(" and ")}`;
  const [first] = damage;
  const lost = first === undefined ? "" : ` Of the archive ${damage.length} cannot be used: ${first}.`;
  return `${asked} ${WHY_NOT[target.kind][why]}; ${instead}.${lost}`;
}

/** The key of what is replayed; null = nothing of it is encrypted. Throws `BrokenStream`, `refused`, when we have none. */
function identityOf({ settings }: Work, replays: readonly Replay[]): Identity | null {
  if (!replays.some(({ segment }) => segment.parts.some(({ key }) => isEncryptedObject(key)))) return null;
  const identity = settings.ageIdentity === null ? null : parseIdentity(settings.ageIdentity);
  if (identity !== null) return identity;
  throw unusable(
    `The archive is encrypted; put ageIdentity into the Secret ${settings.name} to have it read.`,
  );
}

function readWish(work: Work, replays: readonly Replay[]): ReadWish {
  const { store, logs } = work;
  return { store, identity: identityOf(work, replays), patience: patienceOf(work), ...logs };
}

/** Bytes of the log, at most. */
export function replayedBytes(replays: readonly Replay[]): number {
  return replays.flatMap(({ segment }) => segment.parts).reduce((sum, { plainBytes }) => sum + plainBytes, 0);
}

export interface Extent {
  readonly transactions: bigint;
  /** Microseconds since 1970, of the latest commit; null = nothing is replayed. */
  readonly lastAtUs: number | null;
}

/** How far it goes. Reads the last of it, where the point is, and so that a key that does not fit is known. */
export async function extentOf(work: Work, replays: readonly Replay[]): Promise<Extent> {
  const { count } = work.logs.positions;
  const wish = readWish(work, replays);
  const last = replays.at(-1);
  if (last === undefined) return { transactions: 0n, lastAtUs: null };
  const facts = orBreak(await readReplay(last, wish));
  const whole = replays.slice(0, -1);
  const transactions = whole.reduce((sum, { take }) => sum + count(take), BigInt(facts.transactions));
  const commits = [...whole.map(({ segment }) => segment.lastAtUs), facts.lastAtUs];
  return { transactions, lastAtUs: transactions === 0n ? null : Math.max(...commits) };
}

/** All of it as files in the folder, which is there and empty. */
export async function fetchInto(work: Work, replays: readonly Replay[], folder: string): Promise<Fetched> {
  return orBreak(await fetchReplays(replays, { ...readWish(work, replays), folder }));
}
