/** What a user may ask for in the way of backups, and that a slip in it asks for nothing. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { parseWish } from "../../../shared/annotations/wish.ts";
import { setWith } from "./support.ts";

const cluster = { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "mysql-root" };
const stored = { ...cluster, [ANNOTATION.backupStore]: "backups" };

type Annotations = Readonly<Record<string, string>>;

const backupOf = (annotations: Annotations) => parseWish(setWith(annotations)).spec?.backup;
const messages = (annotations: Annotations) =>
  parseWish(setWith(annotations)).problems.map(({ code, message }) => `${code}: ${message}`);

const DEFAULTS = {
  store: "backups",
  schedule: null,
  timeZone: "UTC",
  method: "physical",
  databases: null,
  retention: null,
  deadlineMs: 21_600_000,
  proof: "daily",
  archive: false,
  requested: null,
  proofRequested: null,
};

describe("what was asked for", () => {
  test("nothing", () => {
    expect(backupOf(cluster)).toBeNull();
  });

  test("a store alone: on demand, and nothing is ever deleted", () => {
    expect(backupOf(stored)).toEqual(DEFAULTS);
    expect(messages(stored)).toEqual([]);
  });

  test("everything", () => {
    const all = {
      ...stored,
      [ANNOTATION.backupSchedule]: "30 2 * * 1-5",
      [ANNOTATION.backupTimezone]: "Europe/Berlin",
      [ANNOTATION.backupMethod]: "logical",
      [ANNOTATION.backupDatabases]: "shop,crm_2,a-b$",
      [ANNOTATION.backupRetention]: "6m,7d",
      [ANNOTATION.backupDeadline]: "90m",
      [ANNOTATION.backupProof]: "each",
      [ANNOTATION.archive]: "true",
      [ANNOTATION.backupNow]: "true",
      [ANNOTATION.proveNow]: "2026-11-23T03:00:00Z",
    };
    expect(messages(all)).toEqual([]);
    expect(backupOf(all)).toEqual({
      store: "backups",
      schedule: { cron: "30 2 * * 1-5", timeZone: "Europe/Berlin" },
      timeZone: "Europe/Berlin",
      method: "logical",
      databases: ["shop", "crm_2", "a-b$"],
      retention: { kind: "calendar", days: 7, weeks: 0, months: 6 },
      deadlineMs: 5_400_000,
      archive: true,
      proof: "each",
      requested: "logical",
      proofRequested: { slot: "2026-11-23T03:00:00Z" },
    });
  });

  test.each([
    ["14", { kind: "count", count: 14 }],
    ["1", { kind: "count", count: 1 }],
    ["999", { kind: "count", count: 999 }],
    ["7d", { kind: "calendar", days: 7, weeks: 0, months: 0 }],
    ["7d,4w,6m", { kind: "calendar", days: 7, weeks: 4, months: 6 }],
    ["999m", { kind: "calendar", days: 0, weeks: 0, months: 999 }],
  ])("retention %s", (text, retention) => {
    expect(backupOf({ ...stored, [ANNOTATION.backupRetention]: text })?.retention).toEqual(retention);
  });

  test("a request may name its method", () => {
    const requested = (text: string) => backupOf({ ...stored, [ANNOTATION.backupNow]: text })?.requested;
    expect(requested("true")).toBe("physical");
    expect(requested("logical")).toBe("logical");
  });

  test("a proof is of the newest backup or of that of a slot; no other instant is one", () => {
    const asked = (text: string) => backupOf({ ...stored, [ANNOTATION.proveNow]: text })?.proofRequested;
    expect(asked("true")).toEqual({ slot: null });
    expect(asked("2026-11-23T03:00:00Z")).toEqual({ slot: "2026-11-23T03:00:00Z" });
    for (const none of [
      "",
      "yes",
      "2026-11-23T03:00:00.5Z",
      "2026-02-30T03:00:00Z",
      "2026-11-23T03:00:00+01:00",
    ]) {
      expect(asked(none)).toBeNull();
      expect(messages({ ...stored, [ANNOTATION.proveNow]: none })).toEqual([
        expect.stringContaining("set it to true, or to the slot of a backup such as 2026-11-23T03:00:00Z."),
      ]);
    }
    expect(messages({ ...cluster, [ANNOTATION.proveNow]: "true" })).toEqual([
      expect.stringContaining("or remove ordinal.dev/prove-now."),
    ]);
  });
});

describe("what is wrong with it is said in one sentence, and nothing is asked for", () => {
  test.each([
    [
      ANNOTATION.backupStore,
      "Backups",
      "set it to the name of a Secret: lower case letters, digits, - and ., at most 253.",
    ],
    [
      ANNOTATION.backupSchedule,
      "0 25 * * *",
      "its hour must be *, numbers from 0 to 23, ranges or lists of them, and steps such as */5 or 1-9/2.",
    ],
    [
      ANNOTATION.backupTimezone,
      "+01:00",
      "set it to the IANA name of a time zone, such as Europe/Berlin or UTC.",
    ],
    [ANNOTATION.backupMethod, "phisical", "did you mean physical? Allowed: physical, logical."],
    [
      ANNOTATION.backupDatabases,
      "shop, crm",
      "set it to names of databases with commas and no spaces between them, such as shop,crm.",
    ],
    [
      ANNOTATION.backupDatabases,
      "--all-databases",
      "set it to names of databases with commas and no spaces between them, such as shop,crm.",
    ],
    [ANNOTATION.backupDatabases, "shop,shop", "name each database once."],
    [
      ANNOTATION.backupRetention,
      "7d,4d",
      "set it to a number of backups such as 14, or to days, weeks and months such as 7d,4w,6m.",
    ],
    [
      ANNOTATION.backupRetention,
      "0",
      "set it to a number of backups such as 14, or to days, weeks and months such as 7d,4w,6m.",
    ],
    [
      ANNOTATION.backupRetention,
      "7d,4",
      "set it to a number of backups such as 14, or to days, weeks and months such as 7d,4w,6m.",
    ],
    [
      ANNOTATION.backupRetention,
      "1000d",
      "set it to a number of backups such as 14, or to days, weeks and months such as 7d,4w,6m.",
    ],
    [
      ANNOTATION.backupDeadline,
      "30s",
      "set it to a whole number with ms, s, m or h, from 60s to 24h, such as 6h.",
    ],
    [ANNOTATION.backupProof, "off", "set it to daily or each or never."],
  ])("%s: %s", (key, value, said) => {
    const annotations = { ...stored, [key]: value };
    expect(messages(annotations)).toEqual([`AnnotationInvalid: ${key} is "${value}": ${said}`]);
    expect(backupOf(annotations)).toBeNull();
  });

  test("settings without a store", () => {
    expect(messages({ ...cluster, [ANNOTATION.backupSchedule]: "0 3 * * *" })).toEqual([
      "AnnotationInvalid: ordinal.dev/backup-store is missing: set it to the name of the Secret of a store, or remove ordinal.dev/backup-schedule.",
    ]);
    expect(messages({ ...cluster, [ANNOTATION.backupNow]: "true" })[0]).toContain(
      "or remove ordinal.dev/backup-now.",
    );
  });

  test("databases of a physical backup", () => {
    const annotations = { ...stored, [ANNOTATION.backupDatabases]: "shop" };
    expect(messages(annotations)).toEqual([
      "AnnotationInvalid: ordinal.dev/backup-databases needs ordinal.dev/backup-method: logical, since a physical backup holds all of them.",
    ]);
    expect(backupOf(annotations)).toBeNull();
  });

  test("a request that cannot be read stops nothing else", () => {
    const annotations = { ...stored, [ANNOTATION.backupNow]: "yes" };
    expect(messages(annotations)).toEqual([
      'AnnotationInvalid: ordinal.dev/backup-now is "yes": set it to true or physical or logical.',
    ]);
    expect(backupOf(annotations)).toEqual(DEFAULTS);
  });

  test("a slip is no end of the cluster's own wishes", () => {
    const annotations = { ...stored, [ANNOTATION.backupMethod]: "", [ANNOTATION.maxLag]: "20s" };
    expect(parseWish(setWith(annotations)).spec).toMatchObject({ maxLagMs: 20_000, backup: null });
  });
});
