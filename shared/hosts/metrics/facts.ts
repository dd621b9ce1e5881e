/**
 * What is measured of one cluster, from nothing but its StatefulSet and its Pods as the API server has them: no server and no
 * store is asked, so it is the same whoever renders it and whenever. Ages are never among it, since they would be wrong as
 * soon as they are told: instants are, in milliseconds since 1970. Pure.
 */
import { annotationBytes } from "../../annotations/budget.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import { decodeState } from "../../annotations/state.ts";
import { parseWish } from "../../annotations/wish.ts";
import { memoryOf } from "../../cli/backup-snapshot.ts";
import { snapshot } from "../../cli/snapshot.ts";
import type { BackupMemory, BackupSpec } from "../../model/backup.ts";
import { isProblemCode, type ProblemCode } from "../../model/condition.ts";
import type { Pod, StatefulSet } from "../../model/kube.ts";
import { ERRANT_NOTE } from "../../model/member.ts";
import type { Schedule } from "../../model/schedule.ts";
import type { State } from "../../model/state.ts";

const DAY_MS = 86_400_000;

interface MemberFacts {
  readonly name: string;
  readonly role: string;
  readonly isReady: boolean;
  readonly acknowledges: boolean;
  readonly lagMs: number | null;
}

interface BackupFacts {
  /** Null = on demand only. */
  readonly schedule: Schedule | null;
  readonly isProofWanted: boolean;
  readonly isRunning: boolean;
  readonly failures: number;
  readonly lastMs: number | null;
  readonly provenMs: number | null;
}

/** Instants between `fromMs` and `untilMs` can be recovered to, but for those in the gaps. */
interface ArchiveFacts {
  readonly fromMs: number | null;
  readonly untilMs: number | null;
  readonly gaps: number | null;
  readonly gapMs: number | null;
}

export interface ClusterFacts {
  readonly namespace: string;
  readonly name: string;
  readonly phase: string;
  readonly problems: readonly ProblemCode[];
  /** Null while no primary is recorded that should take writes. */
  readonly isPrimaryReady: boolean | null;
  readonly replicas: number;
  readonly members: readonly MemberFacts[];
  readonly ackCount: number | null;
  readonly errant: number;
  readonly epoch: number | null;
  /** Those that are remembered; null while no state is. */
  readonly failoversMs: readonly number[] | null;
  /** Null where none are asked for and none are remembered. */
  readonly backups: BackupFacts | null;
  /** Null where no archive is asked for. */
  readonly archive: ArchiveFacts | null;
  readonly annotationBytes: number;
  readonly generation: number;
  readonly observedGeneration: number | null;
}

type ShownMember = ReturnType<typeof snapshot>["members"][number];

function memberFacts({ name, role, pod, acks, lagMs }: ShownMember): MemberFacts {
  return {
    name,
    role: role === "primary" || role === "replica" ? role : "none",
    isReady: pod === "Ready",
    acknowledges: acks === true,
    lagMs,
  };
}

function isPrimaryReady(name: string, state: State | null, members: readonly MemberFacts[]): boolean | null {
  // While one is only being adopted it serves as before, and no promise is made of it.
  if (state === null || state.established === null) return null;
  // From the claim of the next epoch on nobody takes writes, until the next primary is opened.
  const { pending, established, phase } = state;
  const config = pending ?? (phase === "Revoking" ? null : established);
  if (config === null || pending?.open === false) return false;
  const primary = `${name}-${config.primary.ordinal}`;
  return members.some((member) => member.name === primary && member.isReady && member.role === "primary");
}

const instant = (text: string | null | undefined): number | null => (text == null ? null : Date.parse(text));

function backupFacts(spec: BackupSpec | null, memory: BackupMemory | null): BackupFacts | null {
  if (spec === null && memory === null) return null;
  return {
    schedule: spec?.schedule ?? null,
    isProofWanted: spec !== null && spec.proof !== "never",
    isRunning: memory?.running != null,
    failures: memory?.failures ?? 0,
    lastMs: instant(memory?.last?.slot),
    provenMs: instant(memory?.proven?.at),
  };
}

function archiveFacts(spec: BackupSpec | null, memory: BackupMemory | null): ArchiveFacts | null {
  if (spec?.archive !== true) return null;
  const { heldTo, window } = memory?.archive ?? {};
  return {
    fromMs: instant(window?.from),
    // Without a beginning no instant can be recovered to, however much is held.
    untilMs: window?.from == null ? null : instant(heldTo),
    gaps: window?.gaps ?? null,
    gapMs: window?.gapMs ?? null,
  };
}

/** `pods` may hold other sets' pods as well. */
export function factsOf(set: StatefulSet, pods: readonly Pod[]): ClusterFacts {
  const shown = snapshot(set, pods);
  const read = decodeState(set.annotations[ANNOTATION.state], set.uid);
  const state = read.kind === "valid" ? read.state : null;
  const members = shown.members.map(memberFacts);
  const spec = parseWish(set).spec?.backup ?? null;
  const memory = memoryOf(set);
  return {
    namespace: set.namespace,
    name: set.name,
    phase: shown.phase,
    // Whoever may edit the annotation must not be able to make series without end.
    problems: shown.problems.map(({ code }) => code).filter(isProblemCode),
    isPrimaryReady: isPrimaryReady(set.name, state, members),
    replicas: set.replicas,
    members,
    ackCount: shown.ackCount,
    errant: shown.members.filter(({ note }) => note === ERRANT_NOTE).length,
    epoch: shown.epoch,
    failoversMs: state === null ? null : state.failovers.map(Date.parse),
    backups: backupFacts(spec, memory),
    archive: archiveFacts(spec, memory),
    annotationBytes: annotationBytes(set.annotations),
    generation: set.generation,
    observedGeneration: shown.conditions.find(({ type }) => type === "Ready")?.observedGeneration ?? null,
  };
}

/** How many of them lie in the day before `nowMs`. */
export function failoversInDay(failoversMs: readonly number[], nowMs: number): number {
  return failoversMs.filter((atMs) => nowMs - atMs < DAY_MS).length;
}
