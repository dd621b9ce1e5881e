/**
 * Backups of an established cluster: what became of those under way, and what is begun now. One backup and one proof at
 * a time. What is begun is recorded first, and its Job has a name made of the slot and the attempt: however many come to
 * it, and wherever one of them is killed, there is one Job.
 *
 * The primary is never copied where there is anybody else: a copy costs its clients time.
 */
import { budgetProblem } from "../../annotations/budget.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import type { ArchiveReport, BackupMemory, BackupSpec, JobTask, RunningBackup } from "../../model/backup.ts";
import type { Problem } from "../../model/condition.ts";
import { backupJobName, proofJobName } from "../../model/job-name.ts";
import type { Track } from "../../model/step.ts";
import { calendarOf } from "../../schedule/calendar.ts";
import { slotsBetween } from "../../schedule/slots.ts";
import type { Happening } from "../report.ts";
import { isAcker, isLeaving, type MemberView, type Situation } from "../situation.ts";
import { archiveProblems, archiveStands, followArchive } from "./archive.ts";
import {
  beginning,
  dropRetry,
  followBackup,
  followProof,
  followSchedule,
  missSlots,
  passOver,
  type Scene,
  slotDue,
  slotText,
  type Told,
} from "./memory.ts";
import { backupProblems, heldBack } from "./problems.ts";
import { followPurging, fullest } from "./purging.ts";

export interface BackupMove {
  readonly problems: readonly Problem[];
  /** To be recorded; null = as it stands. */
  readonly memory: BackupMemory | null;
  /** Told beside the record. */
  readonly happenings: readonly Happening[];
  /** Once that is recorded. */
  readonly tracks: readonly Track[];
  /** Annotations of the user's that the record answers. */
  readonly answered: readonly string[];
}

export const NO_BACKUP: BackupMove = { problems: [], memory: null, happenings: [], tracks: [], answered: [] };

/** For how long every server that answers keeps its logs; null = until somebody deletes them. */
function logsKeptMs({ members }: Situation, { archive }: BackupMemory): number | null {
  const isHeld = archive?.purging === "held";
  const kept = members.flatMap(({ facts }) =>
    facts?.deletesLogs === true || isHeld ? (facts?.logsKeptMs ?? []) : [],
  );
  return kept.length === 0 ? null : Math.min(...kept);
}

/** Ready, following closely, and to stay. */
function canBeCopied(situation: Situation, view: MemberView): boolean {
  const { pod } = view.member;
  if (view.standing.kind !== "following" || view.standing.lagMs > situation.spec.maxLagMs) return false;
  return view.facts !== null && pod?.ready === true && !pod.deleting && !isLeaving(situation, view);
}

/** Rather one that nobody waits for, then the one least behind, then the highest ordinal. */
function sourceOf(situation: Situation): MemberView | null {
  const { members, primary, config } = situation;
  if (members.length === 1) return primary.standing.kind === "primary" ? primary : null;
  const behindMs = ({ standing }: MemberView) => (standing.kind === "following" ? standing.lagMs : 0);
  const awaited = (view: MemberView) => (isAcker(config, view) ? 1 : 0);
  const able = members.filter((view) => canBeCopied(situation, view));
  const ranked = able.toSorted(
    (a, b) => awaited(a) - awaited(b) || behindMs(a) - behindMs(b) || b.ordinal - a.ordinal,
  );
  return ranked[0] ?? null;
}

/** Why nothing can be begun, as the end of a sentence; else who is copied. */
function readiness(situation: Situation): { readonly source: number } | { readonly waits: string } {
  const { state, observed } = situation;
  if (state.phase !== "Steady" || state.pending !== null) return { waits: "the primary is being changed" };
  const source = sourceOf(situation);
  if (source !== null && budgetProblem(observed.annotationBytes) === null) return { source: source.ordinal };
  if (source !== null) return { waits: "the annotations take too much room" };
  const seconds = situation.spec.maxLagMs / 1000;
  return { waits: `no replica is ready, following and at most ${seconds} s behind` };
}

type Wanted = Pick<RunningBackup, "slot" | "attempt" | "method" | "asked">;

interface Next {
  readonly wanted: Wanted;
  /** Before it is begun: slots that it passes over. */
  readonly told: Told;
  readonly answered: readonly string[];
}

function requestedNext(memory: BackupMemory, { requested }: BackupSpec, nowMs: number): Next | null {
  if (requested === null) return null;
  const wanted: Wanted = { slot: slotText(nowMs), attempt: 1, method: requested, asked: "request" };
  return { wanted, told: { memory, happenings: [] }, answered: [ANNOTATION.backupNow] };
}

