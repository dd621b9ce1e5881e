/** What the engine's observation asks for in one value each: tables of performance_schema as JSON. */
import type { SimServer } from "../server.ts";
import type { Session } from "../session.ts";
import { perText } from "./texts.ts";

const shapeOf = perText((query) => ({
  shape: query.replaceAll(/ IN \([^)]*\)/g, " IN (…)").replaceAll(/= '\w+'/g, "= '…'"),
  name: /= '(\w+)'/.exec(query)?.[1] ?? "",
}));

/** Undefined for a query that is not known. */
export function observed(session: Session, query: string): string | null | undefined {
  const { shape, name } = shapeOf(query);
  const { process } = session;
  switch (shape) {
    case "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = '…'":
      return status(session, name) ?? null;
    case "SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables WHERE VARIABLE_NAME = '…'":
      return session.server.volume.persisted.get(name) ?? null;
    case "SELECT COUNT(*) FROM performance_schema.replication_connection_status WHERE SERVICE_STATE <> 'OFF'":
      return process.receiver === null ? "0" : "1";
    case "SELECT SERVICE_STATE FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''":
      return process.receiver?.state ?? "OFF";
    case "SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''":
      return session.server.data.channel === null ? null : session.server.volume.received.print();
    case "SELECT MAX(PROCESSLIST_TIME) FROM performance_schema.threads WHERE PROCESSLIST_STATE = 'Waiting for semi-sync ACK from replica'":
      return longestWait(session);
    case "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_COMMAND IN (…)":
      return String(process.dumps.size);
    default:
      if (shape.startsWith("SELECT MAX(seconds) FROM ( SELECT t.PROCESSLIST_TIME AS seconds"))
        return secondsSince(session, session.server.disk.waitedForSinceMs);
      if (shape.startsWith("SELECT JSON_OBJECTAGG(name, value) FROM ( SELECT VARIABLE_NAME")) {
        return JSON.stringify(flags(session, query));
      }
      if (shape.startsWith("SELECT JSON_ARRAYAGG(JSON_OBJECT('name', c.CHANNEL_NAME"))
        return channels(session, query);
      if (shape.startsWith("SELECT JSON_OBJECTAGG(CONCAT('account:', USER), ATTRIBUTE)"))
        return accounts(session);
      if (shape.startsWith("SELECT JSON_ARRAYAGG(JSON_OBJECT('epoch', epoch, 'clusterUid'"))
        return terms(session);
      if (shape.startsWith("SELECT JSON_ARRAYAGG(JSON_OBJECT('epoch', epoch, 'serverUuid', server_uuid,"))
        return archived(session);
      if (shape.startsWith("SELECT JSON_OBJECT('state', STATE, 'error'")) return seeding(session);
      return undefined;
  }
}

/** Whole seconds, as the process list counts them. */
function secondsSince({ server }: Session, sinceMs: number | null): string | null {
  return sinceMs === null ? null : String(Math.floor((server.clock.now() - sinceMs) / 1000));
}

function longestWait(session: Session): string | null {
  const since = [...session.process.ackWaiters].map((ack) => ack.sinceMs);
  return since.length === 0 ? null : secondsSince(session, Math.min(...since));
}

function status({ server, process }: Session, name: string): string | undefined {
  switch (name) {
    case "Uptime":
      return String(Math.floor(server.clock.now() / 1000) - Math.floor(process.startedAtMs / 1000));
    case "Rpl_semi_sync_source_clients":
      if (!server.data.plugins.has("rpl_semi_sync_source")) return undefined;
      return String([...process.dumps].filter((dump) => dump.semiSync).length);
    case "Rpl_semi_sync_source_wait_sessions":
      // The first one waits with the lock of the commit stage in hand, and all others wait for that lock.
      return server.data.plugins.has("rpl_semi_sync_source")
        ? String(Math.min(1, process.ackWaiters.size))
        : undefined;
    case "Rpl_semi_sync_replica_status":
      if (!server.data.plugins.has("rpl_semi_sync_replica")) return undefined;
      return process.receiver?.semiSync === true ? "ON" : "OFF";
    case "Ongoing_anonymous_transaction_count":
      return "0";
    default:
      throw new Error(`not a counter of the simulated MySQL: ${name}`);
  }
}

