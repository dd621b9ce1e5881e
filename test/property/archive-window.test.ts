/**
 * The window of recovery over random histories: writes, failovers that leave transactions behind, servers that lag, are made
 * anew and purge their logs, restores in place and their undoing, clocks that differ, archivers that work side by side from what they once read, segments and
 * backups that are lost. Whatever is said to be recoverable is put together here from sets alone, one transaction
 * at a time, and compared with what some server really held.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { archivedBy, type Segment } from "../../shared/backup/archive/inventory.ts";
import { type Archive, readArchive } from "../../shared/backup/archive/recorded.ts";
import { planRecovery, type Replay, type Target } from "../../shared/backup/archive/recovery.ts";
import { stretchAt } from "../../shared/backup/archive/window.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { succeed } from "../../shared/model/outcome.ts";
import { archive, archiveWork, type Committed, putBackup, setOf, sourceOf } from "../support/archive.ts";
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
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("idle" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("failover" as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge" as const), who: member }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("restore" as const), keep: fc.nat(100), replayed: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("undo" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), which: fc.nat(20) }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

interface Server {
  uuid: string;
  log: Committed[];
  purged: number;
}

/** Between two restores, or a restore and its undoing: what was abandoned with one is no part of the next. */
interface Era {
  readonly fromUs: number;
  readonly untilUs: number;
  readonly logs: readonly (readonly Committed[])[];
}

interface History {
  readonly store: MemoryStore;
  servers: Server[];
  /** Every log that a server ever had, also those of servers that were made anew. */
  past: (readonly Committed[])[];
  /** What each primary had when another one took its place. */
  reigns: (readonly Committed[])[];
  readonly eras: Era[];
  eraFromUs: number;
  /** What the last restore has set aside. */
  aside: { readonly servers: readonly Server[]; readonly primary: number } | null;
  /** How much the clock of each is ahead. */
  readonly aheadUs: readonly number[];
  primary: number;
  nowUs: number;
  uuids: number;
  backups: number;
}

