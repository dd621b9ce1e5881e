/**
 * From Kubernetes objects to what is shown of a cluster. Pure. It reads annotations only: looking needs no
 * database password, and what it shows is as old as the last pass that had something to write. All texts
 * that somebody else may have written are made printable here, before any of them can reach a terminal.
 */
import { decodeConditions } from "../annotations/conditions.ts";
import { decodeHistory } from "../annotations/history.ts";
import { ANNOTATION, LABEL } from "../annotations/keys.ts";
import { decodeMemberRecord } from "../annotations/member.ts";
import { decodeState } from "../annotations/state.ts";
import { oneLine } from "../annotations/text.ts";
import { parseWish } from "../annotations/wish.ts";
import { type Condition, PROBLEM_CODES } from "../model/condition.ts";
import type { Cluster, ClusterMember } from "../model/documents.ts";
import type { Pod, StatefulSet } from "../model/kube.ts";
import { type HistoryEntry, MEMBERS_SEEN_MAX, type State } from "../model/state.ts";
import { backupSnapshot } from "./backup-snapshot.ts";
import { restoreSnapshot } from "./restore-snapshot.ts";

/** Asked for by its user, or remembered by Ordinal from the time when it was. */
export function isCluster(set: StatefulSet): boolean {
  return [ANNOTATION.engine, ANNOTATION.phase, ANNOTATION.state].some(
    (key) => set.annotations[key] !== undefined,
  );
}

function podState(pod: Pod | undefined): string {
  if (pod === undefined) return "Missing";
  if (pod.deleting) return "Terminating";
  if (pod.ready) return "Ready";
  const reason = pod.containers.find((container) => container.reason !== null)?.reason;
  return oneLine(reason ?? (pod.phase === "Running" ? "NotReady" : pod.phase), 40);
}

function member(name: string, ordinal: number, pod: Pod | undefined): ClusterMember {
  const record = decodeMemberRecord(pod?.annotations[ANNOTATION.member]);
  const role = record?.role ?? pod?.labels[LABEL.role] ?? null;
  return {
    name,
    ordinal,
    role,
    pod: podState(pod),
    version: record?.version == null ? null : oneLine(record.version, 64),
    serverUuid: record?.serverUuid == null ? null : oneLine(record.serverUuid, 64),
    lagMs: record?.lagMs ?? null,
    // A primary acknowledges to nobody, which is not the same as failing to.
    acks: record === null || record.role === "primary" ? null : record.acks,
    note: oneLine(record?.note ?? "", 200),
    copied: record?.copied ?? null,
    seenAt: record?.at ?? null,
  };
}

function members(set: StatefulSet, pods: readonly Pod[]): readonly ClusterMember[] {
  const byName = new Map(pods.filter((pod) => pod.ownerUid === set.uid).map((pod) => [pod.name, pod]));
  const length = Math.min(set.replicas, MEMBERS_SEEN_MAX);
  const wanted = Array.from({ length }, (_, ordinal) => `${set.name}-${ordinal}`);
  const surplus = [...byName.keys()].filter((name) => !wanted.includes(name)).sort();
  return [...wanted, ...surplus].map((name) =>
    member(name, Number(/\d+$/.exec(name)?.[0] ?? 0), byName.get(name)),
  );
}

type Problems = Cluster["problems"];

/** What the last pass found, and what this reader sees wrong in the user's annotations by itself. */
function problems(set: StatefulSet, conditions: readonly Condition[]): Problems {
  const found = conditions
    .filter(({ type, status }) => type !== "Ready" && status === "True")
    .map(({ type, message, lastTransitionAt }) => ({ code: type, message, since: lastTransitionAt }));
  const told = new Set(found.map(({ code }) => code));
  const unseen = parseWish(set)
    .problems.filter(({ code }) => !told.has(code))
    .map(({ code, message }) => ({ code, message, since: null }));
  const severity: Readonly<Record<string, string>> = PROBLEM_CODES;
  const rank = ({ code }: Problems[number]) => (severity[code] === "normal" ? 1 : 0);
  return [...unseen, ...found].toSorted((a, b) => rank(a) - rank(b));
}

function recorded(
  name: string,
  state: State | null,
): Pick<Cluster, "primary" | "epoch" | "ackCount" | "ackers" | "operation"> {
  const config = state?.established ?? state?.pending ?? null;
  const instance = (ordinal: number) => `${name}-${ordinal}`;
  const op = state?.op ?? null;
  return {
    primary: config === null ? null : instance(config.primary.ordinal),
    epoch: state?.epoch ?? null,
    // What is still being built is not waited for by any write.
    ackCount: state?.established?.ackCount ?? null,
    ackers: state?.established?.ackers.map(({ ordinal }) => instance(ordinal)) ?? [],
    operation: op === null ? null : { kind: op.kind, step: oneLine(op.step, 32), startedAt: op.startedAt },
  };
}

/** `pods` may hold other sets' pods as well. */
export function snapshot(set: StatefulSet, pods: readonly Pod[]): Cluster {
  const observed = decodeState(set.annotations[ANNOTATION.state], set.uid);
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]).map((condition) => ({
    ...condition,
    type: oneLine(condition.type, 64),
    reason: oneLine(condition.reason, 64),
    message: oneLine(condition.message, 200),
  }));
  const listed = members(set, pods);
  const lags = listed.flatMap(({ lagMs }) => (lagMs === null ? [] : [lagMs]));
  return {
    namespace: set.namespace,
    name: set.name,
    phase: oneLine(set.annotations[ANNOTATION.phase] ?? "Unseen", 32),
    ...recorded(set.name, observed.kind === "valid" ? observed.state : null),
    replicas: set.replicas,
    readyPods: listed.filter(({ pod }) => pod === "Ready").length,
    lagMs: lags.length === 0 ? null : Math.max(...lags),
    problems: problems(set, conditions),
    conditions,
    members: [...listed],
    backups: backupSnapshot(set),
    restores: restoreSnapshot(set),
  };
}

export function history(set: StatefulSet): readonly HistoryEntry[] {
  return decodeHistory(set.annotations[ANNOTATION.history]).map((entry) => ({
    ...entry,
    reason: oneLine(entry.reason, 64),
    why: oneLine(entry.why, 400),
    considered: entry.considered.map((line) => oneLine(line, 160)),
  }));
}
