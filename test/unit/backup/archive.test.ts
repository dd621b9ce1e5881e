/** The archive of logs: what is stored is whole transactions, once and for all, wherever a pass is killed and however many run. */
import { describe, expect, test } from "vitest";
import { decodeChain } from "../../../shared/backup/archive/chain.ts";
import { archivedBy } from "../../../shared/backup/archive/inventory.ts";
import { CHAIN_SEGMENTS_MAX, parseArchiveKey } from "../../../shared/backup/archive/keys.ts";
import { type Cut, cutSegments } from "../../../shared/backup/archive/segments.ts";
import { gtidSets } from "../../../shared/engines/mysql/gtid.ts";
import { BrokenStream } from "../../../shared/model/broken-stream.ts";
import type { LogPiece } from "../../../shared/ports/log-stream.ts";
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
  piecesOf,
  putBackup,
  START_US,
  setOf,
  sourceOf,
  storedIn,
} from "../../support/archive.ts";
import { PLACE } from "../../support/job-work.ts";
import { killedAfter } from "../../support/killed.ts";
import { createMemoryStore } from "../../support/memory-store.ts";
import { collect, failureIn, newIdentity } from "../../support/streams.ts";

const memoryStore = () => createMemoryStore({ partBytesMin: 1, pageSize: 7 });

async function storeWithBackup(position = `${A}:1-10`) {
  const store = memoryStore();
  await putBackup(store, position);
  return store;
}

const LOG = committed(A, 1, 40);
const SERVER = { uuid: A, log: LOG, purged: 0 };

describe("segments", () => {
  const clock = { now: () => 0, sleep: () => Promise.resolve() };
  const limits = { bytesMax: 1_000_000, ageMsMax: 1_000, clock, positions: gtidSets };

  async function cut(log: AsyncIterable<LogPiece>, more: Partial<typeof limits> = {}) {
    const found: { text: string; facts: ReturnType<Cut["facts"]> }[] = [];
    for await (const segment of cutSegments(log, { ...limits, ...more })) {
      if (segment.kind === "quiet") continue;
      const text = (await collect(segment.bytes)).toString().replaceAll(/@\d+/g, "");
      found.push({ text, facts: segment.facts() });
    }
    return found;
  }

  async function* of(...pieces: readonly LogPiece[]): AsyncGenerator<LogPiece> {
    yield* pieces;
  }

  test("each begins with the head and has whole transactions, and says what is in it", async () => {
    const found = await cut(piecesOf(committed(A, 1, 5)), { bytesMax: 140 });
    expect(found.map(({ text }) => text)).toEqual([`head;<${A}:1><${A}:2><${A}:3>`, `head;<${A}:4><${A}:5>`]);
    expect(found[1]?.facts).toEqual({
      ...{ position: `${A}:4-5`, transactions: 2 },
      ...{ firstAtUs: START_US + 4_000_000, lastAtUs: START_US + 5_000_000 },
    });
  });

  test("with a new file of the server's comes a new segment, and with nothing to do none", async () => {
    expect((await cut(piecesOf(committed(A, 1, 4), 2))).map(({ facts }) => facts.position)).toEqual([
      `${A}:1-2`,
      `${A}:3-4`,
    ]);
    expect(await cut(of({ kind: "head", bytes: HEAD }, { kind: "quiet" }))).toEqual([]);
  });

  test("a server that has nothing more, and age, end a segment", async () => {
    const [one, other] = [[...committed(A, 1, 1)], [...committed(A, 2, 2)]];
    async function* log(): AsyncGenerator<LogPiece> {
      yield* piecesOf(one);
      yield { kind: "quiet" };
      for await (const piece of piecesOf(other)) if (piece.kind !== "head") yield piece;
    }
    expect(await cut(log())).toHaveLength(2);
    let nowMs = 0;
    const aging = { ...clock, now: () => (nowMs += 400) };
    expect(
      (await cut(piecesOf(committed(A, 1, 9)), { clock: aging })).map(({ facts }) => facts.transactions),
    ).toEqual([3, 3, 3]);
  });

  test("a commit that is earlier than the one before it begins a new one: another clock counts from there", async () => {
    const [one, two, three] = committed(A, 1, 3).map(({ atUs }) => atUs);
    const log = [two, three, three, one].map((atUs = 0, index) => ({ gtid: `${A}:${index + 1}`, atUs }));
    const found = await cut(piecesOf(log));
    expect(found.map(({ facts }) => [facts.position, facts.firstAtUs, facts.lastAtUs])).toEqual([
      [`${A}:1-3`, two, three],
      [`${A}:4`, one, one],
    ]);
    expect(found[1]?.text).toBe(`head;<${A}:4>`);
  });

  test("a log that ends within a transaction is broken", async () => {
    const [first] = committed(A, 1, 1);
    const half: LogPiece = {
      kind: "transaction",
      gtid: `${A}:1`,
      committedAtUs: first?.atUs ?? 0,
      bytes: HEAD,
      ends: false,
    };
    expect(await failureIn(() => cut(of({ kind: "head", bytes: HEAD }, half)))).toMatchObject({
      kind: "transient",
    });
  });
});

