/** Many small segments become few large ones, wherever that is killed and however many do it, and every point stays. */
import { expect, test } from "vitest";
import { archivedBy, type Segment } from "../../../shared/backup/archive/inventory.ts";
import { mergeOnce } from "../../../shared/backup/archive/merge.ts";
import type { ArchiveWork } from "../../../shared/backup/archive/pass.ts";
import { readArchive } from "../../../shared/backup/archive/recorded.ts";
import { readDoubled, readUnneeded } from "../../../shared/backup/archive/unneeded.ts";
import { carryOutDeletions } from "../../../shared/backup/holdings.ts";
import { gtidSets } from "../../../shared/engines/mysql/gtid.ts";
import { succeed } from "../../../shared/model/outcome.ts";
import type { ObjectStore } from "../../../shared/ports/object-store.ts";
import {
  UUID_A as A,
  ARCHIVE,
  archive,
  archiveWork,
  UUID_B as B,
  committed,
  HEAD,
  inventoryIn,
  type Logged,
  putBackup,
  START_US,
  setOf,
  sourceOf,
  storedIn,
} from "../../support/archive.ts";
import { PLACE } from "../../support/job-work.ts";
import { killedAfter } from "../../support/killed.ts";
import { createMemoryStore } from "../../support/memory-store.ts";
import { newIdentity } from "../../support/streams.ts";

const C = "cccccccc-0000-4000-8000-000000000000";
const BEGUN_MS = Date.parse("2026-11-23T05:00:00Z");
const MINUTE_MS = 60_000;

/** Every segment is one object. */
const shape = { sliceBytes: 1024 ** 3, partBytes: 1024 ** 2, parallel: 1 };
const SERVER: Logged = { uuid: A, log: committed(A, 1, 60), purged: 0 };

const at = (minute: number) => ({
  now: () => BEGUN_MS + minute * MINUTE_MS,
  sleep: () => Promise.resolve(),
});

/** Each transaction is a segment of its own. */
const small = (store: ObjectStore, server: Logged, minute = 0, more: Partial<ArchiveWork> = {}) =>
  archive(archiveWork(store, { segmentBytesMax: 1, clock: at(minute), shape, ...more }), sourceOf(server));

const merge = (store: ObjectStore, server: Logged, minute: number, more: Partial<ArchiveWork> = {}) =>
  mergeOnce(archiveWork(store, { clock: at(minute), shape, ...more }), () =>
    Promise.resolve(succeed(sourceOf(server))),
  );

async function small60(server = SERVER) {
  const store = createMemoryStore({ partBytesMin: 1, pageSize: 7 });
  await putBackup(store, `${A}:1-10`);
  expect(await small(store, server)).toMatchObject({ ok: true });
  return store;
}

async function found(store: ObjectStore) {
  const read = await readArchive(store, PLACE, gtidSets);
  if (!read.ok) throw new Error(read.failure.message);
  return read.value;
}

/** As a pass does that lets go of what is held twice; how many chains. */
async function letGo(store: ObjectStore, minute: number): Promise<number> {
  const { starts } = await found(store);
  const nowMs = BEGUN_MS + minute * MINUTE_MS;
  const doubled = await readDoubled(store, PLACE, nowMs, gtidSets);
  const all = await readUnneeded(store, PLACE, { starts, nowMs }, gtidSets);
  if (!doubled.ok || !all.ok) throw new Error("it can be read");
  for (const { keys } of doubled.value) expect(all.value.flatMap((one) => one.keys)).toContain(keys[0]);
  expect(await carryOutDeletions(store, doubled.value)).toMatchObject({ ok: true });
  return doubled.value.length;
}

const numbers = ({ position }: Segment) => position.slice(position.indexOf(":") + 1);

