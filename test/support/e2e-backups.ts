/**
 * What end-to-end tests of backups share: a bucket as an object store of ours, the Secret that names it,
 * and what a test does to backups that lie in it.
 */
import { createHash } from "node:crypto";
import { s3Schema } from "../../infra/local/s3.ts";
import { type StoreFields, storeFields } from "../../infra/local/store-secret.ts";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import type { Backup, Catalogue } from "../../shared/backup/catalogue.ts";
import { readCatalogue } from "../../shared/backup/holdings.ts";
import { backupsFolder, manifestKey, type Place, partKey, slotName } from "../../shared/backup/layout.ts";
import { encodeManifest } from "../../shared/backup/manifest.ts";
import { parseStore } from "../../shared/backup/store.ts";
import type { Outcome } from "../../shared/model/outcome.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import type { Scene } from "./e2e.ts";
import { s3Variable } from "./test-cluster.ts";
import { Unmet } from "./wait.ts";

const PART_BYTES_MAX = 64 * 1024 * 1024;

export interface Bucket {
  /** Fields of the Secret of a store. */
  readonly fields: StoreFields;
  readonly store: ObjectStore;
  readonly place: Place;
  catalogue(): Promise<Catalogue>;
  /** The backup of a slot, as the store has it; throws when there is none. */
  backup(slot: string): Promise<Backup>;
  /** What is not as its manifest says, of every byte of every backup; leftovers of attempts are no backups. */
  flaws(): Promise<readonly string[]>;
  /** Begun, and neither completed nor aborted. */
  openUploads(): Promise<number>;
  /** The same once more, as if it had been made at another time. */
  copy(backup: Backup, slot: string): Promise<void>;
  /** Changes one byte in the middle of what was copied. */
  corrupt(backup: Backup): Promise<void>;
}

function value<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new Unmet(outcome.failure.message);
}

/** Of the bucket of the test cluster; `prefix`: a folder of its own, so that tests never see what another one has left. */
export function clusterFields(prefix: string): StoreFields {
  return storeFields(s3Schema.parse(JSON.parse(process.env[s3Variable] ?? "null")), prefix);
}

export async function openBucket(scene: Scene, fields: StoreFields): Promise<Bucket> {
  const settings = value(parseStore("backups", fields));
  const { prefix } = settings;
  const store = createS3Store(settings);
  const clusterUid = await scene.kubectl("get", "statefulset", "mysql", "--output=jsonpath={.metadata.uid}");
  const place = { prefix, clusterUid };
  const catalogue = () => readCatalogue(store, place);
  const keysOf = ({ manifest, slotMs }: Backup) => {
    if (manifest === null) throw new Unmet("the backup has no manifest that can be read");
    const { attempt, parts } = manifest;
    const keyOf = (name: string, at = slotMs) => partKey(place, { slotMs: at, attempt, name });
    return { manifest, names: parts.map(({ name }) => name), keyOf };
  };
  return {
    ...{ fields, store, place, catalogue },
    async backup(slot) {
      const { backups, gap } = await catalogue();
      const found = backups.find(({ slotMs }) => slotMs === Date.parse(slot));
      if (gap !== null || found === undefined)
        throw new Unmet(gap?.message ?? `there is no backup of ${slot}`);
      return found;
    },
    async flaws() {
      const { backups, gap } = await catalogue();
      if (gap !== null) throw new Unmet(gap.message);
      const found: string[] = [];
      for (const backup of backups) {
        const slot = slotName(backup.slotMs);
        if (backup.soundness.kind !== "complete") found.push(`${slot} is ${backup.soundness.why}`);
        for (const { name, bytes, sha256 } of backup.manifest?.parts ?? []) {
          const key = keysOf(backup).keyOf(name);
          const { size } = value(await store.head(key));
          const content = value(await store.read(key, PART_BYTES_MAX));
          const same = size === bytes && createHash("sha256").update(content).digest("hex") === sha256;
          if (!same) found.push(`${slot}: ${name} is not what the manifest names`);
        }
      }
      return found;
    },
    openUploads: async () => value(await store.uploads(backupsFolder(place))).length,
    async copy(backup, slot) {
      const { manifest, names, keyOf } = keysOf(backup);
      const slotMs = Date.parse(slot);
      for (const name of names) {
        value(await store.put(keyOf(name, slotMs), value(await store.read(keyOf(name), PART_BYTES_MAX))));
      }
      value(await store.put(manifestKey(place, slotMs), Buffer.from(encodeManifest({ ...manifest, slot }))));
    },
    async corrupt(backup) {
      const { names, keyOf } = keysOf(backup);
      const key = keyOf(names[0] ?? "");
      const bytes = Buffer.from(value(await store.read(key, PART_BYTES_MAX)));
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
      value(await store.put(key, bytes));
    },
  };
}
