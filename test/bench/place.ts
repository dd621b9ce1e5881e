/** Where a bench runs: a fresh namespace with plain servers from the example, and what became of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterStatus } from "../../infra/local/index.ts";
import type { Cluster } from "../support/cluster-access.ts";
import type { Outages } from "../support/outages.ts";
import { whyNotArmed, whyNotFollowing } from "../support/servers.ts";
import { waitFor } from "../support/wait.ts";
import {
  type Login,
  type PodSeen,
  podsBehind,
  readLogin,
  readWorld,
  type SetRef,
  type World,
} from "../support/world.ts";
import type { Result } from "./report.ts";

export interface BenchPlace {
  readonly status: ClusterStatus;
  readonly cluster: Cluster;
  readonly runs: number;
  readonly minutes: number;
  readonly clusters: number;
  /** Of data, GiB. */
  readonly gib: number;
  readonly fault: string | undefined;
  readonly sensor: boolean;
  /** True = short disturbances that must lead to no failover. */
  readonly blips: boolean;
  readonly seed: number;
  /** Undone by whoever runs the bench, whatever becomes of it. */
  readonly outages: Outages;
}

export type Bench = (place: BenchPlace) => Promise<Result>;

const EXAMPLE = join(import.meta.dirname, "../../infra/examples/mysql.yaml");

export interface PlainSet {
  readonly replicas: number;
  /** Arguments for mysqld; none = its defaults. */
  readonly args: readonly string[];
}

/** The example, as it is but for the number of members and the server's arguments. */
export function manifestOf({ replicas, args }: PlainSet): string {
  const example = readFileSync(EXAMPLE, "utf8").replace("replicas: 3", `replicas: ${replicas}`);
  if (args.length === 0) return example;
  return example.replace("image: mysql:9.7", `image: mysql:9.7\n          args: ${JSON.stringify(args)}`);
}

export async function createPlain(cluster: Cluster, ref: SetRef, set: PlainSet): Promise<void> {
  await cluster.kubectl(["create", "namespace", ref.namespace]);
  await cluster.kubectl(["--namespace", ref.namespace, "apply", "--filename=-"], manifestOf(set));
}

export function waitReady(cluster: Cluster, ref: SetRef, timeoutMs: number): Promise<World> {
  return waitFor(`the pods of ${ref.namespace}`, { timeoutMs, everyMs: 500 }, async () => {
    const world = await readWorld(cluster, ref);
    const ready = world.pods.filter((pod) => pod.ready).length;
    return ready === world.replicas ? { ok: true, value: world } : { ok: false, saw: `${ready} Ready` };
  });
}

export async function removeNamespace(cluster: Cluster, namespace: string): Promise<void> {
  await cluster.kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s"]);
}

export async function annotate(
  cluster: Cluster,
  { namespace, name }: SetRef,
  more: readonly string[] = [],
): Promise<void> {
  const wish = ["ordinal.dev/engine=mysql", "ordinal.dev/credentials=mysql-root", ...more];
  await cluster.kubectl(["--namespace", namespace, "annotate", "statefulset", name, ...wish]);
}

/** Null when the annotations say Healthy and the servers and Services really are. */
async function whyNotDone(cluster: Cluster, ref: SetRef, login: Login): Promise<string | null> {
  const world = await readWorld(cluster, ref);
  if (world.phase !== "Healthy") return `phase ${world.phase ?? "none"}: ${world.readiness}`;
  const [primaries, replicas] = await Promise.all(
    ["primary", "replicas"].map((role) => podsBehind(cluster, { ...ref, name: `${ref.name}-${role}` })),
  );
  const [primary] = primaries ?? [];
  const followers = replicas ?? [];
  if (primary === undefined || followers.length !== world.replicas - 1)
    return "the Services are not complete";
  const host = (pod: PodSeen) => ({ ...login, host: pod.ip ?? "" });
  for (const replica of followers) {
    const why = await whyNotFollowing(host(replica));
    if (why !== null) return `${replica.name}: ${why}`;
  }
  return followers.length === 0 ? null : await whyNotArmed(host(primary), followers.length);
}

/** "3 of 3, semi-sync armed", asked of Kubernetes and of the servers themselves. */
export async function waitReplicated(cluster: Cluster, ref: SetRef, timeoutMs: number): Promise<void> {
  const login = await readLogin(cluster, { ...ref, name: "mysql-root" });
  await waitFor(`${ref.namespace} to be replicated`, { timeoutMs, everyMs: 100 }, async () => {
    const why = await whyNotDone(cluster, ref, login).catch((error: unknown) => String(error));
    return why === null ? { ok: true, value: null } : { ok: false, saw: why };
  });
}