function retriedNext(memory: BackupMemory, nowMs: number): Next | null {
  const { retry } = memory;
  if (retry === null || nowMs < Date.parse(retry.notBefore)) return null;
  const { slot, attempt, method, asked } = retry;
  return { wanted: { slot, attempt, method, asked }, told: { memory, happenings: [] }, answered: [] };
}

function scheduledNext(memory: BackupMemory, scene: Scene, { schedule, method }: BackupSpec): Next | null {
  const slotMs = slotDue(memory, scene);
  if (slotMs === null || schedule === null) return null;
  const missed = slotsBetween(schedule, Date.parse(memory.handled), slotMs);
  const wanted: Wanted = { slot: slotText(slotMs), attempt: 1, method, asked: "schedule" };
  return { wanted, told: passOver(memory, schedule, slotMs, missed), answered: [] };
}

/** A person's request first, then what has failed, then the schedule. */
function nextBackup(memory: BackupMemory, scene: Scene, spec: BackupSpec): Next | null {
  return (
    requestedNext(memory, spec, scene.nowMs) ??
    retriedNext(memory, scene.nowMs) ??
    scheduledNext(memory, scene, spec)
  );
}

function started(name: string, { slot, attempt, method }: Wanted, source: number): Happening {
  const again = attempt === 1 ? "" : ` (attempt ${attempt})`;
  const message = `The ${method} backup of ${slot} is taken from ${name}-${source}${again}.`;
  return { reason: "BackupStarted", message, key: `BackupStarted|${slot}|${attempt}`, passing: true };
}

function backupTask(
  situation: Situation,
  { proving }: BackupMemory,
  running: RunningBackup,
  spec: BackupSpec,
): JobTask {
  const { slot, attempt, method, asked, source } = running;
  const { store, databases, retention, timeZone } = spec;
  const named = method === "logical" ? databases : null;
  const copied = situation.members.find(({ ordinal }) => ordinal === source)?.member;
  return {
    kind: "backup",
    store,
    slot,
    attempt,
    method,
    databases: named,
    asked,
    source,
    authority: copied?.claim?.annotations[ANNOTATION.serverAuthority] ?? null,
    retention,
    timeZone,
    keep: proving === null ? [] : [proving.slot],
  };
}

/** What is added to a memory: begun, or held back. */
type Begun = Pick<BackupMove, "problems" | "happenings" | "answered"> & { readonly memory: BackupMemory };

function nothing(memory: BackupMemory, problems: readonly Problem[] = []): Begun {
  return { memory, problems, happenings: [], answered: [] };
}

function beginBackup(situation: Situation, memory: BackupMemory, scene: Scene, spec: BackupSpec): Begun {
  const ready = readiness(situation);
  const { running } = memory;
  if (running !== null) {
    // Recorded and not made yet: it may have to be made of another member.
    if (scene.jobs.backup.kind !== "absent") return nothing(memory, unreadable(running.slot, scene));
    if ("waits" in ready) return nothing(memory, [heldBack(running.slot, ready.waits)]);
    return ready.source === running.source
      ? nothing(memory)
      : nothing({ ...memory, running: { ...running, source: ready.source } });
  }
  const next = nextBackup(memory, scene, spec);
  if (next === null) return nothing(memory);
  const { wanted, told, answered } = next;
  if ("waits" in ready) return nothing(memory, [heldBack(wanted.slot, ready.waits)]);
  const begunAt = slotText(scene.nowMs);
  return {
    // An attempt that was still to be made is made now, or overtaken by what a person asks for.
    memory: { ...told.memory, retry: null, running: { ...wanted, source: ready.source, begunAt } },
    problems: [],
    happenings: [...told.happenings, started(situation.observed.set.name, wanted, ready.source)],
    answered,
  };
}

function unreadable(slot: string, { jobs }: Scene): readonly Problem[] {
  const { backup } = jobs;
  return backup.kind === "unreadable"
    ? [heldBack(slot, `its Job cannot be read (${backup.reason.slice(0, 80)})`)]
    : [];
}

/** The newest one, once: after a failure it is the turn of a newer one. `daily`: the first proof of a day is its only one. */
function proofOfNewest(memory: BackupMemory, spec: BackupSpec, nowMs: number): BackupMemory {
  const { last, provingAt, proven, unproven } = memory;
  if (last === null || spec.proof === "never") return memory;
  if (last.slot === proven?.slot || last.slot === unproven?.slot) return memory;
  const { day } = calendarOf(spec.timeZone);
  const today = provingAt !== null && day(Date.parse(provingAt)) === day(nowMs);
  if (spec.proof === "daily" && today) return memory;
  const begunAt = slotText(nowMs);
  return { ...memory, proving: { slot: last.slot, begunAt }, provingAt: begunAt };
}

