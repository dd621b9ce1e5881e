/**
 * Makes the planned faults happen in a world and end again. What a fault means is said here and nowhere else;
 * each that lasts is undone exactly once, at its own time or when everything heals.
 */
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { Failure } from "../../../shared/model/outcome.ts";
import { createChance } from "../clock.ts";
import type { Inspector } from "../invariants.ts";
import type { Fault as ApiFault, SimCall } from "../kube/api-server.ts";
import { part } from "../kube/store.ts";
import { stopReceiver } from "../mysql/replication.ts";
import { releaseWaiters } from "../mysql/semisync.ts";
import type { SimServer } from "../mysql/server.ts";
import { REF } from "../ref.ts";
import type { World } from "../world.ts";
import type { End, Fault, Scenario, Target } from "./model.ts";

export type FunctionFault = Extract<Fault, { kind: "functions" }>;

export interface Stage {
  readonly world: World;
  readonly inspector: Inspector;
  /** What happens to functions that start now. */
  readonly functions: FunctionFault | null;
  /** By host. */
  readonly jumpsMs: readonly number[];
  /** Uuids of servers that ended in good order, or by a deletion, while they were the primary. */
  readonly orderly: ReadonlySet<string>;
  /** Uuids of volumes that are gone. */
  readonly lost: ReadonlySet<string>;
  /** The annotations were changed by hand at least once. */
  readonly tampered: boolean;
  apply(fault: Fault): void;
  /** Everything that lasts is over. */
  heal(): void;
  ordinalOf(target: Target): number;
  onStory(listen: (what: string) => void): void;
}

interface Hands {
  readonly world: World;
  readonly inspector: Inspector;
  readonly chance: () => number;
  readonly records: string[];
  readonly orderly: Set<string>;
  readonly lost: Set<string>;
  readonly api: Set<ApiOutage>;
  functions: FunctionFault | null;
  tampered: boolean;
  readonly jumpsMs: number[];
  readonly watch: { how: "drop" | "twice" | "late" | null };
  ordinalOf(target: Target): number;
}

type ApiOutage = Extract<Fault, { kind: "api" }>;

/** Undoes it; null = nothing lasts. */
type Undo = (() => void) | null;

function isPrimary({ inspector }: Hands, server: SimServer): boolean {
  return inspector.facts.primaryUuid() === server.volume.serverUuid;
}

function serverFault(hands: Hands, fault: Extract<Fault, { target: Target }>, ordinal: number): Undo {
  const { world, orderly, lost } = hands;
  const { kubelet } = world;
  const server = kubelet.server(ordinal);
  switch (fault.kind) {
    case "kill":
      if (server.running) kubelet.kill(ordinal);
      return null;
    case "terminate":
    case "deletePod":
      if (isPrimary(hands, server)) orderly.add(server.volume.serverUuid);
      if (fault.kind === "terminate") kubelet.terminate(ordinal);
      else kubelet.deletePod(ordinal, fault.graceMs, fault.hook);
      return null;
    case "stop":
      kubelet.freeze(ordinal);
      return () => kubelet.thaw(ordinal);
    case "nodeGone":
      kubelet.loseNode(ordinal);
      return () => kubelet.returnNode(ordinal);
    case "loseVolume":
      lost.add(server.volume.serverUuid);
      kubelet.loseVolume(ordinal);
      return null;
    case "purgeLogs":
      // Begun while commits wait, a new file holds up the heartbeat that would free them: not modelled.
      if (server.running && !server.stopped && server.process.ackWaiters.size === 0)
        void server.rotate().then(() => server.purgeLogs());
      return null;
    case "diskFull":
      server.disk.full = true;
      return () => {
        server.disk.full = false;
      };
    case "slowApplier":
      server.applyMs = fault.applyMs;
      return () => {
        server.applyMs = 1;
      };
    case "applier":
      server.applierFault = fault.error;
      return () => {
        server.applierFault = null;
        // Whoever took the obstacle away also starts it again.
        if (server.running && server.process.applierError !== null) server.startApplier();
      };
    case "loseAcks":
      server.acksToLose += fault.count;
      return () => {
        server.acksToLose = 0;
      };
    case "drift":
      drift(hands, fault.what, server);
      return null;
    case "switchover":
      world.annotate({ [ANNOTATION.switchoverTo]: server.name });
      return () => world.annotate({ [ANNOTATION.switchoverTo]: null });
  }
}