test("they are one segment, and the small ones go when it is an hour old", async () => {
  const store = await small60();
  const before = await found(store);
  expect(before.segments).toHaveLength(50);
  expect(await small(store, SERVER, 1)).toMatchObject({ value: { segments: 0, loose: 50 } });
  expect(await merge(store, SERVER, 10)).toMatchObject({ value: { segments: 1, transactions: 50 } });
  expect(await small(store, SERVER, 11)).toMatchObject({ value: { segments: 0, loose: 0 } });
  expect(await letGo(store, 70)).toBe(0);
  expect(await letGo(store, 71)).toBe(1);
  expect(await letGo(store, 72)).toBe(0);
  expect(await storedIn(store)).toEqual([committed(A, 11, 60).map(({ gtid }) => gtid)]);
  expect((await found(store)).window.ranges).toEqual(before.window.ranges);
  expect([...store.objects.keys()].filter((key) => key.startsWith(ARCHIVE))).toHaveLength(2);
});

test("a few segments, and what was committed long after one another, stay as they are", async () => {
  const few = await small60({ ...SERVER, log: committed(A, 1, 17) });
  expect(await merge(few, SERVER, 10)).toMatchObject({ value: { segments: 0 } });
  const rare = { ...SERVER, log: committed(A, 1, 60, 90_000_000) };
  expect(await merge(await small60(rare), rare, 10)).toMatchObject({ value: { segments: 0 } });
});

test("a merged segment takes ten minutes, and no more than its size", async () => {
  const server = { ...SERVER, log: committed(A, 1, 60, 30_000_000) };
  const store = await small60(server);
  await merge(store, server, 10);
  await letGo(store, 71);
  expect((await inventoryIn(store)).segments.map(numbers)).toEqual(["11-31", "32-52", "53-60"]);
  const large = await small60();
  const bytes = Buffer.alloc(150 * 1024 * 1024);
  async function* stream() {
    yield { kind: "head" as const, bytes: HEAD };
    for (const { gtid, atUs } of SERVER.log.slice(10, 16))
      yield { kind: "transaction" as const, gtid, committedAtUs: atUs, bytes, ends: true };
  }
  const source = sourceOf(SERVER, { stream });
  await mergeOnce(archiveWork(large, { clock: at(10), shape }), () => Promise.resolve(succeed(source)));
  expect((await inventoryIn(large)).segments.slice(-2).map(numbers)).toEqual(["11-14", "15-16"]);
});

test("one ends before and with the last that a backup holds, and around what was abandoned", async () => {
  const server = { uuid: B, log: [...committed(A, 1, 60), ...committed(B, 1, 20)], purged: 0 };
  const store = await small60(server);
  // What only the primary before had.
  const own = committed(A, 1, 2).map(({ atUs }, index) => ({ gtid: `${C}:${index + 1}`, atUs: atUs + 7e7 }));
  await small(store, { uuid: A, log: [...committed(A, 1, 60), ...own], purged: 0 });
  await putBackup(store, `${A}:1-30`, {}, "2026-11-23T04:30:00.000Z");
  const before = await found(store);
  await merge(store, server, 10);
  expect(await letGo(store, 71)).toBe(1);
  const { segments, window } = await found(store);
  expect(segments.map(numbers)).toEqual(["1", "2", "11-29", "30", "31-60", "1-20"]);
  expect(window.ranges).toEqual(before.window.ranges);
});

test("small ones stay as long as a point is reached with them alone", async () => {
  const store = await small60();
  await merge(store, SERVER, 10);
  // Made before the merging, and there after it; and nothing older is left.
  await putBackup(store, `${A}:1-30`, {}, "2026-11-23T04:30:00.000Z");
  for (const key of store.objects.keys()) if (key.includes("20261123T030000Z")) store.objects.delete(key);
  const { window } = await found(store);
  expect(window.ranges[0]?.fromUs).toBe(START_US + 30_000_000);
  expect(await letGo(store, 71)).toBe(0);
  await merge(store, { ...SERVER, log: committed(A, 1, 60) }, 80);
  expect((await found(store)).window.ranges).toEqual(window.ranges);
});

