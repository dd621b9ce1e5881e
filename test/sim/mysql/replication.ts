/**
 * The receiving side: a connection to the source that is tried again every two seconds, a relay log on the
 * volume, and the acknowledgement of what was written to it. A source sends each receiver what it lacks, in
 * the order of its binary log. A connection has two sides: over a way that is cut, or beside a stopped process,
 * one of them may be gone long before the other notices.
 */

import { refusalToSend } from "./binlog.ts";
import { Gtids } from "./gtids.ts";
import { offlineRefusal } from "./offline.ts";
import { acknowledge } from "./semisync.ts";
import type { Dump, Process, SimServer } from "./server.ts";
import { COMPILED } from "./variables.ts";
import type { Transaction } from "./volume.ts";

const NETWORK_MS = 1;
const CONNECT_MS = 3;
const RETRY_MS = 2_000;

export interface Receiver {
  readonly state: "ON" | "CONNECTING";
  readonly error: { readonly number: number; readonly message: string } | null;
  /** It told its source that it acknowledges, or means to tell it; without a connection it stays as it was (measured). */
  readonly semiSync: boolean;
  /** When the source was last heard before it fell silent; null = it never has. */
  readonly silentSinceMs: number | null;
  stop(): void;
}

export type Fault = NonNullable<Receiver["error"]>;

interface Connection extends Receiver {
  state: "ON" | "CONNECTING";
  error: Receiver["error"];
  semiSync: boolean;
  ended: boolean;
  /** How long it waits for a sign of life, as it was set when it connected. */
  netTimeoutMs: number;
  /** An attempt is under way, and nobody answers; null when none is. */
  waitsSinceMs: number | null;
  silentSinceMs: number | null;
  /** Ends the connection from this side. */
  hangUp: (() => void) | null;
}

function acknowledges(replica: SimServer): boolean {
  return replica.variable("rpl_semi_sync_replica_enabled") === "ON";
}

/** `atBoot`: persisted settings come after the receivers, so the first connection has the compiled one (measured). */
export function startReceiver(replica: SimServer, { atBoot = false } = {}): void {
  const { process, clock } = replica;
  if (process.receiver !== null) return;
  process.receiverFault = null;
  const connection: Connection = {
    state: "CONNECTING",
    error: null,
    semiSync: acknowledges(replica),
    ended: false,
    netTimeoutMs: atBoot ? Number(COMPILED["replica_net_timeout"]) * 1_000 : netTimeoutMs(replica),
    waitsSinceMs: null,
    silentSinceMs: null,
    hangUp: null,
    stop() {
      connection.ended = true;
      connection.hangUp?.();
    },
  };
  process.receiver = connection;
  clock.after(CONNECT_MS, () => connect(replica, connection));
}

/** What its last attempt met is still told (measured). */
export function stopReceiver({ process }: SimServer): void {
  if (process.receiver === null) return;
  process.receiver.stop();
  process.receiverFault = process.receiver.error;
  process.receiver = null;
}

function connect(replica: SimServer, connection: Connection): void {
  if (connection.ended) return;
  if (replica.stopped) {
    replica.whenAwake(() => connect(replica, connection));
    return;
  }
  const { channel } = replica.data;
  const source = channel && replica.network.resolve(replica, channel.host);
  if (channel !== null && waitsInVain(replica, connection, channel.host)) {
    replica.clock.after(RETRY_MS, () => connect(replica, connection));
    return;
  }
  const error = objection(replica, source);
  connection.error = error;
  if (error !== null || source === null || channel === null) {
    replica.clock.after(RETRY_MS, () => connect(replica, connection));
    return;
  }
  if (source.variable("server_id") === replica.variable("server_id")) {
    endByFault(replica, SAME_NUMBER);
    return;
  }
  const semiSync = acknowledges(replica) && source.data.plugins.has("rpl_semi_sync_source");
  replica.data.channel = { ...channel, sourceUuid: source.volume.serverUuid };
  // A replica that comes again is known by its uuid, and what is left of its last connection is ended.
  for (const old of [...source.process.dumps]) if (old.replica === replica) old.end();
  replica.process.sourceLeft = null;
  if (connection.semiSync && !acknowledges(replica)) {
    endByFault(replica, NO_MAGIC);
    return;
  }
  const gap = gapBetween(replica, source);
  if (gap !== null) {
    replica.process.sourceLeft = "cut";
    endByFault(replica, gap);
    return;
  }
  const had = replica.data.executed.copy().join(replica.volume.received);
  const dump = createDump({ source, replica, connection, semiSync, had });
  connection.state = "ON";
  connection.semiSync = semiSync;
  source.process.dumps.add(dump);
  for (const transaction of source.data.binlog) dump.send(transaction);
}

/** Told to acknowledge no longer, it asks for a plain stream the next time, and cannot read it (measured). */
const NO_MAGIC: Fault = { number: 13_117, message: "Fatal error: Failed to run 'after_read_event' hook" };
const SAME_NUMBER: Fault = { number: 13_117, message: "Fatal error: equal MySQL server ids" };

/** After these it does not try again by itself. */
function endByFault(replica: SimServer, fault: Fault): void {
  stopReceiver(replica);
  replica.process.receiverFault = fault;
}

/** What keeps the source from sending all that the replica lacks. */
function gapBetween(replica: SimServer, source: SimServer): Fault | null {
  const have = replica.data.executed.copy().join(replica.volume.received);
  const reason = refusalToSend(source, have);
  return reason === null ? null : cannotSend(reason);
}

