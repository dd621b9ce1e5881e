/**
 * The window of recovery over random histories: writes, failovers that leave transactions behind, servers that lag, are made
 * anew and purge their logs, restores in place and their undoing, clocks that differ, archivers that work side by side from
 * what they once read, segments and backups that are lost. Whatever is said to be recoverable is put together here from
 * sets alone, one transaction at a time, and compared with what some server really held.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { archivedBy, type Segment } from "../../shared/backup/archive/inventory.ts";
import { type Archive, readArchive } from "../../shared/backup/archive/recorded.ts";
import { planRecovery, type Replay, type Target } from "../../shared/backup/archive/recovery.ts";
import { readUnneeded } from "../../shared/backup/archive/unneeded.ts";
import { stretchAt, windowOf } from "../../shared/backup/archive/window.ts";
import { manifestKey } from "../../shared/backup/layout.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { type Committed, setOf } from "../support/archive.ts";
import { begin, event, type History, happens, heldAt, logsOf, START_MS } from "../support/archive-history.ts";
import { PLACE } from "../support/job-work.ts";
import { propertyRuns } from "../support/property-runs.ts";

const RUNS = { numRuns: propertyRuns(60, 2_000) };

const common = (a: string, b: string) => gtidSets.subtract(a, gtidSets.subtract(a, b));

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
  let have = gtidSets.union(start.position, "");
  for (const replay of replays) {
    expect(gtidSets.contains(have, common(replay.segment.after, goal))).toBe(true);
    const next = replayed(replay, logs);
    expect(common(next, have), "nothing comes twice").toBe("");
    have = gtidSets.union(have, next);
  }
  return have;
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
  /** Chains that were deleted. */
  pruned: number;
}

function checkInstants(history: History, found: Archive, seen: Seen): void {
  const logs = logsOf(history);
  const isExpected = expectations(found, logs);
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
      expect(isExpected(atUs), `${atUs} is outside`).toBe(false);
      checkRefusal(found, atUs);
      continue;
    }
    seen.inside += 1;
    if (stretch.segment === null) seen.quiet += 1;
    if (history.eras.length > 0 && atUs < history.eraFromUs) seen.beforeForks += 1;
    expect(heldAt(history, atUs), `${atUs}`).toContain(end);
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
  const logs = logsOf(history);
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
        (segment) => gtidSets.contains(segment.position, gtid) && isHad(found, segment.after),
      );
      if (isHeld) expect(toOne, gtid).not.toBeNull();
    }
  }
}

/** The older backups go, and what no recovery from the others needs. */
async function checkPruned(history: History, found: Archive, seen: Seen): Promise<void> {
  const { store } = history;
  const starts = found.starts.slice(Math.floor((2 * found.starts.length) / 3));
  const { segments, lost, look } = found;
  const before: Archive = { ...found, starts, window: windowOf({ starts, segments, lost, look }, gtidSets) };
  const nowMs = START_MS + 1_000 * 86_400_000;
  const deletions = await readUnneeded(store, PLACE, { starts, nowMs }, gtidSets);
  if (!deletions.ok) throw new Error(deletions.failure.message);
  for (const { keys } of deletions.value) for (const key of keys) store.objects.delete(key);
  for (const { slotMs } of found.starts) {
    if (!starts.some((start) => start.slotMs === slotMs)) store.objects.delete(manifestKey(PLACE, slotMs));
  }
  const after = await readArchive(store, PLACE, gtidSets);
  if (!after.ok) throw new Error(after.failure.message);
  if (starts.length > 0) seen.pruned += deletions.value.length;
  expect(after.value.window.ranges).toEqual(before.window.ranges);
  checkInstants(history, after.value, seen);
  const logs = logsOf(history);
  for (const log of logs) {
    for (const { gtid } of log) {
      const target = { kind: "position", position: gtid } as const;
      expect(carriedOut(after.value, target, logs), gtid).toBe(carriedOut(before, target, logs));
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
      ...{
        inside: 0,
        outside: 0,
        gaps: 0,
        positions: 0,
        refusedPositions: 0,
        quiet: 0,
        beforeForks: 0,
        pruned: 0,
      },
    };
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 20, maxLength: 50, size: "max" }), async (events) => {
        const history = begin(aheadUs);
        for (const one of events) await happens(history, one);
        const found = await readArchive(history.store, PLACE, gtidSets);
        if (!found.ok) throw new Error(found.failure.message);
        checkInstants(history, found.value, seen);
        checkPositions(history, found.value, seen);
        await checkPruned(history, found.value, seen);
      }),
      RUNS,
    );
    // What was looked at was of all kinds.
    expect(seen.inside).toBeGreaterThan(100);
    expect(seen.outside).toBeGreaterThan(100);
    expect(seen.quiet).toBeGreaterThan(20);
    expect(seen.pruned).toBeGreaterThan(10);
    expect(seen.beforeForks).toBeGreaterThan(100);
    expect(seen.positions).toBeGreaterThan(100);
    expect(seen.refusedPositions).toBeGreaterThan(20);
    expect(seen.gaps).toBeGreaterThan(5);
  },
  900_000,
);

