/**
 * SELECT of single values: a list of expressions with names, each of which must be known. The long ones of
 * the observation are recognised by their shape, with the lists of names taken out of them.
 */
import type { Row, Value } from "../../../../shared/ports/server.ts";
import { Gtids } from "../gtids.ts";
import type { Session } from "../session.ts";
import { asNumber } from "../variables.ts";
import { observed } from "./observation.ts";
import { perText } from "./texts.ts";

const APPLYING =
  "(SELECT COUNT(*) FROM performance_schema.replication_applier_status_by_worker w " +
  "WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.APPLYING_TRANSACTION <> '')";

/** Splits at commas that are not inside brackets or quotes. */
export function splitTop(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "'") quoted = !quoted;
    if (quoted) continue;
    if (sign === "(") depth += 1;
    if (sign === ")") depth -= 1;
    if (sign === "," && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  return [...parts, text.slice(from).trim()];
}

/** Null when it is no list of named expressions. */
export async function selectColumns(
  session: Session,
  text: string,
  values: readonly Value[],
): Promise<Row | null> {
  const row: Record<string, string | null> = {};
  for (const { expression, name } of columnsOf(text) ?? []) {
    const value = await evaluate(session, expression, values);
    if (value === undefined) return null;
    row[name] = value;
  }
  return columnsOf(text) === null ? null : row;
}

const columnsOf = perText((text) => {
  if (!text.startsWith("SELECT ")) return null;
  return splitTop(text.slice("SELECT ".length)).map((column) => {
    const [, expression = "", name = ""] = /^(.*) AS (\w+)$/s.exec(column) ?? [];
    return { expression, name };
  });
});

const variableOf = perText((expression) => /^@@GLOBAL\.(\w+)$/.exec(expression)?.[1]);

async function evaluate(
  session: Session,
  expression: string,
  values: readonly Value[],
): Promise<string | null | undefined> {
  const { server, process } = session;
  const variable = variableOf(expression);
  if (variable === "gtid_executed") return server.data.executed.print();
  if (variable === "gtid_purged") return server.data.purged.print();
  if (variable !== undefined) return asNumber(server.variable(variable) ?? "");
  const pause = /^SLEEP\(([\d.]+)\)$/.exec(expression)?.[1];
  if (pause !== undefined) {
    await server.clock.sleep(Number(pause) * 1_000);
    return "0";
  }
  if (expression === "RELEASE_ALL_LOCKS()") return releaseLocks(session);
  if (expression === "GTID_SUBSET(@@GLOBAL.gtid_executed, ?)")
    return Gtids.parse(String(values[0])).contains(server.data.executed) ? "1" : "0";
  if (expression === "VERSION()") return server.variable("version") ?? "";
  if (expression === "GET_LOCK(?, ?)") {
    const [name = "", seconds] = values;
    const free = (): boolean => (process.locks.get(String(name)) ?? session) === session;
    const mine = await session.until(free, Number(seconds) * 1_000);
    if (mine) process.locks.set(String(name), session);
    return mine ? "1" : "0";
  }
  if (expression === "WAIT_FOR_EXECUTED_GTID_SET(?, ?)") {
    const wanted = Gtids.parse(String(values[0]));
    const done = await session.until(() => server.data.executed.contains(wanted), Number(values[1]) * 1_000);
    return done ? "0" : "1";
  }
  if (expression.startsWith("(SELECT")) {
    if (expression.includes("performance_schema.")) session.need("SELECT", "performance_schema.*", 1142);
    return observed(session, expression.slice(1, -1));
  }
  return undefined;
}

function releaseLocks({ process, ...session }: Session): string {
  let count = 0;
  for (const [name, holder] of process.locks) {
    if (holder.id !== session.id) continue;
    process.locks.delete(name);
    count += 1;
  }
  return String(count);
}

/** Columns of the default channel. */
export function channelColumns(session: Session, columns: string): Row {
  const { server, process } = session;
  const { channel } = server.data;
  const known: Readonly<Record<string, string>> = {
    "c.HOST": channel?.host ?? "",
    "c.PORT": String(channel?.port ?? ""),
    "c.USER": channel?.user ?? "",
    "c.AUTO_POSITION": channel?.autoPosition === true ? "1" : "0",
    "c.SSL_ALLOWED": channel?.tls === true ? "YES" : "NO",
    "s.SERVICE_STATE": process.receiver?.state ?? "OFF",
    "a.SERVICE_STATE": process.applier ? "ON" : "OFF",
    "d.DESIRED_DELAY": "0",
    "@@GLOBAL.read_only": asNumber(server.variable("read_only") ?? ""),
    "s.RECEIVED_TRANSACTION_SET": server.volume.received.print(),
    [APPLYING]: process.applying === null ? "0" : "1",
    "GTID_SUBSET(s.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)": server.data.executed.contains(
      server.volume.received,
    )
      ? "1"
      : "0",
  };
  return Object.fromEntries(
    splitTop(columns).map((column) => {
      const [, expression = "", name = ""] = /^(.*) AS (\w+)$/.exec(column) ?? [];
      const value = known[expression];
      if (value === undefined) throw new Error(`not a column of a channel: ${column}`);
      return [name, value];
    }),
  );
}
