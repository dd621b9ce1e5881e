/**
 * Turns what was decided into what is written: one compare-and-swap of state, conditions, phase and history,
 * and the Events that announce what is new. Nothing is written when nothing differs (a settled cluster costs
 * no write at all).
 */
import { encodeConditions, nextConditions, type Ready } from "../annotations/conditions.ts";
import { ANNOTATION, LABEL } from "../annotations/keys.ts";
import type { BackupMemory } from "../model/backup.ts";
import {
  type Condition,
  isProblemCode,
  type Phase,
  PROBLEM_CODES,
  type Problem,
} from "../model/condition.ts";
import { EVENT_REASONS, type EventReason } from "../model/event-reason.ts";
import type { Observed } from "../model/observed.ts";
import type { RestoreMemory } from "../model/restore.ts";
import type { HistoryEntry, State } from "../model/state.ts";
import type { EventStep, RecordStep, Step } from "../model/step.ts";

/** Something that was begun or done, for the history and as an Event. */
export interface Happening {
  readonly reason: EventReason;
  readonly message: string;
  readonly considered?: readonly string[];
  /** Makes the name of its Event; absent = it is of this epoch and this record. */
  readonly key?: string;
  /** An Event and no entry of the history, which is short. */
  readonly passing?: true;
}

export interface Report {
  readonly observed: Observed;
  readonly nowMs: number;
  readonly phase: Phase;
  readonly problems: readonly Problem[];
  readonly ready: Ready;
  /** Null = the state annotation stays as it is. */
  readonly state: State | null;
  /** Told only beside a new state, a new memory of backups or of a restore, or another part of a rollout. */
  readonly happenings: readonly Happening[];
  readonly managedLabel: boolean;
  readonly replicas: number | null;
  readonly partition: number | null;
  readonly answered: readonly string[];
  /** Null = the memory of backups stays as it is. */
  readonly backups: BackupMemory | null;
  /** Null = the memory of a restore stays as it is. */
  readonly restore: RestoreMemory | null;
}

function problemEvents(observed: Observed, conditions: readonly Condition[]): readonly EventStep[] {
  const before = observed.conditions;
  const epochOfReady = before.find((condition) => condition.type === "Ready")?.lastTransitionAt ?? "";
  return conditions.flatMap((condition): readonly EventStep[] => {
    const code = condition.type;
    if (!isProblemCode(code)) return [];
    const known = before.some((previous) => previous.type === code && previous.message === condition.message);
    if (known) return [];
    const type = PROBLEM_CODES[code] === "warning" ? "Warning" : "Normal";
    // The key is made of what was recorded before, so that a pass that was killed after the Event and before
    // the record finds its own Event again instead of making a second one.
    return [
      {
        kind: "Event",
        type,
        reason: code,
        message: condition.message,
        key: `${code}|${condition.message}|${epochOfReady}`,
      },
    ];
  });
}

/** What happens once in an epoch is told once, also when two executors come to it, each counting its own write. */
const ONCE_AN_EPOCH: ReadonlySet<EventReason> = new Set([
  "AdoptionStarted",
  "AdoptionCompleted",
  "PrimaryReopening",
  "PrimaryReopened",
  "FailoverStarted",
  "PrimaryElected",
  "FailoverCompleted",
  "DataLossAccepted",
  "SwitchoverStarted",
  "SwitchoverCompleted",
  "SwitchoverAbandoned",
  "StateReconstructed",
]);

function happeningEvent(happening: Happening, state: State | null): EventStep {
  const { reason, message } = happening;
  const { epoch, seq } = state ?? { epoch: 0, seq: 0 };
  // Told at the end of a plan that is begun anew, with another record, where it was killed before its last one.
  const part = reason === "AckCountChanged" ? `${message}|${epoch}` : `${message}|${epoch}|${seq}`;
  const recorded = ONCE_AN_EPOCH.has(reason) ? `${reason}|${epoch}` : `${reason}|${part}`;
  return { kind: "Event", type: EVENT_REASONS[reason], reason, message, key: happening.key ?? recorded };
}

function historyOf(report: Report): readonly HistoryEntry[] {
  const at = new Date(report.nowMs).toISOString();
  const epoch = report.state?.epoch ?? 0;
  const kept = report.happenings.filter(({ passing }) => passing !== true);
  const added = kept.map((happening) => ({
    at,
    epoch,
    reason: happening.reason,
    why: happening.message.slice(0, 400),
    considered: (happening.considered ?? []).slice(0, 10).map((text) => text.slice(0, 160)),
  }));
  return [...report.observed.history, ...added];
}

/** Events first: the record says that they are on their way. Empty when there is nothing new to say. */
export function reportSteps(report: Report): {
  readonly steps: readonly Step[];
  readonly conditions: readonly Condition[];
} {
  const { observed, phase, problems, ready, nowMs } = report;
  const previous = observed.state.kind === "valid" ? observed.state.state : null;
  const moment = { generation: observed.set.generation, nowMs };
  const conditions = nextConditions(observed.conditions, problems, ready, moment);
  const state = report.state === null ? null : { ...report.state, seq: (previous?.seq ?? 0) + 1 };
  const record: RecordStep = {
    kind: "Record",
    state,
    conditions,
    history: historyOf({ ...report, state: state ?? previous }),
    phase,
    managedLabel: report.managedLabel,
    replicas: report.replicas,
    partition: report.partition,
    answered: report.answered,
    backups: report.backups,
    restore: report.restore,
  };
  const labelled = observed.set.labels[LABEL.managed] === "true";
  const news =
    state !== null ||
    report.backups !== null ||
    report.restore !== null ||
    report.partition !== null ||
    observed.set.annotations[ANNOTATION.phase] !== phase ||
    labelled !== report.managedLabel ||
    encodeConditions(observed.conditions) !== encodeConditions(conditions);
  if (!news) return { steps: [], conditions };
  const remembers =
    state !== null || report.backups !== null || report.restore !== null || report.partition !== null;
  const events = [
    ...problemEvents(observed, conditions),
    ...(remembers ? report.happenings : []).map((happening) => happeningEvent(happening, state ?? previous)),
  ];
  return { steps: [...events, record], conditions };
}
