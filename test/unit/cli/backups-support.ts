/** A bucket in memory with backups in it, and the program on it. */

import { createHash } from "node:crypto";
import { expect } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { manifestKey, type Place, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { encodeManifest, encodeProof, type Manifest } from "../../../shared/backup/manifest.ts";
import { run } from "../../../shared/cli/program.ts";
import type { Progress } from "../../../shared/cli/progress.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Store } from "../../../shared/model/store.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import {
  createMemoryStore,
  type Fault,
  type MemoryStore,
  type StoreCall,
} from "../../support/memory-store.ts";
import { manifest } from "../backup/support.ts";
import { healthy, NOW, NOWHERE, paper, type Ran } from "./support.ts";

export const UID = "6f0c1c5e-52e5-4a39-9b05-0c7f3d5f3a11";
export const OTHER_UID = "0e8f1f0a-0000-4a39-9b05-0c7f3d5f3a11";
export const PLACE: Place = { prefix: "team/shop", clusterUid: UID };
export const KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
export const SECRET = {
  ...{
    endpoint: "https://s3.example.com:9000",
    region: "eu-central-1",
    bucket: "backups",
    prefix: "team/shop",
  },
  ...{ accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: KEY },
};

export const at = (text: string): number => Date.parse(text);
export const FIRST = at("2026-11-20T02:00:00Z");
export const SECOND = at("2026-11-21T02:00:00Z");
export const THIRD = at("2026-11-22T02:00:00Z");
export const LAST = at("2026-11-23T02:00:00Z");

export const cluster: StatefulSet = {
  ...healthy,
  uid: UID,
  annotations: { ...healthy.annotations, [ANNOTATION.backupStore]: "backups" },
};

export function annotated(more: Readonly<Record<string, string>>): StatefulSet {
  return { ...cluster, annotations: { ...cluster.annotations, ...more } };
}

export type Faults = (call: StoreCall) => Fault | null;

export async function put(store: MemoryStore, key: string, bytes: Uint8Array): Promise<void> {
  const written = await store.put(key, bytes);
  if (!written.ok) throw new Error(written.failure.message);
}

export async function putBackup(
  store: MemoryStore,
  slotMs: number,
  of: Partial<Manifest> = {},
  place = PLACE,
): Promise<string> {
  const made = manifest(slotMs, {
    ...of,
    cluster: { ...manifest(slotMs).cluster, uid: place.clusterUid, ...of.cluster },
  });
  for (const { name, bytes } of made.parts) {
    await put(store, partKey(place, { slotMs, attempt: 1, name }), new Uint8Array(bytes));
  }
  const text = encodeManifest(made);
  await put(store, manifestKey(place, slotMs), Buffer.from(text));
  return createHash("sha256").update(text).digest("hex");
}

export async function prove(
  store: MemoryStore,
  slotMs: number,
  manifestSha256: string,
  fault: string | null = null,
): Promise<void> {
  const proof = {
    ...{ v: 1 as const, clusterUid: UID, slot: new Date(slotMs).toISOString(), manifestSha256 },
    ...{ at: "2026-11-23T03:05:00.000Z", tookMs: 1, fault, checked: [] },
  };
  await put(store, proofKey(PLACE, slotMs), Buffer.from(encodeProof(proof)));
}

/** Four nights, the last but one proven. */
export async function fourNights(fault?: Faults): Promise<MemoryStore> {
  let armed = false;
  const store = createMemoryStore({
    now: () => at("2026-11-20T02:05:00Z"),
    pageSize: 3,
    fault: (call) => (armed ? (fault?.(call) ?? null) : null),
  });
  for (const slotMs of [FIRST, SECOND, LAST]) await putBackup(store, slotMs);
  await prove(store, THIRD, await putBackup(store, THIRD));
  armed = true;
  return store;
}

export interface Surroundings {
  readonly set?: StatefulSet | null;
  readonly secret?: Readonly<Record<string, string>> | null;
  readonly colour?: boolean;
  /** Of every Job. */
  readonly progress?: Progress;
}

export interface Done extends Ran {
  readonly opened: readonly Store[];
}

export async function ordinal(store: MemoryStore, line: string, around: Surroundings = {}): Promise<Done> {
  const { set = cluster, secret = SECRET, colour = false, progress = null } = around;
  const { printed, terminal } = paper();
  const opened: Store[] = [];
  let open = 0;
  const found = (kind: string, name: string): Outcome<object> => {
    if (kind === "StatefulSet" && set?.name === name) return succeed(set);
    if (kind === "Secret" && name === "backups" && secret !== null) return succeed({ values: secret });
    return fail("gone", `no ${kind} ${name}`);
  };
  const kube: Pick<Kube, "read" | "list"> = {
    read: (kind, { name }) => Promise.resolve(found(kind, name) as never),
    list: () => Promise.resolve(succeed([])),
  };
  const exitCode = await run(line.split(" "), {
    ...terminal,
    colour,
    clock: { now: () => at(NOW), sleep: async () => {} },
    timeZone: "Europe/Berlin",
    connect: () => ({
      ...NOWHERE,
      ...{ kube: kube as Kube, namespace: "shop", close() {} },
      lastProgress: () => Promise.resolve(progress),
      openStore: (settings) => {
        opened.push(settings);
        open += 1;
        return {
          ...store,
          close: () => {
            open -= 1;
          },
        };
      },
    }),
  });
  expect(open, "every store that was opened is closed").toBe(0);
  expect(printed.out + printed.err).not.toContain(KEY);
  return { exitCode, ...printed, opened };
}

export const slotsOf = (store: MemoryStore): readonly string[] =>
  [...store.objects.keys()]
    .filter((key) => key.endsWith("manifest.json"))
    .map((key) => key.split("/").at(-2) ?? "")
    .toSorted();
