/** One backup from copy to manifest: it is there as a whole or not at all, wherever it is ended and whoever else is at it. */
import { describe, expect, test } from "vitest";
import { manifestKey, probeKey } from "../../../shared/backup/layout.ts";
import { makeBackup } from "../../../shared/backup/make.ts";
import { proveBackup } from "../../../shared/backup/prove.ts";
import type { Work } from "../../../shared/backup/work.ts";
import { UNCONDITIONAL } from "../../../shared/model/backup.ts";
import type { Failure } from "../../../shared/model/outcome.ts";
import type { ObjectStore } from "../../../shared/ports/object-store.ts";
import {
  BACKUP_TASK,
  bucketOf,
  CLUSTER,
  fakeServer,
  PLACE,
  PROOF_TASK,
  SETTINGS,
  SLOT,
  SOURCE,
  workOn,
} from "../../support/job-work.ts";
import { createMemoryStore, type MemoryOptions, type MemoryStore } from "../../support/memory-store.ts";
import { newIdentity, newIdentityText } from "../../support/streams.ts";

const make = (work: Work, task = BACKUP_TASK) => makeBackup(work, task, SOURCE);
const memoryStore = (options: MemoryOptions = {}) => createMemoryStore({ partBytesMin: 1, ...options });
/** Keys of backups, beside which the store's probe lies. */
const keysIn = ({ objects }: MemoryStore) => [...objects.keys()].filter((key) => key !== probeKey(PLACE));
const now = () => Date.parse(SLOT) + 60_000;

test("a physical backup is its slices, the rows of its tables and a manifest that tells all", async () => {
  const store = memoryStore();
  const made = await make(workOn(store));
  expect(made).toEqual({ ok: true, value: expect.stringContaining(`The physical backup of ${SLOT} holds`) });
  const { catalogue, whole, uploads } = await bucketOf(store);
  expect([whole, catalogue.leftovers, uploads]).toEqual([1, [], 0]);
  const manifest = catalogue.backups[0]?.manifest;
  expect(manifest).toMatchObject({
    ...{ cluster: CLUSTER, slot: SLOT, attempt: 1, method: "physical", databases: null, encryption: null },
    engine: { name: "mysql", version: "9.7.4" },
    position: "00000000-0000-0000-0000-000000000000:1-100",
    asked: { how: "schedule", by: null },
  });
  const names = manifest?.parts.map(({ name }) => name) ?? [];
  expect(names.slice(0, -1)).toEqual(
    [1, 2, 3].map((number) => expect.stringMatching(`^data-\\w+\\.tar\\.000${number}\\.zst$`)),
  );
  expect(names.at(-1)).toBe(manifest?.checksums);
});

test("a logical backup says its databases, and is encrypted to whoever the store names", async () => {
  const store = memoryStore();
  const ageIdentity = newIdentityText();
  const recipient = newIdentity(ageIdentity).recipient;
  const settings = { ...SETTINGS, ageRecipients: [recipient], ageIdentity };
  const copies = fakeServer();
  const work = workOn(store, { settings, copies });
  await make(work, { ...BACKUP_TASK, method: "logical", databases: ["shop"], asked: "request" });
  const manifest = (await bucketOf(store)).catalogue.backups[0]?.manifest;
  expect(manifest).toMatchObject({
    ...{ method: "logical", databases: ["shop"], checksums: null, asked: { how: "request" } },
    encryption: { name: "age", recipients: [recipient] },
  });
  expect(manifest?.parts[0]?.name).toMatch(/^dump-\w+\.sql\.0001\.zst\.age$/);
  expect((await proveBackup(work, PROOF_TASK)).ok).toBe(true);
  expect(copies.restored?.equals(copies.plain)).toBe(true);
});

test("a slot that has its backup is left as it is", async () => {
  const store = memoryStore();
  await make(workOn(store));
  const before = [...store.objects.keys()];
  expect(await make(workOn(store), { ...BACKUP_TASK, attempt: 2 })).toEqual({
    ok: true,
    value: `The backup of ${SLOT} is there already.`,
  });
  expect([...store.objects.keys()]).toEqual(before);
});

test("two that make the same attempt leave one backup, and nothing of the other", async () => {
  const store = memoryStore();
  // Neither may abort what the other sends, or there would be one of them only.
  const blind: ObjectStore = { ...store, uploads: () => Promise.resolve({ ok: true, value: [] }) };
  const made = await Promise.all([make(workOn(blind)), make(workOn(blind))]);
  expect(made.map(({ ok }) => ok)).toEqual([true, true]);
  const { catalogue, whole, uploads } = await bucketOf(store);
  expect([whole, uploads]).toEqual([1, 0]);
  const named = catalogue.backups[0]?.manifest?.parts.length ?? 0;
  expect(keysIn(store).length).toBe(named + 1);
});