/** Names listed for one of the tables. */
function listed(query: string, table: string): readonly string[] {
  const [, names = ""] =
    new RegExp(`FROM performance_schema\\.${table} WHERE VARIABLE_NAME IN \\(([^)]*)\\)`).exec(query) ?? [];
  return names.split(",").map((name) => name.replaceAll("'", ""));
}

const listsOf = perText((query) => ({
  variables: listed(query, "global_variables"),
  counters: listed(query, "global_status"),
  persisted: listed(query, "persisted_variables").map((name) => ({ name, key: `persisted:${name}` })),
}));

function flags(session: Session, query: string): Record<string, string> {
  const { server } = session;
  const { variables, counters, persisted } = listsOf(query);
  const found: Record<string, string> = {};
  const add = (key: string, value: string | undefined): void => {
    if (value !== undefined) found[key] = value;
  };
  for (const name of variables) add(name, server.variable(name));
  for (const name of counters) add(`status:${name}`, status(session, name));
  for (const { name, key } of persisted) add(key, server.volume.persisted.get(name));
  for (const table of server.data.tables) {
    if (table.startsWith("ordinal.") && table !== "ordinal.")
      found[`table:${table.slice("ordinal.".length)}`] = "present";
  }
  found["now"] = (server.clock.now() / 1000).toFixed(6);
  return found;
}

/** Null unless it is connected to a source that is silent. */
function silentMs(server: SimServer, receiver: Session["process"]["receiver"], host: string): number | null {
  if (receiver?.state !== "ON" || receiver.silentSinceMs === null) return null;
  return server.network.isSilent(server, host) ? server.clock.now() - receiver.silentSinceMs : 0;
}

/** What the receiver wrote into the error log last; nothing before its first stream. */
function lastWord({ sourceLeft }: Session["process"]): string | null {
  return sourceLeft === null ? null : sourceLeft === "cut" ? "MY-010557" : "MY-010558";
}
const channelKeys = perText((query) =>
  [...query.matchAll(/'(\w+)', (?:[csa]\.|COALESCE|IF\(|\(SELECT MIN)/g)].map(([, key = ""]) => key),
);

function channels({ server, process }: Session, query: string): string | null {
  const { channel } = server.data;
  if (channel === null) return null;
  const { receiver } = process;
  const error = receiver === null ? process.receiverFault : receiver.error;
  const known: Readonly<Record<string, unknown>> = {
    name: "",
    host: channel.host,
    account: channel.user,
    autoPosition: channel.autoPosition ? "1" : "0",
    tls: channel.tls ? "YES" : "NO",
    sourceUuid: channel.sourceUuid,
    receiver: receiver?.state ?? "OFF",
    receiverNumber: error?.number ?? 0,
    receiverError: error?.message ?? "",
    received: server.volume.received.print(),
    applier: process.applier ? "ON" : "OFF",
    silentMs: silentMs(server, receiver, channel.host),
    sourceLeft: receiver?.state === "ON" ? null : lastWord(process),
    applierError: process.applierError,
    applyingSince: process.applying === null ? null : process.applying.at / 1000,
  };
  const row: Record<string, unknown> = {};
  for (const key of channelKeys(query)) {
    if (!(key in known)) throw new Error(`not a column of a channel: ${key}`);
    row[key] = known[key];
  }
  return JSON.stringify([row]);
}

function accounts({ server }: Session): string | null {
  const ours = [...server.data.users].filter(([name]) => name.startsWith("ordinal"));
  if (ours.length === 0) return null;
  return JSON.stringify(
    Object.fromEntries(ours.map(([name, { attribute }]) => [`account:${name}`, attribute])),
  );
}

function terms({ server }: Session): string | null {
  if (server.data.terms.size === 0) return null;
  const rows = [...server.data.terms].map(([epoch, { clusterUid, serverUuid, opened }]) => ({
    epoch,
    clusterUid,
    serverUuid,
    opened,
  }));
  return JSON.stringify(rows.sort((a, b) => b.epoch - a.epoch));
}

function archived({ server }: Session): string | null {
  const rows = [...server.data.archive.values()].sort((a, b) => b.epoch - a.epoch);
  return rows.length === 0
    ? null
    : JSON.stringify(rows.map(({ epoch, serverUuid, gtids }) => ({ epoch, serverUuid, gtids })));
}

function seeding({ server }: Session): string | null {
  const { clone } = server.volume;
  if (clone === null) return null;
  return JSON.stringify({ state: clone.state, error: clone.error, bytes: 50, expected: 100 });
}
