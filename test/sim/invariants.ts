/**
 * What must be true of the world at every moment, seen from outside: looked at before every effect of every
 * instance (and by scenarios after every step of the world), and told at once of commits and of data that is
 * thrown away; so that a run that ends well by chance is no excuse. The numbers are those of docs/invariants.md.
 * Nothing here asks the code under test what it thinks.
 */
import { ANNOTATION, LABEL } from "../../shared/annotations/keys.ts";
import type { Config, State } from "../../shared/model/state.ts";
import type { Effect } from "./instance.ts";
import { type Json, part } from "./kube/store.ts";
import { Gtids } from "./mysql/gtids.ts";
import type { SimServer } from "./mysql/server.ts";
import type { Transaction } from "./mysql/volume.ts";
import { REF } from "./ref.ts";
import type { World } from "./world.ts";

export class Violation extends Error {}

function require(holds: boolean, what: string): void {
  if (!holds) throw new Violation(what);
}

export interface Inspector {
  /** All that can be seen at this moment. */
  (): void;
  readonly effect: (effect: Effect) => void;
  /** Somebody changed the annotations by hand: what they say need not go on from what they said. */
  tampered(): void;
  /** Somebody changed this server by hand: it is judged again when it has been put right. */
  drifted(server: SimServer): void;
  readonly facts: Facts;
  /** The first thing that was wrong where nobody could be told by throwing. */
  readonly violation: string | null;
}

export interface Facts {
  /** Rows whose commits were acknowledged by as many replicas as a commit has to be. */
  readonly proven: ReadonlyMap<string, Transaction>;
  /** Rows that were answered, or released, with fewer: a graceful stop, or semi-sync switched off by hand. */
  readonly unproven: ReadonlyMap<string, Transaction>;
  /** By epoch: the server whose term row was acknowledged. */
  readonly terms: ReadonlyMap<number, string>;
  /** The server of the newest acknowledged term row; null before the first. */
  primaryUuid(): string | null;
}

type Seen = Omit<World, "inspector">;

interface Memory {
  readonly proven: Map<string, Transaction>;
  readonly unproven: Map<string, Transaction>;
  readonly terms: Map<number, string>;
  readonly openedIn: Map<number, string>;
  readonly drifted: Set<SimServer>;
  /** Opened, or primaries once, by a record that was lost. */
  readonly forgotten: Set<SimServer>;
  readonly resumes: boolean;
  termMax: number;
  epoch: number;
  seq: number;
}

function serverOf(world: Seen, uuid: string): SimServer | undefined {
  return world.kubelet.servers.find((server) => server.volume.serverUuid === uuid);
}

/** What is held by a disk, executed or not. */
function holds({ data, volume }: SimServer, row: string): boolean {
  return (
    data.rows.has(row) ||
    volume.relay.some(({ mark }) => mark !== null && "row" in mark && mark.row === row) ||
    data.binlog.some(({ mark }) => mark !== null && "row" in mark && mark.row === row)
  );
}

function holdsTerm({ data, volume }: SimServer, epoch: number): boolean {
  const logged = [...data.binlog, ...volume.relay];
  // A row outlives the logs that brought it.
  if (data.terms.has(epoch)) return true;
  return logged.some(({ mark }) => mark !== null && "term" in mark && mark.term === epoch);
}

function rowOf({ mark }: Transaction): string | null {
  return mark !== null && "row" in mark ? mark.row : null;
}

/**
 * At most the recorded primary takes writes, of those that belong to the cluster. Where a primary resumes by
 * itself after a restart, one that was replaced meanwhile does so too; nobody acknowledges to it then, which is
 * seen at every commit.
 */
function oneWritable(world: Seen, memory: Memory, config: Config): void {
  for (const { serverUuid, ordinal } of config.ackers) {
    const server = serverOf(world, serverUuid);
    if (server === undefined || !server.running || memory.drifted.has(server)) continue;
    if (memory.forgotten.has(server)) continue;
    if (memory.resumes && [...memory.terms.values()].includes(serverUuid)) continue;
    require(server.variable("read_only") !== "OFF", `INV-2: the replica mysql-${ordinal} takes writes`);
  }
}

