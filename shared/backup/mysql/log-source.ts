/** A MySQL server as the archive sees it: what it has, what of it is still in its log, and the log itself. */
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { LogWish, StreamLog } from "../../ports/log-stream.ts";
import type { ConnectOptions, Servers } from "../../ports/server.ts";
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
