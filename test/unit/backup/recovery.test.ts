/** What is replayed to get to a point: exactly the transactions up to it, as files in a folder, or a refusal with the nearest ones. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FetchWish, fetchReplays } from "../../../shared/backup/archive/fetch.ts";
import { lookKey } from "../../../shared/backup/archive/keys.ts";
import { type Archive, readArchive } from "../../../shared/backup/archive/recorded.ts";
import {
  type Planned,
  planRecovery,
  planReplay,
  type Recovery,
  type Replay,
  type Target,
} from "../../../shared/backup/archive/recovery.ts";
import { gtidSets } from "../../../shared/engines/mysql/gtid.ts";
import { succeed } from "../../../shared/model/outcome.ts";
import {
  archive,
  archiveWork,
  type Committed,
  piecesOf,
  putBackup,
  readLogFile,
  sourceOf,
  transactionsIn,
} from "../../support/archive.ts";
import { PLACE } from "../../support/job-work.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory-store.ts";
import { newIdentity, patienceOf } from "../../support/streams.ts";

const A = "aaaaaaaa-0000-4000-8000-000000000000";
const B = "bbbbbbbb-0000-4000-8000-000000000000";
const START_US = Date.parse("2026-11-23T04:00:00Z") * 1_000;
/** The instant at which the transaction with this number was committed. */
const second = (number: number) => START_US + number * 1_000_000;

const LOG: readonly Committed[] = Array.from({ length: 40 }, (_, index) => ({
  gtid: `${A}:${index + 1}`,
  atUs: second(index + 1),
}));
const SERVER = { uuid: A, log: LOG, purged: 0 };

let store: MemoryStore;
let folder: string;

beforeEach(async () => {
  store = createMemoryStore({ partBytesMin: 1 });
  folder = mkdtempSync(join(tmpdir(), "ordinal-replay-"));
  await putBackup(store, `${A}:1-10`);
});

afterEach(() => rmSync(folder, { recursive: true }));

async function found(): Promise<Archive> {
  const read = await readArchive(store, PLACE, gtidSets);
  if (!read.ok) throw new Error(read.failure.message);
  return read.value;
}

function planOf<T extends Recovery>(planned: Planned<T>): T {
  if (planned.kind === "refused") throw new Error(`refused: ${planned.why}`);
  return planned.plan;
}

const to = (number: number): Target => ({ kind: "time", atUs: second(number) });

function fetched(replays: readonly Replay[], more: Partial<FetchWish> = {}) {
  const positions = gtidSets;
  return fetchReplays(replays, {
    ...{ store, identity: null, patience: patienceOf(1), positions, readLogFile, folder },
    ...more,
  });
}

/** The numbers of A's transactions in the files, in their order, and whether each file is a log file. */
async function numbersIn(
  replays: readonly Replay[],
  more: Partial<FetchWish> = {},
): Promise<readonly number[]> {
  const outcome = await fetched(replays, more);
  if (!outcome.ok) throw new Error(outcome.failure.message);
  expect(readdirSync(folder)).toEqual(outcome.value.files.map(({ path }) => path.slice(folder.length + 1)));
  const gtids = outcome.value.files.flatMap(({ path, position, transactions }) => {
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(/^head;</);
    const own = transactionsIn(text).map(({ gtid }) => gtid);
    expect([position, transactions]).toEqual([gtidSets.union(own.join(","), ""), own.length]);
    return own;
  });
  expect(outcome.value.position).toBe(gtidSets.union(gtids.join(","), ""));
  return gtids.map((gtid) => Number(gtid.slice(A.length + 1)));
}

const numbers = (from: number, end: number) =>
  Array.from({ length: end - from + 1 }, (_, index) => from + index);