function drift({ inspector, world }: Hands, what: string, server: SimServer): void {
  // A server that is still empty has neither the plugins nor the table, so each of these is refused.
  if (!server.running || server.stopped || !server.data.tables.has("shop.orders")) return;
  const { globals } = server.process;
  inspector.drifted(server);
  switch (what) {
    case "semiSyncOff":
      globals.set("rpl_semi_sync_source_enabled", "OFF");
      releaseWaiters(server);
      return;
    case "ownWrite": {
      // The first thing that a copy does is to throw away whatever could be written to.
      if (server.volume.clone?.state === "In Progress") return;
      globals.set("super_read_only", "OFF");
      globals.set("read_only", "OFF");
      const row = `by-hand-${server.name}-${world.clock.now()}`;
      const effect = (data: SimServer["data"]): void => void data.rows.add(row);
      void server.write(effect, true, { row }).catch(() => {});
      return;
    }
    case "stopReplica":
      stopReceiver(server);
      server.process.applier = false;
      return;
    case "relaxed":
      globals.set("sync_relay_log", "10000");
      globals.set("rpl_semi_sync_replica_enabled", "OFF");
      return;
  }
}

function tamper(hands: Hands, how: "wipe" | "restore" | "garble", back: number): void {
  const { world, records, inspector } = hands;
  hands.tampered = true;
  inspector.tampered();
  const old = records[Math.max(0, records.length - 1 - back)] ?? null;
  const text = how === "wipe" ? null : how === "restore" ? old : "{edited by hand";
  world.annotate({ [ANNOTATION.state]: text });
}

const FAILURES: Readonly<Record<ApiOutage["how"], Failure | null>> = {
  conflict: { kind: "conflict", message: "the object has been modified", code: 409 },
  gone: { kind: "gone", message: "the version is too old", code: 410 },
  throttle: { kind: "transient", message: "too many requests", code: 429, retryAfterMs: 1_000 },
  error: { kind: "transient", message: "internal error", code: 500 },
  lateTimeout: { kind: "transient", message: "no answer" },
  down: { kind: "transient", message: "connection refused" },
  stale: null,
};

const CHANGES: ReadonlySet<SimCall["verb"]> = new Set(["create", "patch", "remove"]);

function answerOf({ api, chance }: Hands, { verb }: SimCall): ApiFault {
  for (const { how, share } of api) {
    if (chance() >= share) continue;
    const failure = FAILURES[how];
    switch (how) {
      case "stale":
        if (verb === "list") return { staleBy: 1 + Math.floor(chance() * 8) };
        break;
      case "conflict":
        // Only changes are compared with anything.
        if (CHANGES.has(verb) && failure !== null) return { before: failure };
        break;
      case "gone":
        if (verb === "list" && failure !== null) return { before: failure };
        break;
      case "lateTimeout":
        if (failure !== null) return { delayMs: chance() * 3_000, after: failure };
        break;
      default:
        if (failure !== null) return { delayMs: how === "down" ? 100 : 0, before: failure };
    }
  }
  return {};
}

function endName(hands: Hands, end: End): string {
  return end === "function" || end === "client" ? end : `${REF.name}-${hands.ordinalOf(end)}`;
}

function cut(hands: Hands, { from, to, both }: Extract<Fault, { kind: "cut" }>): Undo {
  const { fleet } = hands.world;
  const ways = [[endName(hands, from), endName(hands, to)] as const];
  if (both) ways.push([endName(hands, to), endName(hands, from)]);
  for (const [one, other] of ways) fleet.cut(one, other);
  return () => {
    for (const [one, other] of ways) fleet.mend(one, other);
  };
}