/** What a person asks for comes first, whatever was proven before; it is not the proof of the day. */
function beginProof(
  memory: BackupMemory,
  spec: BackupSpec,
  nowMs: number,
): Pick<Begun, "memory" | "answered"> {
  if (memory.proving !== null) return { memory, answered: [] };
  const asked = spec.proofRequested;
  const slot = asked === null ? null : (asked.slot ?? memory.last?.slot ?? null);
  if (slot === null) return { memory: proofOfNewest(memory, spec, nowMs), answered: [] };
  const proving = { slot, begunAt: slotText(nowMs) };
  const demanded = { ...proving, endedAt: null, fault: null };
  return { memory: { ...memory, proving, demanded }, answered: [ANNOTATION.proveNow] };
}

/** Jobs that the memory says to be under way and that are not there. */
function missingJobs(
  situation: Situation,
  memory: BackupMemory,
  scene: Scene,
  spec: BackupSpec,
): readonly Track[] {
  const { running, proving } = memory;
  const { name } = situation.observed.set;
  const { backup, proof } = scene.jobs;
  const tracks: Track[] = [];
  // What was seen is of what was under way then.
  if (running !== null && backup.kind === "absent") {
    const task = backupTask(situation, memory, running, spec);
    tracks.push([{ kind: "StartJob", name: backupJobName(name, running), task }]);
  }
  if (proving !== null && proof.kind === "absent") {
    const task: JobTask = { kind: "proof", store: spec.store, slot: proving.slot };
    tracks.push([{ kind: "StartJob", name: proofJobName(name, proving), task }]);
  }
  return tracks;
}

/** What has ended, step by step; nothing of it needs to be done in time. */
function follow(memory: BackupMemory, scene: Scene, report: ArchiveReport | null): Told {
  const backup = followBackup(memory, scene);
  const proof = followProof(backup.memory, scene);
  const kept = dropRetry(followSchedule(proof.memory, scene), scene);
  const missed = kept.running === null ? missSlots(kept, scene) : { memory: kept, happenings: [] };
  return {
    memory: followArchive(missed.memory, scene, report),
    happenings: [...backup.happenings, ...proof.happenings, ...missed.happenings],
  };
}

/** Nothing of it may be acted on before its record is written, and none of it changes who is the primary. */
export function planBackups(situation: Situation): BackupMove {
  const { observed, nowMs } = situation;
  const { set, archive, backups, jobs, wish } = observed;
  const spec = wish.spec?.backup ?? null;
  if (backups.kind === "newer") {
    const why = `ordinal.dev/backups was written by a newer Ordinal (format ${backups.version}); upgrade this one`;
    return spec === null ? NO_BACKUP : { ...NO_BACKUP, problems: [heldBack("every slot", why)] };
  }
  const stored = backups.kind === "valid" ? backups.memory : null;
  if (spec === null && stored === null) return NO_BACKUP;
  const scene: Scene = { spec, jobs, nowMs };
  const reported = follow(stored ?? beginning(set.uid, nowMs), scene, archive);
  const { name } = set;
  const stands = spec?.archive === true && archiveStands({ name, nowMs }, reported.memory);
  const followed = { ...reported, memory: followPurging(reported.memory, situation, stands) };
  // Where it cannot be read what is asked for, what has ended is noted and nothing is begun.
  if (spec === null)
    return moved(stored, { ...nothing(followed.memory), happenings: followed.happenings }, []);
  // What was seen ended is seen no more: what is begun now has no Job yet.
  const ended = stored?.running != null && followed.memory.running === null;
  const seen: Scene = ended ? { ...scene, jobs: { ...jobs, backup: { kind: "absent" } } } : scene;
  const begun = beginBackup(situation, followed.memory, seen, spec);
  const proofEnded = stored?.proving != null && begun.memory.proving === null;
  const { memory, answered } = beginProof(begun.memory, spec, nowMs);
  const last: Scene = proofEnded ? { ...seen, jobs: { ...seen.jobs, proof: { kind: "absent" } } } : seen;
  const tracks = missingJobs(situation, memory, last, spec).filter(
    ([step]) => step?.kind !== "StartJob" || step.task.kind !== "backup" || begun.problems.length === 0,
  );
  const logs = { logsKeptMs: logsKeptMs(situation, memory), fullest: fullest(situation) };
  const problems = [
    ...backupProblems(name, memory, spec),
    ...(spec.archive ? archiveProblems({ name, nowMs, ...logs }, memory) : []),
    ...begun.problems,
  ];
  const happenings = [...followed.happenings, ...begun.happenings];
  const all = [...begun.answered, ...answered];
  return moved(stored, { memory, problems, happenings, answered: all }, tracks);
}

function moved(stored: BackupMemory | null, begun: Begun, tracks: readonly Track[]): BackupMove {
  const changed = stored === null || JSON.stringify(stored) !== JSON.stringify(begun.memory);
  return { ...begun, memory: changed ? begun.memory : null, tracks };
}