describe("from a backup to a point", () => {
  beforeEach(async () => {
    await archive(archiveWork(store), sourceOf(SERVER));
  });

  test.each([11, 12, 25, 39, 40])("to the instant of transaction %i, and just before it", async (number) => {
    const { start, replays } = planOf(planRecovery(await found(), to(number), gtidSets));
    expect(start.position).toBe(`${A}:1-10`);
    expect(await numbersIn(replays)).toEqual(numbers(11, number));
  });

  test("between two commits everything up to the first of them", async () => {
    const target: Target = { kind: "time", atUs: second(20) + 999_999 };
    const { replays } = planOf(planRecovery(await found(), target, gtidSets));
    expect(await numbersIn(replays)).toEqual(numbers(11, 20));
  });

  test.each([[`${A}:25`], [`${A}:1-25`], [`${A}:13:25`], [`${A.toUpperCase()}:1-25`]])(
    "to the last of %s",
    async (position) => {
      const target: Target = { kind: "position", position };
      const { replays } = planOf(planRecovery(await found(), target, gtidSets));
      expect(await numbersIn(replays)).toEqual(numbers(11, 25));
    },
  );

  test("to what a backup holds nothing is replayed", async () => {
    const target: Target = { kind: "position", position: `${A}:1-10` };
    expect(planOf(planRecovery(await found(), target, gtidSets)).replays).toEqual([]);
    expect(await fetched([])).toEqual(succeed({ files: [], position: "", lastAtUs: null }));
  });

  test("it begins with the newest backup that has nothing of what was committed later", async () => {
    await putBackup(store, `${A}:1-22`, {}, "2026-11-23T03:30:00.000Z");
    const plan = async (number: number) => planOf(planRecovery(await found(), to(number), gtidSets));
    expect((await plan(40)).start.position).toBe(`${A}:1-22`);
    expect(await numbersIn((await plan(40)).replays)).toEqual(numbers(23, 40));
    expect((await plan(15)).start.position).toBe(`${A}:1-10`);
  });

  test("from what a server has executed, also in the middle of a segment", async () => {
    const plan = (base: string, number: number) =>
      found().then((all) => planReplay(all, { base, target: to(number) }, gtidSets));
    expect(await numbersIn(planOf(await plan(`${A}:1-21`, 40)).replays)).toEqual(numbers(22, 40));
    expect(await plan(`${A}:1-30`, 20)).toMatchObject({ kind: "refused" });
    expect(await plan(`${A}:1-5`, 20)).toMatchObject({ kind: "refused" });
  });

  test.each([
    ["before the first backup", to(3), { why: "before", beforeUs: null, afterUs: second(11) }],
    ["in the future", to(100), { why: "after", beforeUs: second(40), afterUs: null }],
    [
      "that nobody ever had",
      { kind: "position", position: `${B}:7` } as const,
      { why: "after", beforeUs: second(40) },
    ],
    [
      "that only a backup has",
      { kind: "position", position: `${A}:7` } as const,
      { why: "before", beforeUs: null, afterUs: second(11) },
    ],
  ])("a target %s is refused with the nearest points", async (_, target, refusal) => {
    expect(planRecovery(await found(), target, gtidSets)).toMatchObject({ kind: "refused", ...refusal });
  });

  test("what another archiver stored as well is replayed once", async () => {
    const log = LOG.slice(0, 33);
    await archive(archiveWork(store, { segmentBytesMax: 350 }), sourceOf({ ...SERVER, log }));
    // One that has begun before the others had stored anything.
    const late = createMemoryStore({ partBytesMin: 1 });
    await putBackup(late, `${A}:1-10`);
    await archive(archiveWork(late, { segmentBytesMax: 330 }), sourceOf({ ...SERVER, log }));
    for (const [key, { bytes }] of late.objects) if (key.includes("/binlogs/")) await store.put(key, bytes);
    expect(await numbersIn(planOf(planRecovery(await found(), to(37), gtidSets)).replays)).toEqual(
      numbers(11, 37),
    );
  });
});

test("the order is that of the log, also where a server had transactions that no other has", async () => {
  const errant = Array.from({ length: 50 }, (_, index) => ({ gtid: `${B}:${index + 1}`, atUs: second(1) }));
  const odd = { uuid: B, log: [...errant, ...LOG.slice(0, 20)], purged: 50 };
  await archive(archiveWork(store), sourceOf(odd));
  await archive(archiveWork(store), sourceOf(SERVER));
  // What the odd server had before is more than what came after it elsewhere.
  const { replays } = planOf(planRecovery(await found(), to(40), gtidSets));
  expect(await numbersIn(replays)).toEqual(numbers(11, 40));
});

describe("gaps", () => {
  test("a target in one is refused, and both its ends are told", async () => {
    await archive(archiveWork(store, { segmentBytesMax: 1 }), sourceOf({ ...SERVER, log: LOG.slice(0, 20) }));
    await putBackup(store, `${A}:1-28`, {}, "2026-11-23T03:30:00.000Z");
    await archive(archiveWork(store, { segmentBytesMax: 1 }), sourceOf({ ...SERVER, purged: 28 }));
    const archived = await found();
    expect(archived.window.ranges).toEqual([
      { fromUs: second(11), toUs: second(20) },
      { fromUs: second(29), toUs: second(40) },
    ]);
    expect(planRecovery(archived, to(24), gtidSets)).toEqual({
      ...{ kind: "refused", why: "gap", beforeUs: second(20), afterUs: second(29) },
    });
    expect(planRecovery(archived, { kind: "position", position: `${A}:24` }, gtidSets)).toMatchObject({
      ...{ kind: "refused", why: "gap" },
    });
    expect(await numbersIn(planOf(planRecovery(archived, to(40), gtidSets)).replays)).toEqual(
      numbers(29, 40),
    );
  });
});

