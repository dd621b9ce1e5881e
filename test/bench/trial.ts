/**
 * One managed cluster on which faults are tried again and again: three members, the resident host in a process
 * of its own, and fresh books for each run. Between runs every Pod whose container was restarted is made anew,
 * because the kubelet delays each further restart of a container by ten seconds more.
 */
import * as z from "zod";
import { decodeConditions } from "../../shared/annotations/conditions.ts";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import type { ProblemCode } from "../../shared/model/condition.ts";
import type { Cluster } from "../support/cluster-access.ts";
import { type HostProcess, startHostProcess } from "../support/host-process.ts";
import { type Address, withServer } from "../support/servers.ts";
import { labelledPrimary, startTraffic, type Traffic } from "../support/traffic.ts";
import { Unmet, waitFor } from "../support/wait.ts";
import { prepareTable } from "../support/workload.ts";
import { type Login, type PodSeen, readLogin, readWorld, type SetRef } from "../support/world.ts";
import {
  annotate,
  type BenchPlace,
  createPlain,
  removeNamespace,
  waitReady,
  waitReplicated,
} from "./place.ts";

/** A cluster that somebody manages. */
export interface Managed {
  readonly cluster: Cluster;
  readonly ref: SetRef;
  readonly login: Login;
}

export interface Trial extends Managed {
  readonly host: HostProcess;
}

/**
 * Probes that only open a connection and the clients of the Service come from one address, the node's; after
 * a hundred such probes the server would refuse the clients as well.
 */
const MANY_CONNECT_ERRORS = "--max-connect-errors=1000000000";
const PATIENCE_MS = 240_000;

export interface TrialOptions {
  readonly namespace: string;
  readonly sensor: boolean;
  /** Runs when the namespace exists and before any claim does. */
  readonly prepare?: (ref: SetRef) => Promise<void>;
}

export async function openTrial({ cluster, status }: BenchPlace, options: TrialOptions): Promise<Trial> {
  const { namespace, sensor, prepare } = options;
  const ref: SetRef = { namespace, name: "mysql" };
  await removeNamespace(cluster, namespace);
  await prepare?.(ref);
  await createPlain(cluster, ref, { replicas: 3, args: [MANY_CONNECT_ERRORS] });
  await waitReady(cluster, ref, PATIENCE_MS);
  const host = startHostProcess({ namespace, kubeconfig: status.kubeconfig, sensor });
  await annotate(cluster, ref, ["ordinal.dev/failover-cooldown=0"]);
  await waitReplicated(cluster, ref, PATIENCE_MS);
  return { cluster, ref, login: await readLogin(cluster, { ...ref, name: "mysql-root" }), host };
}

export async function closeTrial({ cluster, ref, host }: Trial): Promise<void> {
  await host.end();
  await removeNamespace(cluster, ref.namespace);
}

export async function primaryPod({ cluster, ref }: Managed): Promise<PodSeen> {
  const pod = labelledPrimary((await readWorld(cluster, ref)).pods);
  if (pod === null) throw new Unmet("no Pod is labelled as the primary");
  return pod;
}

export async function replicaPods({ cluster, ref }: Managed): Promise<readonly PodSeen[]> {
  return (await readWorld(cluster, ref)).pods.filter((pod) => pod.labels["ordinal.dev/role"] === "replica");
}

export function addressOf({ login }: Managed, pod: PodSeen): Address {
  return { ...login, host: pod.ip ?? "" };
}

export async function uuidOf(trial: Managed, pod: PodSeen): Promise<string> {
  return await withServer(addressOf(trial, pod), async ({ ask }) => {
    const [row] = await ask("SELECT @@server_uuid AS uuid");
    return String(row?.["uuid"]);
  });
}

/** An empty table and writers that have all found their way. */
export async function beginTraffic(trial: Managed, perSecond?: number): Promise<Traffic> {
  const { cluster, ref, login } = trial;
  await withServer(addressOf(trial, await primaryPod(trial)), (_server, connection) =>
    prepareTable(connection),
  );
  const traffic = await startTraffic(cluster, ref, login, perSecond);
  await traffic.waitAcks({ sinceMs: 0, count: 100, timeoutMs: 30_000 });
  return traffic;
}

const historySchema = z.array(z.looseObject({ at: z.string(), reason: z.string() }));

/** Reasons of what was decided since then, oldest first. */
export async function decidedSince({ cluster, ref }: Managed, sinceMs: number): Promise<readonly string[]> {
  const { annotations } = await readWorld(cluster, ref);
  const history = historySchema.parse(JSON.parse(annotations["ordinal.dev/history"] ?? "[]"));
  return history.filter(({ at }) => Date.parse(at) >= sinceMs).map(({ reason }) => reason);
}

/** The cluster says so of itself, now. */
export async function isTold({ cluster, ref }: Managed, problem: ProblemCode): Promise<boolean> {
  const { annotations } = await readWorld(cluster, ref);
  return decodeConditions(annotations[ANNOTATION.conditions]).some(({ type }) => type === problem);
}

export async function waitWhole({ cluster, ref }: Managed): Promise<void> {
  await waitReplicated(cluster, ref, PATIENCE_MS);
}

async function renew(trial: Managed, pod: PodSeen): Promise<void> {
  const { cluster, ref } = trial;
  await cluster.kubectl(["--namespace", ref.namespace, "delete", "pod", pod.name, "--wait=false"]);
  await waitFor(`a new Pod ${pod.name}`, { timeoutMs: PATIENCE_MS }, async () => {
    const now = (await readWorld(cluster, ref)).pods.find(({ name }) => name === pod.name);
    return now !== undefined && now.uid !== pod.uid && now.ready
      ? { ok: true, value: null }
      : { ok: false, saw: now === undefined ? "none" : "not Ready, or the old one" };
  });
  await waitWhole(trial);
}

/** Every Pod without a restart behind it: replicas at once, a primary after it has handed over. */
export async function freshen(trial: Managed): Promise<void> {
  for (const pod of await replicaPods(trial)) if (pod.restarts > 0) await renew(trial, pod);
  const primary = await primaryPod(trial);
  if (primary.restarts === 0) return;
  const [target] = await replicaPods(trial);
  await switchOver(trial, target?.name ?? "");
  await waitWhole(trial);
  await renew(trial, primary);
}

export async function switchOver({ cluster, ref }: Managed, target: string): Promise<void> {
  const wish = `ordinal.dev/switchover-to=${target}`;
  await cluster.kubectl([
    "--namespace",
    ref.namespace,
    "annotate",
    "--overwrite",
    "statefulset",
    ref.name,
    wish,
  ]);
  await waitFor(`${target} to be the primary`, { timeoutMs: 60_000 }, async () => {
    const name = labelledPrimary((await readWorld(cluster, ref)).pods)?.name;
    return name === target ? { ok: true, value: null } : { ok: false, saw: `${name} is` };
  });
}
