/**
 * The receiving side: a connection to the source that is tried again every two seconds, a relay log on the
 * volume, and the acknowledgement of what was written to it. A source sends each receiver what it lacks, in
 * the order of its binary log.
 */

import { Gtids } from "./gtids.ts";
import { acknowledge } from "./semisync.ts";
import type { Dump, SimServer } from "./server.ts";
import { offlineRefusal } from "./statements/change-of-primary.ts";
import type { Transaction } from "./volume.ts";

const NETWORK_MS = 1;
const CONNECT_MS = 3;
const RETRY_MS = 2_000;

export interface Receiver {
  readonly state: "ON" | "CONNECTING";
  readonly error: { readonly number: number; readonly message: string } | null;
  /** It told the source that it acknowledges. */
  readonly semiSync: boolean;
  stop(): void;
}

interface Connection extends Receiver {
  state: "ON" | "CONNECTING";
  error: Receiver["error"];
  semiSync: boolean;
  ended: boolean;
  dump: Dump | null;
}

export function startReceiver(replica: SimServer): void {
  const { process, clock } = replica;
  if (process.receiver !== null) return;
  const connection: Connection = {
    state: "CONNECTING",
    error: null,
    semiSync: false,
    ended: false,
    dump: null,
    stop() {
      connection.ended = true;
      connection.dump?.end();
    },
  };
  process.receiver = connection;
  clock.after(CONNECT_MS, () => connect(replica, connection));
}

export function stopReceiver(replica: SimServer): void {
  replica.process.receiver?.stop();
  replica.process.receiver = null;
}

function connect(replica: SimServer, connection: Connection): void {
  if (connection.ended) return;
  const { channel } = replica.data;
  const source = channel && replica.network.resolve(replica, channel.host);
  const error = objection(replica, source);
  connection.error = error;
  if (error !== null || source === null || channel === null) {
    replica.clock.after(RETRY_MS, () => connect(replica, connection));
    return;
  }
  const semiSync =
    replica.variable("rpl_semi_sync_replica_enabled") === "ON" &&
    source.data.plugins.has("rpl_semi_sync_source");
  replica.data.channel = { ...channel, sourceUuid: source.volume.serverUuid };
  const dump = createDump(source, replica, connection, semiSync);
  connection.state = "ON";
  connection.semiSync = semiSync;
  connection.dump = dump;
  source.process.dumps.add(dump);
  for (const transaction of source.data.binlog) {
    if (!holds(replica, transaction)) dump.send(transaction);
  }
}

function holds({ data, volume }: SimServer, { gtid }: Transaction): boolean {
  return data.executed.has(gtid) || volume.received.has(gtid);
}

/** Why the source does not let it in. */
function objection(replica: SimServer, source: SimServer | null): Receiver["error"] {
  const { channel } = replica.data;
  if (channel === null || source === null || !source.running) {
    return { number: 2003, message: "Can't connect to MySQL server" };
  }
  const user = source.data.users.get(channel.user);
  if (user?.password !== channel.password) return { number: 1045, message: "Access denied" };
  if (user.locked) return { number: 3118, message: "Account is locked" };
  const offline = offlineRefusal(source, channel.user);
  if (offline !== null) return { number: offline.code, message: offline.message };
  if (!user.grants?.has("REPLICATION SLAVE ON *.*")) return { number: 1227, message: "no REPLICATION SLAVE" };
  if (source.variable("server_id") === replica.variable("server_id")) {
    return { number: 13117, message: "equal MySQL server ids" };
  }
  const have = replica.data.executed.copy();
  for (const { gtid } of replica.volume.relay) have.add(gtid);
  if (!have.contains(source.data.purged)) {
    return { number: 13114, message: "the source has purged required binary logs" };
  }
  return null;
}

function createDump(source: SimServer, replica: SimServer, connection: Connection, semiSync: boolean): Dump {
  const process = source.process;
  const { clock } = source;
  let ended = false;
  const dump: Dump = {
    replica,
    account: replica.data.channel?.user ?? "",
    semiSync,
    send(transaction) {
      const place = source.data.binlog.indexOf(transaction);
      clock.after(NETWORK_MS, () => {
        if (ended) return;
        if (!holds(replica, transaction)) {
          replica.volume.relay.push(transaction);
          replica.volume.received.add(transaction.gtid);
        }
        replica.wakeApplier();
        if (!semiSync) return;
        clock.after(NETWORK_MS, () => {
          if (!ended && source.running) acknowledge(source, replica.volume.serverUuid, place);
        });
      });
    },
    end() {
      if (ended) return;
      ended = true;
      process.dumps.delete(dump);
      connection.dump = null;
      connection.semiSync = false;
      if (connection.ended) return;
      connection.state = "CONNECTING";
      clock.after(CONNECT_MS, () => connect(replica, connection));
    },
  };
  return dump;
}

/** CHANGE REPLICATION SOURCE with both threads stopped (facts L2). */
export function dropRelayLog({ volume }: SimServer): void {
  volume.relay = [];
  volume.received = new Gtids();
}