describe("while nothing is written", () => {
  const tipAt = (number: number) => () =>
    Promise.resolve(succeed({ serverUuid: A, position: `${A}:1-40`, atUs: second(number) }));

  test("the window goes on to the last look at the primary, over several passes", async () => {
    for (const number of [50, 60, 70]) {
      await archive(archiveWork(store, { askTip: tipAt(number) }), sourceOf(SERVER));
      expect((await found()).window.ranges).toEqual([{ fromUs: second(11), toUs: second(number) }]);
    }
    const { replays } = planOf(planRecovery(await found(), to(65), gtidSets));
    expect(await numbersIn(replays)).toEqual(numbers(11, 40));
  });

  test("so it does where there is nothing but a backup", async () => {
    const only = { ...SERVER, log: LOG.slice(0, 10) };
    const tip = (number: number) => () =>
      Promise.resolve(succeed({ serverUuid: A, position: `${A}:1-10`, atUs: second(number) }));
    await archive(archiveWork(store, { askTip: tip(50) }), sourceOf(only));
    await archive(archiveWork(store, { askTip: tip(60) }), sourceOf(only));
    expect((await found()).window.ranges).toEqual([{ fromUs: second(50), toUs: second(60) }]);
    expect(planOf(planRecovery(await found(), to(55), gtidSets)).replays).toEqual([]);
  });

  test("a primary that has more than the archive, or that is away, does not move it", async () => {
    const behind = { ...SERVER, log: LOG.slice(0, 38) };
    await archive(archiveWork(store, { askTip: tipAt(50) }), sourceOf(behind));
    expect((await found()).window.ranges).toEqual([{ fromUs: second(11), toUs: second(38) }]);
    await archive(archiveWork(store), sourceOf(SERVER));
    expect((await found()).window.ranges).toEqual([{ fromUs: second(11), toUs: second(40) }]);
  });

  test("a look that cannot be read is damage, and promises nothing", async () => {
    await archive(archiveWork(store, { askTip: tipAt(50) }), sourceOf(SERVER));
    await store.put(lookKey(PLACE), Buffer.from("{}"));
    const { window, damage } = await found();
    expect(damage).toHaveLength(1);
    expect(window.ranges).toEqual([{ fromUs: second(11), toUs: second(40) }]);
  });
});

describe("numbers that are given twice", () => {
  test.each([
    ["a log that was reset", { uuid: A, log: LOG.slice(0, 5), purged: 0 }],
    ["a server that was put back", { uuid: A, log: LOG.slice(0, 30), purged: 0 }],
  ])("%s is refused, and nothing is stored", async (_, server) => {
    await archive(archiveWork(store), sourceOf(SERVER));
    const before = [...store.objects.keys()];
    expect(await archive(archiveWork(store), sourceOf(server))).toMatchObject({
      ok: false,
      failure: { kind: "refused", message: expect.stringContaining("another prefix") },
    });
    expect([...store.objects.keys()]).toEqual(before);
  });

  test("so is a replica of such a primary, and not one that only lags", async () => {
    await archive(archiveWork(store), sourceOf(SERVER));
    const replica = { uuid: B, log: LOG.slice(0, 5), purged: 0 };
    expect((await archive(archiveWork(store), sourceOf(replica))).ok).toBe(true);
    const askTip = () => Promise.resolve(succeed({ serverUuid: A, position: `${A}:1-5`, atUs: second(90) }));
    expect(await archive(archiveWork(store, { askTip }), sourceOf(replica))).toMatchObject({
      failure: { kind: "refused" },
    });
  });
});

describe("what is fetched", () => {
  const planTo = async (number: number) => planOf(planRecovery(await found(), to(number), gtidSets)).replays;

  test("is opened where the store encrypts, and by nobody else", async () => {
    const identity = newIdentity();
    await archive(archiveWork(store, { ageRecipients: [identity.recipient] }), sourceOf(SERVER));
    expect(await numbersIn(await planTo(25), { identity })).toEqual(numbers(11, 25));
    expect(await fetched(await planTo(25))).toMatchObject({ ok: false, failure: { kind: "refused" } });
  });

  test("is refused when an object was changed, is gone, or holds something else than it says", async () => {
    await archive(archiveWork(store), sourceOf(SERVER));
    const replays = await planTo(40);
    const key = replays[1]?.segment.parts[0]?.key ?? "";
    const { bytes } = store.objects.get(key) ?? { bytes: new Uint8Array() };
    await store.put(
      key,
      Uint8Array.from(bytes, (byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte)),
    );
    expect(await fetched(replays)).toMatchObject({ ok: false, failure: { kind: "refused" } });
    await store.remove(key);
    expect(await fetched(replays)).toMatchObject({ ok: false, failure: { kind: "refused" } });
    await store.put(key, bytes);
    const wrong = async function* () {
      yield* piecesOf(LOG.slice(0, 2));
    };
    expect(await fetched(replays, { readLogFile: wrong })).toMatchObject({
      ...{ ok: false, failure: { kind: "refused", message: expect.stringContaining("than it says") } },
    });
    expect(await numbersIn(replays)).toEqual(numbers(11, 40));
  });

  test("is told file by file", async () => {
    await archive(archiveWork(store), sourceOf(SERVER));
    const told: number[] = [];
    const replays = await planTo(40);
    await fetched(replays, { onFile: ({ transactions }) => told.push(transactions) });
    expect(told).toHaveLength(replays.length);
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(30);
  });
});
