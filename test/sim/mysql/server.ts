/**
 * One simulated MySQL server: a volume, and a process that comes and goes. Everything in `Process` is lost
 * when it ends; a commit that waited for acknowledgements is found in the binary log at the next start and
 * is then committed (facts L8).
 */
import type { SimClock } from "../clock.ts";
import { type Receiver, startReceiver } from "./replication.ts";
import { type Ack, semiSyncWait } from "./semisync.ts";
import type { Session } from "./session.ts";
import { COMPILED, PLUGIN_VARIABLES } from "./variables.ts";
import type { Data, Transaction, Volume } from "./volume.ts";

/** How a receiver hangs on this server. */
export interface Dump {
  readonly replica: SimServer;
  readonly account: string;
  readonly semiSync: boolean;
  /** The source has something new for it. */
  send(transaction: Transaction): void;
  /** The connection ended. */
  end(): void;
}

export interface Process {
  readonly startedAtMs: number;
  readonly globals: Map<string, string>;
  readonly sessions: Set<Session>;
  readonly dumps: Set<Dump>;
  readonly locks: Map<string, Session>;
  /** By server uuid: the last place in the binary log that this replica has acknowledged. */
  readonly acked: Map<string, number>;
  readonly ackWaiters: Set<Ack>;
  receiver: Receiver | null;
  applier: boolean;
  applying: Transaction | null;
  /** Somebody copies from this server. */
  donating: boolean;
}

/** The network as a server meets it. */
export interface Network {
  /** The server behind a DNS name; null when there is none or it cannot be reached. */
  resolve(from: SimServer, host: string): SimServer | null;
  /** The process has ended; whoever started it starts it again. */
  exited(server: SimServer, exitCode: number): void;
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

export class SimServer {
  readonly name: string;
  readonly clock: SimClock;
  readonly network: Network;
  /** Milliseconds to execute one replicated transaction. */
  applyMs = 1;
  /** So many copies into this server cannot be recovered at the start after them, which leaves it empty. */
  cloneFailures = 0;
  /** Milliseconds that a copy takes. */
  cloneMs = 600;
  volume: Volume;
  #process: Process | null = null;

  constructor(name: string, volume: Volume, clock: SimClock, network: Network) {
    this.name = name;
    this.volume = volume;
    this.clock = clock;
    this.network = network;
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

  start(): void {
    const { data, persisted } = this.volume;
    for (const transaction of data.binlog) this.execute(transaction);
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
      receiver: null,
      applier: false,
      applying: null,
      donating: false,
    };
    if (globals.get("skip_replica_start") === "OFF" && data.channel !== null) {
      this.startApplier();
      startReceiver(this);
    }
  }

  /** 137 = kill -9; the sockets close at once. */
  stop(exitCode: number): void {
    const { sessions, dumps, receiver } = this.process;
    this.#process = null;
    for (const session of [...sessions]) session.lose();
    for (const dump of [...dumps]) dump.end();
    receiver?.stop();
    this.network.exited(this, exitCode);
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
  async write(effect: (data: Data) => void, log = true): Promise<void> {
    if (!log) return effect(this.data);
    const uuid = this.volume.serverUuid;
    const number = Math.max(this.data.executed.next(uuid), this.#nextLogged(uuid));
    await this.commit({ gtid: { uuid, number }, effect, at: this.clock.now() });
  }

  #nextLogged(uuid: string): number {
    const last = this.data.binlog.findLast(({ gtid }) => gtid.uuid === uuid);
    return (last?.gtid.number ?? 0) + 1;
  }

  /** AFTER_SYNC: into the binary log and to the replicas first, then the wait, then it can be read. */
  async commit(transaction: Transaction): Promise<void> {
    const process = this.process;
    this.data.binlog.push(transaction);
    for (const dump of process.dumps) dump.send(transaction);
    await semiSyncWait(this, this.data.binlog.length - 1);
    // The thread died with its process; the next start finds the transaction in the log.
    if (this.#process !== process) throw new Lost(`${this.name} ended`);
    this.execute(transaction);
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
    void this.#apply(process);
  }

  /** Executes what was received, in order, for as long as there is something; more arriving calls it again. */
  async #apply(process: Process): Promise<void> {
    while (this.#process === process && process.applier && process.applying === null) {
      const next = this.volume.relay.find(({ gtid }) => !this.data.executed.has(gtid));
      if (next === undefined) return;
      process.applying = next;
      await this.clock.sleep(this.applyMs);
      if (this.#process !== process) return;
      const stopped = !process.applier;
      if (!stopped) await this.commit(next).catch((error: unknown) => void onlyLost(error));
      process.applying = null;
    }
  }

  wakeApplier(): void {
    if (this.#process !== null) void this.#apply(this.#process);
  }
}

export function onlyLost(error: unknown): void {
  if (!(error instanceof Lost)) throw error;
}

function installVariables(globals: Map<string, string>, plugin: string): void {
  for (const [name, value] of Object.entries(PLUGIN_VARIABLES[plugin] ?? {})) globals.set(name, value);
}
