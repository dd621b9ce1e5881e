/**
 * The window of recovery over random histories: writes, failovers that leave transactions behind, servers that lag, are made
 * anew and purge their logs, archivers that work side by side from what they once read, segments and backups that
 * are lost. Whatever is said to be recoverable is put together here from sets alone, one transaction at a time.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { archivedBy, type Segment } from "../../shared/backup/archive/inventory.ts";
import { archiveOnce, startsOf } from "../../shared/backup/archive/pass.ts";
import { type Start, stretchAt, windowOf } from "../../shared/backup/archive/window.ts";
import { readCatalogue } from "../../shared/backup/holdings.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { archiveWork, type Committed, inventoryIn, putBackup, setOf, sourceOf } from "../support/archive.ts";
import { PLACE } from "../support/job-work.ts";
import { createMemoryStore, type MemoryStore } from "../support/memory-store.ts";
import { propertyRuns } from "../support/property-runs.ts";

const RUNS = { numRuns: propertyRuns(60, 2_000) };
const START_MS = Date.parse("2026-11-23T04:00:00Z");

const member = fc.nat(2);
const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("write" as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("receive" as const), who: member, count: fc.nat(12) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("archive" as const),
      who: member,
      bytes: fc.constantFrom(60, 200, 5_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("both" as const), who: member, other: member }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("backup" as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("failover" as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge" as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), which: fc.nat(20) }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

interface Server {
  uuid: string;
  log: Committed[];
  purged: number;
}

interface History {
  readonly store: MemoryStore;
  readonly servers: Server[];
  /** Every log that a server ever had, also those of servers that were made anew. */
  readonly past: (readonly Committed[])[];
  primary: number;
  nowUs: number;
  uuids: number;
  backups: number;
}

