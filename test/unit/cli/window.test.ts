/** `kubectl ordinal window` on a bucket in memory: what can be recovered to, the gaps, and clusters that are gone. */
import { expect, test } from "vitest";
import { parse } from "yaml";
import { encodeChain } from "../../../shared/backup/archive/chain.ts";
import { chainKey, chainName, objectName } from "../../../shared/backup/archive/keys.ts";
import { recoveryWindowsSchema } from "../../../shared/model/documents.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory-store.ts";
import { at, LAST, OTHER_UID, ordinal, PLACE, put, putBackup, UID } from "./backups-support.ts";

const SERVER = "00000001-0000-4000-8000-000000000000";
const us = (text: string) => at(text) * 1_000;

/** One segment in a chain of its own. */
async function putSegment(
  store: MemoryStore,
  token: string,
  { after, position, from, to }: Readonly<Record<"after" | "position" | "from" | "to", string>>,
  place = PLACE,
): Promise<void> {
  const name = chainName(SERVER, at(from), token);
  const sha256 = "0".repeat(64);
  const part = { name: objectName(1, 1, false), bytes: 4, sha256, plainBytes: 4, plainSha256: sha256 };
  const key = chainKey(place, name, 1);
  await put(store, key.replace(/[^/]*$/, part.name), Buffer.alloc(4));
  const chain = encodeChain({
    ...{ v: 1, cluster: { namespace: "shop", name: "mysql", uid: place.clusterUid }, serverUuid: SERVER },
    ...{ engine: { name: "mysql", version: "9.7.4" }, after, compression: "zstd", recipients: null },
    segments: [{ position, transactions: 1, firstAtUs: us(from), lastAtUs: us(to), parts: [part] }],
  });
  await put(store, key, Buffer.from(chain));
}

const first = {
  ...{ after: `${SERVER}:1-10`, position: `${SERVER}:11-20` },
  ...{ from: "2026-11-23T02:10:00Z", to: "2026-11-23T03:00:00Z" },
};

/** A backup, an hour of logs, a hole, and logs again behind a second backup. */
async function archived(): Promise<MemoryStore> {
  const store = createMemoryStore();
  await putBackup(store, at("2026-11-23T01:00:00Z"), { position: `${SERVER}:1-10`, endedAt: first.from });
  await putBackup(store, LAST, { position: `${SERVER}:1-30`, endedAt: "2026-11-23T04:30:00Z" });
  await putSegment(store, "aaaaaaaa", first);
  await putSegment(store, "bbbbbbbb", {
    ...{ after: `${SERVER}:1-30`, position: `${SERVER}:31-40` },
    ...{ from: "2026-11-23T04:30:00Z", to: "2026-11-23T09:59:56Z" },
  });
  return store;
}

test("says from when to when, how long ago that is, and the gaps", async () => {
  expect(await ordinal(await archived(), "window mysql")).toMatchObject({
    ...{ exitCode: 0, err: "" },
    out: `
shop/mysql can be recovered to any instant from 2026-11-23T02:10:00.000Z to 2026-11-23T09:59:56.000Z, which is 5m ago.

Not to what is within these gaps:

AFTER                     BEFORE                    LASTS
2026-11-23T03:00:00.000Z  2026-11-23T04:30:00.000Z  90m
`.trimStart(),
  });
});

test("is the same document for machines", async () => {
  const json: unknown = JSON.parse((await ordinal(await archived(), "window mysql -o json")).out);
  expect(parse((await ordinal(await archived(), "window mysql -o yaml")).out)).toEqual(json);
  expect(recoveryWindowsSchema.parse(json).items).toEqual([
    {
      ...{ namespace: "shop", name: "mysql", clusterUid: UID, backups: 2, segments: 2, damage: [] },
      ...{ from: "2026-11-23T02:10:00.000Z", to: "2026-11-23T09:59:56.000Z" },
      ranges: [
        { from: "2026-11-23T02:10:00.000Z", to: "2026-11-23T03:00:00.000Z" },
        { from: "2026-11-23T04:30:00.000Z", to: "2026-11-23T09:59:56.000Z" },
      ],
      gaps: [{ from: "2026-11-23T03:00:00.000Z", to: "2026-11-23T04:30:00.000Z" }],
    },
  ]);
});

test("without logs, and without a backup, it says so", async () => {
  const store = createMemoryStore();
  expect((await ordinal(store, "window mysql")).out).toBe(
    "shop/mysql has no complete backup of all databases: it cannot be recovered.\n",
  );
  await putBackup(store, LAST);
  expect((await ordinal(store, "window mysql")).out).toBe(
    "shop/mysql can be recovered to its backups only: no log of it is archived.\n",
  );
});

test("what cannot be used is named", async () => {
  const store = await archived();
  const gone = [...store.objects.keys()].find((key) => key.endsWith("0001.1.zst")) ?? "";
  store.objects.delete(gone);
  expect((await ordinal(store, "window mysql")).out).toContain(
    `\nCannot be used: ${gone} is missing or of another size.\n`,
  );
});

test("of a cluster that is gone, by its name or its uid", async () => {
  const store = await archived();
  const place = { ...PLACE, clusterUid: OTHER_UID };
  await putBackup(
    store,
    at("2026-11-23T01:00:00Z"),
    { position: `${SERVER}:1-10`, endedAt: first.from },
    place,
  );
  await putSegment(store, "cccccccc", first, place);
  const byName = await ordinal(store, "window mysql --store backups -o json", { set: null });
  expect(
    recoveryWindowsSchema.parse(JSON.parse(byName.out)).items.map(({ clusterUid }) => clusterUid),
  ).toEqual([OTHER_UID, UID]);
  const byUid = await ordinal(store, `window ${OTHER_UID} --store backups`, { set: null });
  expect(byUid.out).toContain("from 2026-11-23T02:10:00.000Z to 2026-11-23T03:00:00.000Z");
  const none = await ordinal(store, "window orders --store backups", { set: null });
  expect([none.exitCode, none.err]).toEqual([
    2,
    "There is no backup of shop/orders in that store; list what there is with kubectl ordinal backups --store backups.\n",
  ]);
});
