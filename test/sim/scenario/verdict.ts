/**
 * The end of a run: whether the cluster came to rest as it should, whether everything that was answered is
 * there, and whether a case is one in which a person has to decide. That is judged from disks, processes and
 * objects, never from what the code under test says of them; its phase is only compared with them.
 */
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import type { Config, State } from "../../../shared/model/state.ts";
import { recordedState } from "../end-state.ts";
import type { Facts } from "../invariants.ts";
import { part } from "../kube/store.ts";
import { Gtids } from "../mysql/gtids.ts";
import type { SimServer } from "../mysql/server.ts";
import { REF } from "../ref.ts";
import type { World } from "../world.ts";
import { type Answers, routed } from "./clients.ts";
import type { Stage } from "./stage.ts";

export function primaryOf({ world, inspector }: Stage): SimServer | null {
  const uuid = inspector.facts.primaryUuid();
  return world.kubelet.servers.find(({ volume }) => volume.serverUuid === uuid) ?? null;
}

function stateOf(world: World): State | null {
  try {
    return recordedState(world);
  } catch {
    return null;
  }
}

/** Why this one is not a replica in its place; null when it is. */
function misplaced(server: SimServer, primary: SimServer, config: Config): string | null {
  const { name, volume } = server;
  if (!server.running || server.stopped) return `${name} does not run`;
  const { receiver, applier } = server.process;
  if (server.variable("super_read_only") !== "ON") return `${name} takes writes`;
  const { channel } = server.data;
  if (channel?.sourceUuid !== primary.volume.serverUuid) return `${name} does not follow ${primary.name}`;
  if (receiver?.state !== "ON" || !applier) return `${name} does not replicate`;
  if (hasTail(server, primary)) return `${name} has transactions of its own`;
  if (!config.ackers.some((acker) => acker.serverUuid === volume.serverUuid))
    return `${name} is not recorded`;
  return receiver.semiSync ? null : `${name} does not acknowledge`;
}

function primaryTrouble(primary: SimServer, config: Config): string | null {
  if (!primary.running || primary.stopped) return `${primary.name} does not run`;
  if (primary.variable("read_only") === "ON") return `${primary.name} is read-only`;
  if (primary.variable("offline_mode") === "ON") return `${primary.name} is offline`;
  if (primary.data.channel !== null) return `${primary.name} still has a source`;
  const armed = primary.variable("rpl_semi_sync_source_enabled") === "ON";
  const count = Number(primary.variable("rpl_semi_sync_source_wait_for_replica_count"));
  return config.ackCount > 0 && !(armed && count === config.ackCount) ? `${primary.name} is not armed` : null;
}

/** `parked`: members that a person has to look at, which are not expected in place. */
export function unsettled(stage: Stage, parked: ReadonlySet<SimServer>): string | null {
  const { world } = stage;
  const state = stateOf(world);
  const primary = primaryOf(stage);
  if (state?.established == null || state.pending !== null || state.phase !== "Steady")
    return "not established";
  const config = state.established;
  if (primary === null || config.primary.serverUuid !== primary.volume.serverUuid)
    return "another primary is recorded";
  const wrong = primaryTrouble(primary, config);
  if (wrong !== null) return wrong;
  for (const server of world.kubelet.servers) {
    if (server === primary || parked.has(server)) continue;
    const trouble = misplaced(server, primary, config);
    if (trouble !== null) return trouble;
  }
  if (routed(world) !== primary) return `${primary.name} is not reached through its Service`;
  const wanted = Math.floor(world.kubelet.servers.length / 2);
  if (parked.size === 0 && config.ackCount !== wanted)
    return `commits wait for ${config.ackCount} of ${wanted}`;
  const phase = world.annotation(ANNOTATION.phase);
  return parked.size === 0 && phase !== "Healthy" ? `the phase is ${phase}` : null;
}

/** Transactions of this disk that the primary's disk lacks. */
function hasTail(server: SimServer, primary: SimServer): boolean {
  const all = new Gtids().join(server.data.executed);
  for (const { gtid } of server.data.binlog) all.add(gtid);
  return !primary.data.executed.contains(all);
}

/**
 * Members with transactions of their own that may have been answered OK: the server ended in good order while
 * it was the primary, or answered commits without acknowledgements. Nobody but a person may give them up.
 */
export function parkedMembers(stage: Stage): ReadonlySet<SimServer> {
  const primary = primaryOf(stage);
  const { unproven } = stage.inspector.facts;
  const parked = new Set<SimServer>();
  if (primary === null) return parked;
  for (const server of stage.world.kubelet.servers) {
    if (server === primary || !hasTail(server, primary)) continue;
    const lied = [...unproven].some(([row]) => server.data.rows.has(row) && !primary.data.rows.has(row));
    if (lied || stage.orderly.has(server.volume.serverUuid)) parked.add(server);
  }
  return parked;
}

