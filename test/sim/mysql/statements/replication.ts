/** CHANGE REPLICATION SOURCE, START, STOP: what runs, and what becomes of the relay log (facts L2). */
import { dropRelayLog, startReceiver, stopReceiver } from "../replication.ts";
import { Refused } from "../server.ts";
import type { Session } from "../session.ts";
import type { Statement } from "./statement.ts";

function clause(text: string, name: string): string | undefined {
  return new RegExp(`SOURCE_${name} = '?([^',]+)'?`).exec(text)?.[1];
}

function change(session: Session, text: string): void {
  const { server, process } = session;
  if (process.receiver !== null) throw new Refused(3021, "stop the receiver first");
  const before = server.data.channel;
  const autoPosition = clause(text, "AUTO_POSITION");
  if (process.applier && autoPosition !== undefined) throw new Refused(3081, "stop the applier first");
  const host = clause(text, "HOST") ?? before?.host ?? "";
  const tls = clause(text, "SSL");
  server.data.channel = {
    host,
    port: Number(clause(text, "PORT") ?? before?.port ?? 3306),
    user: clause(text, "USER") ?? before?.user ?? "",
    password: clause(text, "PASSWORD") ?? before?.password ?? "",
    autoPosition: autoPosition === undefined ? (before?.autoPosition ?? false) : autoPosition === "1",
    tls: tls === undefined ? (before?.tls ?? false) : tls === "1",
    sourceUuid: before?.host === host ? before.sourceUuid : "",
  };
  if (!process.applier) dropRelayLog(server, null);
}

export const REPLICATION_STATEMENTS: readonly Statement[] = [
  {
    pattern: /^(START|STOP) REPLICA(?: (IO_THREAD|SQL_THREAD))?$/,
    run: (session, [, verb, thread]) => {
      session.need("REPLICATION_SLAVE_ADMIN");
      const { server, process } = session;
      if (server.data.channel === null) throw new Refused(1200, "The server is not configured as replica");
      if (thread !== "SQL_THREAD") {
        if (verb === "START") startReceiver(server);
        else stopReceiver(server);
      }
      if (thread !== "IO_THREAD") {
        if (verb === "START") server.startApplier();
        else process.applier = false;
      }
    },
  },
  {
    pattern: /^CHANGE REPLICATION SOURCE TO (.+)$/,
    run: (session, [, clauses = ""]) => {
      session.need("REPLICATION_SLAVE_ADMIN");
      change(session, clauses);
    },
  },
];
