/**
 * A fleet as an API server holds it while a page looks at it: one cluster in detail, with a history, backups and an archive in
 * a bucket, and as many others as are wanted. All instants are counted from now, since a browser's clock cannot be set.
 */

import { createHash } from "node:crypto";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { encodeHistory } from "../../../shared/annotations/history.ts";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeMemberRecord } from "../../../shared/annotations/member.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { encodeChain } from "../../../shared/backup/archive/chain.ts";
import { chainKey, chainName, objectName } from "../../../shared/backup/archive/keys.ts";
import { manifestKey, type Place, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { encodeManifest, encodeProof } from "../../../shared/backup/manifest.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import type { Condition } from "../../../shared/model/condition.ts";
import type { MemberRecord } from "../../../shared/model/member.ts";
import type { HistoryEntry, State } from "../../../shared/model/state.ts";
import type { SimKube } from "../../sim/kube/api-server.ts";
import type { Json } from "../../sim/kube/store.ts";
import { condition, state } from "../../unit/annotations/support.ts";
import { manifest, SHA } from "../../unit/backup/support.ts";
import { memory } from "../backups.ts";
import { createMemoryStore, type MemoryStore } from "../memory-store.ts";

export const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const PREFIX = "team/shop";

export const isoOf = (ms: number): string => new Date(ms).toISOString();
const slotOf = (ms: number): string => isoOf(ms).replace(/\.\d+Z$/, "Z");
/** The last two in the morning, UTC. */
const lastNight = (nowMs: number): number =>
  Math.floor((nowMs - 2 * HOUR_MS) / DAY_MS) * DAY_MS + 2 * HOUR_MS;

/** As an API server makes them. */
function uidOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `6f0c1c5e-52e5-4a39-9b05-${createHash("sha256").update(`${namespace}/${name}`).digest("hex").slice(0, 12)}`;
}

export interface ClusterWish {
  readonly namespace: string;
  readonly name: string;
  readonly phase?: string;
  readonly state?: Partial<State>;
  readonly conditions?: readonly Condition[];
  readonly history?: readonly HistoryEntry[];
  readonly backups?: Partial<BackupMemory>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** By ordinal, in place of what is usual. */
  readonly members?: Readonly<Record<number, Partial<MemberRecord> & { readonly isReady?: boolean }>>;
}