/** The next primary is known and closed, and all others have something of their own: nobody can acknowledge to it. */
export function divided(stage: Stage): string | null {
  const state = stateOf(stage.world);
  if (state?.pending?.open !== false) return null;
  const { serverUuid } = state.pending.primary;
  const primary = stage.world.kubelet.servers.find(({ volume }) => volume.serverUuid === serverUuid);
  const others = stage.world.kubelet.servers.filter((server) => server !== primary);
  const all =
    primary !== undefined && others.length > 0 && others.every((server) => hasTail(server, primary));
  return all ? "all but the next primary have transactions of their own" : null;
}

/** Too few of the disks that hold every acknowledged write are left; null when there are enough. */
export function quorumLost({ world, inspector, lost, tampered }: Stage): string | null {
  const state = stateOf(world);
  const config = state?.pending?.open === true ? state.pending : (state?.established ?? null);
  if (lost.size === 0) return null;
  const last = inspector.facts.primaryUuid();
  if (tampered && (config === null || (last !== null && lost.has(last))))
    return "a disk was lost, and what was recorded";
  if (config === null) return null;
  if (!lost.has(config.primary.serverUuid)) return null;
  const left = config.ackers.filter(({ serverUuid }) => !lost.has(serverUuid)).length;
  const needed = config.ackers.length - config.ackCount + 1;
  return config.ackCount === 0 || left < needed ? `${left} of ${needed} disks are left` : null;
}

/** The history: what every answer promised, against the disks. */
export function brokenPromises(
  stage: Stage,
  answers: Answers,
  parked: ReadonlySet<SimServer>,
): string | null {
  const { facts } = stage.inspector;
  const primary = primaryOf(stage);
  if (primary === null) return null;
  const members = stage.world.kubelet.servers.filter((server) => !parked.has(server));
  for (const row of answers.acknowledged) {
    if (facts.unproven.has(row) && !primary.data.rows.has(row)) {
      if (!keptSomewhere(stage, facts, row))
        return `${row} was answered OK by a server that ended, and is nowhere`;
      continue;
    }
    const lacking = members.find((server) => !server.data.rows.has(row));
    if (lacking !== undefined) return `INV-1: ${row} was acknowledged and is not on ${lacking.name}`;
  }
  for (const row of answers.refused) {
    const having = members.find((server) => server.data.rows.has(row));
    if (having !== undefined) return `${row} was refused and is on ${having.name}`;
  }
  const [one, ...others] = members.map((server) => [...server.data.rows].sort().join());
  return others.every((other) => other === one) ? null : "the members hold different rows";
}

/** On a disk that is left for a person, or copied to where every member has it. */
function keptSomewhere({ world, lost }: Stage, facts: Facts, row: string): boolean {
  const transaction = facts.unproven.get(row);
  if (transaction === undefined || lost.has(transaction.gtid.uuid)) return true;
  return world.kubelet.servers.some(
    ({ data }) =>
      data.rows.has(row) ||
      [...data.archive.values()].some(({ gtids }) => Gtids.parse(gtids).has(transaction.gtid)),
  );
}

/** In one line, for people. */
export function picture({ world }: Stage): string {
  const pods = world.kubelet.servers.map((server) => {
    const labels = part(
      part(world.sim.raw("Pod", { ...REF, name: server.name }) ?? {}, "metadata"),
      "labels",
    );
    const where = `${server.name}[${labels[LABEL.role] ?? "-"}]`;
    if (!server.running) return `${where} down`;
    const { receiver, dumps, ackWaiters, applierError, applier } = server.process;
    const facts = [
      server.stopped ? "stopped" : "",
      server.variable("read_only") === "ON" ? "ro" : "RW",
      server.variable("offline_mode") === "ON" ? "offline" : "",
      server.variable("rpl_semi_sync_source_enabled") === "ON" ? `armed(${dumps.size})` : "",
      receiver === null
        ? ""
        : `receives ${receiver.state}${receiver.error === null ? "" : ` ${receiver.error.number}`}`,
      server.data.channel === null || applier ? "" : "applier off",
      applierError === null ? "" : "applier error",
      ackWaiters.size > 0 ? `${ackWaiters.size} wait` : "",
      server.data.executed
        .print()
        .replaceAll(/0000000(\d)-000(\d)-4000-8000-000000000000/g, "$1.$2")
        .replaceAll("\n", ""),
    ];
    return `${where} ${facts.filter((fact) => fact !== "").join(" ")}`;
  });
  return pods.join(" | ");
}