/** By the definition: a backup is part of it, with all that is missing archived. */
function isHad({ starts, segments }: Archive, state: string): boolean {
  const archived = archivedBy(segments, gtidSets);
  return starts.some(
    ({ position }) =>
      gtidSets.contains(state, position) && gtidSets.contains(gtidSets.union(position, archived), state),
  );
}

/**
 * Instants of which the documents tell what was held: within a segment, from one to the next, and while the primary was looked
 * at, unless something is known of that time that was never in one log with it.
 */
function expectations(found: Archive, logs: readonly (readonly Committed[])[]): (atUs: number) => boolean {
  const { segments, lost, look } = found;
  const documents = [...segments, ...lost].map((one) => ({
    ...one,
    end: gtidSets.union(one.after, one.position),
  }));
  const sets = logs.map(setOf);
  const isOneLog = (a: string, b: string) => sets.some((log) => gtidSets.contains(log, gtidSets.union(a, b)));
  const known: { fromUs: number; untilUs: number }[] = [];
  function expected(fromUs: number, untilUs: number, state: string, end: string): void {
    if (fromUs >= untilUs || !isHad(found, state)) return;
    const others = documents.filter(
      ({ position, firstAtUs, lastAtUs }) =>
        firstAtUs < untilUs && lastAtUs >= fromUs && !isOneLog(position, end),
    );
    known.push({ fromUs, untilUs: Math.min(untilUs, ...others.map(({ firstAtUs }) => firstAtUs)) });
  }
  for (const { after, end, firstAtUs, lastAtUs, parts } of documents) {
    if (segments.some((one) => one.parts === parts)) expected(firstAtUs, lastAtUs, after, end);
    const next = documents.filter((one) => one.after === end);
    const nextUs = Math.min(...next.map((one) => one.firstAtUs));
    for (const one of next) expected(lastAtUs, nextUs, end, one.end);
    const seenUs = look?.position === end ? Math.max(lastAtUs, look.toUs) : lastAtUs;
    if (next.length === 0) expected(lastAtUs, seenUs + 1, end, end);
  }
  for (const { position: written, endedAtUs } of found.starts) {
    const position = gtidSets.union(written, "");
    const untils = documents
      .filter(({ after }) => after === position)
      .map(({ end, firstAtUs }) => ({ end, untilUs: firstAtUs }));
    // Of another log that had gone beyond it by then, or nobody knows when.
    const further = documents.filter((one) => one.end !== position && gtidSets.contains(one.end, position));
    const beyond = further.filter((one) => one.firstAtUs <= endedAtUs);
    // A look that finds it again after that tells of a restore.
    if (look?.position === position && further.length === 0)
      untils.push({ end: position, untilUs: look.toUs + 1 });
    const states = [...found.starts.map((one) => one.position), ...documents.map(({ after }) => after)];
    const later = states.filter((one) => gtidSets.contains(one, position));
    for (const { end, untilUs } of untils) {
      const dated = documents.reduce((all, one) => gtidSets.union(all, one.position), end);
      if (!later.every((one) => gtidSets.contains(dated, one))) continue;
      if (beyond.every((one) => gtidSets.contains(end, one.position)))
        expected(endedAtUs, untilUs, position, end);
    }
  }
  if (look !== null) expected(look.fromUs, look.toUs + 1, look.position, look.position);
  return (atUs) => known.some(({ fromUs, untilUs }) => fromUs <= atUs && atUs < untilUs);
}
