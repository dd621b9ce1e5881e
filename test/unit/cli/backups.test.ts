/** `kubectl ordinal backups` on a bucket in memory: what is listed, and what it says of what it cannot read. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { manifestKey, partKey } from "../../../shared/backup/layout.ts";
import { encodeManifest } from "../../../shared/backup/manifest.ts";
import { backupListSchema } from "../../../shared/model/documents.ts";
import { memory } from "../../support/backups.ts";
import { createMemoryStore, type StoreCall } from "../../support/memory-store.ts";
import { manifest } from "../backup/support.ts";
import {
  annotated,
  FIRST,
  fourNights,
  LAST,
  OTHER_UID,
  ordinal,
  PLACE,
  prove,
  put,
  putBackup,
  SECOND,
  SECRET,
  type Surroundings,
  UID,
} from "./backups-support.ts";
import { healthy } from "./support.ts";

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

  test("says beside it what is under way, and how far that is", async () => {
    const slot = "2026-11-23T10:00:00Z";
    const remembered = encodeBackups({
      ...memory(),
      ...{ clusterUid: UID, proving: { slot, begunAt: slot } },
      running: { slot, attempt: 1, method: "physical", asked: "request", source: 2, begunAt: slot },
    });
    const progress = {
      at: slot,
      message: "progress",
      bytes: 1,
      bytesPerSecond: null,
      bytesExpected: 4,
    } as const;
    const around = { set: annotated(remembered), progress };
    const { out, err } = await ordinal(await fourNights(), "backups mysql", around);
    expect(out.split("\n")).toHaveLength(6);
    expect(err).toBe(
      `The physical backup of ${slot} is taken from mysql-2 for 5m: 25 % (1 of 4 B).\n` +
        `The backup of ${slot} is being proven for 5m: 25 % (1 of 4 B).\n`,
    );
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
