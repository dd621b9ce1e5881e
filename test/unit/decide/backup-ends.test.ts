/** What becomes of a backup that was begun: attempts, and requests meanwhile. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { decide } from "../../../shared/decide/index.ts";
import { UNCONDITIONAL } from "../../../shared/model/backup.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import { asking, backupJob, memory, remembered, remembering } from "../../support/backups.ts";
import { stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import { but, type Change, onPod, RULES, spec } from "../../support/situation.ts";
import {
  at,
  deciding,
  jobs,
  recorded,
  rested,
  running,
  sentence,
  TOMORROW,
  TONIGHT,
  told,
} from "./backup-support.ts";
import { changed, codes } from "./support.ts";

describe("a backup under way", () => {
  const under = (when: string, ...changes: readonly Change[]) =>
    deciding(when, remembering(running()), ...changes);

  test("is left alone while its Job runs, also when the next slot comes", () => {
    expect(stepsOf(under("2026-11-24T02:30:00Z", backupJob("active")))).toEqual([]);
    const overlong = under(TOMORROW, backupJob("active"));
    expect([recorded(overlong), jobs(overlong)]).toEqual([null, []]);
  });

  test("gets its Job when that is not there: it was killed in between, or somebody deleted it", () => {
    const decision = under("2026-11-24T02:01:00Z");
    expect(jobs(decision).map(({ name }) => name)).toEqual(["mysql-backup-20261124020000-1"]);
    expect(recorded(decision)).toBeNull();
  });

  test("is made of another member when its source went away before its Job was there", () => {
    const gone = onPod(2, (pod) => ({ ...pod, ready: false }));
    const decision = under("2026-11-24T02:01:00Z", gone);
    expect(recorded(decision)?.running?.source).toBe(1);
    expect(jobs(decision)[0]?.task).toMatchObject({ source: 1 });
    expect(stepsOf(under("2026-11-24T02:01:00Z", gone, backupJob("active")))).toEqual([]);
  });

  test("is not judged by a Job that cannot be read", () => {
    const jobsSeen = {
      backup: { kind: "unreadable", reason: "403: forbidden" },
      proof: { kind: "absent" },
      restore: [],
    } as const;
    const decision = under("2026-11-24T02:01:00Z", but({ jobs: jobsSeen }));
    expect([recorded(decision), jobs(decision)]).toEqual([null, []]);
    expect(sentence(decision, "BackupHeldBack")).toContain("its Job cannot be read (403: forbidden)");
  });

  test("is complete: noted, told, and proven at once on a new day", () => {
    const before = remembering(running());
    const missed = {
      ...running(),
      missed: 4,
      failures: 2,
      failed: { slot: TONIGHT, attempt: 5, at: TONIGHT, reason: "x" },
    };
    const decision = deciding(
      "2026-11-24T02:05:00Z",
      before,
      remembering(missed),
      backupJob("succeeded", at("2026-11-24T02:04:00Z")),
    );
    expect(recorded(decision)).toMatchObject({
      ...{ running: null, retry: null, failed: null, failures: 0, missed: 0 },
      last: { slot: TONIGHT, begunAt: TONIGHT, endedAt: "2026-11-24T02:04:00Z", method: "physical" },
      proving: { slot: TONIGHT, begunAt: "2026-11-24T02:05:00Z" },
    });
    expect(told(decision, "BackupCompleted")).toBe(
      `The physical backup of ${TONIGHT} is complete after 240 s.`,
    );
    expect(jobs(decision).map(({ name }) => name)).toEqual(["mysql-proof-20261124020000-20261124020500"]);
  });

  test("tells of a store that writes a key again, until a backup finds another one", () => {
    const saying =
      (said: string): Change =>
      (before) => {
        const { backup } = before.jobs;
        return backup.kind === "found"
          ? { ...before, jobs: { ...before.jobs, backup: { ...backup, said } } }
          : before;
      };
    const ended = (said: string) =>
      deciding("2026-11-24T02:05:00Z", remembering(running()), backupJob("succeeded"), saying(said));
    const warned = ended(`It holds 3 bytes. Beware: ${UNCONDITIONAL}`);
    expect(recorded(warned)?.last).toMatchObject({ slot: TONIGHT, unconditional: true });
    expect(sentence(warned, "StoreUnconditional")).toContain("takes no notice of If-None-Match");
    expect(warned.phase).toBe("Healthy");
    const fine = ended("It holds 3 bytes");
    expect(recorded(fine)?.last).not.toHaveProperty("unconditional");
    expect(codes(fine)).not.toContain("StoreUnconditional");
  });

  test("does not take the place of a later one that was asked for meanwhile", () => {
    const last = {
      slot: "2026-11-24T02:30:00Z",
      endedAt: "2026-11-24T02:33:00Z",
      method: "logical",
    } as const;
    const decision = deciding(
      "2026-11-24T02:50:00Z",
      remembering({ ...running(), last }),
      backupJob("succeeded"),
    );
    expect(recorded(decision)?.last).toEqual(last);
  });

  test("nothing is begun where it cannot be read what is asked for, and what has ended is noted all the same", () => {
    const unread = spec({ backup: null });
    const decision = deciding("2026-11-24T02:05:00Z", remembering(running()), backupJob("succeeded"), unread);
    expect(recorded(decision)).toMatchObject({ running: null, last: { slot: TONIGHT }, proving: null });
    expect(jobs(decision)).toEqual([]);
    expect(stepsOf(deciding(TOMORROW, unread))).toEqual([]);
  });
});

describe("an attempt that failed", () => {
  const failing = (attempt: number, when: string, reason = "disk full") =>
    deciding(when, remembering(running({ attempt })), backupJob({ failed: reason }));

  test.each([
    [1, "2026-11-24T02:10:00Z", "2026-11-24T02:11:00Z", 1],
    [2, "2026-11-24T02:20:00Z", "2026-11-24T02:24:00Z", 4],
    [3, "2026-11-24T02:40:00Z", "2026-11-24T02:56:00Z", 16],
    [4, "2026-11-24T03:30:00Z", "2026-11-24T04:34:00Z", 64],
  ])("attempt %i is made again after a pause", (attempt, when, notBefore, minutes) => {
    const decision = failing(attempt, when);
    expect(recorded(decision)).toMatchObject({
      ...{ running: null, failures: 0, failed: null },
      retry: { slot: TONIGHT, attempt: attempt + 1, notBefore, reason: "disk full" },
    });
    expect(told(decision, "BackupAttemptFailed")).toBe(
      `Attempt ${attempt} of the backup of ${TONIGHT} failed: disk full; it is tried again in ${minutes} min.`,
    );
    expect(jobs(decision)).toEqual([]);
  });

  test.each([
    ["the fifth", 5, "2026-11-24T03:00:00Z"],
    ["one whose pause ends after the deadline", 4, "2026-11-24T07:00:00Z"],
  ])("%s is the last: the slot is given up and told", (_, attempt, when) => {
    const decision = failing(attempt, when);
    expect(recorded(decision)).toMatchObject({
      running: null,
      retry: null,
      failures: 1,
      failed: { slot: TONIGHT, attempt },
    });
    expect(told(decision, "BackupAttemptFailed")).toContain("it is given up");
    expect(sentence(decision, "BackupFailed")).toBe(
      `The backup of ${TONIGHT} failed: disk full; all of it is in kubectl ordinal status mysql.`,
    );
    expect(decision.phase).toBe("Healthy");
  });

  const retry = {
    slot: TONIGHT,
    attempt: 2,
    method: "physical",
    asked: "schedule",
    notBefore: "2026-11-24T02:11:00Z",
    reason: "disk full",
  } as const;
  const waiting = remembering(memory({ handled: TONIGHT, retry }));

  test("is made again when its time has come, by a Job of another name", () => {
    expect(stepsOf(deciding("2026-11-24T02:10:59Z", waiting))).toEqual([]);
    const decision = deciding("2026-11-24T02:11:00Z", waiting);
    expect(recorded(decision)).toMatchObject({ retry: null, running: { slot: TONIGHT, attempt: 2 } });
    expect(jobs(decision).map(({ name }) => name)).toEqual(["mysql-backup-20261124020000-2"]);
    expect(told(decision, "BackupStarted")).toContain("(attempt 2)");
  });

  test("is given up when the deadline has passed or the next slot has come", () => {
    const late = deciding("2026-11-24T08:00:01Z", waiting);
    expect(recorded(late)).toMatchObject({
      retry: null,
      failures: 1,
      failed: { slot: TONIGHT, attempt: 1, reason: "disk full" },
    });
    const next = deciding(TOMORROW, waiting);
    expect(recorded(next)).toMatchObject({
      retry: null,
      failures: 1,
      missed: 0,
      running: { slot: TOMORROW, attempt: 1 },
    });
  });

  test("is given up for the next slot also within its deadline", () => {
    const schedule = { cron: "0 * * * *", timeZone: "UTC" };
    const hourly = remembering(
      memory({ schedule, handled: TONIGHT, retry: { ...retry, notBefore: "2026-11-24T03:00:30Z" } }),
    );
    const decision = deciding("2026-11-24T03:00:30Z", asking({ schedule }), hourly);
    expect(recorded(decision)).toMatchObject({
      retry: null,
      failures: 1,
      failed: { slot: TONIGHT, attempt: 1 },
    });
    expect(jobs(decision).map(({ name }) => name)).toEqual(["mysql-backup-20261124030000-1"]);
  });

  test("failures in a row are counted, and the schedule goes on", () => {
    const failed = { slot: TONIGHT, attempt: 5, at: TONIGHT, reason: "disk full" };
    const before = { ...running({ slot: TOMORROW, attempt: 5 }), handled: TOMORROW, failed, failures: 2 };
    const decision = deciding("2026-11-25T03:00:00Z", remembering(before), backupJob({ failed: "" }));
    expect(sentence(decision, "BackupFailed")).toContain(`${TOMORROW} failed, 3 in a row: its Job failed;`);
  });

  test("an object of somebody else under its name is a failure of this attempt only", () => {
    const jobsSeen = { backup: { kind: "taken" }, proof: { kind: "absent" }, restore: [] } as const;
    const decision = deciding("2026-11-24T02:10:00Z", remembering(running()), but({ jobs: jobsSeen }));
    expect(recorded(decision)?.retry).toMatchObject({
      attempt: 2,
      reason: expect.stringContaining("somebody else"),
    });
  });
});

describe("a request", () => {
  test("is begun at once by its own slot, and its annotation is taken away by the same record", () => {
    const decision = deciding("2026-11-23T15:30:12.345Z", asking({ requested: "logical" }));
    expect(recorded(decision)?.running).toMatchObject({
      slot: "2026-11-23T15:30:12Z",
      method: "logical",
      asked: "request",
    });
    expect(stepsOfKind(decision, "Record")[0]?.answered).toEqual([ANNOTATION.backupNow]);
    expect(recorded(decision)?.handled).toBe("2026-11-23T02:00:00Z");
  });

  test("waits for a backup that runs, and for somebody to copy", () => {
    const busy = deciding(
      "2026-11-24T02:30:00Z",
      asking({ requested: "physical" }),
      remembering(running()),
      backupJob("active"),
    );
    expect(stepsOf(busy)).toEqual([]);
    const lonely = [1, 2].map((ordinal) => onPod(ordinal, (pod) => ({ ...pod, ready: false })));
    const held = deciding("2026-11-23T15:30:00Z", asking({ requested: "physical" }), ...lonely);
    expect(stepsOfKind(held, "Record").flatMap(({ answered }) => answered)).toEqual([]);
    expect(codes(held)).toContain("BackupHeldBack");
  });

  test("takes the place of an attempt that was to follow", () => {
    const retry = {
      slot: TONIGHT,
      attempt: 2,
      method: "physical",
      asked: "schedule",
      notBefore: "2026-11-24T02:11:00Z",
      reason: "x",
    } as const;
    const decision = deciding(
      "2026-11-24T02:10:00Z",
      asking({ requested: "physical" }),
      remembering(memory({ handled: TONIGHT, retry })),
    );
    expect(recorded(decision)).toMatchObject({
      retry: null,
      running: { asked: "request", attempt: 1 },
      failures: 0,
    });
  });
});

test("a cluster at rest costs no write, whatever is remembered", () => {
  const many: readonly Observed[] = [
    rested,
    changed(rested, remembering(running()), backupJob("active")),
    changed(rested, asking({ schedule: null }), remembering(memory({ schedule: null }))),
  ];
  for (const each of many) {
    const steps = stepsOf(decide(each, RULES, at("2026-11-24T01:00:00Z")));
    expect(steps).toEqual([]);
    expect(remembered(each)).toBeDefined();
  }
});
