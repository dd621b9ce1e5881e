/** The proof of a backup: whatever is wrong with it is found and named, and what is no fault of its is not written down. */
import { expect, test } from "vitest";
import { manifestKey, proofKey } from "../../../shared/backup/layout.ts";
import { makeBackup } from "../../../shared/backup/make.ts";
import { proveBackup } from "../../../shared/backup/prove.ts";
import type { Work } from "../../../shared/backup/work.ts";
import type { Failure } from "../../../shared/model/outcome.ts";
import {
  BACKUP_TASK,
  bucketOf,
  type FakeServer,
  fakeServer,
  PLACE,
  PROOF_TASK,
  SETTINGS,
  SLOT,
  SOURCE,
  workOn,
} from "../../support/job-work.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory-store.ts";
import { newIdentity, newIdentityText } from "../../support/streams.ts";

const slotMs = Date.parse(SLOT);

async function madeBackup(more: Partial<Work> = {}) {
  const store = createMemoryStore({ partBytesMin: 1 });
  const copies = fakeServer();
  const work = workOn(store, { copies, ...more });
  expect((await makeBackup(work, BACKUP_TASK, SOURCE)).ok).toBe(true);
  return { store, copies, work };
}

async function verdict(store: MemoryStore, work: Work) {
  const proven = await proveBackup(work, PROOF_TASK);
  const proof = (await bucketOf(store)).catalogue.backups[0]?.proof ?? null;
  return { said: proven.ok ? proven.value : `${proven.failure.kind}: ${proven.failure.message}`, proof };
}

test("what comes back is what was copied, and the proof says how much of it was looked at", async () => {
  const { store, copies, work } = await madeBackup();
  const { said, proof } = await verdict(store, work);
  expect(said).toBe(`The backup of ${SLOT} was restored and found whole: 40000 bytes, 2 tables, 10 rows.`);
  expect(copies.restored?.equals(copies.plain)).toBe(true);
  expect(proof).toMatchObject({
    fault: null,
    slot: SLOT,
    checked: [{ what: "bytes", count: 40_000 }, {}, {}],
  });
});

function parts(store: MemoryStore): readonly string[] {
  return [...store.objects.keys()].filter((key) => key.includes("/1/"));
}

function change(store: MemoryStore, key: string, bytes: (before: Uint8Array) => Uint8Array): void {
  const found = store.objects.get(key);
  if (found === undefined) throw new Error(`${key} is not there`);
  const changed = bytes(found.bytes);
  store.objects.set(key, { ...found, bytes: changed, size: changed.length });
}

test("one byte of any object that is another one is found, and the object named", async () => {
  const { store, work } = await madeBackup();
  const keys = parts(store);
  expect(keys).toHaveLength(4);
  for (const key of keys) {
    const before = store.objects.get(key)?.bytes ?? new Uint8Array(0);
    for (const at of [0, Math.floor(before.length / 2), before.length - 1]) {
      change(store, key, () => before.map((byte, index) => (index === at ? byte ^ 1 : byte)));
      const { said, proof } = await verdict(store, work);
      expect(said).toMatch(/^refused: /);
      expect(said).toContain(`(${key}).`);
      expect(proof?.fault).toContain(key);
    }
    change(store, key, () => before);
  }
  expect((await verdict(store, work)).proof?.fault).toBeNull();
});

test("objects that were cut off, are missing, or are in each other's place are found", async () => {
  const { store, work } = await madeBackup();
  const [first = "", second = ""] = parts(store).filter((key) => key.includes("data-"));
  const kept = new Map(store.objects);
  const again = () => {
    for (const [key, object] of kept) store.objects.set(key, object);
  };
  change(store, first, (bytes) => bytes.subarray(0, -1));
  expect((await verdict(store, work)).said).toContain(first);
  again();
  store.objects.delete(second);
  expect((await verdict(store, work)).said).toContain(second);
  again();
  const [one, other] = [kept.get(first), kept.get(second)];
  if (one === undefined || other === undefined) throw new Error("there are two slices");
  store.objects.set(first, other);
  store.objects.set(second, one);
  expect((await verdict(store, work)).said).toContain(first);
  again();
  expect((await verdict(store, work)).said).toContain("found whole");
});

test.each<[string, Parameters<typeof fakeServer>[0], string]>([
  ["another position", { astray: "it lacks u:7" }, "was restored, and it lacks u:7."],
  ["a damaged table", { damage: "shop.orders: Corrupt" }, "a table is damaged: shop.orders: Corrupt."],
  [
    "a row less",
    {
      counts: {
        v: 1,
        tables: [
          ["shop", "orders", 6],
          ["shop", "people", 3],
        ],
      },
    },
    "shop.orders has 6 rows in place of 7.",
  ],
  ["a table less", { counts: { v: 1, tables: [["shop", "orders", 7]] } }, "shop.people is missing."],
  [
    "a table more",
    {
      counts: {
        v: 1,
        tables: [
          ["shop", "orders", 7],
          ["shop", "people", 3],
          ["x", "y", 1],
        ],
      },
    },
    "x.y has 1 rows in place of no table.",
  ],
])("a restored server with %s is no proof", async (_, changed, said) => {
  const { store, work } = await madeBackup({ copies: fakeServer(changed) });
  const found = await verdict(store, work);
  expect(found.said).toContain(said);
  expect(found.proof?.fault).toContain(said);
});

test("a store that is away says nothing of the backup", async () => {
  const { store, work } = await madeBackup();
  const failure: Failure = { kind: "transient", message: "away" };
  const away = { ...store, open: () => Promise.resolve({ ok: false, failure } as const) };
  const { said, proof } = await verdict(store, { ...work, store: away });
  expect([said, proof]).toEqual(["transient: away", null]);
});

test("an encrypted backup without its identity is not called damaged", async () => {
  const { recipient } = newIdentity(newIdentityText());
  const settings = { ...SETTINGS, ageRecipients: [recipient] };
  const { store, work } = await madeBackup({ settings });
  const { said, proof } = await verdict(store, work);
  expect(said).toBe(
    "refused: The backup is encrypted; put ageIdentity into the Secret backups to have it proven.",
  );
  expect(proof).toBeNull();
});

test("a manifest that is none is told of, and nothing is restored", async () => {
  const { store, copies, work } = await madeBackup();
  change(store, manifestKey(PLACE, slotMs), () => Buffer.from("{}"));
  expect((await verdict(store, work)).said).toMatch(/^refused: The manifest of the backup of .* is no use: /);
  expect((copies satisfies FakeServer).restored).toBeNull();
  expect(store.objects.has(proofKey(PLACE, slotMs))).toBe(false);
});
