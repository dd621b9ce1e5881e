/**
 * Restores to a point after a backup, from the bucket alone: which backup they begin with and what is replayed; and that what
 * cannot be reached is refused with the nearest instants, as they may be asked for.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { LogReplay } from "../../../shared/backup/copies.ts";
import { checkRestore, fillVolume } from "../../../shared/backup/fill.ts";
import { makeBackup } from "../../../shared/backup/make.ts";
import { placeOf, type Work } from "../../../shared/backup/work.ts";
import { gtidSets } from "../../../shared/engines/mysql/gtid.ts";
import { instantOf } from "../../../shared/model/instant.ts";
import type { RestoreTarget } from "../../../shared/model/restore.ts";
import {
  archive,
  archiveWork,
  type Committed,
  inventoryIn,
  readLogFile,
  sourceOf,
  transactionsIn,
} from "../../support/archive.ts";
import { BACKUP_TASK, CLUSTER, fakeServer, SETTINGS, SLOT, SOURCE, workOn } from "../../support/job-work.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory-store.ts";
import { newIdentity, newIdentityText } from "../../support/streams.ts";

/** The server whose transactions 1 to 100 the backup holds. */
const A = "00000000-0000-0000-0000-000000000000";
const START_US = Date.parse("2026-11-23T04:00:00Z") * 1_000;
/** The instant at which the transaction with this number was committed. */
const second = (number: number) => START_US + (number - 100) * 1_000_000 + 7;
/** Half a second after it was committed. */
const after = (number: number) => ({
  now: () => Math.floor(second(number) / 1_000) + 500,
  sleep: () => Promise.resolve(),
});
const LOG: readonly Committed[] = Array.from({ length: 140 }, (_, index) => ({
  gtid: `${A}:${index + 1}`,
  atUs: second(index + 1),
}));
const SERVER = { uuid: A, log: LOG, purged: 0 };
const OTHER = { namespace: "shop", name: "crm", uid: "00000000-0000-4000-8000-000000000001" };

const root = mkdtempSync(join(tmpdir(), "ordinal-point-"));
afterAll(() => rmSync(root, { recursive: true }));

let store: MemoryStore;
let work: Work;
/** What was replayed last. */
let replayed: { readonly replay: LogReplay; readonly numbers: readonly number[] } | null;

beforeEach(async () => {
  store = createMemoryStore({ partBytesMin: 1 });
  replayed = null;
  const copies = fakeServer();
  work = workOn(store, {
    clock: after(100),
    logs: { positions: gtidSets, readLogFile },
    copies: {
      ...copies,
      rebuild(wish) {
        const { replay } = wish;
        if (replay !== null) {
          const texts = replay.files.map((file) => readFileSync(file, "utf8"));
          const own = texts.flatMap((text) => transactionsIn(text));
          replayed = { replay, numbers: own.map(({ gtid }) => Number(gtid.slice(A.length + 1))) };
          replay.onReplayed(100n);
        }
        return copies.rebuild(wish);
      },
    },
  });
  expect(await makeBackup(work, BACKUP_TASK, SOURCE)).toMatchObject({ ok: true });
});

const archived = (more: Partial<typeof SERVER> = {}) =>
  archive(archiveWork(store), sourceOf({ ...SERVER, ...more }));

const RESTORE = { id: "r1", store: "backups", from: null, begunAt: "2026-11-30T00:00:00.000Z" };

async function says(target: RestoreTarget, from: string | null = null, as = work): Promise<string> {
  const said = await checkRestore(as, { kind: "restore-check", ...RESTORE, from, target });
  return said.ok ? said.value : `${said.failure.kind}: ${said.failure.message}`;
}

let volumes = 0;
async function fills(target: RestoreTarget, freeBytes = Number.POSITIVE_INFINITY): Promise<string> {
  volumes += 1;
  const volume = join(root, String(volumes));
  mkdirSync(volume);
  const filled = await fillVolume(
    work,
    { kind: "restore-fill", ordinal: 0, ...RESTORE, target },
    {
      ...{ volume, administrator: { username: "root", password: "p" } },
      freeBytes: () => Promise.resolve(freeBytes),
    },
  );
  return filled.ok ? filled.value : `${filled.failure.kind}: ${filled.failure.message}`;
}

