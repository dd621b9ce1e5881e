/** A host and the logs of its clusters: which it follows, what it says of them, how it goes on after failures, and how it ends. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { accountsSecretName, replicationKey } from "../../../shared/access/index.ts";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { CHAIN_VERSION, encodeChain, type SegmentRecord } from "../../../shared/backup/archive/chain.ts";
import { archivedBy } from "../../../shared/backup/archive/inventory.ts";
import { chainFolder, chainKey, chainName, objectName } from "../../../shared/backup/archive/keys.ts";
import { gtidSets } from "../../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import {
  type Archiver,
  type ArchiverOptions,
  createArchiver,
} from "../../../shared/hosts/archive/archiver.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import { BrokenStream } from "../../../shared/model/broken-stream.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import type { LogPiece, LogWish } from "../../../shared/ports/log-stream.ts";
import { type Committed, inventoryIn, piecesOf, putBackup, sourceOf } from "../../support/archive.ts";
import { memory } from "../../support/backups.ts";
import { CLUSTER, PLACE } from "../../support/job-work.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory-store.ts";
import { observed, steadyState } from "../../support/situation.ts";

const A = "aaaaaaaa-0000-4000-8000-000000000000";
const NOW_MS = Date.parse("2026-11-23T05:00:00Z");
const STORE = {
  ...{ endpoint: "https://s3.example.com", region: "eu-west-3", bucket: "backups", prefix: PLACE.prefix },
  ...{ accessKeyId: "id", secretAccessKey: "secret" },
};

const committed = (from: number, to: number): readonly Committed[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    gtid: `${A}:${from + index}`,
    atUs: (NOW_MS - 3_600_000 + (from + index) * 100) * 1_000,
  }));

let bucket: MemoryStore;
let log: Committed[];
/** Of streams under way: whether they end, and how. */
let stream: "goes on" | "ends" | "breaks";
let secrets: Record<string, { ownerUid: string | null; name: string; values: Record<string, string> }>;
let slept: number[];
let said: string[];
let news: number;
let nowMs: number;
let archiver: Archiver | null;

function cluster(
  annotations: Readonly<Record<string, string>> = {},
  more: Partial<StatefulSet> = {},
): StatefulSet {
  const { set } = observed(3);
  const uid = more.uid ?? CLUSTER.uid;
  return {
    ...{ ...set, ...CLUSTER, uid },
    annotations: {
      ...set.annotations,
      ...{ [ANNOTATION.backupStore]: "s3", [ANNOTATION.archive]: "true" },
      [ANNOTATION.state]: encodeState(steadyState(3, { clusterUid: uid })),
      ...annotations,
    },
    ...more,
  };
}

function kubeOf(set: StatefulSet): Kube {
  const { members } = observed(3);
  const pods = members.map(({ ordinal, pod }) => ({
    ...{ ...pod, ownerUid: set.uid, ip: `10.0.0.${ordinal}`, ready: true },
    labels: { [LABEL.role]: ordinal === 0 ? "primary" : "replica" },
  }));
  const claims = members.map(({ ordinal, claim }) => ({
    ...claim,
    annotations: { [ANNOTATION.serverAuthority]: `PEM ${ordinal}` },
  }));
  return {
    read(kind: string, { name }: { readonly name: string }) {
      if (kind === "StatefulSet") return Promise.resolve(succeed(set));
      const secret = secrets[name];
      return Promise.resolve(
        secret === undefined ? fail("gone", `There is no Secret ${name}.`) : succeed(secret),
      );
    },
    list: (kind: string) => Promise.resolve(succeed(kind === "Pod" ? pods : claims)),
  } as unknown as Kube;
}

const breath = () => new Promise<void>((resolve) => setImmediate(resolve));

/** As a server sends its log: when there is nothing more it says so again and again. */
async function* sent(except: string, { follow, signal }: LogWish): AsyncGenerator<LogPiece> {
  for (let have = except; ; ) {
    const more = log.filter(({ gtid }) => !gtidSets.contains(have, gtid));
    yield* piecesOf(more);
    have = gtidSets.union(have, more.map(({ gtid }) => gtid).join(","));
    if (!follow || stream === "ends") return;
    if (signal.aborted || stream === "breaks")
      throw new BrokenStream({ kind: "transient", message: "The connection was lost." });
    yield { kind: "quiet" };
    await breath();
  }
}

