/**
 * A cluster in sentences, the same ones in `kubectl ordinal status` and on the dashboard: whether it is fine, what is
 * wrong and what is being done about it, and what one can do. Pure.
 */
import { ADVICE } from "./advice.ts";
import type { Phase, ProblemCode } from "./condition.ts";
import type { Cluster } from "./documents.ts";

/** How bad it is. A colour or a mark that goes with it is help only: the words say the same. */
export type Tone = "good" | "attention" | "bad";

export interface PhaseWords {
  /** After the cluster's name. */
  readonly is: string;
  readonly tone: Tone;
}

const PHASES: Readonly<Record<Phase | "Unseen", PhaseWords>> = {
  Healthy: { is: "is healthy", tone: "good" },
  Degraded: { is: "serves, but is degraded", tone: "attention" },
  Adopting: { is: "is being taken over", tone: "attention" },
  Reopening: { is: "is being made writable again", tone: "attention" },
  FailingOver: { is: "is failing over", tone: "bad" },
  SwitchingOver: { is: "is handing over to another member", tone: "attention" },
  RollingOut: { is: "is rolling out a changed pod template", tone: "attention" },
  Scaling: { is: "is getting more or fewer members", tone: "attention" },
  Restoring: { is: "is being restored and out of service", tone: "bad" },
  Blocked: { is: "is blocked until you act", tone: "bad" },
  Paused: { is: "is paused", tone: "attention" },
  Releasing: { is: "is being released", tone: "attention" },
  Released: { is: "was released and is not managed any more", tone: "good" },
  Unseen: { is: "is annotated, but Ordinal has not looked at it yet", tone: "attention" },
};

/** Degraded, and Ready is False: its primary is not in service. */
const CLOSED: PhaseWords = { is: "takes no writes", tone: "bad" };

function readyOf({ conditions }: Pick<Cluster, "conditions">): Cluster["conditions"][number] | undefined {
  return conditions.find(({ type }) => type === "Ready");
}

/** A newer Ordinal may write a phase that this program does not know: it is then shown as it is. */
export function wordsOf(cluster: Pick<Cluster, "phase" | "conditions">): PhaseWords {
  const { phase } = cluster;
  const words: Readonly<Record<string, PhaseWords>> = PHASES;
  if (phase === "Degraded" && readyOf(cluster)?.status === "False") return CLOSED;
  return Object.hasOwn(PHASES, phase)
    ? (words[phase] ?? PHASES.Unseen)
    : { is: `is ${phase}`, tone: "attention" };
}

function readyMessage(cluster: Cluster): string {
  return readyOf(cluster)?.message ?? "";
}

export function headline(cluster: Cluster): string {
  const { is } = wordsOf(cluster);
  const message = readyMessage(cluster);
  return message === "" ? `${cluster.name} ${is}.` : `${cluster.name} ${is}: ${message}`;
}

/** Open problems that the first line has not said already, which it has when one is the reason why the cluster is not ready. */
export function untoldProblems(cluster: Cluster): Cluster["problems"] {
  const told = readyMessage(cluster);
  return cluster.problems.filter(({ message }) => message !== told);
}

function isAdvised(code: string): code is ProblemCode {
  return Object.hasOwn(ADVICE, code);
}

/** What one can do about what waits for a person, or the first problem, or about nobody looking at it; null = nothing is needed. */
export function adviceOf({ problems, phase }: Cluster): string | null {
  const waiting = problems.filter(awaitsApproval);
  const code = [...waiting, ...problems].map((problem) => problem.code).find(isAdvised);
  if (code !== undefined) return ADVICE[code];
  return phase === "Unseen" ? "see whether Ordinal runs, and whether it watches this namespace." : null;
}

/** Whether a failover stands still, with this problem, until a person approves it. */
export function awaitsApproval({ code }: { readonly code: string }): boolean {
  return code === "FailoverAwaitsApproval" || code === "FailoverHeldBack";
}
