/** The work of a Job on a bucket in memory, with a server that is a handful of bytes. */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readLogFile } from "../../shared/adapters/mysql/log-file.ts";
import type { Backup, Catalogue } from "../../shared/backup/catalogue.ts";
import type { Copies, Copy, Restored, TableCounts } from "../../shared/backup/copies.ts";
import type { Bytes } from "../../shared/backup/flow.ts";
import { readCatalogue } from "../../shared/backup/holdings.ts";
import { backupsFolder, type Place } from "../../shared/backup/layout.ts";
import { placeOf, type Work } from "../../shared/backup/work.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import type { BackupTask, ProofTask } from "../../shared/model/job-order.ts";
import type { Store } from "../../shared/model/store.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { collect, streamOf } from "./streams.ts";

export const CLUSTER = { namespace: "shop", name: "mysql", uid: "6f0c1c5e-52e5-4a39-9b05-0c7f3d5f3a11" };
export const SLOT = "2026-11-23T03:00:00Z";
export const SOURCE = { host: "mysql-1", port: 3306, username: "u", password: "p", authority: null };
const POSITION = "00000000-0000-0000-0000-000000000000:1-100";
const COUNTS: TableCounts = {
  v: 1,
  tables: [
    ["shop", "orders", 7],
    ["shop", "people", 3],
  ],
};

export const BACKUP_TASK: BackupTask = {
  ...{ kind: "backup", store: "backups", slot: SLOT, attempt: 1, method: "physical", databases: null },
  ...{ asked: "schedule", source: 1, authority: null, retention: null, timeZone: "UTC", keep: [] },
};
export const PROOF_TASK: ProofTask = { kind: "proof", store: "backups", slot: SLOT };

export const SETTINGS: Store = {
  ...{
    name: "backups",
    endpoint: new URL("https://s3.example.com"),
    region: "eu",
    bucket: "b",
    prefix: "team",
  },
  ...{ key: { kind: "iam" }, caBundle: null, checksum: "sha256", allowInternal: false },
  ...{ ageRecipients: [], ageIdentity: null },
};

export interface FakeServer extends Copies {
  /** What its copies hold. */
  readonly plain: Buffer;
  /** What was made of it last, in a server that is thrown away. */
  restored: Buffer | null;
  /** Whether what was rebuilt last was called proven. */
  wasProven: boolean | null;
}

/** `changed`: how a restored server differs from the one that was copied. */
export function fakeServer(changed: Partial<Restored> = {}, bytes = 40_000): FakeServer {
  const plain = randomBytes(bytes);
  const copy = (stream: Bytes, counts: TableCounts | null): Copy => ({
    ...{ version: "9.7.4", serverUuid: "00000001-0000-0000-0000-000000000000", stream, bytes, counts },
    tool: { name: "CLONE", version: "9.7.4" },
    position: () => POSITION,
  });
  const server: FakeServer = {
    plain,
    restored: null,
    wasProven: null,
    physical: (_, use) => use(copy(streamOf(plain), COUNTS)),
    logical: (_source, _databases, use) => use(copy(streamOf(plain), null)),
    async restore(_method, stream, position) {
      server.restored = await collect(stream);
      const astray = position === POSITION ? null : "it is of another position";
      return { astray, damage: null, counts: COUNTS, ...changed };
    },
    async rebuild({ origin, stream, isProven, position, folder }) {
      server.wasProven = isProven;
      const found = await server.restore(origin.method, stream, position);
      await mkdir(join(folder, "data"));
      await writeFile(join(folder, "data", "mysql.ibd"), server.restored ?? "");
      return found;
    },
    misfit: async ({ engine }) => (engine.version === "9.7.4" ? null : "The image is of another version."),
    isDataDirectory: (names) => names.includes("mysql.ibd"),
  };
  return server;
}

let tokens = 10_000_000;

export function workOn(store: ObjectStore, more: Partial<Work> = {}): Work {
  return {
    ...{ cluster: CLUSTER, settings: SETTINGS, store, copies: fakeServer() },
    logs: { positions: gtidSets, readLogFile },
    clock: { now: () => Date.parse(SLOT) + 60_000, sleep: () => Promise.resolve() },
    ids: {
      password() {
        tokens += 1;
        return `${tokens}`.padEnd(32, "x");
      },
      fraction: () => 0,
    },
    log: { info() {}, warn() {} },
    signal: new AbortController().signal,
    shape: { sliceBytes: 16_000, partBytes: 4_000, parallel: 2 },
    ...more,
  };
}

export const PLACE: Place = placeOf(workOn({} as ObjectStore));

export interface Bucket {
  readonly catalogue: Catalogue;
  /** Backups of which everything is there. */
  readonly whole: number;
  /** Backups of which something is not: there must never be one. */
  readonly broken: number;
  /** Begun, and neither completed nor aborted. */
  readonly uploads: number;
}

export async function bucketOf(store: ObjectStore): Promise<Bucket> {
  const catalogue = await readCatalogue(store, PLACE);
  const uploads = await store.uploads(backupsFolder(PLACE));
  return {
    catalogue,
    whole: catalogue.backups.filter(({ soundness }) => soundness.kind === "complete").length,
    broken: catalogue.backups.filter(({ soundness }) => soundness.kind !== "complete").length,
    uploads: uploads.ok ? uploads.value.length : Number.NaN,
  };
}

/** The backup of this slot; undefined = there is none. */
export async function backupIn(store: ObjectStore, slot: string): Promise<Backup | undefined> {
  const { catalogue } = await bucketOf(store);
  return catalogue.backups.find(({ slotMs }) => slotMs === Date.parse(slot));
}
