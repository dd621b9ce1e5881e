/** What a person is shown before anything is done: the whole way, as it would be walked if all went well. */
import { describe, expect, test } from "vitest";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import { type Decision, stepsOf } from "../../../shared/model/decision.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { Preview } from "../../../shared/model/plan.ts";
import type { Spec } from "../../../shared/model/spec.ts";
import type { Engine } from "../../../shared/ports/engine.ts";
import { type Asked, previewOf } from "../../../shared/reconcile/preview.ts";
import { rehearse } from "../../../shared/reconcile/rehearse.ts";
import { asking, memory, remembering } from "../../support/backups.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  adopting,
  but,
  type Change,
  known,
  NOW_MS,
  placed,
  primaryFacts,
  RULES,
  server,
  silent,
  spec,
} from "../../support/situation.ts";
import { changed, lastRecorded } from "../decide/support.ts";

/** What is to be prepared is the engine's own business, and none of this. */
const ENGINE: Engine = { ...mysql, rules: { ...RULES, preparations: () => [] } };
const AT = { nowMs: NOW_MS, component: "test" } as const;

const three = settled(placed(3));
const five = known("Ready", 60_000)(settled(placed(5)));

const wished = (more: Partial<Spec>): Change => spec(more);

async function rehearsed(of: Observed, ...changes: readonly Change[]): Promise<readonly Decision[]> {
  const { turns } = await rehearse(ENGINE, changed(of, ...changes), AT);
  return turns.map(({ decision }) => decision);
}

function shown(of: Observed, asked: Asked, ...changes: readonly Change[]): Promise<Preview> {
  return previewOf(ENGINE, changed(of, ...changes), asked, AT);
}

function told({ plan }: Preview): readonly string[] {
  return plan.stages.flatMap(({ why, steps }) => [why, ...steps.map(({ what }) => `- ${what}`)]);
}

const quiet = ["Event", "LabelPod", "AnnotateClaim", "EnsureService"];
function kinds(decisions: readonly Decision[]): readonly string[] {
  return decisions.flatMap(stepsOf).flatMap(({ kind }) => (quiet.includes(kind) ? [] : [kind]));
}

describe("a switchover", () => {
  const toTwo: Asked = { kind: "switchover", wish: { to: "mysql-2" } };

  test("is walked to its end", async () => {
    const decisions = await rehearsed(three, wished({ switchoverTo: "mysql-2" }));
    expect(kinds(decisions).slice(0, 5)).toEqual(["Record", "Demote", "StopReceiving", "Confirm", "Record"]);
    expect(kinds(decisions)).toEqual(expect.arrayContaining(["Promote", "Arm", "Open", "Follow"]));
    const states = decisions.map(lastRecorded).filter((one) => one !== null);
    expect(states.find(({ phase, epoch }) => phase === "Steady" && epoch === 2)?.established).toMatchObject({
      primary: { ordinal: 2 },
      ackCount: 1,
    });
  });

  test("is told in sentences, each with what is done on whom", async () => {
    const preview = await shown(three, toTwo);
    expect(preview.refused).toBeNull();
    expect(preview.plan.complete).toBe(true);
    const [first, second] = preview.plan.stages;
    expect(first?.why).toBe("mysql-0 hands over to mysql-2 in epoch 2, as asked.");
    expect(second?.why).toBe(
      "mysql-2 becomes the primary in epoch 2: mysql-2 holds everything that 3 reached members hold.",
    );
    expect(told(preview)).toContain("- opening member 2 for writes in epoch 2");
  });

  test("that would be refused says why, and nothing else", async () => {
    expect(await shown(three, { kind: "switchover", wish: { to: "mysql-0" } })).toMatchObject({
      plan: { stages: [], complete: true },
      refused: {
        code: "SwitchoverRefused",
        message:
          "mysql-0 cannot become the primary: it is the primary already; name another member or remove ordinal.dev/switchover-to.",
      },
    });
  });
});