describe("a pass", () => {
  test("stores what the backup and the archive lack, and the next one nothing", async () => {
    const store = await storeWithBackup();
    const made = await archive(archiveWork(store), sourceOf(SERVER));
    expect(made).toMatchObject({
      ok: true,
      value: { transactions: 30, lost: "", lastAtUs: LOG.at(-1)?.atUs },
    });
    expect((await storedIn(store)).flat()).toEqual(LOG.slice(10).map(({ gtid }) => gtid));
    const { segments, damage, gap } = await inventoryIn(store);
    expect([damage, gap]).toEqual([[], null]);
    expect(segments.map(({ after }) => after)[0]).toBe(`${A}:1-10`);
    for (const [index, { after }] of segments.entries()) {
      const before = segments.slice(0, index).map(({ position }) => position);
      expect(after).toBe(gtidSets.union(`${A}:1-10`, before.join(",")));
    }
    const objects = store.objects.size;
    expect(await archive(archiveWork(store), sourceOf(SERVER))).toMatchObject({ value: { segments: 0 } });
    expect(store.objects.size).toBe(objects);
  });

  test("goes on with another server, of what that one has", async () => {
    const store = await storeWithBackup();
    await archive(archiveWork(store), sourceOf(SERVER));
    // The last two were never received by anybody.
    const log = [...LOG.slice(0, 38), ...committed(B, 1, 5)];
    const asked: string[] = [];
    const source = sourceOf({ uuid: B, log, purged: 20 });
    const stream: typeof source.stream = (except) => {
      asked.push(except);
      return source.stream(except);
    };
    expect(await archive(archiveWork(store), { ...source, stream })).toMatchObject({
      value: { lost: "" },
    });
    expect(asked).toEqual([`${A}:1-38`]);
    expect(archivedBy((await inventoryIn(store)).segments, gtidSets)).toBe(`${A}:11-40,\n${B}:1-5`);
  });

  test("says what a server has purged before it was stored, and goes on after it", async () => {
    const store = await storeWithBackup();
    const made = await archive(archiveWork(store), sourceOf({ ...SERVER, purged: 25 }));
    expect(made).toMatchObject({ ok: true, value: { lost: `${A}:11-25`, transactions: 15 } });
    expect((await inventoryIn(store)).segments[0]?.after).toBe(`${A}:1-25`);
  });

  test.each([
    ["no backup at all", null],
    ["a backup of one database only", { databases: ["shop"] }],
  ])("does nothing while there is %s", async (_, more) => {
    const store = memoryStore();
    if (more !== null) await putBackup(store, `${A}:1-10`, more);
    const refused = await archive(archiveWork(store), sourceOf(SERVER));
    expect(refused).toMatchObject({ ok: false, failure: { kind: "conflict" } });
    expect([...store.objects.keys()].some((key) => key.startsWith(ARCHIVE))).toBe(false);
  });

  test("what a server keeps encrypted is stored encrypted or not at all", async () => {
    const store = await storeWithBackup();
    const source = sourceOf(SERVER, { isEncrypted: true });
    expect(await archive(archiveWork(store), source)).toMatchObject({
      ok: false,
      failure: { kind: "refused", message: expect.stringContaining("ageRecipient") },
    });
    const { recipient } = newIdentity();
    const work = archiveWork(store, { ageRecipients: [recipient] });
    expect(await archive(work, source)).toMatchObject({ ok: true, value: { transactions: 30 } });
    for (const [key, { bytes }] of store.objects) {
      if (key.endsWith(".zst.age")) expect(Buffer.from(bytes).toString("latin1")).toMatch(/^age-encryption/);
    }
  });

  test("a listing that cannot be read to its end stores nothing", async () => {
    const store = createMemoryStore({
      fault: ({ verb }) =>
        verb === "list" ? { when: "before", failure: { kind: "transient", message: "away" } } : null,
    });
    await putBackup(store, `${A}:1-10`);
    expect(await archive(archiveWork(store), sourceOf(SERVER))).toMatchObject({ ok: false });
    expect([...store.objects.keys()].some((key) => key.startsWith(ARCHIVE))).toBe(false);
  });

  test("a log that breaks off keeps the segments before, and is gone on with", async () => {
    const store = await storeWithBackup();
    const stream = async function* (except: string): AsyncGenerator<LogPiece> {
      let left = 50;
      for await (const piece of sourceOf(SERVER).stream(except)) {
        left -= 1;
        if (left === 0) throw new BrokenStream({ kind: "transient", message: "lost" });
        yield piece;
      }
    };
    const broken = await archive(archiveWork(store), sourceOf(SERVER, { stream }));
    expect(broken).toMatchObject({ ok: false, failure: { kind: "transient" } });
    const before = (await storedIn(store)).flat().length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(17);
    await archive(archiveWork(store), sourceOf(SERVER));
    expect((await storedIn(store)).flat()).toEqual(LOG.slice(10).map(({ gtid }) => gtid));
  });

  test("a long one is told in several chains, each by one document in the end", async () => {
    const store = await storeWithBackup();
    const log = committed(A, 1, CHAIN_SEGMENTS_MAX + 15);
    await archive(archiveWork(store, { segmentBytesMax: 1 }), sourceOf({ ...SERVER, log }));
    const documents = [...store.objects.keys()].filter(
      (key) => parseArchiveKey(PLACE, key)?.kind === "document",
    );
    expect(documents).toHaveLength(2);
    expect((await storedIn(store)).flat()).toEqual(log.slice(10).map(({ gtid }) => gtid));
  });

  test("told to end, it ends after a segment", async () => {
    const store = await storeWithBackup();
    const signal = AbortSignal.abort();
    expect(await archive(archiveWork(store, { signal }), sourceOf(SERVER))).toMatchObject({
      value: { segments: 1 },
    });
  });
});

