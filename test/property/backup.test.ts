/**
 * Laws of the bucket that hold for whatever lies in it: keys are read back and never taken for another cluster's, and
 * retention never deletes what must stay, does the same when it is done again, and never deletes more because of less.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Backup,
  type Catalogue,
  catalogueOf,
  isProven,
  isRestorable,
} from "../../shared/backup/catalogue.ts";
import { manifestKey, type Place, parseKey, partKey, proofKey } from "../../shared/backup/layout.ts";
import { decodeManifest, decodeProof } from "../../shared/backup/manifest.ts";
import { planRetention, type RetentionInput } from "../../shared/backup/retention.ts";
import type { Retention } from "../../shared/model/backup.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { at, holdings, manifest, object, PLACE, proof } from "../unit/backup/support.ts";

const RUNS = { numRuns: propertyRuns(500, 20_000) };
const NOW = at("2026-11-23T12:00:00Z");
const HOUR_MS = 3_600_000;

const uid = fc.uuid();
const place: fc.Arbitrary<Place> = fc.record({
  prefix: fc.constantFrom("", "team", "team/shop", "6f0c1c5e-52e5-4a39-9b05-0c7f3d5f3a11/backups"),
  clusterUid: uid,
});
const second = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000);
const partName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._$-]{0,30}$/);

test("keys are read back, and never by another cluster in the same bucket and prefix", () => {
  const attempt = fc.integer({ min: 1, max: 99 });
  fc.assert(
    fc.property(place, uid, second, attempt, partName, (mine, other, slotMs, number, name) => {
      const part = { slotMs, attempt: number, name };
      const keys = [manifestKey(mine, slotMs), proofKey(mine, slotMs), partKey(mine, part)];
      expect(keys.map((key) => parseKey(mine, key))).toEqual([
        { kind: "manifest", slotMs },
        { kind: "proof", slotMs },
        { kind: "part", ...part },
      ]);
      fc.pre(other !== mine.clusterUid);
      for (const key of keys) expect(parseKey({ ...mine, clusterUid: other }, key)).toBeNull();
    }),
    RUNS,
  );
});

test("no text makes a reader throw, and no key that could not have been built is taken for ours", () => {
  const key = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc
      .array(
        fc.constantFrom(
          PLACE.prefix,
          PLACE.clusterUid,
          "backups",
          "20261123T030000Z",
          "1",
          "..",
          "",
          "manifest.json",
        ),
        {
          maxLength: 7,
        },
      )
      .map((words) => words.join("/")),
  );
  fc.assert(
    fc.property(key, fc.oneof(fc.json(), fc.string()), (text, document) => {
      const parsed = parseKey(PLACE, text);
      if (parsed?.kind === "part") expect(partKey(PLACE, parsed)).toBe(text);
      if (parsed?.kind === "manifest") expect(manifestKey(PLACE, parsed.slotMs)).toBe(text);
      expect(decodeManifest(document, { ...PLACE, slotMs: 0 }).kind).toBe("unusable");
      expect(decodeProof(document, { ...PLACE, slotMs: 0 }).kind).toBe("unusable");
      const { gap } = catalogueOf(PLACE, holdings(object(text, 1)));
      expect(gap === null || parsed?.kind === "manifest" || parsed?.kind === "proof").toBe(true);
    }),
    RUNS,
  );
});

/** Within half a year and a little beyond now. */
const slot = fc.integer({ min: -4_400, max: 30 }).map((hours) => NOW + hours * HOUR_MS);
const soundness = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: "complete" } as const) },
  fc.constantFrom(
    { kind: "damaged", why: "as a test" } as const,
    { kind: "unknown", why: "as a test" } as const,
  ),
);
const anyBackup = fc
  .record({ slotMs: slot, soundness, proven: fc.constantFrom(true, false, false, null) })
  .map(
    ({ slotMs, soundness: sound, proven }): Backup => ({
      slotMs,
      soundness: sound,
      manifest: sound.kind === "unknown" ? null : manifest(slotMs),
      proof: proven === null ? null : proof(slotMs, { fault: proven ? null : "differs" }),
      keys: [manifestKey(PLACE, slotMs), partKey(PLACE, { slotMs, attempt: 1, name: "x" })],
      bytes: 1,
    }),
  );
const backups = fc
  .uniqueArray(anyBackup, { selector: ({ slotMs }) => slotMs, maxLength: 60 })
  .map((all) => all.toSorted((a, b) => a.slotMs - b.slotMs));