function options(): ArchiverOptions {
  const tell = (text: string, fields?: object) => void said.push(`${text} ${JSON.stringify(fields ?? {})}`);
  return {
    ...{ kube: kubeOf(cluster()), component: "test", engineOf: () => mysql },
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        slept.push(ms);
        await breath();
      },
    },
    ids: { password: () => `${10_000_000 + said.length}`.padEnd(32, "x"), fraction: () => 0 },
    log: { info: tell, warn: tell } as unknown as ArchiverOptions["log"],
    openStore: () => bucket,
    lookAtLog: (_, wish) =>
      Promise.resolve(
        succeed(sourceOf({ uuid: A, log, purged: 0 }, { stream: (except) => sent(except, wish) })),
      ),
    askTip: () => Promise.resolve(fail("transient", "There is no primary.")),
    onNews: () => {
      news += 1;
    },
  };
}

function follow(...sets: readonly StatefulSet[]): Archiver {
  archiver ??= createArchiver(options());
  archiver.look(sets);
  return archiver;
}

const archived = async () => archivedBy((await inventoryIn(bucket)).segments, gtidSets);
const report = () => archiver?.reportOf(CLUSTER);
const told = (text: string) => said.filter((one) => one.startsWith(text)).length;

beforeEach(async () => {
  [log, stream, slept, said, news, nowMs, archiver] = [
    [...committed(1, 20)],
    "goes on",
    [],
    [],
    0,
    NOW_MS,
    null,
  ];
  bucket = createMemoryStore({ partBytesMin: 1 });
  await putBackup(bucket, `${A}:1-10`);
  const accounts = accountsSecretName(cluster());
  const keys = [0, 1, 2].map((ordinal) => [replicationKey(ordinal), `secret ${ordinal}`]);
  secrets = {
    s3: { ownerUid: null, name: "s3", values: STORE },
    [accounts]: { ownerUid: CLUSTER.uid, name: accounts, values: Object.fromEntries(keys) },
  };
});

afterEach(async () => {
  await archiver?.stop(1_000);
});

test("a cluster is followed for as long as that is wished, and what is held is reported", async () => {
  follow(cluster());
  await expect.poll(archived).toBe(`${A}:11-20`);
  await expect.poll(report).toEqual({ heldToMs: NOW_MS, failure: null });
  expect(news).toBe(1);
  log.push(...committed(21, 25));
  await expect.poll(archived).toBe(`${A}:11-25`);
  // Listed again it is the same.
  follow(cluster());
  follow(cluster({ [ANNOTATION.archive]: "false" }));
  expect(report()).toBeNull();
  await expect.poll(() => told("archived")).toBe(1);
  log.push(...committed(26, 30));
  await breath();
  expect(await archived()).toBe(`${A}:11-25`);
});

test("others are not followed", async () => {
  const established = encodeState(
    steadyState(3, { clusterUid: CLUSTER.uid, established: null, phase: "Adopting" }),
  );
  follow(cluster({ [ANNOTATION.archive]: "false" }));
  follow(cluster({ [ANNOTATION.state]: "{" }));
  follow(cluster({ [ANNOTATION.state]: established }));
  follow(cluster({}, { deleting: true }));
  const { [ANNOTATION.engine]: _, ...unmanaged } = cluster().annotations;
  follow(cluster({}, { annotations: unmanaged }));
  expect(report()).toBeNull();
  expect(await archived()).toBe("");
});

test("why nothing is archived is told once and tried again, after pauses that grow", async () => {
  const { s3, ...others } = secrets;
  secrets = others;
  follow(cluster());
  await expect.poll(() => slept.length).toBeGreaterThan(7);
  expect(slept.slice(0, 7)).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  expect(report()).toEqual({ heldToMs: null, failure: "There is no Secret s3" });
  expect(told("logs are not archived")).toBe(1);
  if (s3 !== undefined) secrets = { ...others, s3: { ...s3, values: { ...s3.values, bucket: "NONE" } } };
  await expect.poll(() => report()?.failure).toMatch(/bucket/);
  if (s3 !== undefined) secrets = { ...others, s3 };
  await expect.poll(report).toEqual({ heldToMs: NOW_MS, failure: null });
  expect(await archived()).toBe(`${A}:11-20`);
});

test("after a lost connection it goes on where it was, and a pause is short again", async () => {
  follow(cluster());
  await expect.poll(archived).toBe(`${A}:11-20`);
  stream = "breaks";
  await expect.poll(() => report()?.failure).toBe("The connection was lost");
  expect(slept[0]).toBe(1_000);
  expect(report()?.heldToMs).toBe(NOW_MS);
  nowMs += 1_000;
  log.push(...committed(21, 30));
  stream = "goes on";
  await expect.poll(report).toEqual({ heldToMs: NOW_MS + 1_000, failure: null });
  const { segments } = await inventoryIn(bucket);
  expect(archivedBy(segments, gtidSets)).toBe(`${A}:11-30`);
  expect(segments.reduce((sum, { transactions }) => sum + transactions, 0)).toBe(20);
});