/** What is put together again counts every member as an acker, also one that was deposed and has not been reached since. */
function forgetPrimaries(world: Seen, memory: Memory, state: State): void {
  const now = (state.pending ?? state.established)?.primary.serverUuid;
  for (const uuid of memory.terms.values()) {
    const server = uuid === now ? undefined : serverOf(world, uuid);
    if (server !== undefined) memory.forgotten.add(server);
  }
}

/** A closed server with nobody waiting has nothing that could be acknowledged. */
function commits({ process }: SimServer): boolean {
  return process.globals.get("read_only") !== "ON" || process.ackWaiters.size > 0;
}

/** The thread that sends may outlive the receiver that it sent to, behind a way that is cut: then nobody answers it. */
function isReceivedFrom(primary: SimServer, replica: SimServer): boolean {
  const from = replica.data.channel?.host.startsWith(`${primary.name}.`) === true;
  return from && replica.running && replica.process.receiver?.semiSync === true;
}

/** Recorded is a superset of what acknowledges, and no more is recorded than is waited for. */
function ackersRecorded(world: Seen, memory: Memory, { established, pending, phase }: State): void {
  const configs = [established, pending].filter((config) => config !== null);
  for (const {
    primary: { serverUuid },
  } of configs) {
    const primary = serverOf(world, serverUuid);
    if (primary === undefined || !primary.running || !commits(primary)) continue;
    for (const { semiSync, replica, replicaUuid } of primary.process.dumps) {
      const known = configs.some(
        (config) =>
          config.primary.serverUuid === serverUuid &&
          config.ackers.some((acker) => acker.serverUuid === replicaUuid),
      );
      const acknowledges = semiSync && isReceivedFrom(primary, replica);
      require(!acknowledges || known, `INV-3: ${replica.name} acknowledges to ${primary.name} unrecorded`);
    }
  }
  if (established === null || pending !== null || phase !== "Steady" || established.ackCount === 0) return;
  const primary = serverOf(world, established.primary.serverUuid);
  if (primary === undefined || !primary.running || memory.drifted.has(primary)) return;
  if (primary.variable("read_only") === "ON") return;
  const armed = primary.variable("rpl_semi_sync_source_enabled") === "ON";
  const count = Number(primary.variable("rpl_semi_sync_source_wait_for_replica_count"));
  require(armed &&
    count >= established.ackCount, `INV-3: ${established.ackCount} recorded, ${count} waited for`);
}

/** Traffic goes only to an epoch whose term row was acknowledged. */
function routedToTerm(world: Seen, memory: Memory, config: Config): void {
  const json = world.sim.raw("Service", { ...REF, name: `${REF.name}-primary` });
  if (json === null) return;
  const epoch = part(part(json, "spec"), "selector")[LABEL.epoch];
  if (epoch === undefined || !/^\d+$/.test(String(epoch))) return;
  // A row whose acknowledgement nobody heard, since its primary was killed, is held all the same.
  const primary = memory.terms.has(Number(epoch)) ? undefined : serverOf(world, config.primary.serverUuid);
  const holding = config.ackers.filter(({ serverUuid }) => {
    const acker = serverOf(world, serverUuid);
    return acker !== undefined && holdsTerm(acker, Number(epoch));
  });
  if (primary !== undefined && holding.length >= config.ackCount && holdsTerm(primary, Number(epoch)))
    beginTerm(memory, primary, Number(epoch));
  require(memory.terms.has(Number(epoch)), `INV-7: epoch ${epoch} is routed to without its term row`);
}

