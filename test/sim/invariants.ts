/**
 * What must be true of the world at every moment, seen from outside: looked at before every effect of every
 * instance, so that a run that ends well by chance is no excuse. The numbers are those of docs/invariants.md.
 */
import type { Config, State } from "../../shared/model/state.ts";
import { recordedState } from "./end-state.ts";
import { modelOf } from "./kube/watching.ts";
import type { SimServer } from "./mysql/server.ts";
import { REF } from "./ref.ts";
import type { World } from "./world.ts";

class Violation extends Error {}

function require(holds: boolean, what: string): void {
  if (!holds) throw new Violation(what);
}

function serverOf(world: World, uuid: string): SimServer | undefined {
  return world.kubelet.servers.find((server) => server.running && server.volume.serverUuid === uuid);
}

/** At most the recorded primary takes writes, of those that belong to the cluster. */
function oneWritable(world: World, config: Config): void {
  for (const { serverUuid, ordinal } of config.ackers) {
    const server = serverOf(world, serverUuid);
    require(server?.variable("read_only") !== "OFF", `INV-2: the replica mysql-${ordinal} takes writes`);
  }
}

/** Recorded is a superset of what acknowledges, and no more is recorded than is waited for. */
function ackersRecorded(world: World, state: State): void {
  const configs = [state.established, state.pending].filter((config) => config !== null);
  const primary = serverOf(world, configs[0]?.primary.serverUuid ?? "");
  if (primary === undefined) return;
  const known = new Set(configs.flatMap((config) => config.ackers.map((acker) => acker.serverUuid)));
  for (const { semiSync, replica } of primary.process.dumps) {
    if (semiSync)
      require(known.has(replica.volume.serverUuid), `INV-3: ${replica.name} acknowledges unrecorded`);
  }
  const { established, pending } = state;
  if (established === null || pending !== null || established.ackCount === 0) return;
  if (primary.variable("read_only") === "ON") return;
  const armed = primary.variable("rpl_semi_sync_source_enabled") === "ON";
  const count = Number(primary.variable("rpl_semi_sync_source_wait_for_replica_count"));
  require(armed &&
    count >= established.ackCount, `INV-3: ${established.ackCount} recorded, ${count} waited for`);
}

/** Traffic goes only to an epoch whose term row is there. */
function routedToTerm(world: World, state: State): void {
  const json = world.sim.raw("Service", { ...REF, name: `${REF.name}-primary` });
  if (json === null || state.established === null) return;
  const epoch = modelOf("Service", json).selector["ordinal.dev/epoch"];
  const server = serverOf(world, state.established.primary.serverUuid);
  // `none` is of no pod: the Service leads nowhere while a primary is being replaced.
  if (epoch === undefined || epoch === "none" || server === undefined) return;
  require(server.data.terms.has(Number(epoch)), `INV-7: epoch ${epoch} is routed to without its term row`);
}

export function createInspector(world: World): () => void {
  let epoch = 0;
  let seq = 0;
  return () => {
    let state: State | null = null;
    try {
      state = recordedState(world);
    } catch {
      // A state that a test has spoilt says nothing.
    }
    const { uid } = modelOf("StatefulSet", world.sim.raw("StatefulSet", REF) ?? {});
    if (state?.clusterUid !== uid) return;
    // What a person put back or took away is no write of ours; the next one of ours is above it all.
    const text = world.annotation("ordinal.dev/state");
    if (world.tampered.has(text)) return;
    const anew = state.epoch > epoch && state.seq <= seq;
    require(anew || (state.epoch >= epoch && state.seq >= seq), `INV-4: epoch ${state.epoch} after ${epoch}`);
    epoch = state.epoch;
    seq = state.seq;
    if (state.phase === "Released" || state.phase === "Releasing") return;
    const config = state.pending ?? state.established;
    if (config === null) return;
    oneWritable(world, config);
    ackersRecorded(world, state);
    routedToTerm(world, state);
  };
}
