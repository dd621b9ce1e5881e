/** Proofs: when one is begun, and what becomes of it. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import { asking, backupJob, jobless, memory, proofJob, remembering } from "../../support/backups.ts";
import { stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import { onPod } from "../../support/situation.ts";
import { deciding, jobs, recorded, running, sentence, TONIGHT } from "./backup-support.ts";
import { codes, reasons } from "./support.ts";

describe("a proof", () => {
  const last = { slot: TONIGHT, endedAt: "2026-11-24T02:04:00Z", method: "physical" } as const;
  const fresh = memory({ handled: TONIGHT, last });
  const proofs = (decision: Decision) => jobs(decision).filter(({ task }) => task.kind === "proof");

  test("of the newest is begun once on each day of the zone", () => {
    const morning = { ...fresh, provingAt: "2026-11-23T22:30:00Z" };
    expect(
      proofs(deciding("2026-11-23T22:59:00Z", remembering({ ...morning, handled: "2026-11-23T02:00:00Z" }))),
    ).toEqual([]);
    const [job] = proofs(
      deciding("2026-11-23T23:01:00Z", remembering({ ...morning, handled: "2026-11-23T02:00:00Z" })),
    );
    expect(job?.task).toEqual({ kind: "proof", store: "backups", slot: TONIGHT });
  });

  test("`each` does not wait for the day, `never` proves none and complains of none", () => {
    const again = remembering({ ...fresh, provingAt: "2026-11-24T02:01:00Z" });
    const proofsBy = (proof: "daily" | "each" | "never") =>
      proofs(deciding("2026-11-24T02:05:00Z", asking({ proof }), again)).length;
    expect([proofsBy("daily"), proofsBy("each"), proofsBy("never")]).toEqual([0, 1, 0]);
    const unproven = { ...fresh, proven: null };
    const never = deciding("2026-11-24T02:05:00Z", asking({ proof: "never" }), remembering(unproven));
    expect(codes(never)).toEqual([]);
    const daily = deciding("2026-11-24T02:05:00Z", remembering(unproven));
    expect(codes(daily)).toEqual(["NeverProven"]);
    expect(daily.phase).toBe("Healthy");
  });

  const proving = remembering({ ...fresh, proving: { slot: TONIGHT, begunAt: TONIGHT }, provingAt: TONIGHT });

  test("that succeeded is noted and told", () => {
    const decision = deciding("2026-11-24T02:30:00Z", proving, proofJob("succeeded"));
    expect(recorded(decision)).toMatchObject({
      proving: null,
      unproven: null,
      proven: { slot: TONIGHT, begunAt: TONIGHT },
    });
    expect(reasons(decision)).toEqual(["BackupProven"]);
  });

  test("that failed is a condition until a later one succeeds, and is not repeated for the same backup", () => {
    const decision = deciding(
      "2026-11-24T02:30:00Z",
      asking({ proof: "each" }),
      proving,
      proofJob({ failed: "table shop.orders differs" }),
    );
    expect(recorded(decision)).toMatchObject({ proving: null, proven: { slot: "2026-11-23T02:00:00Z" } });
    expect(sentence(decision, "ProofFailed")).toBe(
      `Restoring the backup of ${TONIGHT} failed: table shop.orders differs; all of it is in kubectl ordinal status mysql.`,
    );
    expect(proofs(decision)).toEqual([]);
  });

  test("runs beside a backup, and gets its Job anew when it is not there", () => {
    const both = remembering({
      ...running(),
      proving: { slot: TONIGHT, begunAt: TONIGHT },
      provingAt: TONIGHT,
    });
    expect(proofs(deciding("2026-11-24T02:05:00Z", both, backupJob("active")))).toHaveLength(1);
    const lonely = [1, 2].map((ordinal) => onPod(ordinal, (pod) => ({ ...pod, ready: false })));
    const held = deciding("2026-11-24T02:05:00Z", both, jobless("backup"), ...lonely);
    expect(jobs(held).map(({ task }) => task.kind)).toEqual(["proof"]);
  });
});

describe("a proof that is asked for", () => {
  const NOW = "2026-11-24T10:00:00Z";
  const OLD = "2026-11-20T02:00:00Z";
  const demanding = (slot: string | null) => asking({ proof: "never", proofRequested: { slot } });
  const proofs = (decision: Decision) => jobs(decision).filter(({ task }) => task.kind === "proof");
  const done = memory({ handled: TONIGHT });

  test("is of the newest or of a slot, whatever was proven before, and its annotation goes with the record", () => {
    for (const [slot, of] of [
      [null, "2026-11-23T02:00:00Z"],
      [OLD, OLD],
    ] as const) {
      const decision = deciding(NOW, demanding(slot), remembering(done));
      expect(proofs(decision).map(({ task }) => task)).toEqual([
        { kind: "proof", store: "backups", slot: of },
      ]);
      const begun = { slot: of, begunAt: NOW };
      expect(recorded(decision)).toMatchObject({
        proving: begun,
        demanded: { ...begun, endedAt: null, fault: null },
        provingAt: done.provingAt,
      });
      expect(stepsOfKind(decision, "Record")[0]?.answered).toEqual([ANNOTATION.proveNow]);
    }
  });

  test("of the same backup is another Job each time", () => {
    const names = [NOW, "2026-11-24T11:00:00Z"].map((when) =>
      proofs(deciding(when, demanding(OLD), remembering(done))).map(({ name }) => name),
    );
    expect(new Set(names.flat()).size).toBe(2);
  });

  test("waits for one that runs, and for a first backup, and says so", () => {
    const proving = { slot: TONIGHT, begunAt: TONIGHT };
    const busy = deciding(NOW, demanding(OLD), remembering({ ...done, proving }), proofJob("active"));
    expect(stepsOf(busy)).toEqual([]);
    const none = deciding(NOW, demanding(null), remembering({ ...done, last: null, proven: null }));
    expect(stepsOfKind(none, "Record").flatMap(({ answered }) => answered)).toEqual([]);
    expect(sentence(none, "NeverProven")).toContain("it waits for the next one; or name a slot");
  });

  test("takes back that the very backup was proven, when it fails", () => {
    const proving = { slot: TONIGHT, begunAt: "2026-11-24T09:00:00Z" };
    const proven = { slot: TONIGHT, at: TONIGHT };
    const before = remembering({ ...done, proving, proven });
    const ill = deciding(NOW, asking({ proof: "never" }), before, proofJob({ failed: "a part is missing" }));
    expect(recorded(ill)).toMatchObject({ proven: null, unproven: { slot: TONIGHT } });
    expect(sentence(ill, "ProofFailed")).toContain(`Restoring the backup of ${TONIGHT} failed`);
  });

  test("leaves what is known of later backups as it is, and notes its own end", () => {
    const proving = { slot: OLD, begunAt: "2026-11-24T09:00:00Z" };
    const demanded = { ...proving, endedAt: null, fault: null };
    const unproven = { slot: TONIGHT, begunAt: TONIGHT, at: TONIGHT, reason: "x" };
    const before = remembering({ ...done, proving, demanded, unproven });
    const well = deciding(NOW, asking({ proof: "never" }), before, proofJob("succeeded"));
    expect(recorded(well)).toMatchObject({
      ...{ proving: null, proven: done.proven, unproven },
      demanded: { ...proving, endedAt: NOW, fault: null },
    });
    const ill = deciding(NOW, asking({ proof: "never" }), before, proofJob({ failed: "a part is missing" }));
    expect(recorded(ill)).toMatchObject({
      ...{ proven: done.proven, unproven: { ...proving, at: NOW, reason: "a part is missing" } },
      demanded: { ...proving, endedAt: NOW, fault: "a part is missing" },
    });
  });
});
