/** `kubectl ordinal backups` and `prune` on a bucket in memory: what is listed, what goes, and when nothing does. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { manifestKey, type Place, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { encodeManifest, encodeProof, type Manifest } from "../../../shared/backup/manifest.ts";
import { backupListSchema, pruningSchema } from "../../../shared/cli/documents.ts";
import { run } from "../../../shared/cli/program.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Store } from "../../../shared/model/store.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import { memory } from "../../support/backups.ts";
import {
  createMemoryStore,
  type Fault,
  type MemoryStore,
  type StoreCall,
} from "../../support/memory-store.ts";
import { manifest } from "../backup/support.ts";
import { healthy, NOW, NOWHERE, type Ran } from "./support.ts";

const UID = "6f0c1c5e-52e5-4a39-9b05-0c7f3d5f3a11";
const OTHER_UID = "0e8f1f0a-0000-4a39-9b05-0c7f3d5f3a11";
const PLACE: Place = { prefix: "team/shop", clusterUid: UID };
const KEY = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
const SECRET = {
  ...{
    endpoint: "https://s3.example.com:9000",
    region: "eu-central-1",
    bucket: "backups",
    prefix: "team/shop",
  },
  ...{ accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: KEY },
};

const at = (text: string): number => Date.parse(text);
const FIRST = at("2026-11-20T02:00:00Z");
const SECOND = at("2026-11-21T02:00:00Z");
const THIRD = at("2026-11-22T02:00:00Z");
const LAST = at("2026-11-23T02:00:00Z");

const cluster: StatefulSet = {
  ...healthy,
  uid: UID,
  annotations: { ...healthy.annotations, [ANNOTATION.backupStore]: "backups" },
};

function annotated(more: Readonly<Record<string, string>>): StatefulSet {
  return { ...cluster, annotations: { ...cluster.annotations, ...more } };
}

type Faults = (call: StoreCall) => Fault | null;

async function put(store: MemoryStore, key: string, bytes: Uint8Array): Promise<void> {
  const written = await store.put(key, bytes);
  if (!written.ok) throw new Error(written.failure.message);
}

async function putBackup(
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

async function prove(
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
async function fourNights(fault?: Faults): Promise<MemoryStore> {
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

interface Surroundings {
  readonly set?: StatefulSet | null;
  readonly secret?: Readonly<Record<string, string>> | null;
  readonly colour?: boolean;
}

interface Done extends Ran {
  readonly opened: readonly Store[];
}

async function ordinal(store: MemoryStore, line: string, around: Surroundings = {}): Promise<Done> {
  const { set = cluster, secret = SECRET, colour = false } = around;
  const printed = { out: "", err: "" };
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
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
    colour,
    clock: { now: () => at(NOW), sleep: async () => {} },
    timeZone: "Europe/Berlin",
    connect: () => ({
      ...NOWHERE,
      ...{ kube: kube as Kube, namespace: "shop", close() {} },
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

const slotsOf = (store: MemoryStore): readonly string[] =>
  [...store.objects.keys()]
    .filter((key) => key.endsWith("manifest.json"))
    .map((key) => key.split("/").at(-2) ?? "")
    .toSorted();

describe("backups NAME", () => {
  test("lists what the store holds, newest first", async () => {
    expect(await ordinal(await fourNights(), "backups mysql")).toMatchObject({
      exitCode: 0,
      err: "",
      out: `
SLOT                  AGE  METHOD    SIZE   PROVEN  NOTE
2026-11-23T02:00:00Z  8h   physical  910 B  no
2026-11-22T02:00:00Z  32h  physical  910 B  7h ago
2026-11-21T02:00:00Z  2d   physical  910 B  no
2026-11-20T02:00:00Z  3d   physical  910 B  no
`.trimStart(),
    });
  });

  test("says of each what is wrong with it", async () => {
    const store = await fourNights();
    store.objects.delete(partKey(PLACE, { slotMs: SECOND, attempt: 1, name: "volume.tar.zst" }));
    await put(store, manifestKey(PLACE, FIRST), Buffer.from('{"v":9}'));
    await prove(
      store,
      LAST,
      createHash("sha256")
        .update(encodeManifest(manifest(LAST)))
        .digest("hex"),
      "table a differs",
    );
    const { out } = await ordinal(store, "backups mysql");
    expect(
      out
        .split("\n")
        .slice(1, 5)
        .map((line) => line.slice(22).replaceAll(/ +/g, " ")),
    ).toEqual([
      "8h physical 910 B failed table a differs",
      "32h physical 910 B 7h ago",
      "2d physical 10 B no damaged: part volume.tar.zst is missing",
      "3d – 910 B no unknown: it is of version 9, which a newer Ordinal wrote",
    ]);
  });

  test("is the same document for machines, and no key is in it", async () => {
    const store = await fourNights();
    const json: unknown = JSON.parse((await ordinal(store, "backups mysql -o json")).out);
    expect(backupListSchema.safeParse(json).error).toBeUndefined();
    expect(parse((await ordinal(store, "backups mysql -o yaml")).out)).toEqual(json);
    expect(json).toMatchObject({
      kind: "BackupList",
      where: {
        secret: "backups",
        endpoint: "https://s3.example.com:9000",
        bucket: "backups",
        prefix: "team/shop",
      },
      gap: null,
    });
    expect(backupListSchema.parse(json).items[1]).toEqual({
      ...{ namespace: "shop", name: "mysql", clusterUid: UID, slot: "2026-11-22T02:00:00Z" },
      ...{ soundness: "complete", why: null, method: "physical", databases: null, encrypted: false },
      ...{ endedAt: "2026-11-22T02:01:00.000Z", version: "9.7.4", bytes: 910, plainBytes: 4_010 },
      proof: { at: "2026-11-23T03:05:00.000Z", fault: null },
    });
  });

  test("of an empty store says so", async () => {
    const { exitCode, out, err } = await ordinal(createMemoryStore(), "backups mysql");
    expect([exitCode, out, err]).toEqual([0, "", "There is no such backup in s3://backups/team/shop.\n"]);
  });

  test("what others wrote into a manifest cannot reach the terminal as it is", async () => {
    const evil = "\u001B]0;owned\u0007\u202E";
    const store = createMemoryStore();
    const where = { namespace: evil, name: evil, uid: UID };
    await putBackup(store, LAST, {
      cluster: where,
      databases: [evil],
      engine: { name: "mysql", version: evil },
    });
    for (const line of [
      "backups mysql",
      "backups --store backups",
      "backups mysql -o json",
      "backups mysql -o yaml",
    ]) {
      const { exitCode, out } = await ordinal(store, line);
      expect(exitCode).toBe(0);
      expect(out).toContain("owned");
      expect(out.replaceAll("\n", ""), line).not.toMatch(/\p{C}/u);
    }
  });
});

describe("a store", () => {
  test("may be named, also where the cluster is gone, and shows all clusters or those of a name", async () => {
    const store = await fourNights();
    const other = { prefix: "team/shop", clusterUid: OTHER_UID };
    const elsewhere = { namespace: "lab", name: "crm", uid: OTHER_UID };
    await putBackup(store, LAST, { cluster: elsewhere, method: "logical", databases: ["a", "b"] }, other);
    await put(store, "team/shop/readme/backups/x", Buffer.from("not ours"));
    const all = await ordinal(store, "backups --store backups", { set: null });
    expect(all.out.split("\n").filter((line) => line.includes("2026-11-23T02"))).toEqual([
      "lab/crm     2026-11-23T02:00:00Z  8h   logical   910 B  no      databases a,b",
      "shop/mysql  2026-11-23T02:00:00Z  8h   physical  910 B  no",
    ]);
    expect(all.out.split("\n")).toHaveLength(7);
    const gone = await ordinal(store, "backups lab/crm --store backups", { set: null });
    expect(gone.out.split("\n")).toHaveLength(3);
    const own = await ordinal(store, "backups mysql --store backups", {
      set: annotated({ [ANNOTATION.backupStore]: "x" }),
    });
    expect(own.out.split("\n")).toHaveLength(6);
  });

  test.each<[string, Surroundings, RegExp]>([
    ["backups mysql", { set: healthy }, /^ordinal\.dev\/backup-store is missing: set it/],
    [
      "backups mysql",
      { set: annotated({ [ANNOTATION.backupRetention]: "all" }) },
      /^ordinal\.dev\/backup-retention is "all"/,
    ],
    ["backups mysql", { secret: null }, /^There is no Secret backups in namespace shop/],
    [
      "backups mysql",
      { secret: { ...SECRET, bucket: "B" } },
      /^The Secret backups of the backup store must have in bucket/,
    ],
    [
      "backups mysql",
      { secret: { ...SECRET, endpoint: "https://169.254.169.254" } },
      /must have another endpoint/,
    ],
    ["backups mysql", { set: null }, /^There is no StatefulSet mysql in namespace shop\./],
    ["backups --store ../x", {}, /Write the name of a Secret/],
    ["backups", {}, /^Name a cluster, or a store with --store SECRET\./],
    ["prune mysql", { set: healthy }, /^ordinal\.dev\/backup-store is missing: set it/],
  ])("%s, %o: refused", async (line, around, message) => {
    const { exitCode, out, err } = await ordinal(createMemoryStore(), line, around);
    expect([exitCode, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  });

  test("that does not answer is told with where it was asked from; of what is left out it is told too", async () => {
    const away = { when: "before", failure: { kind: "transient", message: "The store is away." } } as const;
    const silent = await ordinal(
      await fourNights(({ verb }) => (verb === "list" ? away : null)),
      "backups mysql",
    );
    expect([silent.exitCode, silent.err]).toEqual([
      1,
      "The store is away.\n  A store is asked from this machine: run this where it can be reached.\n",
    ]);
    const half = (call: StoreCall) =>
      call.verb === "read" && call.key === manifestKey(PLACE, FIRST) ? away : null;
    const partly = await ordinal(await fourNights(half), "backups mysql");
    expect([partly.exitCode, partly.out.split("\n").length]).toEqual([0, 5]);
    expect(partly.err).toBe("Not everything could be read, so there may be more: The store is away.\n");
  });
});

describe("prune", () => {
  const keepOne = annotated({ [ANNOTATION.backupRetention]: "1" });
  const TABLE = `
The retention of shop/mysql is 1: 2 stay, 2 go (1.8 KiB).

SLOT                  AGE  SIZE      FATE    REASON
2026-11-23T02:00:00Z  8h   910 B     keep    the newest that can be restored
2026-11-22T02:00:00Z  32h  910 B     keep    the newest that was proven
2026-11-21T02:00:00Z  2d   910 B     delete  no rule keeps it
2026-11-20T02:00:00Z  3d   910 B     delete  no rule keeps it
2026-11-20T03:00:00Z  3d   1 object  delete  left by an attempt that made no backup

Nothing was changed. Without --dry-run it is done.
`.trimStart();

  async function withLeftover(fault?: Faults): Promise<MemoryStore> {
    let armed = false;
    const store = await fourNights((call) => (armed ? (fault?.(call) ?? null) : null));
    await put(
      store,
      partKey(PLACE, { slotMs: FIRST + 3_600_000, attempt: 1, name: "volume" }),
      new Uint8Array(9),
    );
    armed = true;
    return store;
  }

  test("--dry-run says which go and why the others stay, and changes nothing", async () => {
    const store = await withLeftover();
    const before = [...store.objects.keys()];
    expect(await ordinal(store, "prune mysql --dry-run", { set: keepOne })).toMatchObject({
      exitCode: 0,
      err: "",
      out: TABLE,
    });
    expect([...store.objects.keys()]).toEqual(before);
  });

  test("deletes just these", async () => {
    const store = await withLeftover();
    const { exitCode, out } = await ordinal(store, "prune mysql", { set: keepOne });
    expect(exitCode).toBe(0);
    expect(out).toContain("2026-11-20T02:00:00Z  3d   910 B     deleted  no rule keeps it\n");
    expect(out).not.toContain("Nothing was changed");
    expect(slotsOf(store)).toEqual(["20261122T020000Z", "20261123T020000Z"]);
    expect([...store.objects.keys()].every((key) => /2026112[23]T020000Z/.test(key))).toBe(true);
    const again = await ordinal(store, "prune mysql", { set: keepOne });
    expect(again.out).toContain("2 stay, 0 go (0 B).");
  });

  test("by the calendar says of which time zone", async () => {
    const week = { [ANNOTATION.backupRetention]: "7d", [ANNOTATION.backupTimezone]: "Europe/Berlin" };
    const { out } = await ordinal(await fourNights(), "prune mysql --dry-run", { set: annotated(week) });
    expect(out).toMatch(
      /^The retention of shop\/mysql is 7d by the calendar of Europe\/Berlin: 4 stay, 0 go \(0 B\)\.\n/,
    );
    expect(out).toContain("2026-11-21T02:00:00Z  2d   910 B  keep  the newest of its day");
  });

  test("without a retention keeps every backup", async () => {
    const store = await fourNights();
    const { out } = await ordinal(store, "prune mysql");
    expect(out).toMatch(/^The retention of shop\/mysql keeps every backup: 4 stay, 0 go/);
    expect(slotsOf(store)).toHaveLength(4);
  });

  test("leaves what is being worked on", async () => {
    const slot = "2026-11-20T02:00:00Z";
    const remembered = encodeBackups({ ...memory(), clusterUid: UID, proving: { slot, begunAt: slot } });
    const store = await fourNights();
    const { out } = await ordinal(store, "prune mysql", {
      set: annotated({ ...remembered, [ANNOTATION.backupRetention]: "1" }),
    });
    expect(out).toContain(`${slot}  3d   910 B  keep     it is being worked on`);
    expect(slotsOf(store)).toContain("20261120T020000Z");
  });

  const away = { when: "before", failure: { kind: "transient", message: "The store is away." } } as const;

  test.each<[string, Faults]>([
    ["a page of the listing", ({ verb, nth }) => (verb === "list" && nth > 1 ? away : null)],
    ["a manifest", ({ verb, key }) => (verb === "read" && key === manifestKey(PLACE, SECOND) ? away : null)],
  ])("deletes nothing when it could not read %s", async (_, fault) => {
    const store = await fourNights(fault);
    const before = [...store.objects.keys()];
    for (const line of ["prune mysql", "prune mysql --dry-run"]) {
      const { exitCode, out, err } = await ordinal(store, line, { set: keepOne });
      expect([exitCode, out]).toEqual([1, ""]);
      expect(err).toContain("The store is away.");
    }
    expect([...store.objects.keys()]).toEqual(before);
  });

  test("what is under a lock is kept whole, and that is no failure", async () => {
    const locked = { when: "before", failure: { kind: "refused", message: "it is under a lock" } } as const;
    const store = await fourNights(({ verb, key }) =>
      verb === "remove" && key === manifestKey(PLACE, FIRST) ? locked : null,
    );
    const { exitCode, out } = await ordinal(store, "prune mysql", { set: keepOne });
    expect(exitCode).toBe(0);
    expect(out).toContain("2026-11-20T02:00:00Z  3d   910 B  kept     it is under a lock");
    expect(slotsOf(store)).toContain("20261120T020000Z");
    expect([...store.objects.keys()].filter((key) => key.includes("20261120T02"))).toHaveLength(3);
    expect(slotsOf(store)).not.toContain("20261121T020000Z");
  });

  test("a store that fails in between ends it with 1, and all of it is still told", async () => {
    const store = await fourNights(({ verb, nth }) => (verb === "remove" && nth > 0 ? away : null));
    const { exitCode, out, err } = await ordinal(store, "prune mysql -o json", { set: keepOne });
    expect([exitCode, err]).toEqual([
      1,
      expect.stringContaining("Not all of it was deleted: The store is away."),
    ]);
    const document = pruningSchema.parse(JSON.parse(out));
    expect(document.items.map(({ fate }) => fate)).toEqual(["keep", "keep", "failed", "failed"]);
  });
});
