/** A cluster at rest with last night's backup proven, and how to read what is decided about it. */
import { decide } from "../../../shared/decide/index.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import type { Step } from "../../../shared/model/step.ts";
import { asking, memory, remembering } from "../../support/backups.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import { type Change, placed, RULES } from "../../support/situation.ts";
import { changed } from "./support.ts";

export const at = (text: string): number => Date.parse(text);
export const TONIGHT = "2026-11-24T02:00:00Z";
export const TOMORROW = "2026-11-25T02:00:00Z";

/** At rest, with last night's backup proven. */
export const rested = changed(settled(placed(3)), asking(), remembering(memory()));
export const running = (more: Partial<NonNullable<BackupMemory["running"]>> = {}): BackupMemory =>
  memory({
    handled: TONIGHT,
    running: {
      ...{ slot: TONIGHT, attempt: 1, method: "physical", asked: "schedule", source: 2, begunAt: TONIGHT },
      ...more,
    },
  });

export function deciding(when: string, ...changes: readonly Change[]): Decision {
  return decide(changed(rested, ...changes), RULES, at(when));
}

export const recorded = (decision: Decision): BackupMemory | null =>
  stepsOfKind(decision, "Record")[0]?.backups ?? null;
export const jobs = (decision: Decision): readonly Extract<Step, { kind: "StartJob" }>[] =>
  stepsOfKind(decision, "StartJob");
export const sentence = (decision: Decision, code: string) =>
  decision.problems.find((one) => one.code === code)?.message;
export const told = (decision: Decision, reason: string) =>
  stepsOfKind(decision, "Event").find((step) => step.reason === reason)?.message;
