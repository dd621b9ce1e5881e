/**
 * What runs pods in a simulation: the controller that makes one pod and one volume claim per ordinal, and the
 * kubelet that starts servers, reports on them and starts them again. The second and third restart within ten
 * minutes wait 10 and 20 s, whatever the exit code (facts L10).
 */
import type { ObjectRef, StatefulSet } from "../../shared/model/kube.ts";
import type { SimClock } from "./clock.ts";
import { putClaim, putPod, reportPod } from "./kube/actors.ts";
import type { SimKube } from "./kube/api-server.ts";
import type { Fleet } from "./mysql/fleet.ts";
import { SimServer } from "./mysql/server.ts";
import { freshVolume, type Volume, type VolumePart } from "./mysql/volume.ts";

const START_MS = 1_200;
const ANSWER_MS = 1_300;
const BACKOFF_STEP_MS = 10_000;
const BACKOFF_WINDOW_MS = 600_000;

interface Slot {
  readonly server: SimServer;
  readonly ref: ObjectRef;
  address: string;
  restarts: number;
  exits: number[];
  /** Counts pods, so that what was meant for an earlier one comes to nothing. */
  generation: number;
}

export interface Kubelet {
  readonly servers: readonly SimServer[];
  server(ordinal: number): SimServer;
  /** The container is killed and started again. */
  kill(ordinal: number): void;
  /** Pod and volume are gone; new ones are made. */
  loseVolume(ordinal: number): void;
  deletePod(ordinal: number): void;
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
}

export function createKubelet({ clock, sim, set, fleet, volumes }: KubeletOptions): Kubelet {
  const slots: Slot[] = [];
  let addresses = 0;

  function claimName(ordinal: number): string {
    return `${set.claimTemplates[0]}-${set.name}-${ordinal}`;
  }

  function report(slot: Slot, exitCode: number | null): void {
    const { server, ref, restarts } = slot;
    const running = server.running;
    const reason = running ? null : "CrashLoopBackOff";
    reportPod(sim, ref, {
      ip: slot.address,
      ready: running,
      containers: [{ name: "database", running, restartCount: restarts, reason, exitCode }],
    });
  }

  function startLater(slot: Slot, ms: number, exitCode: number | null): void {
    const { generation } = slot;
    clock.after(ms, () => {
      if (slot.generation !== generation) return;
      slot.server.start();
      report(slot, exitCode);
    });
  }

  function makePod(slot: Slot, ordinal: number, ms: number): void {
    putPod(sim, set, ordinal);
    addresses += 1;
    fleet().byAddress.delete(slot.address);
    slot.address = `10.0.0.${addresses}`;
    slot.restarts = 0;
    slot.exits = [];
    slot.generation += 1;
    fleet().byAddress.set(slot.address, slot.server);
    fleet().byHost.set(`${slot.ref.name}.${set.serviceName}.${set.namespace}.svc`, slot.server);
    if (ms === 0) {
      slot.server.start();
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
    if (slot.server.running) slot.server.stop(137);
  }

  function slotAt(ordinal: number): Slot {
    const slot = slots[ordinal];
    if (slot === undefined) throw new Error(`no member ${ordinal}`);
    return slot;
  }

  function boot(): void {
    for (const [ordinal, part] of volumes.entries()) {
      const ref = { namespace: set.namespace, name: `${set.name}-${ordinal}` };
      const volume: Volume = freshVolume(uuidOf(ordinal, 0), part);
      const server = new SimServer(ref.name, volume, clock, fleet());
      const slot: Slot = { server, ref, address: "", restarts: 0, exits: [], generation: 0 };
      slots.push(slot);
      putClaim(sim, set, set.claimTemplates[0] ?? "storage", ordinal);
      makePod(slot, ordinal, 0);
    }
  }

  let replaced = 0;
  const kubelet: Kubelet = {
    get servers() {
      if (slots.length === 0) boot();
      return slots.map(({ server }) => server);
    },
    server: (ordinal) => slotAt(ordinal).server,
    kill: (ordinal) => slotAt(ordinal).server.stop(137),
    deletePod(ordinal) {
      const slot = slotAt(ordinal);
      removePod(slot);
      makePod(slot, ordinal, START_MS + ANSWER_MS);
    },
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
      slot.exits = [...slot.exits.filter((at) => clock.now() - at < BACKOFF_WINDOW_MS), clock.now()];
      slot.restarts += 1;
      report(slot, exitCode);
      startLater(slot, START_MS + ANSWER_MS + BACKOFF_STEP_MS * (slot.exits.length - 1), exitCode);
    },
  };
  return kubelet;
}
