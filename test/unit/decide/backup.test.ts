/** When a backup is begun, and of whom. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../shared/decide/index.ts";
import { asking, BACKUP, CROWDED, memory, remembering } from "../../support/backups.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  but,
  type Change,
  NOW_MS,
  onPod,
  placed,
  RULES,
  replicaFacts,
  spec,
  state,
  steadyState,
} from "../../support/situation.ts";
import { at, deciding, jobs, recorded, rested, sentence, TONIGHT, told } from "./backup-support.ts";
import { changed, codes, replica } from "./support.ts";

describe("a schedule that is seen for the first time", () => {
  test("counts from now: nothing is begun, and what is remembered is recorded once", () => {
    const first = deciding("2026-11-23T10:00:00Z", but({ backups: { kind: "none" } }));
    expect(jobs(first)).toEqual([]);
    expect(recorded(first)).toMatchObject({
      schedule: BACKUP.schedule,
      handled: "2026-11-23T10:00:00Z",
      last: null,
    });
    const next = carryOut(changed(rested, but({ backups: { kind: "none" } })), first);
    expect(stepsOf(decide(next, RULES, at("2026-11-23T10:00:01Z")))).toEqual([]);
  });

  test.each([{ kind: "invalid" } as const, { kind: "none" } as const])("%o", (backups) => {
    expect(recorded(deciding(TONIGHT, but({ backups })))?.handled).toBe(TONIGHT);
  });

  test("and so does one that was changed, with what was to be tried again of the one before", () => {
    const schedule = { cron: "0 1 * * *", timeZone: "UTC" };
    const retry = {
      slot: TONIGHT,
      attempt: 2,
      method: "physical",
      asked: "schedule",
      notBefore: TONIGHT,
      reason: "x",
    } as const;
    const after = recorded(
      deciding("2026-11-24T03:00:00Z", asking({ schedule }), remembering(memory({ retry, missed: 2 }))),
    );
    expect(after).toMatchObject({ schedule, handled: "2026-11-24T03:00:00Z", retry: null, missed: 0 });
  });

  test("without a store nothing is remembered, and with a memory of a newer Ordinal nothing is touched", () => {
    const none = deciding(TONIGHT, spec({ backup: null }), but({ backups: { kind: "none" } }));
    expect(stepsOf(none)).toEqual([]);
    const newer = deciding(TONIGHT, but({ backups: { kind: "newer", version: 7 } }));
    expect([recorded(newer), jobs(newer)]).toEqual([null, []]);
    expect(sentence(newer, "BackupHeldBack")).toContain("newer Ordinal (format 7)");
  });
});

describe("a slot that is due", () => {
  test("is recorded, then begun as a Job named by cluster, slot and attempt", () => {
    const decision = deciding("2026-11-24T02:00:10Z");
    const begun = { slot: TONIGHT, attempt: 1, method: "physical", asked: "schedule", source: 2 } as const;
    expect(recorded(decision)).toMatchObject({
      handled: TONIGHT,
      running: { ...begun, begunAt: "2026-11-24T02:00:10Z" },
    });
    expect(jobs(decision)).toEqual([
      {
        kind: "StartJob",
        name: "mysql-backup-20261124020000-1",
        task: {
          kind: "backup",
          store: "backups",
          ...begun,
          ...{ databases: null, authority: "PEM", keep: [] },
          retention: BACKUP.retention,
          timeZone: "Europe/Berlin",
        },
      },
    ]);
    expect(stepsOf(decision).findIndex(({ kind }) => kind === "Record")).toBeLessThan(
      stepsOf(decision).findIndex(({ kind }) => kind === "StartJob"),
    );
    expect(told(decision, "BackupStarted")).toBe(`The physical backup of ${TONIGHT} is taken from mysql-2.`);
    expect([decision.phase, codes(decision)]).toEqual(["Healthy", []]);
  });

  test("two functions that come to it at different moments mean the same Job, and tell the same Event", () => {
    const [one, other] = [deciding("2026-11-24T02:00:00Z"), deciding("2026-11-24T02:00:09Z")];
    expect(jobs(one)).toEqual(jobs(other));
    const keys = [one, other].map((each) => stepsOfKind(each, "Event").map(({ key }) => key));
    expect(keys[0]).toEqual(keys[1]);
  });

  test("is not begun before its time, after its deadline, or twice", () => {
    expect(stepsOf(deciding("2026-11-24T01:59:59Z"))).toEqual([]);
    const late = deciding("2026-11-24T08:00:01Z");
    expect(jobs(late)).toEqual([]);
    expect(recorded(late)).toMatchObject({ handled: TONIGHT, missed: 1, running: null });
    const done = remembering(memory({ handled: TONIGHT }));
    expect(stepsOf(deciding("2026-11-24T02:10:00Z", done))).toEqual([]);
  });

  test("of several that passed only the latest is caught up with; the others are counted and told", () => {
    const decision = deciding("2026-11-27T03:00:00Z");
    expect(jobs(decision).map(({ name }) => name)).toEqual(["mysql-backup-20261127020000-1"]);
    expect(recorded(decision)).toMatchObject({ handled: "2026-11-27T02:00:00Z", missed: 3 });
    expect(told(decision, "SlotsMissed")).toBe(
      "3 slots of 0 3 * * * (Europe/Berlin) passed without a backup being begun; it goes on after 2026-11-27T02:00:00Z.",
    );
    expect(stepsOfKind(decision, "Record")[0]?.history.at(-1)?.reason).toBe("SlotsMissed");
    expect(sentence(decision, "BackupOverdue")).toBe(
      "Slots passed without a backup: 3; the last one is of 2026-11-23T02:00:00Z. Ask for one with ordinal.dev/backup-now: true.",
    );
  });

  test("a logical backup names its databases", () => {
    const databases = ["shop", "crm"];
    const [job] = jobs(deciding(TONIGHT, asking({ method: "logical", databases })));
    expect(job?.task).toMatchObject({ method: "logical", databases });
  });

  test("a clock that is a little behind begins nothing twice; one that was far ahead is put right", () => {
    const ahead = (handled: string) => deciding("2026-11-24T12:00:00Z", remembering(memory({ handled })));
    expect(stepsOf(ahead("2026-11-24T13:59:00Z"))).toEqual([]);
    expect(recorded(ahead("2027-11-24T13:00:00Z"))).toMatchObject({
      handled: "2026-11-24T12:00:00Z",
      missed: 0,
    });
  });
});

describe("who is copied", () => {
  const source = (...changes: readonly Change[]) => {
    const [job] = jobs(deciding(TONIGHT, ...changes));
    return job?.task.kind === "backup" ? job.task.source : null;
  };
  const notReady = (ordinal: number) => onPod(ordinal, (pod) => ({ ...pod, ready: false }));

  test("the replica least behind, of equals the highest, and rather one that nobody waits for", () => {
    expect(source()).toBe(2);
    const behind = replica(2, { executed: "", applyingSinceMs: NOW_MS - 3_000 });
    expect(source(behind)).toBe(1);
    const alone = steadyState(3);
    const established = alone.established && {
      ...alone.established,
      ackers: alone.established.ackers.slice(1),
    };
    // It is about to acknowledge, which comes first.
    expect(source(state({ ...alone, established }))).toBeNull();
  });

  test("none that is not ready, leaves or does not follow; then the slot waits and says so", () => {
    expect(source(notReady(2))).toBe(1);
    expect(source(onPod(2, (pod) => ({ ...pod, deleting: true })))).toBe(1);
    const held = deciding(TONIGHT, notReady(1), notReady(2));
    expect([recorded(held), jobs(held)]).toEqual([null, []]);
    expect(sentence(held, "BackupHeldBack")).toBe(
      `The backup of ${TONIGHT} waits: no replica is ready, following and at most 10 s behind.`,
    );
  });

  test("none that leaves, although nobody waits for it and it cannot be taken away yet", () => {
    const all = steadyState(3);
    const established = all.established && { ...all.established, ackers: all.established.ackers.slice(0, 1) };
    const fewer = spec({ backup: BACKUP, replicas: 2 });
    const idle = replica(1, { acks: { ...replicaFacts(1).acks, active: false } });
    const decision = deciding(TONIGHT, fewer, state({ ...all, established }), idle);
    expect(codes(decision)).toContain("ScaleRefused");
    expect(jobs(decision)[0]?.task).toMatchObject({ source: 1 });
  });

  test("its Job is told to leave alone what is being proven meanwhile", () => {
    const proving = { slot: "2026-11-23T02:00:00Z", begunAt: "2026-11-24T01:59:00Z" };
    const decision = deciding(TONIGHT, remembering(memory({ proving })));
    expect(jobs(decision).map(({ task }) => (task.kind === "backup" ? task.keep : []))).toContainEqual([
      "2026-11-23T02:00:00Z",
    ]);
  });

  test("its Job is told by which authority it knows that member", () => {
    const pinned: Change = (before) => ({
      ...before,
      members: before.members.map((member) => ({
        ...member,
        claim: member.claim && {
          ...member.claim,
          annotations: { "ordinal.dev/server-authority": `PEM ${member.ordinal}` },
        },
      })),
    });
    expect(jobs(deciding(TONIGHT, pinned))[0]?.task).toMatchObject({ source: 2, authority: "PEM 2" });
  });

  test("the primary only where it is alone", () => {
    const single = changed(settled(placed(1)), asking(), remembering(memory()));
    const [job] = jobs(decide(single, RULES, at(TONIGHT)));
    expect(job?.task).toMatchObject({ source: 0 });
  });

  test("nobody while the primary is changed or annotations take too much room", () => {
    const changing = deciding(TONIGHT, state(steadyState(3, { phase: "Establishing", pending: null })));
    expect(jobs(changing)).toEqual([]);
    const crowded = deciding(TONIGHT, CROWDED);
    expect(jobs(crowded)).toEqual([]);
    expect(sentence(crowded, "BackupHeldBack")).toContain("the annotations take too much room");
  });

  test("paused, nothing is begun or noted", () => {
    const paused = deciding(TONIGHT, spec({ backup: BACKUP, paused: true }));
    expect([recorded(paused), jobs(paused)]).toEqual([null, []]);
  });
});
