/**
 * Merging in random histories: small segments of servers that lag, fail over, purge, are restored and lose objects are
 * merged in between, by one or by two at once, and let go of. Whatever could be recovered before can be afterwards, and is
 * the same to the transaction, put together here from the bytes of the segments.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeOnce } from "../../shared/backup/archive/merge.ts";
import { type Archive, readArchive } from "../../shared/backup/archive/recorded.ts";
import { planRecovery, type Replay, type Target } from "../../shared/backup/archive/recovery.ts";
import { readDoubled } from "../../shared/backup/archive/unneeded.ts";
import { carryOutDeletions } from "../../shared/backup/holdings.ts";
import { openSealed } from "../../shared/backup/seal.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { succeed } from "../../shared/model/outcome.ts";
import { archiveWork, type Committed, sourceOf, transactionsIn } from "../support/archive.ts";
import { begin, event, type History, happens, START_MS } from "../support/archive-history.ts";
import { PLACE } from "../support/job-work.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { collect, patienceOf } from "../support/streams.ts";

const HOUR_MS = 3_600_000;
const BEGUN_MS = Date.parse("2026-11-23T05:00:00Z");
const letting = fc.record({ kind: fc.constant("letGo" as const) });
/** One of them, or two at once. */
const merging = fc.record({
  kind: fc.constant("merge" as const),
  members: fc.array(fc.nat(2), { minLength: 1, maxLength: 2 }),
});
/** Small segments, so that there is something to merge. */
const burst = fc.record({ kind: fc.constant("burst" as const), who: fc.nat(2) });
const step = fc.oneof(
  { weight: 6, arbitrary: event },
  { weight: 3, arbitrary: burst },
  { weight: 1, arbitrary: merging },
  { weight: 1, arbitrary: letting },
);

async function found({ store }: History): Promise<Archive> {
  const read = await readArchive(store, PLACE, gtidSets);
  if (!read.ok) throw new Error(read.failure.message);
  return read.value;
}

async function merge(history: History, who: number, nowMs: number): Promise<number> {
  const { store, servers, primary, nowUs } = history;
  const of = servers[who] as History["servers"][number];
  const tip = servers[primary] as History["servers"][number];
  const work = archiveWork(store, {
    clock: { now: () => nowMs, sleep: () => Promise.resolve() },
    askTip: () =>
      Promise.resolve(
        succeed({
          serverUuid: tip.uuid,
          position: tip.log.reduce((all, { gtid }) => gtidSets.union(all, gtid), ""),
          atUs: nowUs + (history.aheadUs[primary] ?? 0),
        }),
      ),
  });
  const merged = await mergeOnce(work, () => Promise.resolve(succeed(sourceOf(of))));
  return merged.ok ? merged.value.segments : 0;
}

type Bytes = Map<string, readonly Committed[]>;

async function inSegment(history: History, { segment }: Replay, known: Bytes): Promise<readonly Committed[]> {
  const [{ key } = { key: "" }] = segment.parts;
  const before = known.get(key);
  if (before !== undefined) return before;
  const objects = segment.parts.map((part) => ({
    key: part.key,
    stored: { size: part.bytes, sha256: part.sha256 },
    plain: { size: part.plainBytes, sha256: part.plainSha256 },
  }));
  const wish = { store: history.store, objects, identity: null, patience: patienceOf(1) };
  const transactions = transactionsIn((await collect(openSealed(wish))).toString());
  known.set(key, transactions);
  return transactions;
}

/** What a recovery comes to; null = it is refused. */
async function end(history: History, archive: Archive, target: Target, known: Bytes): Promise<string | null> {
  const planned = planRecovery(archive, target, gtidSets);
  if (planned.kind === "refused") return null;
  let have = planned.plan.start.position;
  for (const replay of planned.plan.replays) {
    const { take, until } = replay;
    let taken = await inSegment(history, replay, known);
    if (until.kind === "time") {
      const later = taken.findIndex(({ atUs }) => atUs > until.atUs);
      taken = later === -1 ? taken : taken.slice(0, later);
    }
    if (until.kind === "position") {
      const last = taken.findLastIndex(({ gtid }) => gtidSets.contains(until.position, gtid));
      taken = taken.slice(0, last + 1);
    }
    const own = taken.filter(({ gtid }) => gtidSets.contains(take, gtid)).map(({ gtid }) => gtid);
    have = gtidSets.union(have, own.join(","));
  }
  return have;
}