export function createInspector(world: Seen): Inspector {
  const memory: Memory = {
    proven: new Map(),
    unproven: new Map(),
    terms: new Map(),
    openedIn: new Map(),
    drifted: new Set(),
    forgotten: new Set(),
    resumes: world.annotation(ANNOTATION.onRestart) === "resume",
    termMax: 0,
    epoch: 0,
    seq: 0,
  };
  let violation: string | null = null;
  let opened: SimServer | null = null;
  const records = createRecords(world);
  const first = records.state();
  if (first?.established != null) {
    memory.terms.set(first.epoch, first.established.primary.serverUuid);
    memory.termMax = first.epoch;
  }

  /** Where an exception would only break off a simulated server. */
  function guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation ??= error.message;
    }
  }

  function inspect(): void {
    if (violation !== null) throw new Violation(violation);
    const changed = records.changed();
    const state = records.state();
    if (state === null) return;
    const anew = state.epoch > memory.epoch;
    require(anew ||
      (state.epoch === memory.epoch &&
        state.seq >=
          memory.seq), `INV-4: epoch ${state.epoch} after ${memory.epoch}, ${state.seq} after ${memory.seq}`);
    memory.epoch = state.epoch;
    memory.seq = state.seq;
    opened =
      state.pending?.open === true ? (serverOf(world, state.pending.primary.serverUuid) ?? null) : null;
    if (state.phase === "Released" || state.phase === "Releasing") return;
    if (state.op?.kind === "reconstruct") forgetPrimaries(world, memory, state);
    const config = state.pending ?? state.established;
    if (config === null) return;
    oneWritable(world, memory, config);
    ackersRecorded(world, memory, state);
    // Terms are only added, so what was right is right until an object changes.
    if (changed) routedToTerm(world, memory, config);
  }

  watchCommits(world, { memory, records }, guard);
  return Object.assign(inspect, {
    effect: (effect: Effect) => judgeEffect(world, memory, effect),
    tampered() {
      // Whoever was opened by what is lost now is a replica by what is put together again, until it is closed.
      if (opened !== null) memory.forgotten.add(opened);
      // Of an epoch that no server has seen only the text knew.
      memory.epoch = Math.min(memory.epoch, memory.termMax);
      memory.seq = 0;
    },
    drifted: (server: SimServer) => void memory.drifted.add(server),
    facts: {
      proven: memory.proven,
      unproven: memory.unproven,
      terms: memory.terms,
      primaryUuid: () => memory.terms.get(memory.termMax) ?? null,
    },
    get violation() {
      return violation;
    },
  });
}

interface Records {
  /** Whether any object has changed since this was asked last. */
  changed(): boolean;
  /** What is recorded by us: what a person put back or took away is no write of ours, and the next one is above it all. */
  state(): State | null;
}

function createRecords(world: Seen): Records {
  let dirty = true;
  let read = false;
  let last: State | null = null;
  world.sim.onChange(() => {
    dirty = true;
    read = false;
  });
  return {
    changed() {
      const answer = dirty;
      dirty = false;
      return answer;
    },
    state() {
      if (read) return last;
      read = true;
      const metadata = part(world.sim.raw("StatefulSet", REF) ?? {}, "metadata");
      const text = part(metadata, "annotations")[ANNOTATION.state];
      last = world.tampered.has(text as string | undefined) ? null : stateOf(text, metadata);
      return last;
    },
  };
}

/** Null for one that somebody has spoilt, or that is another cluster's. */
function stateOf(text: unknown, metadata: Json): State | null {
  try {
    const state = JSON.parse(String(text)) as State | null;
    return state?.clusterUid === metadata["uid"] && typeof state?.epoch === "number" ? state : null;
  } catch {
    return null;
  }
}

/** These wait for acknowledgements, and a session that waits would keep its lock; each is harmless anywhere. */
const UNFENCED = /^(?:INSERT INTO ordinal\.(?:term|heartbeat|tail|archive) )/;
const OPENS = /^SET GLOBAL read_only = OFF/;

function judgeEffect(world: Seen, memory: Memory, { text, server, fenced, epoch }: Effect): void {
  if (server === null) return;
  require(fenced ||
    UNFENCED.test(text), `INV-10: ${server}: ${text}: without having read the intent under the lock`);
  if (!OPENS.test(text) || epoch === null) return;
  const uuid = world.kubelet.servers.find(({ name }) => name === server)?.volume.serverUuid ?? "";
  const before = memory.openedIn.get(epoch) ?? uuid;
  require(before === uuid, `INV-2: two servers are opened in epoch ${epoch}`);
  memory.openedIn.set(epoch, uuid);
}

