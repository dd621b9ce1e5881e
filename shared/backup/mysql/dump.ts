/**
 * A logical copy: what mysqldump prints, which says itself what position it is of. Rows are written as hexadecimal where
 * they are no text: escaping them takes three times as long, and hides them from nobody.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { orBreak } from "../../model/broken-stream.ts";
import { assert } from "../../model/outcome.ts";
import type { Server } from "../../ports/server.ts";
import type { Copy, Source } from "../copies.ts";
import { type Bytes, unusable } from "../flow.ts";
import { feed, outputOf } from "../program.ts";
import {
  authorityFile,
  emptyScratch,
  initialise,
  reach,
  type Scratch,
  socketOf,
  withServer,
} from "./scratch.ts";

const END_MARK = "-- Dump completed";
/** Far beyond the longest set that Ordinal takes. */
const HEAD_BYTES_MAX = 4 * 1024 * 1024;
const POSITION = /SET @@GLOBAL\.GTID_PURGED=(?:\/\*!\d+ '\+'\*\/ )?'([^']*)';/;

const DUMP: readonly string[] = [
  ...["--single-transaction", "--routines", "--events", "--triggers", "--set-gtid-purged=ON"],
  ...["--hex-blob", "--no-tablespaces", "--max-allowed-packet=1G"],
  // They hold the replica's password for its source, and mean nothing on another server.
  ...["slave_master_info", "slave_relay_log_info", "slave_worker_info"].map(
    (table) => `--ignore-table=mysql.${table}`,
  ),
];

/** Quoted as option files have it. */
const value = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

/** For our eyes only, and never in arguments, which everybody on the machine can read. */
async function optionFile(scratch: Scratch, source: Source): Promise<string> {
  const { host, port, username, password } = source;
  const control = /\p{Cc}/u;
  if (control.test(username + password))
    throw unusable("the account's name or password holds a control character");
  const lines = [`host=${value(host)}`, `port=${port}`, "protocol=tcp"];
  lines.push(`user=${value(username)}`, `password=${value(password)}`);
  const authority = await authorityFile(scratch, source);
  lines.push(
    ...(authority === null ? ["ssl-mode=REQUIRED"] : ["ssl-mode=VERIFY_CA", `ssl-ca=${value(authority)}`]),
  );
  const file = join(scratch.folder, "client.cnf");
  await writeFile(file, ["[client]", ...lines, ""].join("\n"), { mode: 0o600 });
  return file;
}

/** Passes the stream on and reads the position out of its beginning. */
async function* noting(source: Bytes, note: (position: string) => void): Bytes {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of source) {
    if (head !== null) {
      head = Buffer.concat([head, chunk]);
      const found = POSITION.exec(head.toString("latin1"))?.[1];
      if (found !== undefined) note(found.replaceAll(/\s/g, ""));
      if (found === undefined && head.length > HEAD_BYTES_MAX)
        throw unusable("the dump does not say its position");
      if (found !== undefined) head = null;
    }
    yield chunk;
  }
  if (head !== null) throw unusable("the dump does not say its position");
}

export async function copyDatabases<T>(
  scratch: Scratch,
  source: Source,
  databases: readonly string[] | null,
  use: (copy: Copy) => Promise<T>,
): Promise<T> {
  await emptyScratch(scratch);
  const server = await reach(scratch, source);
  const asked = await server.query("SELECT @@GLOBAL.version AS version, @@GLOBAL.server_uuid AS uuid");
  await server.close();
  const [row] = orBreak(asked);
  const version = row?.["version"] ?? "";
  const wanted = databases === null ? ["--all-databases"] : ["--databases", ...databases];
  const args = [`--defaults-file=${await optionFile(scratch, source)}`, ...DUMP, ...wanted];
  const dump = outputOf({ program: "mysqldump", args, env: { PATH: scratch.path }, endMark: END_MARK });
  let position: string | null = null;
  const note = (found: string) => {
    position = found;
  };
  return await use({
    ...{ version, serverUuid: row?.["uuid"] ?? "", tool: { name: "mysqldump", version } },
    stream: noting(dump, note),
    bytes: null,
    position() {
      assert(position !== null, "the position of a dump is known when it has ended");
      return position;
    },
    counts: null,
  });
}

/** What `look` finds in a server that was made of the stream. */
export async function restoreDatabases<T>(
  scratch: Scratch,
  stream: Bytes,
  look: (server: Server) => Promise<T>,
): Promise<T> {
  await emptyScratch(scratch);
  await initialise(scratch, null);
  return await withServer(scratch, { shape: null, options: [] }, async (server) => {
    const args = ["--no-defaults", `--socket=${socketOf(scratch)}`, "--user=root", "--binary-mode"];
    // What is imported may change root's password; this session stays root's.
    await feed(
      { program: "mysql", args: [...args, "--max-allowed-packet=1G"], env: { PATH: scratch.path } },
      stream,
    );
    return await look(server);
  });
}
