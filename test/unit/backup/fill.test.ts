/** A volume is filled beside what is on it: whole, or not at all, and nothing that was there is touched. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Restored } from "../../../shared/backup/copies.ts";
import { type Filling, fillVolume } from "../../../shared/backup/fill.ts";
import { makeBackup } from "../../../shared/backup/make.ts";
import { proveBackup } from "../../../shared/backup/prove.ts";
import type { Work } from "../../../shared/backup/work.ts";
import type { FillTask } from "../../../shared/model/job-order.ts";
import { BACKUP_TASK, fakeServer, PROOF_TASK, SLOT, SOURCE, workOn } from "../../support/job-work.ts";
import { createMemoryStore } from "../../support/memory-store.ts";

const root = mkdtempSync(join(tmpdir(), "ordinal-fill-"));
afterAll(() => rmSync(root, { recursive: true }));

const TASK: FillTask = {
  ...{ kind: "restore-fill", id: "r1", ordinal: 0, store: "backups", from: null },
  ...{ target: { kind: "backup", slot: null }, begunAt: "2026-11-24T00:00:00.000Z" },
};

let volumes = 0;
async function place(names: readonly string[] = ["mysql.ibd"], changed: Partial<Restored> = {}) {
  volumes += 1;
  const volume = join(root, String(volumes));
  mkdirSync(volume);
  for (const name of names) writeFileSync(join(volume, name), "old");
  const copies = fakeServer(changed);
  const work = workOn(createMemoryStore({ partBytesMin: 1 }), { copies });
  expect(await makeBackup(work, BACKUP_TASK, SOURCE)).toMatchObject({ ok: true });
  const own = (name: string) => join(volume, ".ordinal/restore-r1", name);
  const fill = async (more: Partial<Filling> = {}, as: Work = work) => {
    const administrator = { username: "root", password: "p" };
    const done = await fillVolume(as, TASK, { volume, administrator, ...more });
    return done.ok ? done.value : `${done.failure.kind}: ${done.failure.message}`;
  };
  return { volume, copies, work, own, fill };
}

/** Nothing of ours has stayed, and what was there is as it was. */
function expectUntouched(volume: string, names: readonly string[] = ["mysql.ibd"]): void {
  expect(readdirSync(volume).sort()).toEqual(names);
  for (const name of names) expect(readFileSync(join(volume, name), "utf8")).toBe("old");
}

const SAID = `The backup of ${SLOT} is on the volume and whole: 40000 bytes, 2 tables, 10 rows.`;

test.each([
  ["that nobody has restored is looked into", null, false],
  ["that is proven is known to be whole", {}, true],
] as const)("a backup %s", async (_, result, isProven) => {
  const { copies, work, fill } = await place([], result === null ? {} : { counts: null });
  if (result !== null) {
    const proving = workOn(work.store, { copies: { ...copies, restore: fakeServer().restore } });
    expect(await proveBackup(proving, PROOF_TASK)).toMatchObject({ ok: true });
  }
  expect(await fill()).toBe(SAID);
  expect(copies.wasProven).toBe(isProven);
});

test("what was copied lies beside what is in service, and the second time nothing is done", async () => {
  const { volume, copies, own, fill, work } = await place();
  expect(await fill()).toBe(SAID);
  expect(readFileSync(own("new/mysql.ibd"))).toEqual(copies.plain);
  expect(readdirSync(own(".")).sort()).toEqual(["filled", "new"]);
  expect(readFileSync(join(volume, "mysql.ibd"), "utf8")).toBe("old");
  // Nothing is read then.
  expect(await fill({}, { ...work, store: createMemoryStore() })).toBe(SAID);
});

test("an empty volume is filled too", async () => {
  const { fill } = await place([]);
  expect(await fill()).toBe(SAID);
});

test("what an earlier attempt has left is made anew, and what was set aside stays", async () => {
  const { copies, own, fill } = await place();
  for (const name of ["new", "work/data", "old"]) {
    mkdirSync(own(name), { recursive: true });
    writeFileSync(join(own(name), "ibdata1"), "half");
  }
  expect(await fill()).toBe(SAID);
  expect(readdirSync(own("new"))).toEqual(["mysql.ibd"]);
  expect(readFileSync(own("new/mysql.ibd"))).toEqual(copies.plain);
  expect(readFileSync(own("old/ibdata1"), "utf8")).toBe("half");
  expect(existsSync(own("work"))).toBe(false);
});

test("a folder that is no server's is refused", async () => {
  const { volume, fill } = await place(["data", "lost+found", "notes.txt"]);
  expect(await fill()).toBe(
    "refused: The volume is mounted at no data directory: it holds data, notes.txt; mount it where the server's data is.",
  );
  expect(readdirSync(volume).sort()).toEqual(["data", "lost+found", "notes.txt"]);
});

test("a volume without room is refused with the figures", async () => {
  const { volume, fill } = await place();
  expect(await fill({ freeBytes: async () => 100 * 1024 ** 2 })).toBe(
    "refused: The volume has 100 MiB free, and the backup needs 257 MiB beside the data that is kept; make its claim larger.",
  );
  expectUntouched(volume);
});

test.each<[string, Partial<Restored>, RegExp]>([
  ["another position", { astray: "it lacks 1 transaction" }, /and it lacks 1 transaction\.$/],
  ["a damaged table", { damage: "shop.orders: corrupt" }, /a table is damaged: shop\.orders: corrupt/],
  ["a table less", { counts: { v: 1, tables: [["shop", "orders", 7]] } }, /shop\.people is missing/],
])("a server with %s is thrown away", async (_, changed, why) => {
  const { volume, fill } = await place(["mysql.ibd"], changed);
  expect(await fill()).toMatch(why);
  expectUntouched(volume);
});

test("a byte that was changed in the store is refused by the name of its object", async () => {
  const { volume, fill, work } = await place();
  const key = [...(await keys(work))].find((one) => one.includes("/data-")) ?? "";
  const read = await work.store.read(key, 1_000_000);
  const bytes = Buffer.from(read.ok ? read.value : []);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await work.store.put(key, bytes);
  expect(await fill()).toContain(key);
  expectUntouched(volume);
});

async function keys(work: Work): Promise<readonly string[]> {
  const page = await work.store.list({ prefix: "" });
  return page.ok ? page.value.objects.map(({ key }) => key) : [];
}

test("told to end, it takes back what it has written", async () => {
  const { volume, fill, work } = await place();
  const stop = new AbortController();
  stop.abort();
  expect(await fill({}, { ...work, signal: stop.signal })).toMatch(/^transient: its pod was told to end/);
  expectUntouched(volume);
});

test("a disk that does not let us is no fault of the backup", async () => {
  const { fill } = await place();
  expect(await fill({ volume: join(root, "nowhere") })).toMatch(
    /^transient: the disk does not let us: ENOENT/,
  );
});