const time = (us: number): RestoreTarget => ({ kind: "time", at: instantOf(us) });
const gtid = (set: string): RestoreTarget => ({ kind: "gtid", set });
const numbers = (from: number, end: number) =>
  Array.from({ length: end - from + 1 }, (_, index) => from + index);

const BACKUP = `The physical backup of ${SLOT} of shop/mysql (MySQL 9.7.4, 1 MiB, up to ${A}:1-100)`;

test.each([
  ["the instant of a commit", time(second(120)), 120],
  ["between two commits, to the microsecond", time(second(121) - 1), 120],
  ["a single GTID", gtid(`${A}:125`), 125],
  ["a set", gtid(`${A}:1-130`), 130],
  ["the tip", gtid(`${A}:140`), 140],
])("to %s", async (_, target, number) => {
  await archived();
  const until = `up to the commit of ${instantOf(second(number))}.`;
  const many = `${number - 100} transactions of the archive`;
  expect(await says(target)).toBe(`${BACKUP} can be restored. On it ${many} are to be replayed, ${until}`);
  expect(await fills(target)).toBe(
    `The backup of ${SLOT} is on the volume and whole: 40000 bytes, 2 tables, 10 rows. On it ${many} were replayed, ${until}`,
  );
  expect(replayed?.numbers).toEqual(numbers(101, number));
  expect(replayed?.replay.position).toBe(`${A}:1-${number}`);
});

test("to what the backup holds nothing is replayed", async () => {
  await archived();
  const said = "It is the point that was asked for, and nothing of the archive is needed.";
  expect(await says(gtid(`${A}:1-100`))).toBe(`${BACKUP} can be restored. ${said}`);
  expect(await fills(gtid(`${A}:1-100`))).toContain(said);
  expect(replayed).toBeNull();
});

test("a target in the future, or after the archive, is refused with its last instant", async () => {
  await archived();
  const nearest = `the nearest that can be recovered: ${instantOf(second(140))}.`;
  expect(await says({ kind: "time", at: "2036-01-01T00:00:00.5Z" })).toBe(
    `refused: 2036-01-01T00:00:00.500000Z lies after all that is archived; ${nearest}`,
  );
  expect(await says(gtid(`${A}:141`))).toBe(
    `refused: ${A}:141 is not archived, or not all of it; ${nearest}`,
  );
  expect(await fills(time(second(140) + 1))).toContain(nearest);
  expect(await says(time(second(140)))).toContain("can be restored");
});

test("a target before the first backup is refused with the end of that backup", async () => {
  await archived();
  const endedUs = after(100).now() * 1_000;
  const nearest = `the nearest that can be recovered: ${instantOf(endedUs)}.`;
  expect(await says({ kind: "time", at: "2026-11-01T00:00:00Z" })).toBe(
    `refused: 2026-11-01T00:00:00.000000Z lies before all that can be recovered; ${nearest}`,
  );
  expect(await says(gtid(`${A}:50`))).toBe(
    `refused: ${A}:50 was executed before each of the backups was made; ${nearest}`,
  );
});

test("a target in a gap is refused with the instants on both sides, of which what was lost still tells", async () => {
  for (const end of [110, 120, 130]) await archived({ log: LOG.slice(0, end) });
  const { segments } = await inventoryIn(store);
  const lost = segments.filter(({ lastAtUs }) => lastAtUs > second(110) && lastAtUs <= second(120));
  for (const { parts } of lost) for (const { key } of parts) await store.remove(key);
  // From a backup that holds it all, things go on.
  const later = workOn(store, {
    clock: after(120),
    copies: { ...fakeServer(), physical: (_, use) => use(copyOf(`${A}:1-120`)) },
  });
  const slot = "2026-11-23T05:00:00Z";
  expect(await makeBackup(later, { ...BACKUP_TASK, slot }, SOURCE)).toMatchObject({ ok: true });
  expect(await says(time(second(115)))).toMatch(
    new RegExp(
      `^refused: ${instantOf(second(115))} lies in a gap of the archive; the nearest that can be recovered: ` +
        `${instantOf(second(111) - 1)} and ${instantOf(second(120))}\\. Of the archive \\d+ cannot be used: .* is missing or of another size\\.$`,
    ),
  );
  expect(await says(time(second(105)))).toContain(`backup of ${SLOT}`);
  expect(await says(time(second(125)))).toContain(`backup of ${slot}`);
});