function begin(hands: Hands, fault: Fault): Undo {
  switch (fault.kind) {
    case "cut":
      return cut(hands, fault);
    case "api":
      hands.api.add(fault);
      return () => hands.api.delete(fault);
    case "watch":
      hands.watch.how = fault.how;
      return () => {
        hands.watch.how = null;
      };
    case "annotation":
      tamper(hands, fault.how, fault.back);
      return null;
    case "functions":
      hands.functions = fault;
      return () => {
        if (hands.functions === fault) hands.functions = null;
      };
    case "clock":
      hands.jumpsMs[fault.host] = (hands.jumpsMs[fault.host] ?? 0) + fault.jumpMs;
      return null;
    default:
      return serverFault(hands, fault, hands.ordinalOf(fault.target));
  }
}

function targetOrdinal(world: World, inspector: Inspector, target: Target): number {
  const { servers } = world.kubelet;
  const uuid = inspector.facts.primaryUuid();
  const primary = Math.max(
    0,
    servers.findIndex(({ volume }) => volume.serverUuid === uuid),
  );
  if (target === "primary") return primary;
  const others = servers.map((_, ordinal) => ordinal).filter((ordinal) => ordinal !== primary);
  return others[Number(target.slice(-1)) % Math.max(1, others.length)] ?? primary;
}

export function createStage(world: World, scenario: Scenario): Stage {
  const inspector = world.inspector;
  let tell: (what: string) => void = () => {};
  const hands: Hands = {
    world,
    inspector,
    chance: createChance(scenario.seed ^ 0x51a6e),
    records: [],
    orderly: new Set(),
    lost: new Set(),
    api: new Set(),
    functions: null,
    tampered: false,
    jumpsMs: [0, 0, 0, 0],
    watch: { how: null },
    ordinalOf: (target) => targetOrdinal(world, inspector, target),
  };
  const lasting = new Set<() => void>();
  world.sim.setFaults((call) => (hands.api.size === 0 ? {} : answerOf(hands, call)));
  world.sim.setDeliveries(() => {
    const { how } = hands.watch;
    if (how === "drop") return hands.chance() < 0.5 ? { drop: true } : {};
    if (how === "twice") return { twice: true };
    return how === "late" ? { delayMs: hands.chance() * 5_000 } : {};
  });
  world.sim.onChange(({ kind, after }) => {
    if (kind !== "StatefulSet" || after === null) return;
    const text = part(part(after, "metadata"), "annotations")[ANNOTATION.state];
    if (typeof text === "string" && text !== hands.records.at(-1)) hands.records.push(text);
  });

  return {
    world,
    inspector,
    get functions() {
      return hands.functions;
    },
    get tampered() {
      return hands.tampered;
    },
    jumpsMs: hands.jumpsMs,
    orderly: hands.orderly,
    lost: hands.lost,
    ordinalOf: hands.ordinalOf,
    apply(fault) {
      const undo = begin(hands, fault);
      tell(`fault: ${describeFault(fault, hands.ordinalOf)}`);
      if (undo === null) return;
      const once = (): void => {
        if (!lasting.delete(once)) return;
        undo();
        tell(`over: ${fault.kind}`);
      };
      lasting.add(once);
      if ("forMs" in fault) world.clock.after(fault.forMs, once);
    },
    heal() {
      for (const once of [...lasting]) once();
    },
    onStory(listen) {
      tell = listen;
    },
  };
}

function describeFault(fault: Fault, ordinalOf: (target: Target) => number): string {
  const { kind, ...rest } = fault;
  const details = Object.entries(rest).map(([key, value]) =>
    key === "target" ? `${REF.name}-${ordinalOf(value as Target)} (${value})` : `${key} ${value}`,
  );
  return [kind, ...details].join(", ");
}
