/**
 * One simulated MySQL server: a volume, and a process that comes and goes. Everything in `Process` is lost
 * when it ends; a commit that waited for acknowledgements is found in the binary log at the next start and
 * is then committed (facts L8). A stopped process (SIGSTOP) does nothing and keeps its sockets; what reached
 * it meanwhile is done when it goes on.
 */
import type { SimClock } from "../clock.ts";
import { Disk } from "./disk.ts";
import { type Fault, type Receiver, startReceiver } from "./replication.ts";
import type { Routes } from "./routes.ts";
import { type Ack, acknowledgements, giveUpWaiting, semiSyncWait } from "./semisync.ts";
import type { Session } from "./session.ts";
import { COMPILED, PLUGIN_VARIABLES } from "./variables.ts";
import type { Data, Transaction, Volume } from "./volume.ts";

/** How a receiver hangs on this server. */
export interface Dump {
  readonly replica: SimServer;
  /** Of its volume when it came. */
  readonly replicaUuid: string;
  readonly account: string;
  readonly semiSync: boolean;
  /** The source has something new for it. */
  send(transaction: Transaction): void;
  /** The source's side has ended; after a fault the replica does not come again. */
  end(fault?: Fault | null): void;
  /** Something may keep the two from hearing each other from now on. */
  fallSilent(): void;
}

export interface Process {
  startedAtMs: number;
  readonly globals: Map<string, string>;
  readonly sessions: Set<Session>;
  readonly dumps: Set<Dump>;
  readonly locks: Map<string, Session>;
  /** By server uuid: the last place in the binary log that this replica has acknowledged. */
  readonly acked: Map<string, number>;
  readonly ackWaiters: Set<Ack>;
  /** Changes that have begun and are not done, whatever they wait for. */
  committing: number;
  /** Ends when the binary log goes on in a new file; until then nothing more is written to it. */
  rotation: Promise<void> | null;
  /** Epochs whose rows are being written. */
  readonly lockedTerms: Set<number>;
  receiver: Receiver | null;
  /** What its receiver met last, or what ended it; null when nothing did, or it runs. */
  receiverFault: Receiver["error"];
  /** What the log says of how the last stream of its receiver ended: nothing while it is connected, or given up. */
  sourceLeft: "orderly" | "cut" | null;
  applier: boolean;
  applierError: string | null;
  applying: Transaction | null;
  /** Somebody copies from this server. */
  donating: boolean;
  /** A graceful stop is under way: nobody new comes in and nothing more is committed. */
  ending: boolean;
  /** The stop has answered OK to all who waited, and nobody waits any more. */
  waitsNoMore: boolean;
}

/** What the checks of a simulation see the moment it happens. */
export interface Witness {
  /** A commit of the server's own went on, with so many real acknowledgements. */
  committed(server: SimServer, transaction: Transaction, acks: number): void;
  /** All of a server's data, or part of its relay log, is about to be thrown away. */
  discarding(server: SimServer, what: "relay log" | "data", donor: SimServer | null): void;
}

/** The network as a server meets it. */
export interface Network {
  /** The server behind a DNS name; null when there is none or it cannot be reached. */
  resolve(from: SimServer, host: string): SimServer | null;
  /** Nobody says that it is not there; one only waits for it in vain. */
  isSilent(from: SimServer, host: string): boolean;
  /** The process has ended; whoever started it starts it again. */
  exited(server: SimServer, exitCode: number): void;
  readonly routes: Routes;
  /** Nobody hears this server any more, or not from all sides. */
  silent(server: SimServer): void;
  readonly witness: Witness;
}

export class Refused extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The session, or the whole process, is gone; nobody is told. */
export class Lost extends Error {}

/** How long a graceful stop takes (facts L1). */
const SHUTDOWN_MS = 260;
/** So many seconds a stop gives its clients before it ends the streams of its replicas (measured). */
const STREAMS_LAST_S = 8;

export class SimServer {
  readonly name: string;
  readonly clock: SimClock;
  readonly network: Network;
  /** Milliseconds to execute one replicated transaction. */
  applyMs = 1;
  /** What an applier meets at its next transaction; null = nothing. */
  applierFault: "blocked" | "1062" | null = null;
  /** So many copies into this server cannot be recovered at the start after them, which leaves it empty. */
  cloneFailures = 0;
  /** Milliseconds that a copy takes. */
  cloneMs = 600;
  /** So many acknowledgements of this replica get lost, each with its connection (facts L11). */
  acksToLose = 0;
  volume: Volume;
  #process: Process | null = null;
  #stopped = false;
  /** What waits for the process to go on. */
  #whenAwake: (() => void)[] = [];
  readonly disk: Disk;