function newUuid(history: History): string {
  history.uuids += 1;
  return `${String(history.uuids).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

function begin(aheadUs: readonly number[]): History {
  const history: History = {
    ...{ store: createMemoryStore({ partBytesMin: 1 }), servers: [], past: [], reigns: [], aheadUs },
    ...{ eras: [], eraFromUs: 0, aside: null },
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
  history.reigns.push([...(history.servers[history.primary]?.log ?? [])]);
  history.primary = who;
}

/**
 * What is put back comes out of the bucket, and an archive that goes on is a second behind. Of what was abandoned before it
 * was archived nothing is known there, nor of when; nor of what only a later backup has.
 */
async function isAllHeld(history: History): Promise<boolean> {
  await happens(history, { kind: "archive", who: history.primary, bytes: 200 });
  const found = await readArchive(history.store, PLACE, gtidSets);
  if (!found.ok) throw new Error(found.failure.message);
  const { starts, segments } = found.value;
  const held = gtidSets.union(starts[0]?.position ?? "", archivedBy(segments, gtidSets));
  return starts.length > 0 && gtidSets.contains(held, setOf(history.servers[history.primary]?.log ?? []));
}

/** The servers are others from now on. */
async function turnTo(history: History, servers: Server[], primary: number): Promise<void> {
  if (!(await isAllHeld(history))) return;
  history.eras.push({ fromUs: history.eraFromUs, untilUs: history.nowUs, logs: wholeLogs(history) });
  history.nowUs += 30;
  Object.assign(history, { servers, primary, past: [], reigns: [], eraFromUs: history.nowUs });
  // Ordinal's own accounts and the row of the epoch are the first that is committed, and the archive goes on.
  await happens(history, { kind: "write", count: 1 });
  await happens(history, { kind: "archive", who: primary, bytes: 5_000 });
}

/** To an earlier state: new servers hold it, of which the last few transactions were replayed and are in their logs. */
async function restore(history: History, keep: number, replayed: number): Promise<void> {
  const { servers, primary } = history;
  const log = servers[primary]?.log ?? [];
  const kept = log.slice(0, Math.floor((log.length * keep) / 100));
  const purged = Math.max(0, kept.length - replayed);
  history.aside = { servers, primary };
  await turnTo(
    history,
    servers.map(() => ({ uuid: newUuid(history), log: [...kept], purged })),
    0,
  );
}

async function undo(history: History): Promise<void> {
  const { aside } = history;
  if (aside === null) return;
  history.aside = null;
  await turnTo(history, [...aside.servers], aside.primary);
}

async function happens(history: History, what: Event): Promise<void> {
  const { store, servers } = history;
  const server = "who" in what ? (servers[what.who] as Server) : (servers[history.primary] as Server);
  const [primary, aheadUs] = [servers[history.primary] as Server, history.aheadUs[history.primary] ?? 0];
  const askTip = () =>
    Promise.resolve(
      succeed({
        serverUuid: primary.uuid,
        position: setOf(primary.log),
        atUs: history.nowUs + aheadUs,
      }),
    );
  const pass = (of: Server, segmentBytesMax: number) =>
    archive(archiveWork(store, { segmentBytesMax, askTip }), sourceOf(of));
  if (what.kind === "write") {
    for (let index = 0; index < what.count; index += 1) {
      history.nowUs += 10;
      const atUs = history.nowUs + aheadUs;
      const own = server.log.filter(({ gtid }) => gtid.startsWith(server.uuid)).length;
      server.log.push({ gtid: `${server.uuid}:${own + 1}`, atUs });
    }
  } else if (what.kind === "forget") {
    // Nobody has it in a log any more.
    await happens(history, { kind: "write", count: 2 });
    for (const one of servers) {
      if (one !== primary) receive(history, one, primary.log.length);
      one.purged = one.log.length;
    }
    await happens(history, { kind: "backup", who: history.primary });
  } else if (what.kind === "idle") history.nowUs += 50;
  else if (what.kind === "receive") receive(history, server, what.count);
  else if (what.kind === "archive") await pass(server, what.bytes);
  else if (what.kind === "both")
    await Promise.all([pass(server, 100), pass(servers[what.other] as Server, 60)]);
  else if (what.kind === "failover") failover(history, what.who);
  else if (what.kind === "restore") await restore(history, what.keep, what.replayed);
  else if (what.kind === "undo") await undo(history);
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

const common = (a: string, b: string) => gtidSets.subtract(a, gtidSets.subtract(a, b));

/** Of all that were primary, and of others unless they only lacked something that another one had. */
function wholeLogs({ servers, past, reigns, primary }: History): readonly (readonly Committed[])[] {
  const logs = [...past, ...servers.map(({ log }) => log)];
  const whole = logs.filter(
    (log, index) =>
      !logs.some((other, at) => isPartOf(log, other) && (other.length > log.length || at < index)),
  );
  return [...whole, ...reigns, servers[primary]?.log ?? []];
}

/** All up to the first that was committed later. */
function heldAt(log: readonly Committed[], atUs: number): string {
  const later = log.findIndex((one) => one.atUs > atUs);
  return setOf(later === -1 ? log : log.slice(0, later));
}

/** The transactions of a segment in the order of a log that has them. */
function inOrder({ position }: Segment, logs: readonly (readonly Committed[])[]): readonly Committed[] {
  const log = logs.find((one) => gtidSets.contains(setOf(one), position)) ?? [];
  return log.filter(({ gtid }) => gtidSets.contains(position, gtid));
}

/** What of it is replayed, by the meaning of the words: up to the end that is named, and only what is to be taken. */
function replayed({ segment, take, until }: Replay, logs: readonly (readonly Committed[])[]): string {
  let isMet = false;
  const done: Committed[] = [];
  for (const one of inOrder(segment, logs)) {
    if (until.kind === "time" && one.atUs > until.atUs) break;
    if (until.kind === "position" && isMet) break;
    done.push(one);
    if (until.kind === "position") {
      isMet = gtidSets.contains(
        gtidSets.union(segment.after, setOf(done)),
        common(until.position, segment.position),
      );
    }
  }
  return common(take, setOf(done));
}

/** What a plan comes to; every step needs all that was before it in the log. */
function carriedOut(found: Archive, target: Target, logs: readonly (readonly Committed[])[]): string | null {
  const planned = planRecovery(found, target, gtidSets);
  if (planned.kind === "refused") return null;
  const { start, replays } = planned.plan;
  const goal = replays.reduce((all, { take }) => gtidSets.union(all, take), start.position);
  let have = start.position;
  for (const replay of replays) {
    expect(gtidSets.contains(have, common(replay.segment.after, goal))).toBe(true);
    const next = replayed(replay, logs);
    expect(common(next, have), "nothing comes twice").toBe("");
    have = gtidSets.union(have, next);
  }
  return have;
}

/**
 * When it was committed is not known of what only a backup has, so it may belong to the time before or after an instant that
 * lies in between.
 */
function undatedStates(history: History, { segments }: Archive, atUs: number): readonly string[] {
  const dated = archivedBy(segments, gtidSets);
  const isDated = ({ gtid }: Committed) => gtidSets.contains(dated, gtid);
  const held = wholeLogs(history).flatMap((log) => {
    const later = log.findIndex((one) => one.atUs > atUs && isDated(one));
    const before = later === -1 ? log : log.slice(0, later);
    const last = before.findLastIndex(isDated) + 1;
    return [...before, null].flatMap((_, end) => (end < last ? [] : [setOf(before.slice(0, end))]));
  });
  return held.filter((state) => !gtidSets.contains(dated, state));
}

interface Seen {
  inside: number;
  outside: number;
  gaps: number;
  positions: number;
  refusedPositions: number;
  quiet: number;
  /** Instants before a restore that can still be recovered to. */
  beforeForks: number;
}

/** By how much clocks may differ. */
const SKEW_US = 70;

function erasOf(history: History): readonly Era[] {
  const { eras, eraFromUs, nowUs } = history;
  return [...eras, { fromUs: eraFromUs, untilUs: nowUs + 1_000, logs: wholeLogs(history) }];
}

/** What may have been held then: of what was abandoned before, or was not there yet, nothing. */
function logsAt(eras: readonly Era[], atUs: number, slackUs: number): readonly (readonly Committed[])[] {
  // While one was exchanged for the other, until the first commit on the other, either is right.
  const near = slackUs + 40;
  return eras
    .filter(({ fromUs, untilUs }) => fromUs - near <= atUs && atUs <= untilUs + near)
    .flatMap(({ logs }) => logs);
}

function checkInstants(history: History, found: Archive, isSkewed: boolean, seen: Seen): void {
  const eras = erasOf(history);
  const logs = eras.flatMap((era) => era.logs);
  const { window } = found;
  seen.gaps += Math.max(0, window.ranges.length - 1);
  for (let atUs = START_MS * 1_000 - 50; atUs <= history.nowUs + 60; atUs += 5) {
    const stretch = stretchAt(window, atUs);
    const isIn = window.ranges.some(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs);
    expect(isIn).toBe(stretch !== null);
    const end = carriedOut(found, { kind: "time", atUs }, logs);
    if (stretch === null) {
      seen.outside += 1;
      expect(end).toBeNull();
      // Where clocks differ, what is in question is out too.
      if (!isSkewed) expect(reachable(found, atUs, eras), `${atUs} is outside`).toBe(false);
      checkRefusal(found, atUs);
      continue;
    }
    seen.inside += 1;
    if (stretch.segment === null) seen.quiet += 1;
    if (eras.length > 1 && atUs < history.eraFromUs) seen.beforeForks += 1;
    const held = logsAt(eras, atUs, isSkewed ? SKEW_US : 0).map((log) => heldAt(log, atUs));
    expect([...held, ...(isSkewed ? undatedStates(history, found, atUs) : [])], `${atUs}`).toContain(end);
  }
}

function checkRefusal(found: Archive, atUs: number): void {
  const planned = planRecovery(found, { kind: "time", atUs }, gtidSets);
  if (planned.kind !== "refused") throw new Error("it was refused before");
  const { why, beforeUs, afterUs } = planned;
  for (const [nearest, side] of [
    [beforeUs, -1],
    [afterUs, 1],
  ] as const) {
    const first = found.window.ranges.some(({ fromUs, toUs }) => (side < 0 ? toUs < atUs : fromUs > atUs));
    expect(nearest !== null).toBe(first);
    if (nearest === null) continue;
    expect((nearest - atUs) * side).toBeGreaterThan(0);
    expect(stretchAt(found.window, nearest)).not.toBeNull();
  }
  expect(why).toBe(beforeUs === null ? "before" : afterUs === null ? "after" : "gap");
}

/** Each transaction, and each state, of each log as a target. */
function checkPositions(history: History, found: Archive, seen: Seen): void {
  const logs = erasOf(history).flatMap((era) => era.logs);
  for (const log of logs) {
    for (const [index, { gtid }] of log.entries()) {
      const states = logs.flatMap((other) => {
        const at = other.findIndex((one) => one.gtid === gtid);
        return at === -1 ? [] : [setOf(other.slice(0, at + 1))];
      });
      const state = setOf(log.slice(0, index + 1));
      const ends = [gtid, state].map((position) => carriedOut(found, { kind: "position", position }, logs));
      const [toOne, toState] = ends;
      if (toState !== null) expect(toState).toBe(state);
      if (toOne !== null) expect(states).toContain(toOne);
      seen.positions += ends.filter((end) => end !== null).length;
      seen.refusedPositions += ends.filter((end) => end === null).length;
      const isHeld = found.segments.some(
        (segment) => gtidSets.contains(segment.position, gtid) && isThroughout(found, segment),
      );
      if (isHeld) expect(toOne, gtid).not.toBeNull();
    }
  }
}

test.each([
  ["clocks agree", [0, 0, 0]],
  ["clocks differ", [0, 35, -35]],
])(
  "whatever the window promises is what a server held, and it leaves nothing out: %s",
  async (_, aheadUs) => {
    const seen: Seen = {
      ...{ inside: 0, outside: 0, gaps: 0, positions: 0, refusedPositions: 0, quiet: 0, beforeForks: 0 },
    };
    const isSkewed = aheadUs.some((ahead) => ahead !== 0);
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 20, maxLength: 50, size: "max" }), async (events) => {
        const history = begin(aheadUs);
        for (const one of events) await happens(history, one);
        const found = await readArchive(history.store, PLACE, gtidSets);
        if (!found.ok) throw new Error(found.failure.message);
        checkInstants(history, found.value, isSkewed, seen);
        checkPositions(history, found.value, seen);
      }),
      RUNS,
    );
    // What was looked at was of all kinds.
    expect(seen.inside).toBeGreaterThan(100);
    expect(seen.outside).toBeGreaterThan(100);
    expect(seen.quiet).toBeGreaterThan(20);
    expect(seen.beforeForks).toBeGreaterThan(100);
    expect(seen.positions).toBeGreaterThan(100);
    expect(seen.refusedPositions).toBeGreaterThan(20);
    expect(seen.gaps).toBeGreaterThan(5);
  },
  900_000,
);

/** By the definition: a backup is part of its beginning, with all that is missing archived. */
function isThroughout({ starts, segments }: Archive, { after }: Segment): boolean {
  const archived = archivedBy(segments, gtidSets);
  return starts.some(
    ({ position }) =>
      gtidSets.contains(after, position) && gtidSets.contains(gtidSets.union(position, archived), after),
  );
}

function reachable(found: Archive, atUs: number, eras: readonly Era[]): boolean {
  return found.segments.some(
    (segment) =>
      segment.firstAtUs <= atUs &&
      atUs <= segment.lastAtUs &&
      isThroughout(found, segment) &&
      // One that was stored after a restore was undone holds what was committed before it too.
      eras.some(({ fromUs, untilUs }) => fromUs <= segment.firstAtUs && segment.lastAtUs <= untilUs),
  );
}