test("nothing goes that a later chain has lost, or has only in part", async () => {
  const lost = await small60();
  await merge(lost, SERVER, 10);
  const merged = [...lost.objects.keys()].filter((key) => key.includes("051000Z") && key.endsWith(".zst"));
  expect(merged).toHaveLength(1);
  lost.objects.delete(merged[0] ?? "");
  expect(await letGo(lost, 71)).toBe(0);
  expect(await merge(lost, SERVER, 80)).toMatchObject({ value: { segments: 1 } });
  const part = await small60();
  const purged = { ...SERVER, purged: 40 };
  expect(await merge(part, purged, 10)).toMatchObject({ value: { transactions: 20 } });
  expect(await letGo(part, 71)).toBe(0);
  expect(archivedBy((await inventoryIn(part)).segments, gtidSets)).toBe(`${A}:11-60`);
});

test("hours of writing leave few objects, and every point", async () => {
  const store = createMemoryStore({ partBytesMin: 1 });
  await putBackup(store, `${A}:1-10`);
  const log = committed(A, 1, 6 * 60, 60_000_000);
  for (let minute = 20; minute <= 6 * 60; minute += 20) {
    const server = { uuid: A, log: log.slice(0, minute), purged: 0 };
    await small(store, server, minute);
    await merge(store, server, minute + 1);
    await letGo(store, minute + 2);
  }
  const { segments, window } = await found(store);
  expect(store.objects.size).toBeLessThan(120);
  expect(archivedBy(segments, gtidSets)).toBe(`${A}:11-${6 * 60}`);
  expect(window.ranges).toEqual([{ fromUs: log[10]?.atUs, toUs: log.at(-1)?.atUs }]);
}, 20_000);

test("what is encrypted is merged without a key that opens it", async () => {
  const ageRecipients = [newIdentity().recipient];
  const store = createMemoryStore({ partBytesMin: 1 });
  await putBackup(store, `${A}:1-10`);
  await small(store, SERVER, 0, { ageRecipients });
  await merge(store, SERVER, 10, { ageRecipients });
  expect(await letGo(store, 71)).toBe(1);
  const names = [...store.objects.keys()].filter((key) => key.startsWith(ARCHIVE));
  expect(names.map((key) => key.replace(/.*\//, "")).toSorted()).toEqual([
    "0001.1.zst.age",
    "chain-0001.json",
  ]);
});

/** Twenty segments. */
const SHORT: Logged = { uuid: A, log: committed(A, 1, 30), purged: 0 };

test("killed anywhere, and beside others, nothing is lost", async () => {
  let kills = 0;
  for (let calls = 1; ; calls += 1) {
    const store = await small60(SHORT);
    const { ranges } = (await found(store)).window;
    const died = await killedAfter(store, calls, (dying) => merge(dying, SHORT, 10));
    expect((await found(store)).window.ranges).toEqual(ranges);
    await letGo(store, 80);
    expect((await found(store)).window.ranges).toEqual(ranges);
    // Two at once, and two who delete.
    await Promise.all([merge(store, SHORT, 100), merge(store, SHORT, 100), small(store, SHORT, 100)]);
    await Promise.all([letGo(store, 171), letGo(store, 171)]);
    const after = await found(store);
    expect(after.window.ranges).toEqual(ranges);
    expect(archivedBy(after.segments, gtidSets)).toBe(gtidSets.subtract(setOf(SHORT.log), `${A}:1-10`));
    expect(after.segments.length).toBeLessThan(4);
    if (!died) break;
    kills += 1;
  }
  expect(kills).toBeGreaterThan(5);
});

test("killed while it deletes, what stays is held and goes the next time", async () => {
  let kills = 0;
  for (let calls = 0; ; calls += 5) {
    const store = await small60(SHORT);
    const { ranges } = (await found(store)).window;
    await merge(store, SHORT, 10);
    const died = await killedAfter(store, calls, (dying) => letGo(dying, 71));
    expect((await found(store)).window.ranges).toEqual(ranges);
    await letGo(store, 72);
    expect(await storedIn(store)).toEqual([committed(A, 11, 30).map(({ gtid }) => gtid)]);
    if (!died) break;
    kills += 1;
  }
  expect(kills).toBeGreaterThan(5);
});
