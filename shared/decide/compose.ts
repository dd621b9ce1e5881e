/**
 * Puts an outline (what was found, what is to be done) together into a decision: conditions, the report and
 * the plan in the order in which they may run.
 */
import type { Ready } from "../annotations/conditions.ts";
import { LABEL } from "../annotations/keys.ts";
import type { BackupMemory } from "../model/backup.ts";
import type { Phase, Problem } from "../model/condition.ts";
import type { Decision } from "../model/decision.ts";
import type { Observed } from "../model/observed.ts";
import type { RestoreMemory } from "../model/restore.ts";
import type { State } from "../model/state.ts";
import type { Step, Track } from "../model/step.ts";
import { type Happening, type Report, reportSteps } from "./report.ts";
import { sinceMs } from "./situation.ts";

/** A look costs a few milliseconds. */
export const SOON_MS = 300;
const LATER_MS = 30_000;

/**
 * How soon to look again while servers start, restart or copy, milliseconds: a tenth of how long the wait
 * has lasted already, so that a short one is met at once and a pod that never starts is not hammered.
 */
export function patience(observed: Observed, nowMs: number, awaited: "Ready" | Problem["code"]): number {
  const lastedMs = nowMs - (sinceMs(observed, awaited) ?? nowMs);
  return Math.min(LATER_MS, Math.max(SOON_MS, Math.round(lastedMs / 10)));
}

/** Record this once what comes before it has succeeded, then go on. */
export interface NextRecord {
  readonly before: Track;
  readonly state: State;
  readonly happenings?: readonly Happening[];
  readonly after: Track;
}

export interface Outline {
  readonly phase: Phase;
  readonly problems: readonly Problem[];
  readonly ready: Ready;
  readonly why: string;
  readonly state?: State | null;
  readonly happenings?: readonly Happening[];
  /** What must be true before the record is written: it runs first, in the same chain. */
  readonly before?: Track;
  readonly tracks?: readonly Track[];
  /** Recorded beside the same report, once all tracks have reached their end. */
  readonly next?: NextRecord | null;
  readonly lookAgainMs?: number | null;
  readonly managedLabel?: boolean;
  /** Nothing is told beside a change of the record: writes wait for what is being done. */
  readonly urgent?: boolean;
  /** `spec.replicas`, written with the record. */
  readonly replicas?: number;
  /** `spec.updateStrategy.rollingUpdate.partition`, written with the record. */
  readonly partition?: number;
  /** Annotations of the user's that are answered by this record. */
  readonly answered?: readonly string[];
  /** The memory of backups, written with the record. */
  readonly backups?: BackupMemory | null;
  /** The memory of a restore, written with the record. */
  readonly restore?: RestoreMemory | null;
}

export function compose(observed: Observed, nowMs: number, outline: Outline): Decision {
  const { phase, ready, why, tracks = [], before = [], lookAgainMs = null } = outline;
  const problems = [...outline.problems, ...refusals(observed, tracks)];
  const report = { observed, nowMs, phase, problems, ready };
  if (observed.refusal !== null) {
    // What was refused would be refused again, and what was to follow from it must not: it is only told.
    const told = reportSteps({
      ...report,
      state: null,
      happenings: [],
      managedLabel: true,
      replicas: null,
      partition: null,
      answered: [],
      backups: null,
      restore: null,
    });
    const { steps: prelude, conditions } = told;
    return { problems, conditions, phase, prelude, tracks: [], finale: [], why, lookAgainMs };
  }
  if (outline.urgent === true && outline.state === undefined) {
    return {
      problems,
      conditions: observed.conditions,
      phase,
      prelude: [...before],
      tracks,
      finale: [],
      why,
      lookAgainMs,
    };
  }
  const whole: Report = {
    ...report,
    state: outline.state ?? null,
    happenings: outline.happenings ?? [],
    managedLabel: outline.managedLabel ?? true,
    replicas: outline.replicas ?? null,
    partition: outline.partition ?? null,
    answered: outline.answered ?? [],
    backups: outline.backups ?? null,
    restore: outline.restore ?? null,
  };
  const { steps, conditions } = reportSteps(whole);
  const prelude = [...before, ...steps];
  const finale = finaleOf(whole, steps, outline.next ?? null);
  return { problems, conditions, phase, prelude, tracks, finale, why, lookAgainMs };
}

/** Told as by another look, to which the record of the prelude stands already. */
function finaleOf(report: Report, prelude: readonly Step[], next: NextRecord | null): Track {
  const record = prelude.at(-1);
  if (next === null || record?.kind !== "Record" || record.state === null) return [];
  const { state, conditions, history } = record;
  const observed: Observed = { ...report.observed, state: { kind: "valid", state }, conditions, history };
  const { happenings = [] } = next;
  const { steps } = reportSteps({
    ...report,
    observed,
    state: next.state,
    happenings,
    backups: null,
    restore: null,
    partition: null,
  });
  return [...next.before, ...steps, ...next.after];
}

/**
 * What was refused stays told while the work that it stopped is still to be done: the refusal itself is only
 * known to the pass that met it.
 */
function refusals(observed: Observed, tracks: readonly Track[]): readonly Problem[] {
  const told = observed.conditions.find((condition) => condition.type === "ActionRefused");
  const message = observed.refusal ?? (tracks.length > 0 ? told?.message : undefined);
  return message === undefined ? [] : [{ code: "ActionRefused", message, blocks: false }];
}

const NOTHING: Decision = {
  problems: [],
  conditions: [],
  phase: "Released",
  prelude: [],
  tracks: [],
  finale: [],
  why: "not managed by Ordinal",
  lookAgainMs: null,
};

/** Not wanted, and nothing to let go of; but a label may be left of a wish that was given up before adoption. */
export function forget(observed: Observed, nowMs: number): Decision {
  if (observed.set.labels[LABEL.managed] !== "true" || observed.state.kind === "newer") return NOTHING;
  const ready: Ready = { status: "Unknown", reason: "Released", message: "Nothing was adopted." };
  const outline = { phase: "Released" as const, problems: [], ready, why: ready.message };
  return compose(observed, nowMs, { ...outline, managedLabel: false });
}

export function blocked(
  observed: Observed,
  nowMs: number,
  problems: readonly Problem[],
  lookAgainMs: number | null,
): Decision {
  const first = problems.find((problem) => problem.blocks) ?? problems[0];
  const waiting = first?.code === "WaitingForMembers";
  const ready: Ready = { status: "False", reason: first?.code ?? "Blocked", message: first?.message ?? "" };
  const phase = waiting ? "Adopting" : "Blocked";
  return compose(observed, nowMs, { phase, problems, ready, why: ready.message, lookAgainMs });
}
