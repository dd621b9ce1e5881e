/** Which backups there are: what counts, what does not, and when nothing can be said. */
import { describe, expect, test } from "vitest";
import {
  type Catalogue,
  catalogueOf,
  documentKeys,
  isProven,
  nextToProve,
} from "../../../shared/backup/catalogue.ts";
import { manifestKey, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { encodeManifest } from "../../../shared/backup/manifest.ts";
import { fail } from "../../../shared/model/outcome.ts";
import {
  at,
  type Bucket,
  backup,
  bucket,
  document,
  holdings,
  manifest,
  object,
  PLACE,
  parts,
  proven,
  SHA,
  without,
} from "./support.ts";

const FIRST = at("2026-11-22T03:00:00Z");
const SECOND = at("2026-11-23T03:00:00Z");
const volume = (slotMs: number) => partKey(PLACE, { slotMs, attempt: 1, name: "volume.tar.zst" });

const catalogue = (...of: readonly Bucket[]): Catalogue => catalogueOf(PLACE, holdings(bucket(...of)));

describe("a backup", () => {
  test("is there with its manifest and its parts, oldest first", () => {
    const { backups, leftovers, gap } = catalogue(backup(SECOND), proven(FIRST));
    expect(backups.map(({ slotMs, soundness, bytes }) => ({ slotMs, soundness, bytes }))).toEqual([
      { slotMs: FIRST, soundness: { kind: "complete" }, bytes: 910 },
      { slotMs: SECOND, soundness: { kind: "complete" }, bytes: 910 },
    ]);
    expect(backups.map(isProven)).toEqual([true, false]);
    expect([leftovers, gap]).toEqual([[], null]);
    expect(backups[0]?.keys[0]).toBe(manifestKey(PLACE, FIRST));
    expect(backups[0]?.keys).toHaveLength(4);
  });

  test("is damaged without a part, or with one of another size", () => {
    const lacking = without(backup(FIRST), volume(FIRST));
    const other = bucket(without(backup(SECOND), volume(SECOND)), object(volume(SECOND), 899));
    expect(catalogue(lacking, other).backups.map(({ soundness }) => soundness)).toEqual([
      { kind: "damaged", why: "part volume.tar.zst is missing" },
      { kind: "damaged", why: "part volume.tar.zst has 899 bytes and not 900" },
    ]);
  });

  test.each([
    ["that cannot be read", "{", "it cannot be read: not JSON"],
    ["of a newer Ordinal", '{"v":9}', "it is of version 9, which a newer Ordinal wrote"],
    [
      "of another cluster",
      encodeManifest(manifest(FIRST)).replace("6f0c1c5e", "00000000"),
      "it is of another cluster or slot",
    ],
  ])("with a manifest %s is unknown, and all in its folder is its own", (_, text, why) => {
    const { backups, leftovers } = catalogue(
      parts(FIRST),
      parts(FIRST, 2),
      document(manifestKey(PLACE, FIRST), text),
    );
    expect(backups).toMatchObject([{ soundness: { kind: "unknown", why }, manifest: null, proof: null }]);
    expect(backups[0]?.keys).toHaveLength(5);
    expect(leftovers).toEqual([]);
  });

  test("is not proven by the proof of an earlier manifest, by a failed one, or when it is damaged", () => {
    expect(catalogue(proven(FIRST, { manifestSha256: SHA })).backups[0]?.proof).toBeNull();
    const failed = catalogue(proven(FIRST, { fault: "table shop.orders differs" })).backups[0];
    expect(failed?.proof?.fault).toBe("table shop.orders differs");
    expect(failed === undefined || isProven(failed)).toBe(false);
    const damaged = catalogue(without(proven(FIRST), volume(FIRST))).backups[0];
    expect(damaged === undefined || isProven(damaged)).toBe(false);
  });
});

describe("leftovers", () => {
  test("are parts without a manifest, one entry for each attempt, as old as the newest of them", () => {
    const late = object(
      partKey(PLACE, { slotMs: FIRST, attempt: 1, name: "late" }),
      5,
      "2026-11-23T09:00:00Z",
    );
    const { backups, leftovers } = catalogue(parts(FIRST), late, parts(FIRST, 2));
    expect(backups).toEqual([]);
    expect(leftovers.map(({ slotMs, bytes, modifiedAtMs }) => ({ slotMs, bytes, modifiedAtMs }))).toEqual([
      { slotMs: FIRST, bytes: 915, modifiedAtMs: at("2026-11-23T09:00:00Z") },
      { slotMs: FIRST, bytes: 910, modifiedAtMs: at("2026-11-23T03:05:00Z") },
    ]);
  });

  test("are also those of another attempt beside a manifest, and a proof without one", () => {
    const { backups, leftovers } = catalogue(
      backup(FIRST),
      parts(FIRST, 2),
      without(proven(SECOND), manifestKey(PLACE, SECOND)),
    );
    expect(backups).toHaveLength(1);
    expect(leftovers.map(({ keys }) => keys.length)).toEqual([2, 2, 1]);
    expect(leftovers.flatMap(({ keys }) => keys)).not.toContain(volume(FIRST));
  });
});

test("what is not ours is not seen", () => {
  const others = ["readme.txt", `${PLACE.prefix}/readme`, volume(FIRST).replace("6f0c1c5e", "00000000")];
  expect(catalogue(...others.map((key) => object(key, 1)))).toEqual({
    backups: [],
    leftovers: [],
    gap: null,
  });
});

describe("a gap", () => {
  test("is a listing that failed: nothing is known", () => {
    const listing = fail("transient", "the store answered 503");
    expect(catalogueOf(PLACE, { listing, documents: new Map() })).toMatchObject({
      backups: [],
      gap: { message: "the store answered 503" },
    });
  });

  test("is a document that failed or was not fetched; the others are told all the same", () => {
    const { listing, documents } = bucket(backup(FIRST), backup(SECOND));
    const key = manifestKey(PLACE, SECOND);
    const broken = new Map([...documents, [key, fail("transient", "cut off")] as const]);
    const seen = catalogueOf(PLACE, holdings({ listing, documents: broken }));
    expect(seen.backups).toHaveLength(1);
    expect(seen.gap?.message).toBe("cut off");
    broken.delete(key);
    expect(catalogueOf(PLACE, holdings({ listing, documents: broken })).gap?.message).toContain(
      "was listed and not read",
    );
  });
});

test("manifests and proofs are what has to be fetched", () => {
  const { listing } = bucket(proven(FIRST), object("other/manifest.json", 1));
  expect(documentKeys(PLACE, listing)).toEqual([manifestKey(PLACE, FIRST), proofKey(PLACE, FIRST)]);
});

describe("what is proven next", () => {
  const next = (...of: readonly Bucket[]) => nextToProve(catalogue(...of))?.slotMs ?? null;

  test("the newest complete one that was not tried yet", () => {
    expect(next()).toBeNull();
    expect(next(backup(FIRST), backup(SECOND))).toBe(SECOND);
    expect(next(proven(FIRST), backup(SECOND))).toBe(SECOND);
    expect(next(backup(FIRST), proven(SECOND))).toBeNull();
    expect(next(backup(FIRST), proven(SECOND, { fault: "differs" }))).toBeNull();
    expect(next(backup(FIRST), without(backup(SECOND), volume(SECOND)))).toBe(FIRST);
  });
});
