/**
 * What runs pods in a simulation: the controller that makes one pod and one volume claim per ordinal, and the
 * kubelet that starts servers, reports on them and starts them again. The second and third restart within ten
 * minutes wait 10 and 20 s, whatever the exit code (facts L10).
 */
import type { ObjectRef, StatefulSet, Termination } from "../../shared/model/kube.ts";
import type { SimClock } from "./clock.ts";
import { beginDeletion, putClaim, putPod, reportPod } from "./kube/actors.ts";
import type { SimKube } from "./kube/api-server.ts";
import { type Json, part } from "./kube/store.ts";
import type { Fleet } from "./mysql/fleet.ts";
import { goOffline } from "./mysql/offline.ts";
import { startReceiver } from "./mysql/replication.ts";
import { SimServer } from "./mysql/server.ts";
import { copyVolume, freshVolume, type Volume, type VolumePart } from "./mysql/volume.ts";

const START_MS = 1_200;
const ANSWER_MS = 1_300;
const BACKOFF_STEP_MS = 10_000;
const BACKOFF_WINDOW_MS = 600_000;
/** A readiness probe that fails three times, and one that succeeds. */
const UNREADY_MS = 9_000;
const READY_AGAIN_MS = 1_000;
/** The node controller's patience with a kubelet that is silent. */
const NODE_SILENT_MS = 40_000;
/** Of a container that is stopped. */
const GRACE_MS = 30_000;
/** What a hook before the end takes. */
const HOOK_MS = 300;
const STATUS_MS = 30;

function isReady(pod: Json | null): boolean {
  const conditions = part(pod ?? {}, "status")["conditions"];
  return (
    Array.isArray(conditions) &&
    conditions.some((one: Json) => one["type"] === "Ready" && one["status"] === "True")
  );
}

interface Slot {
  readonly server: SimServer;
  readonly ref: ObjectRef;
  address: string;
  restarts: number;
  startedAtMs: number;
  /** The process that ended last in this pod. */
  ended: Termination | null;
  exits: number[];
  /** Counts pods, so that what was meant for an earlier one comes to nothing. */
  generation: number;
  /** Scaled away: its volume is kept, and nobody makes its pod again until there are to be more members. */
  away: boolean;
  /** Its node is gone: nobody reports on it and nothing of it is started or ended. */
  nodeGone: boolean;
  /** Instead of another start. */
  onEnd: (() => void) | null;
}

/** A member as it runs, to begin another world with. */
export interface RunningMember {
  readonly volume: Volume;
  readonly address: string;
  readonly globals: ReadonlyMap<string, string>;
  readonly startedAtMs: number;
  readonly applies: boolean;
  readonly receives: boolean;
}

export interface Kubelet {
  /** Of the members that are there: one that was scaled away is not. */
  readonly servers: readonly SimServer[];
  server(ordinal: number): SimServer;
  /** The container is killed and started again. */
  kill(ordinal: number): void;
  /** Pod and volume are gone; new ones are made. */
  loseVolume(ordinal: number): void;
  /** `graceMs` 0 = by force. `hook` puts applications out before the server is told to end. */
  deletePod(ordinal: number, graceMs?: number, hook?: boolean): void;
  /** The container is stopped in good order, killed if it has not ended within its grace, and started again. */
  terminate(ordinal: number): void;
  /** SIGSTOP and SIGCONT of the server; its readiness follows. */
  freeze(ordinal: number): void;
  thaw(ordinal: number): void;
  /** The node falls silent with all that runs on it, and comes back rebooted. */
  loseNode(ordinal: number): void;
  returnNode(ordinal: number): void;
  capture(): readonly RunningMember[];
  /** A server that has ended, whoever ended it. */
  exited(server: SimServer, exitCode: number): void;
}

/** uuids that sort by ordinal and by the number of the volume. */
function uuidOf(ordinal: number, volume: number): string {
  return `${String(ordinal).padStart(8, "0")}-${String(volume).padStart(4, "0")}-4000-8000-000000000000`;
}

export interface KubeletOptions {
  readonly clock: SimClock;
  readonly sim: SimKube;
  readonly set: StatefulSet;
  readonly fleet: () => Fleet;
  readonly volumes: readonly VolumePart[];
  /** By so much longer each start within ten minutes waits. */
  readonly backoffStepMs?: number | undefined;
  /** Members that run already, with their objects in the API server. */
  readonly running?: readonly RunningMember[];
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const { clock, sim, set, fleet, volumes, running, backoffStepMs = BACKOFF_STEP_MS } = options;
  const slots: Slot[] = [];
  let addresses = 0;

  function claimName(ordinal: number): string {
    return `${set.claimTemplates[0]}-${set.name}-${ordinal}`;
  }

  function report(slot: Slot, exitCode: number | null): void {
    const { server, ref, restarts, ended } = slot;
    if (slot.nodeGone || sim.raw("Pod", ref) === null) return;
    countReady();
    const up = server.running;
    const reason = up ? null : "CrashLoopBackOff";
    reportPod(sim, ref, {
      ip: slot.address,
      ready: up && !server.stopped,
      containers: [
        {
          name: "database",
          running: up,
          restartCount: restarts,
          reason,
          exitCode: up ? null : exitCode,
          ended,
        },
      ],
    });
  }