export function cannotSend(reason: string): Fault {
  return { number: 13_114, message: `Got fatal error 1236: ${reason}` };
}

function holds({ data, volume }: SimServer, { gtid }: Transaction): boolean {
  return data.executed.has(gtid) || volume.received.has(gtid);
}

/** An attempt is given up as late as a stream that fell silent; until then it tells what was met before. */
function waitsInVain(replica: SimServer, connection: Connection, host: string): boolean {
  const now = replica.clock.now();
  if (!replica.network.isSilent(replica, host)) connection.waitsSinceMs = null;
  else connection.waitsSinceMs ??= now;
  return connection.waitsSinceMs !== null && now - connection.waitsSinceMs < connection.netTimeoutMs;
}

/** Why the source cannot be reached, or does not let it in; it is tried again. */
function objection(replica: SimServer, source: SimServer | null): Receiver["error"] {
  const { channel } = replica.data;
  if (channel === null || source === null || !source.running || source.process.ending) {
    return { number: 2003, message: "Can't connect to MySQL server" };
  }
  const user = source.data.users.get(channel.user);
  if (user?.password !== channel.password) return { number: 1045, message: "Access denied" };
  if (user.locked) return { number: 3118, message: "Account is locked" };
  const offline = offlineRefusal(source, channel.user);
  if (offline !== null) return { number: offline.code, message: offline.message };
  if (!user.grants?.has("REPLICATION SLAVE ON *.*")) return { number: 1227, message: "no REPLICATION SLAVE" };
  return null;
}

interface Ends {
  readonly source: SimServer;
  readonly replica: SimServer;
  readonly connection: Connection;
  readonly semiSync: boolean;
  /** What the replica had when it came: it is never sent that, and so never acknowledges it (measured). */
  readonly had: Gtids;
}

function createDump(ends: Ends): Dump {
  const { source, replica, connection, semiSync, had } = ends;
  const { process, clock, network } = source;
  const { routes } = network;
  const receiving = replica.process;
  const sides = { source: true, replica: true };

  /** The replica's side: it tries again, unless it was told to stop or cannot go on. */
  function dropReplica(left: Process["sourceLeft"], fault: Fault | null = null): void {
    if (!sides.replica) return;
    sides.replica = false;
    connection.hangUp = null;
    if (connection.ended || !replica.running || replica.process !== receiving) return;
    // An error is only what the next attempt meets.
    connection.state = "CONNECTING";
    connection.netTimeoutMs = netTimeoutMs(replica);
    receiving.sourceLeft = left;
    if (fault !== null) endByFault(replica, fault);
    else clock.after(CONNECT_MS, () => connect(replica, connection));
  }

  function dropSource(): void {
    if (!sides.source) return;
    sides.source = false;
    process.dumps.delete(dump);
  }

  connection.hangUp = () => {
    dropReplica(null);
    routes.travel(replica.name, source.name, () => source.whenAwake(dropSource));
  };

  function receive(transaction: Transaction, place: number): void {
    if (!sides.replica || !replica.running || replica.process !== receiving) return;
    // What bears its own number it takes for its own, and throws it away (measured); it acknowledges it nevertheless.
    const own = transaction.serverId === replica.variable("server_id");
    if (!own && !holds(replica, transaction)) {
      replica.volume.relay.push(transaction);
      replica.volume.received.add(transaction.gtid);
    }
    replica.wakeApplier();
    if (!semiSync) return;
    if (replica.acksToLose > 0) {
      replica.acksToLose -= 1;
      dropSource();
      dropReplica("cut");
      return;
    }
    clock.after(NETWORK_MS, () =>
      routes.travel(replica.name, source.name, () =>
        source.whenAwake(() => {
          if (sides.source && source.running) acknowledge(source, replica.volume.serverUuid, place);
        }),
      ),
    );
  }

  const dump: Dump = {
    replica,
    replicaUuid: replica.volume.serverUuid,
    account: replica.data.channel?.user ?? "",
    semiSync,
    send(transaction) {
      if (had.has(transaction.gtid)) return;
      const place = source.data.firstPlace + source.data.binlog.indexOf(transaction);
      clock.after(NETWORK_MS, () =>
        routes.travel(source.name, replica.name, () =>
          replica.whenAwake(() => replica.disk.whenRoom(() => receive(transaction, place))),
        ),
      );
    },
    end(fault = null) {
      if (!sides.source) return;
      dropSource();
      // Only a server that stops says goodbye: a stream that is killed on it is cut (measured).
      const left = process.ending ? "orderly" : "cut";
      const drop = (): void => dropReplica(left, fault);
      routes.travel(source.name, replica.name, () => replica.whenAwake(drop));
    },
    fallSilent() {
      const { mended } = routes;
      connection.silentSinceMs = clock.now();
      clock.after(connection.netTimeoutMs, () => {
        if (!sides.replica || replica.stopped || routes.mended !== mended) return;
        if (!source.stopped && routes.isOpen(source.name, replica.name)) return;
        // A receiver that gives up by itself logs no end (measured).
        dropReplica(null);
        routes.travel(replica.name, source.name, () => source.whenAwake(dropSource));
      });
    },
  };
  return dump;
}

function netTimeoutMs(replica: SimServer): number {
  return Number(replica.variable("replica_net_timeout")) * 1_000;
}

/** CHANGE REPLICATION SOURCE with both threads stopped (facts L2), or a copy of `donor`. */
export function dropRelayLog(server: SimServer, donor: SimServer | null): void {
  server.network.witness.discarding(server, "relay log", donor);
  server.volume.relay = [];
  server.volume.received = new Gtids();
}