function copyOf(position: string) {
  const { plain } = fakeServer();
  return {
    ...{ version: "9.7.4", serverUuid: A, tool: { name: "CLONE", version: "9.7.4" }, counts: null },
    stream: (async function* () {
      yield plain;
    })(),
    bytes: plain.length,
    position: () => position,
  };
}

test("of two clusters in one bucket each has its own archive", async () => {
  const others = { ...work, cluster: OTHER };
  expect(await makeBackup(others, BACKUP_TASK, SOURCE)).toMatchObject({ ok: true });
  await archive(archiveWork(store, { cluster: OTHER, place: placeOf(others) }), sourceOf(SERVER));
  expect(await says(time(second(120)))).toBe(
    `refused: What was written after a backup is not archived; the nearest that can be restored: ${SLOT}.`,
  );
  expect(await says(time(second(120)), "shop/crm")).toContain("of shop/crm");
  // What another one has written into its folder is taken for nothing.
  const page = await store.list({ prefix: `team/${OTHER.uid}/binlogs/` });
  for (const { key } of page.ok ? page.value.objects : []) {
    const bytes = await store.read(key, 1_000_000);
    await store.put(key.replace(OTHER.uid, CLUSTER.uid), Buffer.from(bytes.ok ? bytes.value : []));
  }
  expect(await says(time(second(120)))).toMatch(/^refused: .* cannot be used: .*chain-\d{4}\.json/);
});

test("what is no set of GTIDs is refused", async () => {
  await archived();
  expect(await says(gtid("1-2-3"))).toMatch(/^refused: What was asked for is no set of GTIDs/);
});

test("an archive that is encrypted needs the key, and the one that fits", async () => {
  const text = newIdentityText();
  await archive(archiveWork(store, { ageRecipients: [newIdentity(text).recipient] }), sourceOf(SERVER));
  const target = time(second(120));
  expect(await says(target)).toBe(
    "refused: The archive is encrypted; put ageIdentity into the Secret backups to have it read.",
  );
  const having = (ageIdentity: string) => ({ ...work, settings: { ...SETTINGS, ageIdentity } });
  expect(await says(target, null, having(text))).toContain("20 transactions");
  expect(await says(target, null, having(newIdentityText()))).toMatch(
    /^refused: An object of the backup cannot be used: .*\.zst\.age\)\.$/,
  );
});

test("room is needed for the log as well, and what is wrong with it is found before the backup is read", async () => {
  await archived();
  expect(await fills(time(second(120)), 0)).toMatch(/^refused: The volume has 0 MiB free/);
  const { segments } = await inventoryIn(store);
  const key = segments[0]?.parts[0]?.key ?? "";
  const bytes = await store.read(key, 1_000_000);
  const changed = Buffer.from(bytes.ok ? bytes.value : []);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  await store.put(key, changed);
  expect(await fills(time(second(120)))).toContain(key);
  expect(replayed).toBeNull();
});

test("told to end, it ends also while the log is replayed", async () => {
  await archived();
  const stop = new AbortController();
  const { copies } = work;
  work = {
    ...{ ...work, signal: stop.signal },
    copies: {
      ...copies,
      async rebuild(wish) {
        const made = await copies.rebuild({ ...wish, replay: null });
        stop.abort();
        wish.replay?.onReplayed(110n);
        return made;
      },
    },
  };
  expect(await fills(time(second(120)))).toBe("transient: its pod was told to end");
});