function podJson(uid: string, labels: Json, record: MemberRecord, isReady: boolean): Json {
  return {
    metadata: {
      labels: { ...labels, [LABEL.managed]: "true" },
      ownerReferences: [{ uid, controller: true }],
      annotations: { [ANNOTATION.member]: encodeMemberRecord(record) },
    },
    status: { phase: "Running", conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
  };
}

/** Three members; the second is the primary, and the two others acknowledge. */
export function putCluster(sim: SimKube, wish: ClusterWish, nowMs: number): string {
  const { namespace, name, phase = "Healthy", annotations = {}, conditions, history = [] } = wish;
  const ref = { namespace, name };
  const labels = { app: name };
  const { uid } = sim.put("StatefulSet", ref, {
    metadata: { uid: uidOf(ref), labels: { [LABEL.managed]: "true" } },
    spec: {
      ...{ replicas: 3, selector: { matchLabels: labels }, serviceName: name },
      template: { spec: { containers: [] } },
    },
  });
  const night = lastNight(nowMs);
  const slot = slotOf(night);
  const remembered = memory({
    ...{ clusterUid: uid, schedule: { cron: "0 2 * * *", timeZone: "UTC" }, handled: slot },
    last: { slot, endedAt: isoOf(night + 4 * MINUTE_MS), method: "physical" },
    ...{ provingAt: isoOf(night + 5 * MINUTE_MS), proven: { slot, at: isoOf(night + 9 * MINUTE_MS) } },
    ...wish.backups,
  });
  const settled: State = {
    ...state,
    clusterUid: uid,
    established: {
      primary: { ordinal: 1, serverUuid: "uuid-1" },
      ackers: [
        { ordinal: 0, serverUuid: "uuid-0" },
        { ordinal: 2, serverUuid: "uuid-2" },
      ],
      ackCount: 1,
    },
    ...wish.state,
  };
  sim.put("StatefulSet", ref, {
    metadata: {
      annotations: {
        ...{
          [ANNOTATION.engine]: "mysql",
          [ANNOTATION.credentials]: "mysql-root",
          [ANNOTATION.phase]: phase,
        },
        ...{ [ANNOTATION.backupStore]: "backups", [ANNOTATION.backupSchedule]: "0 2 * * *" },
        [ANNOTATION.state]: encodeState(settled),
        [ANNOTATION.conditions]: encodeConditions(
          conditions ?? [condition({ message: `3 of 3 members in place, primary ${name}-1.` })],
        ),
        [ANNOTATION.history]: encodeHistory(history),
        ...encodeBackups(remembered),
        ...annotations,
      },
    },
  });
  for (const ordinal of [0, 1, 2]) {
    const { isReady = true, ...more } = wish.members?.[ordinal] ?? {};
    const isPrimary = ordinal === 1;
    const record: MemberRecord = {
      ...{
        role: isPrimary ? "primary" : "replica",
        note: "",
        serverUuid: `uuid-${ordinal}`,
        version: "9.7.4",
      },
      ...{ at: isoOf(nowMs - 26 * MINUTE_MS), acks: !isPrimary, lagMs: isPrimary ? null : ordinal * 150 },
      ...more,
    };
    sim.put("Pod", { namespace, name: `${name}-${ordinal}` }, podJson(uid, labels, record, isReady));
  }
  return uid;
}

const PHASES = [
  "Healthy",
  "Healthy",
  "Healthy",
  "Healthy",
  "Healthy",
  "Healthy",
  "Degraded",
  "Healthy",
] as const;

/** Many that are mostly fine, for a page that has to show all of them. */
export function putMany(sim: SimKube, count: number, nowMs: number): void {
  for (let index = 0; index < count; index += 1) {
    const phase = PHASES[index % PHASES.length] ?? "Healthy";
    const name = `db-${String(index).padStart(3, "0")}`;
    const lagging = condition({
      ...{ type: "ReplicaLagging", reason: "ReplicaLagging", lastTransitionAt: isoOf(nowMs - 7 * MINUTE_MS) },
      message: `${name}-2 is 34 s behind, more than the 10 s of ordinal.dev/max-lag.`,
    });
    const more =
      phase === "Healthy"
        ? {}
        : {
            conditions: [condition({ message: `2 of 3 members in place, primary ${name}-1.` }), lagging],
            members: { 2: { lagMs: 34_000 } },
          };
    putCluster(sim, { namespace: `team-${index % 10}`, name, phase, ...more }, nowMs);
  }
}

/** What a cluster has been through: taken over, failed over, and made whole again. */
export function eventfulHistory(name: string, nowMs: number): readonly HistoryEntry[] {
  const entry = (
    agoMs: number,
    epoch: number,
    reason: string,
    why: string,
    considered: string[] = [],
  ): HistoryEntry => ({
    ...{ at: isoOf(nowMs - agoMs), epoch, reason, why, considered },
  });
  return [
    entry(19 * DAY_MS, 1, "AdoptionStarted", `${name}-0 is the primary: it is the only one with user data.`, [
      `${name}-0: schemas shop, crm`,
      `${name}-1: no user data`,
      `${name}-2: no user data`,
    ]),
    entry(19 * DAY_MS - 90_000, 1, "AdoptionCompleted", "Every commit is acknowledged by 1 of 2 replicas."),
    entry(5 * DAY_MS, 6, "SwitchoverCompleted", `${name}-0 takes writes, as asked.`),
    entry(
      28 * MINUTE_MS,
      7,
      "FailoverStarted",
      `PrimaryUnreachable: the container of ${name}-0 ended with exit code 137.`,
      ["quorum: acknowledging set {1,2}, 1 acknowledgement needed, 2 of 2 reached"],
    ),
    entry(28 * MINUTE_MS - 400, 7, "PrimaryElected", `${name}-1 holds everything that was acknowledged.`, [
      `${name}-1: 88161 transactions, lag 0 s`,
      `${name}-2: the same transactions, higher ordinal`,
    ]),
    entry(
      28 * MINUTE_MS - 1_300,
      7,
      "FailoverCompleted",
      `${name}-1 takes writes; its first commit was acknowledged after 1.3 s.`,
    ),
    entry(26 * MINUTE_MS, 7, "MemberJoined", `${name}-0 follows ${name}-1.`),
  ];
}

async function put(store: MemoryStore, key: string, bytes: Uint8Array): Promise<void> {
  const written = await store.put(key, bytes);
  if (!written.ok) throw new Error(written.failure.message);
}

const SERVER = "00000001-0000-4000-8000-000000000000";

async function putNight(
  store: MemoryStore,
  place: Place,
  slotMs: number,
  position: string,
  proven: boolean,
): Promise<void> {
  const plain = manifest(slotMs);
  const size = 1_200_000_000;
  const made = manifest(slotMs, {
    cluster: { ...plain.cluster, uid: place.clusterUid },
    ...{ position, checksums: null },
    parts: [{ name: "volume.tar.zst", bytes: 900, sha256: SHA, plainBytes: size, plainSha256: SHA }],
  });
  for (const { name, bytes } of made.parts) {
    await put(store, partKey(place, { slotMs, attempt: 1, name }), new Uint8Array(bytes));
  }
  const text = encodeManifest(made);
  await put(store, manifestKey(place, slotMs), Buffer.from(text));
  if (!proven) return;
  const manifestSha256 = createHash("sha256").update(text).digest("hex");
  const proof = { v: 1 as const, clusterUid: place.clusterUid, slot: isoOf(slotMs), manifestSha256 };
  const ended = { at: isoOf(slotMs + 9 * MINUTE_MS), tookMs: 240_000, fault: null, checked: [] };
  await put(store, proofKey(place, slotMs), Buffer.from(encodeProof({ ...proof, ...ended })));
}

interface Stretch {
  readonly from: number;
  readonly to: number;
  /** First and last transaction. */
  readonly gtids: readonly [number, number];
}

async function putLogs(store: MemoryStore, place: Place, { from, to, gtids }: Stretch): Promise<void> {
  const name = chainName(SERVER, from, "aaaaaaaa");
  const key = chainKey(place, name, 1);
  const part = { name: objectName(1, 1, false), bytes: 4, sha256: SHA, plainBytes: 4, plainSha256: SHA };
  await put(store, key.replace(/[^/]*$/, part.name), Buffer.alloc(4));
  const [first, last] = gtids;
  const segment = { position: `${SERVER}:${first}-${last}`, transactions: last - first + 1, parts: [part] };
  const chain = encodeChain({
    ...{ v: 1, cluster: { namespace: "shop", name: "orders", uid: place.clusterUid }, serverUuid: SERVER },
    ...{ engine: { name: "mysql", version: "9.7.4" }, after: `${SERVER}:1-${first - 1}` },
    ...{ compression: "zstd", recipients: null },
    segments: [{ ...segment, firstAtUs: from * 1_000, lastAtUs: to * 1_000 }],
  });
  await put(store, key, Buffer.from(chain));
}

/** Three weeks of nights, one of them lost, proven every day but the last; logs of twelve days with one gap. */
export async function bucketOf(clusterUid: string, nowMs: number): Promise<MemoryStore> {
  const place = { prefix: PREFIX, clusterUid };
  const store = createMemoryStore({ now: () => nowMs - 30 * DAY_MS });
  const night = lastNight(nowMs);
  for (let days = 20; days >= 0; days -= 1) {
    if (days === 9) continue;
    const position = `${SERVER}:1-${1_000 - days * 10}`;
    await putNight(store, place, night - days * DAY_MS, position, days !== 0 && days % 5 !== 3);
  }
  // Until the end of the backup that things go on from.
  const [begin, gap] = [night - 12 * DAY_MS, night - 4 * DAY_MS + MINUTE_MS - 7 * HOUR_MS];
  await putLogs(store, place, { from: begin + MINUTE_MS, to: gap, gtids: [881, 949] });
  await putLogs(store, place, { from: gap + 9 * HOUR_MS, to: nowMs - 4_000, gtids: [961, 1_400] });
  return store;
}

const STORE = {
  ...{ endpoint: "https://s3.example.com:9000", region: "eu-central-1", bucket: "backups", prefix: PREFIX },
  ...{ accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY" },
};

/** What of it nobody may be told. */
export const KEY_PARTS: readonly string[] = [STORE.accessKeyId, STORE.secretAccessKey];

/** Of the store, as every cluster here names it. */
export function putSecret(sim: SimKube): void {
  const data = Object.entries(STORE).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  sim.put("Secret", { namespace: "shop", name: "backups" }, { data: Object.fromEntries(data) });
}

function open(type: string, sinceMs: number, message: string): Condition {
  return condition({ type, reason: type, message, lastTransitionAt: isoOf(sinceMs) });
}

/** It has failed over, and one of its replicas is behind. */
function orders(nowMs: number): ClusterWish {
  const archive = {
    ...{
      since: isoOf(nowMs - 12 * DAY_MS),
      heldTo: isoOf(nowMs - 4_000),
      failure: null,
      purging: "usual" as const,
    },
    window: { from: isoOf(nowMs - 12 * DAY_MS), gaps: 1, gapMs: 7 * HOUR_MS },
  };
  return {
    ...{ namespace: "shop", name: "orders", phase: "Degraded", history: eventfulHistory("orders", nowMs) },
    ...{ backups: { archive }, annotations: { [ANNOTATION.archive]: "true" } },
    conditions: [
      condition({ message: "2 of 3 members in place, primary orders-1." }),
      open(
        "ReplicaLagging",
        nowMs - 9 * MINUTE_MS,
        "orders-2 is 34 s behind, more than the 10 s of ordinal.dev/max-lag.",
      ),
    ],
    members: { 2: { lagMs: 34_000, role: "none", note: "not in the read Service while it is behind" } },
  };
}

/** Its primary is gone, and a person has to say that it may be replaced. */
function billing(nowMs: number): ClusterWish {
  const message =
    "billing-1 would be failed over (no pod); annotate ordinal.dev/approve=e8 to let it happen.";
  return {
    ...{ namespace: "shop", name: "billing", phase: "Blocked" },
    annotations: { [ANNOTATION.failover]: "manual" },
    conditions: [
      condition({ status: "False", reason: "FailoverAwaitsApproval", message }),
      open("FailoverAwaitsApproval", nowMs - 40_000, message),
    ],
    members: { 1: { isReady: false, note: "does not answer" } },
  };
}

/** Being backed up, as it was in a quarter of an hour last night, while a member is made of a copy. */
function stock(nowMs: number): ClusterWish {
  const [slot, last] = [slotOf(nowMs - 4 * MINUTE_MS), slotOf(nowMs - DAY_MS)];
  const copied = { bytes: 3_435_973_836, bytesExpected: 8_053_063_680 };
  return {
    ...{ namespace: "shop", name: "stock", phase: "Scaling" },
    backups: {
      running: { slot, attempt: 1, method: "physical", asked: "request", source: 0, begunAt: slot },
      last: {
        ...{ slot: last, method: "physical" },
        ...{ begunAt: last, endedAt: slotOf(nowMs - DAY_MS + 15 * MINUTE_MS) },
      },
    },
    members: { 2: { role: "none", note: "being seeded", copied, acks: false, lagMs: null } },
  };
}

function trial(nowMs: number): ClusterWish {
  return {
    ...{ namespace: "lab", name: "trial", phase: "Paused", annotations: { [ANNOTATION.pause]: "true" } },
    conditions: [
      condition({ message: "3 of 3 members in place, primary trial-1." }),
      open("Paused", nowMs - HOUR_MS, "ordinal.dev/pause is true: nothing is changed."),
    ],
  };
}

export function putBusy(sim: SimKube, nowMs: number): void {
  putCluster(sim, stock(nowMs), nowMs);
}

/** One that serves and lags, one that waits for a person, one that is paused. The bucket is that of the first. */
export async function putShop(sim: SimKube, nowMs: number): Promise<MemoryStore> {
  const uid = putCluster(sim, orders(nowMs), nowMs);
  putCluster(sim, billing(nowMs), nowMs);
  putCluster(sim, trial(nowMs), nowMs);
  putSecret(sim);
  return await bucketOf(uid, nowMs);
}
