/** A MySQL server as the archive sees it: what it has, what of it is still in its log, and the log itself. */
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { LogWish, StreamLog } from "../../ports/log-stream.ts";
import type { ConnectOptions, Servers } from "../../ports/server.ts";
import type { Tip } from "../archive/look.ts";
import type { LogSource } from "../archive/pass.ts";

const STANDING = `SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.version AS version, @@GLOBAL.gtid_executed AS executed,
 @@GLOBAL.gtid_purged AS purged, @@GLOBAL.binlog_encryption AS encrypted`;

/** Looks at the server once, now; the stream is opened later, to nobody but the same server. */
export async function lookAtLog(
  { servers, streamLog }: { readonly servers: Servers; readonly streamLog: StreamLog },
  to: ConnectOptions,
  wish: LogWish,
): Promise<Outcome<LogSource>> {
  const server = await servers.connect(to);
  if (!server.ok) return server;
  const rows = await server.value.query(STANDING);
  const { authority } = server.value;
  await server.value.close();
  if (!rows.ok) return rows;
  const { uuid, version, executed, purged, encrypted } = rows.value[0] ?? {};
  return succeed({
    serverUuid: uuid ?? "",
    version: version ?? "",
    executed: executed ?? "",
    purged: purged ?? "",
    isEncrypted: encrypted === "1",
    stream: (except) => streamLog({ ...to, authority }, except, wish),
  });
}

const EXECUTED = "SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_executed AS executed";
/** Of no time zone: where clocks are put back an hour comes twice. */
const CLOCK = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS us";

/**
 * What the server had executed at an instant of its own clock. `transient` also while it is written to: between two
 * statements something may be committed, and then it is not known for which of them an instant holds.
 */
export async function askTip(servers: Servers, to: ConnectOptions): Promise<Outcome<Tip>> {
  const server = await servers.connect(to);
  if (!server.ok) return server;
  const session = server.value;
  const before = await session.query(EXECUTED);
  const clock = await session.query(CLOCK);
  const after = await session.query(EXECUTED);
  await session.close();
  if (!before.ok) return before;
  if (!clock.ok) return clock;
  if (!after.ok) return after;
  const [{ uuid, executed } = {}, { us } = {}] = [before.value[0], clock.value[0]];
  if (after.value[0]?.["uuid"] !== uuid || after.value[0]?.["executed"] !== executed) {
    return fail("transient", `${to.host} is being written to.`);
  }
  return succeed({ serverUuid: uuid ?? "", position: executed ?? "", atUs: Number(us) });
}