interface Points {
  readonly instants: ReadonlyMap<number, string | null>;
  readonly transactions: ReadonlyMap<string, string | null>;
}

async function points(history: History, archive: Archive, known: Bytes): Promise<Points> {
  const instants = new Map<number, string | null>();
  // Some commits, and some of what lies in between.
  for (let atUs = START_MS * 1_000 - 50; atUs <= history.nowUs + 60; atUs += 35)
    instants.set(atUs, await end(history, archive, { kind: "time", atUs }, known));
  const transactions = new Map<string, string | null>();
  const all = [...history.servers.map(({ log }) => log), ...history.past, ...history.eras.flat()].flat();
  for (const { gtid } of all.filter((_, index) => index % 4 === 0))
    transactions.set(gtid, await end(history, archive, { kind: "position", position: gtid }, known));
  return { instants, transactions };
}

async function burstOf(history: History, who: number): Promise<void> {
  for (let index = 0; index < 10; index += 1) {
    await happens(history, { kind: "write", count: 1 });
    await happens(history, { kind: "receive", who, count: 2 });
    await happens(history, { kind: "archive", who, bytes: 60 });
  }
}

/** All that could be reached can be, and is the same. */
function expectNoLess(after: Points, before: Points, why: string): void {
  for (const [atUs, state] of before.instants)
    if (state !== null) expect(after.instants.get(atUs), `${why} ${atUs}`).toBe(state);
  for (const [gtid, state] of before.transactions)
    if (state !== null) expect(after.transactions.get(gtid), `${why} ${gtid}`).toBe(state);
}

test.each([
  ["clocks agree", [0, 0, 0]],
  ["clocks differ", [0, 35, -35]],
])(
  "merging and letting go leave every point as it was: %s",
  async (_, aheadUs) => {
    const seen = { merged: 0, gone: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25, size: "max" }), async (steps) => {
        const history = begin(aheadUs);
        // Logs of which no backup is there are not archived.
        await happens(history, { kind: "write", count: 1 });
        await happens(history, { kind: "backup", who: 0 });
        let nowMs = BEGUN_MS;
        const known: Bytes = new Map();
        async function merges(members: readonly number[]): Promise<void> {
          nowMs += 2 * HOUR_MS;
          const before = await found(history);
          const merged = await Promise.all(members.map((who) => merge(history, who, nowMs)));
          const segments = merged.reduce((sum, one) => sum + one, 0);
          if (segments === 0) return;
          seen.merged += segments;
          const was = await points(history, before, known);
          expectNoLess(await points(history, await found(history), known), was, "merged");
        }
        async function letsGo(): Promise<void> {
          nowMs += 2 * HOUR_MS;
          const doubled = await readDoubled(history.store, PLACE, nowMs, gtidSets);
          if (!doubled.ok) throw new Error(doubled.failure.message);
          if (doubled.value.length === 0) return;
          seen.gone += doubled.value.length;
          const was = await points(history, await found(history), known);
          await carryOutDeletions(history.store, doubled.value);
          expectNoLess(await points(history, await found(history), new Map()), was, "gone");
          // What could go has gone.
          expect(await readDoubled(history.store, PLACE, nowMs, gtidSets)).toEqual(succeed([]));
        }
        for (const one of steps) {
          if (one.kind === "burst") await burstOf(history, one.who);
          else if (one.kind === "letGo") await letsGo();
          else if (one.kind === "merge") await merges(one.members);
          else await happens(history, one);
        }
        await merges([history.primary]);
        await letsGo();
      }),
      { numRuns: propertyRuns(15, 400) },
    );
    expect(seen.merged).toBeGreaterThan(10);
    expect(seen.gone).toBeGreaterThan(10);
  },
  900_000,
);