test("another cluster of the same name is another one", async () => {
  follow(cluster());
  await expect.poll(report).toMatchObject({ failure: null });
  const other = "99999999-0000-4000-8000-000000000000";
  follow(cluster({}, { uid: other }));
  // Of that one there is no backup, and the accounts are not its own.
  await expect.poll(() => report()?.failure).toMatch(/no backup/);
  expect(await archived()).toBe(`${A}:11-20`);
});

test("an unexpected error is told, and the next list begins anew", async () => {
  const set = cluster();
  const broken = { ...options(), engineOf: () => raise("a bug") };
  archiver = createArchiver(broken);
  archiver.look([set]);
  await expect.poll(() => told("an archive was broken off by an unexpected error")).toBe(1);
  expect(archiver.reportOf(CLUSTER)).toBeNull();
  archiver.look([set]);
  await expect.poll(() => told("an archive was broken off by an unexpected error")).toBe(2);
});

function raise(what: string): never {
  throw new Error(what);
}

test("told to stop it ends after what is under way, and waits no longer than it may", async () => {
  follow(cluster());
  await expect.poll(archived).toBe(`${A}:11-20`);
  await archiver?.stop(60_000);
  expect(told("archived")).toBe(1);
  expect(report()).toBeNull();
  const { put } = bucket;
  bucket.put = () => new Promise(() => undefined);
  log.push(...committed(21, 22));
  follow(cluster());
  await archiver?.stop(7);
  expect(slept).toContain(7);
  bucket.put = put;
});

/** Segments of one transaction each, in chains of a hundred, that were stored an hour ago. */
async function putSmall(count: number): Promise<void> {
  log = [...committed(1, 10 + count)];
  const sha256 = "0".repeat(64);
  for (let from = 11; from <= 10 + count; from += 100) {
    const name = chainName(A, NOW_MS - 3_600_000 + from * 1_000, `${10_000_000 + from}`);
    const segments = log.slice(from - 1, from + 99).map(({ gtid, atUs }, index): SegmentRecord => {
      const part = {
        name: objectName(index + 1, 1, false),
        bytes: 1,
        sha256,
        plainBytes: 1,
        plainSha256: sha256,
      };
      return { position: gtid, transactions: 1, firstAtUs: atUs, lastAtUs: atUs, parts: [part] };
    });
    for (const { parts } of segments)
      await bucket.put(`${chainFolder(PLACE, name)}${parts[0]?.name}`, Buffer.alloc(1));
    const text = encodeChain({
      ...{ v: CHAIN_VERSION, cluster: CLUSTER, serverUuid: A, after: `${A}:1-${from - 1}`, segments },
      ...{ engine: { name: "mysql", version: "9.7.4" }, compression: "zstd", recipients: null },
    });
    await bucket.put(chainKey(PLACE, name, segments.length), Buffer.from(text));
  }
}

/** Thousands of segments are put in order, more than once. */
const PATIENTLY = { timeout: 20_000 };

test("two thousand small segments are made large beside the next pass, and an hour later they are gone", async () => {
  await putSmall(2_000);
  stream = "ends";
  follow(cluster());
  await expect.poll(() => told("merged"), PATIENTLY).toBeGreaterThan(0);
  expect((await inventoryIn(bucket)).segments.length).toBeLessThan(2_005);
  await archiver?.stop(1_000);
  archiver = null;
  // As many more since then, which are merged, and stay for another hour.
  await putSmall(4_000);
  [nowMs, stream] = [NOW_MS + 3 * 3_600_000, "ends"];
  follow(cluster());
  await expect.poll(async () => (await inventoryIn(bucket)).segments.length, PATIENTLY).toBeLessThan(2_020);
  expect(await archived()).toBe(`${A}:11-4010`);
}, 30_000);

test("while a backup is made nothing is merged", async () => {
  await putSmall(2_000);
  stream = "ends";
  const running: BackupMemory["running"] = {
    ...{ slot: "2026-11-23T04:59:00Z", attempt: 1, method: "physical", asked: "schedule", source: 2 },
    begunAt: "2026-11-23T04:59:00Z",
  };
  follow(cluster(encodeBackups(memory({ clusterUid: CLUSTER.uid, running }))));
  await expect.poll(() => told("archived"), PATIENTLY).toBeGreaterThan(2);
  expect(told("merged")).toBe(0);
  expect((await inventoryIn(bucket)).segments).toHaveLength(2_000);
}, 30_000);