function watchCommits(
  world: Seen,
  { memory, records }: { readonly memory: Memory; readonly records: Records },
  guard: (check: () => void) => void,
): void {
  const { witness } = world.fleet;
  const primaryNow = (): SimServer | undefined => serverOf(world, memory.terms.get(memory.termMax) ?? "");
  witness.committed = (server, transaction, acks) => {
    const { mark } = transaction;
    if (mark === null) return;
    // While members come or go it is less than half of those that are there.
    const recorded = records.state();
    const config = recorded?.pending ?? recorded?.established;
    const wanted = config?.ackCount ?? Math.floor(world.kubelet.servers.length / 2);
    if ("term" in mark) {
      if (acks >= wanted) guard(() => beginTerm(memory, server, mark.term));
      return;
    }
    if (acks < wanted) return void memory.unproven.set(mark.row, transaction);
    memory.proven.set(mark.row, transaction);
    const primary = primaryNow();
    if (primary === undefined || primary === server) return;
    // Written by hand where the next primary is about to begin: its ackers count already.
    if (records.state()?.pending?.primary.serverUuid === server.volume.serverUuid) return;
    if (memory.forgotten.has(server)) return;
    guard(() =>
      require(holds(
        primary,
        mark.row,
      ), `INV-2: ${server.name} acknowledges ${mark.row}, which the primary ${primary.name} lacks`),
    );
  };
  witness.discarding = (server, what, donor) => {
    guard(() => judgeDiscard(world, memory, { server, what, donor, primary: primaryNow() }));
  };
}

/** The term row stands: whoever was answered OK before must find everything here. */
function beginTerm(memory: Memory, server: SimServer, term: number): void {
  memory.terms.set(term, server.volume.serverUuid);
  if (term < memory.termMax) return;
  memory.termMax = term;
  for (const row of memory.proven.keys()) {
    if (server.data.rows.has(row)) continue;
    throw new Violation(
      `INV-1: ${row} was acknowledged and is not on ${server.name}, the primary of epoch ${term}`,
    );
  }
}

interface Discard {
  readonly server: SimServer;
  readonly what: "relay log" | "data";
  readonly donor: SimServer | null;
  readonly primary: SimServer | undefined;
}

function judgeDiscard(
  world: Seen,
  { proven, unproven }: Memory,
  { server, what, donor, primary }: Discard,
): void {
  const { volume, data } = server;
  const waiting = volume.relay.filter(({ gtid }) => !data.executed.has(gtid));
  const relayed = waiting.flatMap((transaction) => rowOf(transaction) ?? []);
  const holders = [primary, donor].filter((one) => one != null && one !== server);
  for (const row of relayed) {
    const kept = holders.some((one) => one != null && holds(one, row)) || !proven.has(row);
    require(kept, `INV-6: ${server.name} discards ${row}, received, acknowledged and not executed`);
  }
  if (what === "relay log" || donor === null) return;
  const archived = archivedOf(world, volume.serverUuid);
  // Whose logs are gone is known by what was seen of its commit.
  const executed = [...data.rows].flatMap((row) => proven.get(row) ?? unproven.get(row) ?? []);
  const all = new Set([...data.binlog, ...waiting, ...executed]);
  const marked = [...all].filter((transaction) => rowOf(transaction) !== null);
  for (const transaction of marked) {
    const row = rowOf(transaction) ?? "";
    const held = holds(donor, row) || (primary !== undefined && primary !== server && holds(primary, row));
    require(held ||
      !proven.has(row), `INV-9: ${server.name} is overwritten, which alone holds the acknowledged ${row}`);
    require(held ||
      archived.has(transaction.gtid), `INV-9: ${server.name} is overwritten and ${row} is archived nowhere`);
  }
}

function archivedOf(world: Seen, serverUuid: string): Gtids {
  const all = new Gtids();
  for (const { data } of world.kubelet.servers) {
    for (const row of data.archive.values())
      if (row.serverUuid === serverUuid) all.join(Gtids.parse(row.gtids));
  }
  return all;
}