  constructor(name: string, volume: Volume, clock: SimClock, network: Network) {
    this.name = name;
    this.volume = volume;
    this.clock = clock;
    this.network = network;
    this.disk = new Disk(clock);
  }

  get running(): boolean {
    return this.#process !== null;
  }

  get process(): Process {
    if (this.#process === null) throw new Lost(`${this.name} does not run`);
    return this.#process;
  }

  get data(): Data {
    return this.volume.data;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** SIGSTOP. */
  freeze(): void {
    if (!this.running) return;
    this.#stopped = true;
    this.network.silent(this);
  }

  /** SIGCONT. */
  thaw(): void {
    this.#stopped = false;
    for (const act of this.#whenAwake.splice(0)) act();
  }

  whenAwake(act: () => void): void {
    if (this.#stopped) this.#whenAwake.push(act);
    else act();
  }

  start(): void {
    const { data, persisted } = this.volume;
    if (this.volume.clone?.state === "In Progress") {
      this.volume.clone = { state: "Failed", error: "Query execution was interrupted (1317)" };
    }
    for (const transaction of data.binlog) this.execute(transaction);
    data.filePlace = nextPlace(data);
    const globals = new Map(Object.entries(COMPILED));
    globals.set("server_uuid", this.volume.serverUuid);
    for (const plugin of data.plugins) installVariables(globals, plugin);
    for (const [name, value] of persisted) if (globals.has(name)) globals.set(name, value);
    if (globals.get("super_read_only") === "ON") globals.set("read_only", "ON");
    this.#process = {
      startedAtMs: this.clock.now(),
      globals,
      sessions: new Set(),
      dumps: new Set(),
      locks: new Map(),
      acked: new Map(),
      ackWaiters: new Set(),
      committing: 0,
      rotation: null,
      lockedTerms: new Set(),
      receiver: null,
      receiverFault: null,
      sourceLeft: null,
      applier: false,
      applierError: null,
      applying: null,
      donating: false,
      ending: false,
      waitsNoMore: false,
    };
    if (globals.get("skip_replica_start") === "OFF" && data.channel !== null) {
      this.startApplier();
      startReceiver(this, { atBoot: true });
    }
  }

  /** 137 = kill -9; the sockets close at once. */
  stop(exitCode: number): void {
    const { sessions, dumps, receiver } = this.process;
    this.#process = null;
    this.#stopped = false;
    this.#whenAwake = [];
    this.disk.nobodyWaits();
    for (const session of [...sessions]) session.lose();
    for (const dump of [...dumps]) dump.end();
    receiver?.stop();
    this.network.exited(this, exitCode);
  }

  /** SIGTERM: whoever waits is answered OK, acknowledged or not, if `giveUpWaiting` can (facts L1). Exit code 0. */
  terminate(): void {
    const process = this.process;
    this.whenAwake(() => {
      if (process.ending || this.#process !== process) return;
      process.ending = true;
      void this.#end(process);
    });
  }

  /** Streams are ended last. A stop that does not come to its end has closed everything, and stays until it is killed. */
  async #end(process: Process): Promise<void> {
    for (let second = 0; second < STREAMS_LAST_S && !giveUpWaiting(process); second += 1) {
      await this.clock.sleep(1_000);
      if (this.#process !== process) return;
    }
    for (const dump of [...process.dumps]) {
      if (giveUpWaiting(process)) break;
      dump.end();
    }
    if (!giveUpWaiting(process)) {
      for (const session of [...process.sessions]) session.lose();
      return;
    }
    await this.clock.sleep(SHUTDOWN_MS);
    if (this.#process === process) this.stop(0);
  }

  /** A variable by name; undefined while its plugin is not there. */
  variable(name: string): string | undefined {
    return this.process.globals.get(name);
  }

  install(plugin: string): void {
    this.data.plugins.add(plugin);
    const { globals } = this.process;
    installVariables(globals, plugin);
    for (const name of Object.keys(PLUGIN_VARIABLES[plugin] ?? {})) {
      const persisted = this.volume.persisted.get(name);
      if (persisted !== undefined) globals.set(name, persisted);
    }
  }

  /** Writes and commits a change of this server's own. `log`: false = not into the binary log. */
  async write(effect: (data: Data) => void, log = true, mark: Transaction["mark"] = null): Promise<void> {
    if (!log) return effect(this.data);
    const { process } = this;
    process.committing += 1;
    try {
      await this.#room();
      const uuid = this.volume.serverUuid;
      const number = Math.max(this.data.executed.next(uuid), this.#nextLogged(uuid));
      const serverId = this.variable("server_id") ?? "";
      await this.#commit({ gtid: { uuid, number }, serverId, effect, at: this.clock.now(), mark });
    } finally {
      process.committing -= 1;
    }
  }

  /** Without room the server waits for somebody to make some, and for a new file until there is one. */
  async #room(): Promise<void> {
    const process = this.process;
    if (process.ending) throw new Lost(`${this.name} ends`);
    while (this.disk.full || process.rotation !== null) {
      await (process.rotation ?? new Promise<void>((resolve) => this.disk.whenRoom(resolve)));
      if (this.#process !== process) throw new Lost(`${this.name} ended`);
    }
  }

  #nextLogged(uuid: string): number {
    const last = this.data.binlog.findLast(({ gtid }) => gtid.uuid === uuid);
    return (last?.gtid.number ?? 0) + 1;
  }

  /** AFTER_SYNC: into the binary log and to the replicas first, then the wait, then it can be read. */
  async #commit(transaction: Transaction): Promise<void> {
    const process = this.process;
    this.data.binlog.push(transaction);
    for (const dump of process.dumps) dump.send(transaction);
    const place = nextPlace(this.data) - 1;
    await semiSyncWait(this, place);
    // The thread died with its process; the next start finds the transaction in the log.
    if (this.#process !== process) throw new Lost(`${this.name} ended`);
    this.execute(transaction);
    if (transaction.gtid.uuid === this.volume.serverUuid) {
      this.network.witness.committed(this, transaction, acknowledgements(this, place));
    }
  }

  /** A new file of the binary log begins when every commit in the old one is done; nobody writes meanwhile. */
  async rotate(): Promise<void> {
    const { process } = this;
    while (process.rotation !== null) await process.rotation;
    if (process.ackWaiters.size > 0) {
      process.rotation = Promise.all([...process.ackWaiters].map(({ done }) => done)).then(() => {
        process.rotation = null;
      });
      await process.rotation;
    }
    if (this.#process === process) this.data.filePlace = nextPlace(this.data);
  }

  /** Files of the binary log that are written to no more are deleted. */
  purgeLogs(): void {
    const { data } = this;
    const gone = data.binlog.splice(0, data.filePlace - data.firstPlace);
    for (const { gtid } of gone) data.purged.add(gtid);
    data.firstPlace = data.filePlace;
  }

  execute({ gtid, effect }: Transaction): void {
    if (this.data.executed.has(gtid)) return;
    this.data.executed.add(gtid);
    effect(this.data);
  }

  startApplier(): void {
    const process = this.process;
    if (process.applier) return;
    process.applier = true;
    process.applierError = null;
    void this.#apply(process);
  }

  /** Executes what was received, in order, for as long as there is something; more arriving calls it again. */
  async #apply(process: Process): Promise<void> {
    while (this.#process === process && process.applier && process.applying === null) {
      const { relay } = this.volume;
      while (relay[0] !== undefined && this.data.executed.has(relay[0].gtid)) relay.shift();
      const [next] = relay;
      if (next === undefined) return;
      process.applying = next;
      await this.clock.sleep(this.applyMs);
      await this.#untilApplicable(process);
      if (this.#process !== process) return;
      if (process.applier && this.applierFault === "1062") {
        process.applier = false;
        process.applierError = `Could not execute Write_rows event of ${next.gtid.number}; Duplicate entry (1062)`;
      }
      if (process.applier) await this.#replay(next).catch((error: unknown) => void onlyLost(error));
      process.applying = null;
    }
  }

  async #replay(transaction: Transaction): Promise<void> {
    await this.#room();
    await this.#commit(transaction);
  }

  async #untilApplicable(process: Process): Promise<void> {
    if (this.#stopped) await new Promise<void>((resolve) => this.whenAwake(resolve));
    while (this.applierFault === "blocked" && this.#process === process && process.applier) {
      await this.clock.sleep(BLOCKED_POLL_MS);
    }
  }

  wakeApplier(): void {
    if (this.#process !== null) void this.#apply(this.#process);
  }
}

const BLOCKED_POLL_MS = 250;

export function onlyLost(error: unknown): void {
  if (!(error instanceof Lost)) throw error;
}

/** Of the transaction that is logged next, counted from the beginning of the first log. */
function nextPlace({ firstPlace, binlog }: Data): number {
  return firstPlace + binlog.length;
}

function installVariables(globals: Map<string, string>, plugin: string): void {
  for (const [name, value] of Object.entries(PLUGIN_VARIABLES[plugin] ?? {})) globals.set(name, value);
}