function newUuid(history: History): string {
  history.uuids += 1;
  return `${String(history.uuids).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

function begin(): History {
  const history: History = {
    ...{ store: createMemoryStore({ partBytesMin: 1 }), servers: [], past: [] },
    ...{ primary: 0, nowUs: START_MS * 1_000, uuids: 0, backups: 0 },
  };
  for (let index = 0; index < 3; index += 1)
    history.servers.push({ uuid: newUuid(history), log: [], purged: 0 });
  return history;
}

const has = (log: readonly Committed[], { gtid }: Committed) => log.some((one) => one.gtid === gtid);
const isPartOf = (part: readonly Committed[], whole: readonly Committed[]) =>
  part.every((one) => has(whole, one));

/** Only a server that has nothing of its own can follow; another one is made anew, as a copy with a new uuid. */
function receive(history: History, server: Server, count: number): void {
  const primary = history.servers[history.primary] as Server;
  if (!isPartOf(server.log, primary.log)) {
    history.past.push([...server.log]);
    Object.assign(server, { uuid: newUuid(history), log: [...primary.log], purged: primary.log.length });
  }
  server.log.push(...primary.log.filter((one) => !has(server.log, one)).slice(0, count));
}

function failover(history: History, who: number): void {
  const next = history.servers[who] as Server;
  // Elections choose whoever has the most of those that follow.
  for (const server of history.servers) {
    if (server !== history.servers[history.primary] && !isPartOf(server.log, next.log)) return;
  }
  history.primary = who;
}

async function happens(history: History, what: Event): Promise<void> {
  const { store, servers } = history;
  const server = "who" in what ? (servers[what.who] as Server) : (servers[history.primary] as Server);
  const pass = (of: Server, segmentBytesMax: number) =>
    archiveOnce(archiveWork(store, { segmentBytesMax }), sourceOf(of));
  if (what.kind === "write") {
    for (let index = 0; index < what.count; index += 1) {
      history.nowUs += 10;
      const own = server.log.filter(({ gtid }) => gtid.startsWith(server.uuid)).length;
      server.log.push({ gtid: `${server.uuid}:${own + 1}`, atUs: history.nowUs });
    }
  } else if (what.kind === "receive") receive(history, server, what.count);
  else if (what.kind === "archive") await pass(server, what.bytes);
  else if (what.kind === "both")
    await Promise.all([pass(server, 100), pass(servers[what.other] as Server, 60)]);
  else if (what.kind === "failover") failover(history, what.who);
  else if (what.kind === "purge") server.purged = server.log.length;
  else if (what.kind === "lose") {
    const objects = [...store.objects.keys()].filter((key) => key.endsWith(".zst"));
    store.objects.delete(objects[what.which] ?? "");
  } else if (server.log.length > 0) {
    history.backups += 1;
    await putBackup(
      store,
      setOf(server.log),
      {},
      new Date(START_MS + history.backups * 60_000).toISOString(),
    );
  }
}

interface Found {
  readonly starts: readonly Start[];
  readonly segments: readonly Segment[];
}

const common = (a: string, b: string) => gtidSets.subtract(a, gtidSets.subtract(a, b));

/** Puts `target` together from the backup and whatever segment goes on from what is there; what that comes to. */
function replayed(from: string, target: string, segments: readonly Segment[]): string {
  let have = from;
  for (let before = ""; before !== have; ) {
    before = have;
    for (const { after, position } of segments) {
      if (gtidSets.contains(have, common(after, target)))
        have = gtidSets.union(have, common(position, target));
    }
  }
  return have;
}

/** What some server held at that instant, once for each that differs. */
function statesAt(logs: readonly (readonly Committed[])[], atUs: number): ReadonlySet<string> {
  return new Set(logs.map((log) => setOf(log.filter((one) => one.atUs <= atUs))));
}

function committedBy(logs: readonly (readonly Committed[])[], segment: Segment, atUs: number): string {
  const known = new Map(logs.flat().map((one) => [one.gtid, one]));
  const own = [...known.values()].filter(
    (one) => one.atUs <= atUs && gtidSets.contains(segment.position, one.gtid),
  );
  return gtidSets.union(segment.after, setOf(own));
}

test("every instant in the window has a backup and a chain that make what a server held then; no other has", async () => {
  let [inside, outside, gaps] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 20, maxLength: 50, size: "max" }), async (events) => {
      const history = begin();
      for (const one of events) await happens(history, one);
      const { segments, gap } = await inventoryIn(history.store);
      expect(gap).toBeNull();
      const starts = startsOf(await readCatalogue(history.store, PLACE));
      const found: Found = { starts, segments };
      const logs = [...history.servers.map(({ log }) => log), ...history.past];
      const window = windowOf(starts, segments, gtidSets);
      gaps += Math.max(0, window.ranges.length - 1);
      for (let atUs = START_MS * 1_000; atUs <= history.nowUs + 10; atUs += 5) {
        const stretch = stretchAt(window, atUs);
        const isIn = window.ranges.some(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs);
        expect(isIn).toBe(stretch !== null);
        if (stretch === null) {
          outside += 1;
          expect(reachable(found, atUs), `${atUs} is outside`).toBe(false);
          continue;
        }
        inside += 1;
        const target = committedBy(logs, stretch.segment, atUs);
        expect(statesAt(logs, atUs), `${atUs}`).toContain(target);
        expect(gtidSets.contains(target, stretch.start.position)).toBe(true);
        expect(replayed(stretch.start.position, target, segments)).toBe(target);
      }
    }),
    RUNS,
  );
  // What was looked at was of all kinds.
  expect(inside, "instants inside").toBeGreaterThan(100);
    expect(outside, "instants outside").toBeGreaterThan(100);
    expect(gaps, "gaps").toBeGreaterThan(5);
}, 900_000);

/** By the definition: a segment that has this instant, and a backup that is part of its beginning, with all that is missing archived. */
function reachable({ starts, segments }: Found, atUs: number): boolean {
  const archived = archivedBy(segments, gtidSets);
  return segments.some(
    ({ firstAtUs, lastAtUs, after }) =>
      firstAtUs <= atUs &&
      atUs <= lastAtUs &&
      starts.some(
        ({ position }) =>
          gtidSets.contains(after, position) && gtidSets.contains(gtidSets.union(position, archived), after),
      ),
  );
}