describe("a backup and a proof", () => {
  const stored = [asking(), remembering(memory())];

  test("are told by their Jobs, and go on beyond what can be foreseen", async () => {
    const backup = await shown(three, { kind: "backup", wish: { method: "logical" } }, ...stored);
    expect(backup.refused).toBeNull();
    expect(told(backup)).toContainEqual(
      expect.stringMatching(/^- beginning the backup of .* in Job mysql-backup-\d{14}-1$/),
    );
    const slot = "2026-11-20T02:00:00Z";
    const proof = await shown(three, { kind: "prove", slot }, ...stored);
    expect(told(proof)).toContainEqual(
      expect.stringMatching(/^- beginning the proof of .* in Job mysql-proof-20261120020000-\d{14}$/),
    );
  });

  test.each<Asked>([
    { kind: "backup", wish: {} },
    { kind: "prove", slot: null },
  ])("without a store %o is refused", async (asked) => {
    expect(await shown(three, asked)).toMatchObject({
      plan: { stages: [] },
      refused: {
        code: "AnnotationInvalid",
        message: expect.stringContaining("ordinal.dev/backup-store is missing"),
      },
    });
  });
});

describe("scaling", () => {
  const scaled = (replicas: number): Asked => ({ kind: "scale", wish: { replicas } });

  test("down: each member that leaves, the count, the StatefulSet", async () => {
    expect(kinds(await rehearsed(five, wished({ replicas: 3 })))).toEqual([
      ...["LockAccount", "AwaitHolders", "Record"],
      ...["LockAccount", "AwaitHolders", "Record"],
      ...["Record", "Arm"],
      // The number itself, and that all is well.
      ...["Record", "Record"],
    ]);
    // Also where it has to wait, as just after a change of the primary.
    const waiting = await rehearsed(known("Ready", 0)(five), wished({ replicas: 3 }));
    const numbers = waiting.flatMap((decision) =>
      stepsOfKind(decision, "Record").map(({ replicas }) => replicas),
    );
    expect(numbers).toContain(3);
    const preview = await shown(five, scaled(3));
    expect(told(preview)).toContainEqual(expect.stringMatching(/^mysql is scaled from 5 to 3 members/));
    const fields = preview.plan.stages.flatMap(({ steps }) =>
      steps.flatMap(({ changes }) => changes.map((change) => change.fields["spec.replicas"])),
    );
    expect(fields.filter((one) => one !== undefined)).toEqual([3]);
    expect(preview.plan.complete).toBe(true);
  });

  test("up: what is asked of the StatefulSet; who comes is not known yet", async () => {
    const preview = await shown(three, scaled(5));
    expect(told(preview)[0]).toBe("mysql is scaled from 3 to 5 members, as ordinal.dev/replicas says.");
    expect(preview.plan.complete).toBe(false);
  });
});

describe("a paused cluster", () => {
  const paused = settled(changed(three, spec({ paused: true })));

  test.each<Asked>([{ kind: "plan" }, { kind: "scale", wish: { replicas: 5 } }])(
    "refuses $kind, also when that is told already",
    async (asked) => expect((await shown(paused, asked)).refused?.code).toBe("Paused"),
  );

  test("that would be resumed shows what has waited", async () => {
    const preview = await shown(paused, { kind: "resume" }, spec({ paused: true, replicas: 5 }));
    expect(preview.refused).toBeNull();
    expect(told(preview)[0]).toMatch(/^mysql is scaled from 3 to 5 members/);
  });
});

test("a failover is walked too, and nothing is left of it", async () => {
  const decisions = await rehearsed(three, silent(0), server(1, primaryFacts(3)));
  expect(decisions.length).toBeLessThan(40);
});

test("an adoption is walked as far as servers let it be foreseen", async () => {
  const decisions = await rehearsed(adopting(3), but({ accounts: { kind: "missing" } }));
  const accounts = decisions
    .map(stepsOf)
    .findIndex((steps) => steps.some(({ kind }) => kind === "EnsureAccounts"));
  expect(accounts).toBeGreaterThanOrEqual(0);
  expect(decisions.length).toBeGreaterThan(accounts + 1);
  expect(kinds(decisions.slice(accounts + 1))).not.toContain("EnsureAccounts");
});

test("a settled cluster has nothing before it, and says how it is", async () => {
  expect(await rehearsed(three)).toEqual([]);
  const preview = await shown(three, { kind: "plan" });
  expect(preview).toMatchObject({ plan: { stages: [], complete: true }, refused: null });
  expect(preview.why).toContain("3 of 3 members in place");
});