  /** The controller counts who is ready, a little later. */
  function countReady(): void {
    clock.after(STATUS_MS, () => {
      const ready = slots.filter((one) => isReady(sim.raw("Pod", one.ref))).length;
      sim.put("StatefulSet", set, { status: { readyReplicas: ready } });
    });
  }

  function start(slot: Slot): void {
    slot.server.start();
    slot.startedAtMs = slot.server.process.startedAtMs;
  }

  /** A report on this very pod, later. */
  function later(slot: Slot, ms: number, act: () => void): void {
    const { generation } = slot;
    clock.after(ms, () => {
      if (slot.generation === generation) act();
    });
  }

  function startLater(slot: Slot, ms: number, exitCode: number | null): void {
    later(slot, ms, () => {
      if (slot.server.running || slot.nodeGone) return;
      start(slot);
      report(slot, exitCode);
    });
  }

  function makePod(slot: Slot, ordinal: number, ms: number): void {
    putPod(sim, set, ordinal);
    addresses += 1;
    fleet().byAddress.delete(slot.address);
    slot.address = `10.0.0.${addresses}`;
    slot.restarts = 0;
    slot.ended = null;
    slot.exits = [];
    slot.generation += 1;
    fleet().byAddress.set(slot.address, slot.server);
    fleet().byHost.set(`${slot.ref.name}.${set.serviceName}.${set.namespace}.svc`, slot.server);
    if (ms === 0) {
      start(slot);
      report(slot, null);
    } else {
      reportPod(sim, slot.ref, { ip: slot.address, ready: false, phase: "Pending", containers: [] });
      startLater(slot, ms, null);
    }
  }

  /** The pod is gone before its server notices, so nobody starts it again. */
  function removePod(slot: Slot): void {
    slot.generation += 1;
    sim.drop("Pod", slot.ref);
    countReady();
    if (slot.server.running) slot.server.stop(137);
  }

  function slotAt(ordinal: number): Slot {
    const slot = slots[ordinal];
    if (slot === undefined) throw new Error(`no member ${ordinal}`);
    return slot;
  }

  function newSlot(ordinal: number, volume: Volume): Slot {
    const ref = { namespace: set.namespace, name: `${set.name}-${ordinal}` };
    const server = new SimServer(ref.name, volume, clock, fleet());
    const slot: Slot = {
      server,
      ref,
      address: "",
      restarts: 0,
      startedAtMs: 0,
      ended: null,
      exits: [],
      generation: 0,
      away: false,
      nodeGone: false,
      onEnd: null,
    };
    slots.push(slot);
    return slot;
  }

  function boot(): void {
    for (const [ordinal, part] of volumes.entries()) {
      const slot = newSlot(ordinal, freshVolume(uuidOf(ordinal, 0), part));
      putClaim(sim, set, set.claimTemplates[0] ?? "storage", ordinal);
      makePod(slot, ordinal, 0);
    }
  }

  /** As they were, with connections made anew. */
  function resume(members: readonly RunningMember[]): void {
    for (const [ordinal, member] of members.entries()) {
      const slot = newSlot(ordinal, copyVolume(member.volume));
      slot.address = member.address;
      addresses += 1;
      fleet().byAddress.set(slot.address, slot.server);
      fleet().byHost.set(`${slot.ref.name}.${set.serviceName}.${set.namespace}.svc`, slot.server);
      start(slot);
      const { globals } = slot.server.process;
      for (const [name, value] of member.globals) globals.set(name, value);
      slot.server.process.startedAtMs = member.startedAtMs;
    }
    for (const [ordinal, { applies, receives }] of members.entries()) {
      const { server } = slotAt(ordinal);
      if (applies) server.startApplier();
      if (receives) startReceiver(server);
    }
  }

  /** The pod goes when its server has ended, at the latest after its grace; its controller makes the next. */
  function deleteGracefully(slot: Slot, ordinal: number, graceMs: number, hook: boolean): void {
    slot.onEnd = () => replacePod(slot, ordinal);
    beginDeletion(sim, slot.ref, new Date(clock.now()).toISOString());
    const { server } = slot;
    if (server.running && hook) {
      server.whenAwake(() => {
        if (!server.running) return;
        server.process.globals.set("offline_mode", "ON");
        goOffline(server);
      });
    }
    later(slot, hook ? HOOK_MS : 0, () => {
      if (server.running) server.terminate();
    });
    later(slot, graceMs, () => {
      if (!slot.nodeGone) replacePod(slot, ordinal);
    });
    if (!server.running) replacePod(slot, ordinal);
  }

  function replacePod(slot: Slot, ordinal: number): void {
    slot.onEnd = null;
    removePod(slot);
    if (ordinal < wanted) makePod(slot, ordinal, START_MS + ANSWER_MS);
    else slot.away = true;
  }

  let wanted = running?.length ?? volumes.length;

