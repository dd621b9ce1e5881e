/** How a request for a backup or a proof stands, by what passes have recorded since. */
import { describe, expect, test } from "vitest";
import { afterAllOf, backupAnswer, proofAnswer } from "../../../shared/annotations/backup-answers.ts";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { memory } from "../../support/backups.ts";
import { condition, setWith } from "./support.ts";

const AT = "2026-11-23T10:00:00.000Z";
const SLOT = "2026-11-23T10:00:03Z";
const BEFORE = "2026-11-23T02:00:00Z";

function setOf(
  more: Partial<BackupMemory> | null,
  others: Readonly<Record<string, string>> = {},
): StatefulSet {
  const remembered = more === null ? {} : encodeBackups({ ...memory(), clusterUid: "uid-1", ...more });
  return setWith({
    [ANNOTATION.engine]: "mysql",
    [ANNOTATION.credentials]: "mysql-root",
    [ANNOTATION.backupStore]: "backups",
    ...remembered,
    ...others,
  });
}

const physical = { slot: SLOT, method: "physical", asked: "request" } as const;
const running = { ...physical, attempt: 1, source: 2, begunAt: SLOT };
const retry = { ...physical, attempt: 3, notBefore: SLOT, reason: "it was killed" };
const last = { slot: SLOT, endedAt: SLOT, method: "physical" } as const;
const failed = { slot: SLOT, attempt: 5, at: SLOT, reason: "the store is full" };

describe("a backup whose annotation is gone", () => {
  const gone = (more: Partial<BackupMemory> | null, method?: "logical" | "physical") =>
    backupAnswer(method, { at: AT, stands: false }, setOf(more));

  test.each<[string, Partial<BackupMemory> | null, string, string]>([
    ["is being made", { running }, "accepted", `The physical backup of ${SLOT} is taken from mysql-2.`],
    [
      "is tried again",
      { retry },
      "accepted",
      `Attempt 2 of the backup of ${SLOT} failed: it was killed; it is tried again.`,
    ],
    ["is complete", { last }, "done", `The physical backup of ${SLOT} is complete.`],
    [
      "is complete, and a later one failed",
      { last, failed },
      "done",
      `The physical backup of ${SLOT} is complete.`,
    ],
    ["was given up", { failed }, "failed", `The backup of ${SLOT} failed: the store is full.`],
    ["was withdrawn", {}, "superseded", "It was withdrawn, or what is remembered of it was lost."],
    ["is not remembered", null, "superseded", "It was withdrawn, or what is remembered of it was lost."],
  ])("%s", (_, more, status, message) => {
    expect(gone(more)).toEqual({ status, message });
  });

  test("is not one that was made before, by the schedule, or by another method", () => {
    const scheduled = { ...running, asked: "schedule" } as const;
    const earlier = { ...last, slot: BEFORE };
    const answers = [gone({ last: earlier }), gone({ running: scheduled }), gone({ last }, "logical")];
    expect(answers.map(({ status }) => status)).toEqual(["superseded", "superseded", "superseded"]);
    expect(gone({ last }, "physical").status).toBe("done");
  });

  test("may have a slot somewhat before it was asked for: slots are full seconds, and clocks differ", () => {
    const at = (slot: string) => gone({ last: { ...last, slot } }).status;
    expect([at("2026-11-23T09:59:56Z"), at("2026-11-23T09:59:54Z")]).toEqual(["done", "superseded"]);
  });
});

describe("while its annotation stands", () => {
  const now = { at: AT, stands: true } as const;
  const standing = { [ANNOTATION.backupNow]: "true", [ANNOTATION.proveNow]: "true" };

  test("it waits, and says for what", () => {
    const message = "The backup of it waits: no replica is ready.";
    const held = (type: string) => ({
      [ANNOTATION.conditions]: encodeConditions([condition({ type, message })]),
    });
    const plain = setOf({ last }, standing);
    expect(backupAnswer(undefined, now, plain)).toEqual({ status: "accepted", message: null });
    expect(proofAnswer(null, now, plain)).toEqual({ status: "accepted", message: null });
    const set = setOf({}, { ...standing, ...held("BackupHeldBack") });
    expect(backupAnswer(undefined, now, set)).toEqual({ status: "accepted", message });
    const first = setOf({}, { ...standing, ...held("NeverProven") });
    expect(proofAnswer(null, now, first)).toEqual({ status: "accepted", message });
  });

  test.each([
    [{ [ANNOTATION.backupMethod]: "magic" }, "ordinal.dev/backup-method"],
    [{ [ANNOTATION.backupStore]: "Not A Name" }, "ordinal.dev/backup-store"],
  ])("it is refused while the settings of backups cannot be read: %j", (wrong, named) => {
    const set = setOf({}, { ...standing, ...wrong });
    for (const answer of [backupAnswer(undefined, now, set), proofAnswer(null, now, set)]) {
      expect(answer).toEqual({ status: "refused", message: expect.stringContaining(named) });
    }
  });

  test("another setting that cannot be read does not refuse it", () => {
    const set = setOf({}, { ...standing, [ANNOTATION.maxLag]: "soon" });
    expect(backupAnswer(undefined, now, set).status).toBe("accepted");
  });
});

describe("a proof whose annotation is gone", () => {
  const demanded = { slot: BEFORE, begunAt: SLOT, endedAt: null, fault: null };
  const gone = (of: BackupMemory["demanded"], slot: string | null = null) =>
    proofAnswer(slot, { at: AT, stands: false }, setOf({ demanded: of }));

  test.each<[string, BackupMemory["demanded"], string]>([
    ["accepted", demanded, `The backup of ${BEFORE} is being restored to see whether it can be.`],
    ["done", { ...demanded, endedAt: SLOT }, `The backup of ${BEFORE} was restored and found whole.`],
    [
      "failed",
      { ...demanded, endedAt: SLOT, fault: "a part is missing" },
      `Restoring the backup of ${BEFORE} failed: a part is missing.`,
    ],
    ["superseded", null, "It was withdrawn, or what is remembered of it was lost."],
    [
      "superseded",
      { ...demanded, begunAt: BEFORE },
      "It was withdrawn, or what is remembered of it was lost.",
    ],
  ])("%s: %o", (status, of, message) => {
    expect(gone(of)).toEqual({ status, message });
  });

  test("is that of the slot that was asked for", () => {
    expect([gone(demanded, BEFORE).status, gone(demanded, SLOT).status]).toEqual(["accepted", "superseded"]);
  });
});

test("what is remembered already is not since the instant after all of it, and the next second is", () => {
  const set = setOf({ last, failed: { ...failed, slot: BEFORE } });
  const at = afterAllOf(set);
  const answer = (slot: string) =>
    backupAnswer(undefined, { at, stands: false }, setOf({ last: { ...last, slot } })).status;
  expect([answer(SLOT), answer("2026-11-23T10:00:04Z")]).toEqual(["superseded", "done"]);
  expect(afterAllOf(setOf(null))).toBe("1970-01-01T00:00:06.000Z");
});
