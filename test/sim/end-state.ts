/**
 * What must be equal at the end of two runs of one workflow, however either went: roles, settings, channels,
 * accounts, labels, Services, what is recorded and what people are told. Left out is what may differ: instants,
 * counters of writes, how many transactions it took, and passwords (but whether they fit is compared).
 */
import { decodeBackups } from "../../shared/annotations/backups.ts";
import { decodeConditions } from "../../shared/annotations/conditions.ts";
import { decodeMemberRecord } from "../../shared/annotations/member.ts";
import { EVENT_REASONS } from "../../shared/model/event-reason.ts";
import type { StatefulSet } from "../../shared/model/kube.ts";
import type { State } from "../../shared/model/state.ts";
import type { SimServer } from "./mysql/server.ts";
import { REF } from "./ref.ts";
import type { World } from "./world.ts";

const RUNNING = ["read_only", "super_read_only", "rpl_semi_sync_source_enabled", "server_id"] as const;

function plainText(text: string): string {
  return text.replaceAll(/\d+/g, "#");
}

function serverState(server: SimServer, passwords: Readonly<Record<string, string>>): object {
  const { volume, data, process } = server;
  const { channel } = data;
  const primary = channel === null;
  return {
    uuid: volume.serverUuid,
    running: RUNNING.map((name) => [name, server.variable(name)]),
    count: primary ? server.variable("rpl_semi_sync_source_wait_for_replica_count") : null,
    persisted: [...volume.persisted].filter(([name]) => name !== "clone_valid_donor_list").sort(),
    plugins: [...data.plugins].sort(),
    tables: [...data.tables].sort(),
    terms: [...data.terms].map(([epoch, { clusterUid, serverUuid }]) => [epoch, clusterUid, serverUuid]),
    channel: channel && [channel.host, channel.user, channel.autoPosition, channel.tls, channel.sourceUuid],
    threads: [process.receiver?.state ?? "OFF", process.applier ? "ON" : "OFF"],
    acknowledges: process.receiver?.semiSync ?? false,
    users: [...data.users]
      .filter(([name]) => name.startsWith("ordinal"))
      .map(([name, { locked, password, grants }]) => {
        const key = name === "ordinal" ? "control" : name.replace("ordinal_repl_", "replication-");
        return [name, locked, passwords[key] === password, [...(grants ?? [])].sort()];
      })
      .sort(),
    sessions: process.sessions.size,
    locks: process.locks.size,
  };
}

export function recordedState(world: World): State | null {
  const text = world.annotation("ordinal.dev/state");
  return text === undefined ? null : (JSON.parse(text) as State);
}

function sortedState(state: State | null): object | null {
  if (state === null) return null;
  const { seq: _, op, established, failovers, primaryStartedAtMs: __, ...comparable } = state;
  const rest = { ...comparable, failovers: failovers.length };
  const ackers = established?.ackers.toSorted((a, b) => a.ordinal - b.ordinal);
  return { ...rest, established: established && { ...established, ackers }, op: op?.kind ?? null };
}

/** When it was begun depends on who came to it. */
function backupUnderWay({ annotations, uid }: StatefulSet): object | null {
  const backups = decodeBackups(annotations["ordinal.dev/backups"], uid);
  if (backups.kind !== "valid" || backups.memory.running === null) return null;
  const { begunAt: _, ...running } = backups.memory.running;
  return running;
}

/** Until when a volume is kept depends on when that was decided. */
function withoutInstant(annotations: Readonly<Record<string, string>>): object {
  const kept = annotations["ordinal.dev/keep-until"];
  return kept === undefined ? annotations : { ...annotations, "ordinal.dev/keep-until": kept.length };
}

export async function endState(world: World): Promise<object> {
  const { kube } = world.sim;
  const [set, pods, claims, services, secrets, jobs] = await Promise.all([
    kube.read("StatefulSet", REF),
    kube.list("Pod", REF),
    kube.list("PersistentVolumeClaim", REF),
    kube.list("Service", REF),
    kube.list("Secret", REF),
    kube.list("Job", REF),
  ]);
  if (!set.ok || !pods.ok || !claims.ok || !services.ok || !secrets.ok || !jobs.ok)
    throw new Error("the API server failed");
  const passwords = secrets.value.find((secret) => secret.name === `${REF.name}-ordinal`)?.values ?? {};
  return {
    labels: set.value.labels,
    jobs: jobs.value.map(({ name, ownerUid }) => [name, ownerUid]),
    backup: backupUnderWay(set.value),
    phase: set.value.annotations["ordinal.dev/phase"],
    state: sortedState(recordedState(world)),
    conditions: decodeConditions(set.value.annotations["ordinal.dev/conditions"]).map(
      ({ type, status, reason, message }) => [type, status, reason, plainText(message)],
    ),
    servers: world.kubelet.servers.map((server) => serverState(server, passwords)),
    sameData: world.kubelet.servers.map(
      ({ data }) => data.executed.print() === world.kubelet.server(0).data.executed.print(),
    ),
    pods: pods.value.map(({ name, labels, annotations }) => {
      const record = decodeMemberRecord(annotations["ordinal.dev/member"]);
      return [name, labels, record && [record.role, record.note, record.acks, record.serverUuid]];
    }),
    claims: claims.value.map(({ name, annotations }) => [name, withoutInstant(annotations)]),
    services: services.value.map(({ name, selector, ownerUid }) => [name, selector, ownerUid]),
    // Each thing that was done is told once. Problems come and go with the disturbance, and two members may
    // join together or one after the other.
    happened: (await eventReasons(world)).filter((one) => one in EVENT_REASONS && one !== "MemberJoined"),
    secrets: secrets.value.map(({ name, values }) => [name, Object.keys(values).sort()]),
  };
}

/** One Event for each thing that happened: a second one would be told to people twice. */
export async function eventReasons(world: World): Promise<readonly string[]> {
  const events = await world.sim.kube.list("Event", REF);
  if (!events.ok) throw new Error(events.failure.message);
  return events.value.map((event) => event.reason).sort();
}
