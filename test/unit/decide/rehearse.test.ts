/** What a person is shown before anything is done: the whole way, as it would be walked if all went well. */
import { describe, expect, test } from "vitest";
import { rehearse } from "../../../shared/decide/after-step.ts";
import { stepsOf } from "../../../shared/model/decision.ts";
import type { Spec } from "../../../shared/model/spec.ts";
import { previewOf } from "../../../shared/reconcile/preview.ts";
import { settled } from "../../support/carry-out.ts";
import {
  adopting,
  but,
  type Change,
  NOW_MS,
  placed,
  primaryFacts,
  RULES,
  server,
  silent,
  spec,
} from "../../support/situation.ts";
import { changed, lastRecorded } from "./support.ts";

const three = settled(placed(3));
const five = settled(placed(5));

const wished = (more: Partial<Spec>): Change => spec(more);
const rehearsed = (of: typeof three, ...changes: readonly Change[]) =>
  rehearse(changed(of, ...changes), RULES, NOW_MS);

function kinds(decisions: ReturnType<typeof rehearse>): readonly string[] {
  const quiet = ["Event", "LabelPod", "AnnotateClaim", "EnsureService"];
  return decisions.flatMap(stepsOf).flatMap(({ kind }) => (quiet.includes(kind) ? [] : [kind]));
}

describe("a switchover", () => {
  const decisions = rehearsed(three, wished({ switchoverTo: "mysql-2" }));

  test("is walked to its end", () => {
    expect(kinds(decisions).slice(0, 5)).toEqual(["Record", "Demote", "StopReceiving", "Confirm", "Record"]);
    expect(kinds(decisions)).toEqual(expect.arrayContaining(["Promote", "Arm", "Open", "Follow"]));
    const states = decisions.map(lastRecorded).filter((one) => one !== null);
    expect(states.find(({ phase, epoch }) => phase === "Steady" && epoch === 2)?.established).toMatchObject({
      primary: { ordinal: 2 },
      ackCount: 1,
    });
  });

  test("is told in sentences, each with what is done on whom", () => {
    const { steps, refused } = previewOf(decisions);
    expect(refused).toBeNull();
    expect(steps.slice(0, 4)).toEqual([
      "mysql-0 hands over to mysql-2 in epoch 2, as asked.",
      "- ending writes on member 0",
      "mysql-2 becomes the primary in epoch 2: mysql-2 holds everything that 3 reached members hold.",
      "- stopping the receiver of member 2",
    ]);
    expect(steps).toContain("- opening member 2 for writes in epoch 2");
  });

  test("that would be refused says why, and nothing else", () => {
    expect(previewOf(rehearsed(three, wished({ switchoverTo: "mysql-0" })))).toEqual({
      steps: [],
      refused: {
        code: "SwitchoverRefused",
        message:
          "mysql-0 cannot become the primary: it is the primary already; name another member or remove ordinal.dev/switchover-to.",
      },
    });
  });
});

describe("scaling", () => {
  test("down: each member that leaves, the count, the StatefulSet", () => {
    const decisions = rehearsed(five, wished({ replicas: 3 }));
    expect(kinds(decisions)).toEqual([
      ...["LockAccount", "AwaitHolders", "Record"],
      ...["LockAccount", "AwaitHolders", "Record"],
      ...["Record", "Arm"],
      // The number itself, and that all is well.
      ...["Record", "Record"],
    ]);
    const told = expect.stringMatching(/^mysql is scaled from 5 to 3 members/);
    expect(previewOf(decisions).steps).toContainEqual(told);
  });

  test("up: what is asked of the StatefulSet; who comes is not known yet", () => {
    const decisions = rehearsed(three, wished({ replicas: 5 }));
    expect(previewOf(decisions).steps[0]).toBe(
      "mysql is scaled from 3 to 5 members, as ordinal.dev/replicas says.",
    );
  });

  test("while it is paused is refused", () => {
    expect(previewOf(rehearsed(three, wished({ replicas: 5, paused: true }))).refused?.code).toBe("Paused");
  });
});

test("a failover is walked too, and nothing is left of it", () => {
  const decisions = rehearsed(three, silent(0), server(1, primaryFacts(3)));
  expect(decisions.length).toBeLessThan(40);
});

test("an adoption is walked as far as servers let it be foreseen", () => {
  const decisions = rehearsed(adopting(3), but({ accounts: { kind: "missing" } }));
  const accounts = decisions
    .map(stepsOf)
    .findIndex((steps) => steps.some(({ kind }) => kind === "EnsureAccounts"));
  expect(accounts).toBeGreaterThanOrEqual(0);
  expect(decisions.length).toBeGreaterThan(accounts + 1);
  expect(kinds(decisions.slice(accounts + 1))).not.toContain("EnsureAccounts");
});

test("a settled cluster has nothing before it", () => {
  expect(rehearsed(three)).toEqual([]);
});
