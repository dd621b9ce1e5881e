/**
 * Verbs about whether Ordinal is to manage a StatefulSet, and whether it may fail over now. Each looks first, and says what
 * it means before anything is written.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { decodeState } from "../annotations/state.ts";
import { parseWish } from "../annotations/wish.ts";
import type { ClusterRef } from "../model/cluster.ts";
import type { StatefulSet } from "../model/kube.ts";
import { succeed } from "../model/outcome.ts";
import type { RequestAnswer } from "../model/request.ts";
import { awaitsApproval } from "../model/summary.ts";
import type { Clock } from "../ports/host.ts";
import type { Kube } from "../ports/kube.ts";
import { examine, renderChecks } from "./doctor.ts";
import { carryOut, type Waiting } from "./orders.ts";
import { plan } from "./plans.ts";
import { readCluster } from "./read.ts";
import { awaitSettled } from "./settled.ts";
import { type Answer, type Ask, failed, notACluster } from "./verbs.ts";

const accepted: RequestAnswer = { status: "accepted", message: null };

/** A failover that waits holds all that was acknowledged: what could lose it is told as NoQuorum, and cannot be approved. */
const LOSES_NOTHING =
  "Nothing that was acknowledged is lost: a member that holds all of it takes over. What only the old primary has is kept in ordinal.tail.";

const hasEpoch =
  (epoch: number) =>
  (set: StatefulSet): RequestAnswer => {
    const { annotations, uid, name } = set;
    const read = decodeState(annotations[ANNOTATION.state], uid);
    if (read.kind !== "valid" || read.state.epoch < epoch || read.state.phase !== "Steady") return accepted;
    const primary = read.state.established?.primary.ordinal;
    return { status: "done", message: `${name}-${primary} is the primary in epoch ${read.state.epoch}.` };
  };

export async function approve(
  ask: Ask,
  clock: Clock,
  ref: ClusterRef,
  { dryRun, waiting }: { readonly dryRun: boolean; readonly waiting: Waiting | null },
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set, cluster } = found.value;
  const waits = cluster.problems.find(awaitsApproval);
  const read = decodeState(set.annotations[ANNOTATION.state], set.uid);
  if (waits === undefined || read.kind !== "valid") {
    const short = cluster.problems.find(({ code }) => code === "NoQuorum");
    const more = short === undefined ? "" : `\n  NoQuorum: ${short.message}`;
    return {
      exitCode: 2,
      complaint: `No failover of ${ref.namespace}/${ref.name} waits for approval.${more}`,
    };
  }
  const epoch = read.state.epoch + 1;
  if (dryRun) return plan(ask, clock, ref, { kind: "approve", epoch });
  const order = {
    annotations: { [ANNOTATION.approve]: `e${epoch}` },
    asked: `${waits.code}: ${waits.message}\n${LOSES_NOTHING}\nThe failover into epoch ${epoch} is approved.`,
    answer: () => hasEpoch(epoch),
  };
  return carryOut(ask, ref, order, waiting);
}

/** The same API server, where this StatefulSet is already as it is to be. */
function withSet(kube: Kube, set: StatefulSet): Kube {
  return {
    ...kube,
    read: async (kind, ref) => {
      const isIt = kind === "StatefulSet" && ref.namespace === set.namespace && ref.name === set.name;
      return isIt
        ? (succeed(set) as unknown as ReturnType<typeof kube.read<typeof kind>>)
        : kube.read(kind, ref);
    },
  };
}

/** What may stay wrong for now: Ordinal can manage the cluster with it. */
const BESIDE: ReadonlySet<string> = new Set(["visited", "volumes", "retention", "hook", "store"]);

export interface Adoption {
  readonly credentials: string;
  /** Null = as it is shipped. */
  readonly account: string | null;
  readonly dryRun: boolean;
  readonly waiting: Waiting | null;
}