const small = fc.nat(12);
const retention: fc.Arbitrary<Retention> = fc.oneof(
  fc.integer({ min: 1, max: 20 }).map((count) => ({ kind: "count" as const, count })),
  fc.record({ kind: fc.constant("calendar" as const), days: small, weeks: small, months: small }),
);
const timeZone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe");

function input(all: readonly Backup[], rule: Retention | null, zone: string): RetentionInput {
  const catalogue: Catalogue = { backups: all, leftovers: [], gap: null };
  const nothing: ReadonlySet<number> = new Set();
  return {
    place: PLACE,
    catalogue,
    retention: rule,
    timeZone: zone,
    nowMs: NOW,
    needed: nothing,
    busy: nothing,
  };
}

function keptOf(of: RetentionInput): ReadonlySet<number> {
  const plan = planRetention(of);
  if (plan.kind === "refused") throw new Error(plan.why);
  return new Set(plan.verdicts.filter(({ keep }) => keep).map(({ slotMs }) => slotMs));
}

const kept = (all: readonly Backup[], rule: Retention | null, zone: string) => keptOf(input(all, rule, zone));

test("the newest that can be restored, the newest proven and all that is not understood are kept", () => {
  const needed = fc.array(fc.nat(59), { maxLength: 3 });
  fc.assert(
    fc.property(backups, retention, timeZone, needed, (all, rule, zone, indexes) => {
      const slots = new Set(indexes.flatMap((index) => all[index]?.slotMs ?? []));
      const stays = keptOf({ ...input(all, rule, zone), needed: slots });
      const past = all.filter(({ slotMs }) => slotMs <= NOW);
      for (const one of [past.findLast(isRestorable), past.findLast(isProven)]) {
        if (one !== undefined) expect(stays).toContain(one.slotMs);
      }
      for (const one of all)
        if (!isRestorable(one) || slots.has(one.slotMs)) expect(stays).toContain(one.slotMs);
    }),
    RUNS,
  );
});

test("done again it deletes nothing more, and neither does it later", () => {
  fc.assert(
    fc.property(backups, retention, timeZone, fc.nat(9_000), (all, rule, zone, hours) => {
      const past = all.filter(({ slotMs }) => slotMs <= NOW);
      const first = kept(past, rule, zone);
      const rest = past.filter(({ slotMs }) => first.has(slotMs));
      expect(kept(rest, rule, zone)).toEqual(first);
      expect(keptOf({ ...input(rest, rule, zone), nowMs: NOW + hours * HOUR_MS })).toEqual(first);
    }),
    RUNS,
  );
});

test("a rule that keeps more keeps all that one keeps which keeps less", () => {
  const more = fc.tuple(small, small, small);
  fc.assert(
    fc.property(backups, retention, timeZone, more, (all, rule, zone, [days, weeks, months]) => {
      const longer: Retention =
        rule.kind === "count"
          ? { kind: "count", count: rule.count + days }
          : {
              kind: "calendar",
              days: rule.days + days,
              weeks: rule.weeks + weeks,
              months: rule.months + months,
            };
      for (const wider of [kept(all, longer, zone), kept(all, null, zone)])
        expect(kept(all, rule, zone).isSubsetOf(wider)).toBe(true);
    }),
    RUNS,
  );
});

test("a listing that has lost a backup makes none of the others go", () => {
  fc.assert(
    fc.property(backups, retention, timeZone, fc.nat(59), (all, rule, zone, index) => {
      const lost = all[index];
      fc.pre(lost !== undefined);
      const whole = kept(all, rule, zone);
      const partial = kept(
        all.filter((one) => one !== lost),
        rule,
        zone,
      );
      expect([...whole].filter((one) => one !== lost?.slotMs && !partial.has(one))).toEqual([]);
    }),
    RUNS,
  );
});

test("what is deleted is whole backups that are not kept, each by its manifest first", () => {
  fc.assert(
    fc.property(backups, retention, timeZone, (all, rule, zone) => {
      const of = input(all, rule, zone);
      const plan = planRetention(of);
      const stays = keptOf(of);
      const deletions = plan.kind === "plan" ? plan.deletions : [];
      const going = all.filter(({ slotMs }) => !stays.has(slotMs));
      expect(deletions.map(({ keys }) => keys)).toEqual(going.map(({ keys }) => keys));
      for (const { keys, slotMs } of deletions) expect(keys[0]).toBe(manifestKey(PLACE, slotMs));
    }),
    RUNS,
  );
});