  /** As the controller of StatefulSets does: all at once, since nothing of ours rests on their order. */
  function resize(replicas: number): void {
    wanted = replicas;
    for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
      const slot = slots[ordinal];
      if (slot === undefined) {
        const rootPassword = volumes[0]?.rootPassword ?? "";
        const added = newSlot(ordinal, freshVolume(uuidOf(ordinal, 0), { rootPassword }));
        putClaim(sim, set, set.claimTemplates[0] ?? "storage", ordinal);
        makePod(added, ordinal, START_MS + ANSWER_MS);
      } else if (slot.away) {
        slot.away = false;
        makePod(slot, ordinal, START_MS + ANSWER_MS);
      }
    }
    for (const [ordinal, slot] of slots.entries())
      if (ordinal >= replicas && !slot.away && slot.onEnd === null)
        deleteGracefully(slot, ordinal, GRACE_MS, false);
  }

  sim.onChange(({ kind, after }) => {
    if (kind !== "StatefulSet" || after === null || slots.length === 0) return;
    const replicas = Number(part(after, "spec")["replicas"] ?? wanted);
    if (replicas !== wanted) clock.after(STATUS_MS, () => resize(replicas));
  });

  /** Whoever asked for it. */
  sim.onChange(({ kind, after }) => {
    if (kind !== "Pod" || after === null || part(after, "metadata")["deletionTimestamp"] === undefined)
      return;
    const ordinal = slots.findIndex(({ ref }) => ref.name === part(after, "metadata")["name"]);
    const slot = slots[ordinal];
    if (slot !== undefined && slot.onEnd === null) deleteGracefully(slot, ordinal, GRACE_MS, true);
  });

  let replaced = 0;
  const kubelet: Kubelet = {
    get servers() {
      if (slots.length === 0) {
        if (running === undefined) boot();
        else resume(running);
      }
      return slots.filter(({ away }) => !away).map(({ server }) => server);
    },
    server: (ordinal) => slotAt(ordinal).server,
    kill: (ordinal) => slotAt(ordinal).server.stop(137),
    deletePod(ordinal, graceMs = 0, hook = false) {
      const slot = slotAt(ordinal);
      if (graceMs === 0) replacePod(slot, ordinal);
      else deleteGracefully(slot, ordinal, graceMs, hook);
    },
    terminate(ordinal) {
      const { server } = slotAt(ordinal);
      if (!server.running) return;
      const { process } = server;
      server.terminate();
      clock.after(GRACE_MS, () => {
        if (server.running && server.process === process) server.stop(137);
      });
    },
    freeze(ordinal) {
      const slot = slotAt(ordinal);
      slot.server.freeze();
      later(slot, UNREADY_MS, () => report(slot, null));
    },
    thaw(ordinal) {
      const slot = slotAt(ordinal);
      if (slot.server.stopped) slot.server.thaw();
      later(slot, READY_AGAIN_MS, () => report(slot, null));
    },
    loseNode(ordinal) {
      const slot = slotAt(ordinal);
      slot.server.freeze();
      slot.nodeGone = true;
      later(slot, NODE_SILENT_MS, () => {
        if (!slot.nodeGone) return;
        sim.put("Pod", slot.ref, { status: { conditions: [{ type: "Ready", status: "Unknown" }] } });
      });
    },
    returnNode(ordinal) {
      const slot = slotAt(ordinal);
      slot.nodeGone = false;
      if (slot.server.running) slot.server.stop(255);
      else startLater(slot, START_MS + ANSWER_MS, null);
    },
    capture: () =>
      slots.map(({ server, address }) => ({
        volume: copyVolume(server.volume),
        address,
        globals: new Map(server.process.globals),
        startedAtMs: server.process.startedAtMs,
        applies: server.process.applier,
        receives: server.process.receiver !== null,
      })),
    loseVolume(ordinal) {
      const slot = slotAt(ordinal);
      removePod(slot);
      replaced += 1;
      sim.drop("PersistentVolumeClaim", { ...slot.ref, name: claimName(ordinal) });
      slot.server.volume = freshVolume(uuidOf(ordinal, replaced), {
        rootPassword: volumes[ordinal]?.rootPassword ?? "",
      });
      putClaim(sim, set, set.claimTemplates[0] ?? "storage", ordinal);
      makePod(slot, ordinal, START_MS + ANSWER_MS);
    },
    exited(server, exitCode) {
      const slot = slots.find((one) => one.server === server);
      if (slot === undefined || sim.raw("Pod", slot.ref) === null) return;
      if (slot.onEnd !== null) return slot.onEnd();
      if (slot.nodeGone) return;
      slot.exits = [...slot.exits.filter((at) => clock.now() - at < BACKOFF_WINDOW_MS), clock.now()];
      slot.ended = { exitCode, startedAtMs: slot.startedAtMs, finishedAtMs: clock.now() };
      slot.restarts += 1;
      report(slot, exitCode);
      startLater(slot, START_MS + ANSWER_MS + backoffStepMs * (slot.exits.length - 1), exitCode);
    },
  };
  return kubelet;
}