describe("what others did to the bucket", () => {
  test("a segment without one of its objects does not count, and is stored again", async () => {
    const store = await storeWithBackup();
    await archive(archiveWork(store), sourceOf(SERVER));
    const [first] = (await inventoryIn(store)).segments;
    store.objects.delete(first?.parts[0]?.key ?? "");
    const { segments, damage } = await inventoryIn(store);
    expect(damage).toHaveLength(1);
    expect(segments.map(({ position }) => position)).not.toContain(first?.position);
    expect(await archive(archiveWork(store), sourceOf(SERVER))).toMatchObject({
      // With all that came after it, because a chain goes on from nothing later.
      value: { transactions: 30 },
    });
    expect(archivedBy((await inventoryIn(store)).segments, gtidSets)).toBe(`${A}:11-40`);
  });

  test("a document that is none is damage, and neither is one in another's place believed", async () => {
    const store = await storeWithBackup();
    await archive(archiveWork(store), sourceOf(SERVER));
    const key =
      [...store.objects.keys()].find((one) => one.endsWith(".json") && one.startsWith(ARCHIVE)) ?? "";
    const text = Buffer.from(store.objects.get(key)?.bytes ?? []).toString();
    const parsed = parseArchiveKey(PLACE, key);
    const standing = { clusterUid: PLACE.clusterUid, ...(parsed?.chain ?? { serverUuid: "", name: "" }) };
    const segments = parsed?.kind === "document" ? parsed.segments : 0;
    expect(decodeChain(text, { ...standing, segments }).kind).toBe("valid");
    expect(decodeChain(text, { ...standing, segments, serverUuid: B }).kind).toBe("unusable");
    expect(decodeChain(text, { ...standing, segments: segments + 1 }).kind).toBe("unusable");
    for (const wrong of [
      "",
      "{}",
      text.replace(`${A}:1-10`, "not a position"),
      text.replace('"v":1', '"v":2'),
    ]) {
      await store.put(key, Buffer.from(wrong));
      const inventory = await inventoryIn(store);
      expect([inventory.segments, inventory.damage.length], wrong.slice(0, 30)).toEqual([[], 1]);
    }
  });
});

/** True when it was killed before its end. */
const killed = (store: ObjectStore, last: number): Promise<boolean> =>
  killedAfter(store, last, (dying) => archive(archiveWork(dying), sourceOf(SERVER)));

describe("killed anywhere", () => {
  const wanted = LOG.slice(10).map(({ gtid }) => gtid);

  test("nothing is lost or doubled by the next pass", async () => {
    let last = 0;
    for (let wasKilled = true; wasKilled; last += 1) {
      const store = await storeWithBackup();
      wasKilled = await killed(store, last);
      // What counts already is whole, and a beginning of the log.
      const before = (await storedIn(store)).flat();
      expect(before, `call ${last}`).toEqual(wanted.slice(0, before.length));
      expect((await archive(archiveWork(store), sourceOf(SERVER))).ok, `call ${last}`).toBe(true);
      expect((await storedIn(store)).flat(), `call ${last}`).toEqual(wanted);
    }
    expect(last).toBeGreaterThan(20);
  });

  test("again and again, with others at work meanwhile: everything counts once", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const store = await storeWithBackup();
      await Promise.all([
        killed(store, seed),
        killed(store, seed * 2),
        archive(archiveWork(store), sourceOf(SERVER)),
      ]);
      await killed(store, seed);
      await archive(archiveWork(store), sourceOf(SERVER));
      const { segments, damage } = await inventoryIn(store);
      expect(damage).toEqual([]);
      expect(archivedBy(segments, gtidSets), `seed ${seed}`).toBe(setOf(LOG.slice(10)));
      // Also in the bytes, and not only in what is said of them.
      expect(new Set((await storedIn(store)).flat()), `seed ${seed}`).toEqual(new Set(wanted));
    }
  });
});