test("in a store that writes a key again two leave one whole backup as well, and each says so", async () => {
  const store = memoryStore({ ignoresConditions: true });
  const blind: ObjectStore = { ...store, uploads: () => Promise.resolve({ ok: true, value: [] }) };
  const made = await Promise.all([1, 2].map((attempt) => make(workOn(blind), { ...BACKUP_TASK, attempt })));
  const words = made.map((one) => (one.ok ? one.value : one.failure.message));
  expect(words.filter((one) => one.endsWith(`Beware: ${UNCONDITIONAL}.`)).length).toBeGreaterThan(0);
  expect(words.filter((one) => one.endsWith("by somebody else meanwhile.")).length).toBeLessThan(2);
  expect((await bucketOf(store)).catalogue.backups.map(({ soundness }) => soundness.kind)).toEqual([
    "complete",
  ]);
});

test("who may not write is told before anything is copied", async () => {
  const failure: Failure = { kind: "refused", message: "access denied" };
  const store = memoryStore({ fault: ({ verb }) => (verb === "put" ? { when: "before", failure } : null) });
  const copies = { ...fakeServer(), physical: () => expect.unreachable() };
  expect(await make(workOn(store, { copies }))).toEqual({ ok: false, failure });
});

const broken: Failure = { kind: "refused", message: "as a test" };

/** How many calls one backup takes. */
async function callsOfOne(): Promise<number> {
  let calls = 0;
  const fault = () => {
    calls += 1;
    return null;
  };
  await make(workOn(memoryStore({ fault, now })));
  return calls;
}

describe("wherever it fails", () => {
  test.each(["before", "after"] as const)("%s the effect of a call: a whole backup or none", async (when) => {
    const calls = await callsOfOne();
    expect(calls).toBeGreaterThan(15);
    for (let nth = 0; nth < calls; nth += 1) {
      let call = 0;
      const fault = () => {
        call += 1;
        return call === nth + 1 ? { when, failure: broken } : null;
      };
      const store = memoryStore({ fault, now });
      const made = await make(workOn(store));
      const { whole, broken: unsound } = await bucketOf(store);
      expect(unsound, `call ${nth}`).toBe(0);
      if (made.ok) expect(whole, `call ${nth}`).toBe(1);
      // The next attempt makes it, or finds it.
      expect((await make(workOn(store), { ...BACKUP_TASK, attempt: 2 })).ok, `call ${nth}`).toBe(true);
      const after = await bucketOf(store);
      expect([after.whole, after.broken, after.uploads], `call ${nth}`).toEqual([1, 0, 0]);
    }
  });

  test("a store that is away for some calls is waited for", async () => {
    let [call, isAway] = [0, true];
    const failure: Failure = { kind: "transient", message: "busy" };
    const fault = () => {
      call += 1;
      return isAway && call % 3 === 1 ? ({ when: "before", failure } as const) : null;
    };
    const store = memoryStore({ fault, now });
    expect((await make(workOn(store))).ok).toBe(true);
    isAway = false;
    expect(await bucketOf(store)).toMatchObject({ whole: 1, broken: 0, uploads: 0 });
  });

  test("its own parts are taken back", async () => {
    const fault = ({ key }: { readonly key: string }) =>
      key.includes("rows-") ? ({ when: "before", failure: broken } as const) : null;
    const store = memoryStore({ fault });
    expect((await make(workOn(store))).ok).toBe(false);
    expect(keysIn(store).length).toBe(0);
  });
});

/** After so many calls nothing that this process does happens any more; resolves then, or when it was done before. */
async function killed(store: ObjectStore, last: number, more: Partial<Work> = {}): Promise<void> {
  let calls = 0;
  const never = new Promise<never>(() => undefined);
  await new Promise<void>((resolve) => {
    const dying = new Proxy(store, {
      get(target, name: keyof ObjectStore) {
        const own = target[name] as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          calls += 1;
          if (calls <= last) return own(...args);
          resolve();
          return never;
        };
      },
    });
    void make(workOn(dying, more)).then(() => resolve());
  });
}

test("killed after any call, there is no manifest without its objects, and the next attempt leaves no upload", async () => {
  const calls = await callsOfOne();
  for (let last = 0; last < calls; last += 1) {
    const store = memoryStore({ now });
    await killed(store, last);
    const seen = await bucketOf(store);
    expect(seen.broken, `killed after call ${last}`).toBe(0);
    expect((await make(workOn(store), { ...BACKUP_TASK, attempt: 2 })).ok).toBe(true);
    const after = await bucketOf(store);
    expect([after.whole, after.broken, after.uploads], `killed after call ${last}`).toEqual([1, 0, 0]);
  }
});