export async function adopt(
  ask: Ask,
  clock: Clock,
  ref: ClusterRef,
  { credentials, account, dryRun, waiting }: Adoption,
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind === "missing") return notACluster(found.value, ref);
  const { set } = found.value;
  const cluster = `${ref.namespace}/${ref.name}`;
  if (parseWish(set).managed) {
    const look = `kubectl ordinal doctor ${ref.name} -n ${ref.namespace}`;
    return { exitCode: 2, complaint: `${cluster} is annotated for Ordinal already. To look at it: ${look}` };
  }
  const annotations = { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: credentials };
  const wished = { ...set, annotations: { ...set.annotations, ...annotations } };
  const asWished = { ...ask, kube: withSet(ask.kube, wished) };
  const checks = await examine(asWished, clock, wished, account);
  const hinder = checks.filter(({ check, verdict }) => verdict === "wrong" && !BESIDE.has(check));
  if (hinder.length > 0) {
    const complaint = `${cluster} cannot be managed as it is, and was not annotated:\n${renderChecks(hinder, ask.paint)}`;
    return { exitCode: 2, complaint: complaint.trimEnd() };
  }
  const words = Object.entries(annotations).map(([key, value]) => `${key} = ${value}`);
  if (dryRun) return plan(asWished, clock, ref, { kind: "plan" }, words.join(", "));
  const written = await ask.kube.patch("StatefulSet", ref, { uid: set.uid, annotations });
  if (!written.ok) return failed(written.failure);
  const asked = `${cluster} is to be managed by Ordinal.`;
  const open = checks.filter(({ check, verdict }) => verdict !== "good" && check !== "visited");
  const remark = open.length === 0 ? null : renderChecks(open, ask.paint).trimEnd();
  if (waiting !== null) {
    waiting.say([asked, ...(remark === null ? [] : [remark])].join("\n"));
    return awaitSettled(ask, ref, waiting);
  }
  const output = `${asked} Follow it with: kubectl ordinal status ${ref.name} -n ${ref.namespace}\n`;
  return { exitCode: 0, output, ...(remark !== null && { remark }) };
}

function meaningOf(set: StatefulSet): string {
  const stays = parseWish(set).servicesOnRelease === "keep" ? "stay as they are" : "are deleted";
  return (
    `Ordinal lets go of ${set.namespace}/${set.name}: replication goes on, and nothing fails over any more.\n` +
    `The Services ${set.name}-primary and ${set.name}-replicas ${stays} (docs/release.md).`
  );
}

const isReleased = ({ annotations }: StatefulSet): RequestAnswer =>
  annotations[ANNOTATION.phase] === "Released" ? { status: "done", message: null } : accepted;

export interface Release {
  readonly dryRun: boolean;
  readonly waiting: Waiting | null;
  /** Null = there is nobody to ask. */
  readonly confirm: ((question: string) => Promise<boolean>) | null;
}

export async function release(
  ask: Ask,
  clock: Clock,
  ref: ClusterRef,
  { dryRun, waiting, confirm }: Release,
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { set } = found.value;
  if (!parseWish(set).managed) {
    return { exitCode: 2, complaint: `${ref.namespace}/${ref.name} is not managed by Ordinal any more.` };
  }
  if (dryRun) {
    const { [ANNOTATION.engine]: _, ...annotations } = set.annotations;
    const asWished = { ...ask, kube: withSet(ask.kube, { ...set, annotations }) };
    return plan(asWished, clock, ref, { kind: "plan" }, `${ANNOTATION.engine} removed`);
  }
  const meaning = meaningOf(set);
  if (confirm === null) return { exitCode: 2, complaint: `${meaning}\nTo release it, add --yes.` };
  if (!(await confirm(`${meaning}\nRelease it?`))) return { exitCode: 2, complaint: "Nothing was changed." };
  const order = {
    annotations: { [ANNOTATION.engine]: null },
    asked: meaning,
    answer: () => isReleased,
  };
  return carryOut(ask, ref, order, waiting);
}