test("what a killed attempt has left goes when it is two days old, and not before", async () => {
  let nowMs = now();
  const clock = { now: () => nowMs, sleep: () => Promise.resolve() };
  const store = memoryStore({ now: () => nowMs });
  await killed(store, 16, { clock });
  const left = keysIn(store);
  expect(left.length).toBeGreaterThan(0);
  const dayMs = 24 * 3_600_000;
  const later = async (days: number) => {
    nowMs = now() + days * dayMs;
    const slot = new Date(Date.parse(SLOT) + days * dayMs).toISOString().replace(".000Z", "Z");
    expect((await make(workOn(store, { clock }), { ...BACKUP_TASK, slot })).ok).toBe(true);
  };
  await later(1);
  expect(left.every((key) => store.objects.has(key))).toBe(true);
  await later(3);
  expect(left.some((key) => store.objects.has(key))).toBe(false);
});

test("a backup that is complete lets go of what the rule does not keep", async () => {
  const store = memoryStore({ now });
  await make(workOn(store));
  const slot = "2026-11-23T03:00:30Z";
  await make(workOn(store), { ...BACKUP_TASK, slot, retention: { kind: "count", count: 1 } });
  const { catalogue } = await bucketOf(store);
  expect(catalogue.backups.map(({ slotMs }) => slotMs)).toEqual([Date.parse(slot)]);
});

test("what is being proven meanwhile is not let go of", async () => {
  const store = memoryStore({ now });
  await make(workOn(store));
  const slot = "2026-11-23T03:00:30Z";
  await make(workOn(store), { ...BACKUP_TASK, slot, retention: { kind: "count", count: 1 }, keep: [SLOT] });
  expect((await bucketOf(store)).whole).toBe(2);
});

test("a pod that is told to end takes back what it has stored", async () => {
  const store = memoryStore();
  const stop = new AbortController();
  const watched: ObjectStore = {
    ...store,
    begin(key) {
      stop.abort();
      return store.begin(key);
    },
  };
  const made = await make(workOn(watched, { signal: stop.signal }));
  expect(made).toMatchObject({
    ok: false,
    failure: { kind: "transient", message: "its pod was told to end" },
  });
  expect([keysIn(store).length, (await bucketOf(store)).uploads]).toEqual([0, 0]);
});

test("its log tells how far it is, now and then", async () => {
  let nowMs = 0;
  const clock = {
    now() {
      nowMs += 400;
      return nowMs;
    },
    sleep: () => Promise.resolve(),
  };
  const lines: object[] = [];
  const log = { warn() {}, info: (message: string, fields = {}) => void lines.push({ message, ...fields }) };
  const copies = fakeServer({}, 400_000);
  await make(workOn(memoryStore(), { clock, log, copies }));
  const progress = lines.filter((line) => "message" in line && line.message === "progress");
  expect(progress.length).toBeGreaterThan(1);
  expect(progress.length).toBeLessThan(20);
  expect(progress[0]).toMatchObject({
    bytes: expect.any(Number),
    bytesExpected: 400_000,
    bytesPerSecond: expect.any(Number),
    secondsLeft: expect.any(Number),
  });
});

test("a manifest of which nobody can say whether it was written keeps its parts", async () => {
  const failure: Failure = { kind: "transient", message: "no answer" };
  const store = memoryStore();
  const key = manifestKey(PLACE, Date.parse(SLOT));
  const silent = (effect: boolean): ObjectStore => ({
    ...store,
    async put(name, ...more) {
      if (name !== key) return store.put(name, ...more);
      if (effect) await store.put(name, ...more);
      return { ok: false, failure };
    },
  });
  expect(await make(workOn(silent(false)))).toEqual({ ok: false, failure });
  expect(keysIn(store).length).toBe(4);
  // Written, and all answers lost: it is found when the store is asked.
  expect((await make(workOn(silent(true)), { ...BACKUP_TASK, attempt: 2 })).ok).toBe(true);
  expect(await bucketOf(store)).toMatchObject({ whole: 1, broken: 0 });
});

test("the manifest is the very last that is written", async () => {
  const written: string[] = [];
  const store = memoryStore();
  const noted: ObjectStore = {
    ...store,
    put(key, ...more) {
      written.push(key);
      return store.put(key, ...more);
    },
    complete(upload, parts) {
      written.push(upload.key);
      return store.complete(upload, parts);
    },
  };
  await make(workOn(noted));
  expect(written.filter((key) => key !== probeKey(PLACE))).toHaveLength(5);
  expect(written.at(-1)).toBe(manifestKey(PLACE, Date.parse(SLOT)));
});
