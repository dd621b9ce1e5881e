/**
 * MySQL of the local cluster's image as processes of this machine, without a cluster or a container: the programs, as a
 * folder for PATH, and a server to be copied.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached, hashOf } from "../../infra/local/build.ts";
import { mysqlBase } from "../../infra/local/mysql-image.ts";
import { findProgram } from "../../infra/local/packages.ts";
import { run } from "../../infra/local/process.ts";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import type { Credentials, Server } from "../../shared/ports/server.ts";
import { freePort } from "./free-port.ts";
import { waitFor } from "./wait.ts";

/** Why it cannot be had here, or null. */
export function whyNoMysqlHere(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "the packages are unpacked as root on Linux";
  return findProgram("debootstrap") === undefined ? "debootstrap is missing" : null;
}

const WANTED = [
  "usr/sbin/mysqld",
  "usr/bin/mysql",
  "usr/bin/mysqlbinlog",
  "usr/bin/mysqldump",
  "usr/lib",
  "usr/share/mysql*",
];

/** A program of the image, run by the image's own loader with the image's own libraries. */
function script(root: string, program: string, options: readonly string[]): string {
  const libraries = join(
    root,
    "usr/lib",
    readdirSync(join(root, "usr/lib")).find((name) => name.endsWith("-linux-gnu")) ?? "",
  );
  const loader = readdirSync(libraries).find((name) => /^ld-linux.*\.so\.\d+$/.test(name)) ?? "";
  const command = [join(libraries, loader), "--library-path", libraries, join(root, program)];
  // Which option file is read, and that none is, has to be said first.
  return [
    "#!/bin/sh",
    "first=$1",
    "shift",
    `exec ${[...command, '"$first"', ...options, '"$@"'].join(" ")}`,
    "",
  ].join("\n");
}

/** A folder with mysqld, mysql, mysqlbinlog and mysqldump. */
export async function mysqlPrograms(): Promise<string> {
  const base = await mysqlBase();
  const entry = `mysql-here-${hashOf([import.meta.filename], [readFileSync(join(base, "version"), "utf8")])}`;
  const folder = await cached(entry, async (scratch) => {
    const paths = WANTED.map((path) => `./${path}`);
    await run("tar", [
      "--extract",
      `--file=${join(base, "layer.tar")}`,
      `--directory=${scratch}`,
      "--wildcards",
      ...paths,
    ]);
  });
  const bin = mkdtempSync(join(tmpdir(), "ordinal-mysql-"));
  process.once("exit", () => rmSync(bin, { recursive: true, force: true }));
  const options = [
    ...["--user=root", `--basedir=${folder}/usr`, `--plugin-dir=${folder}/usr/lib/mysql/plugin`],
    ...[
      `--lc-messages-dir=${folder}/usr/share/mysql`,
      `--character-sets-dir=${folder}/usr/share/mysql/charsets`,
    ],
  ];
  const scripts = {
    mysqld: script(folder, "usr/sbin/mysqld", options),
    mysql: script(folder, "usr/bin/mysql", []),
    mysqlbinlog: script(folder, "usr/bin/mysqlbinlog", []),
    mysqldump: script(folder, "usr/bin/mysqldump", []),
  };
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

export interface MysqlHere {
  readonly port: number;
  /** What it is recognised by, PEM. */
  readonly authority: string;
  readonly root: Credentials;
  /** A session of root. */
  readonly session: Server;
  stop(): Promise<void>;
}

/** A server with TLS, GTIDs and a log, as the official image starts it, on loopback. */
export async function startMysqlHere(bin: string): Promise<MysqlHere> {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-db-"));
  const data = join(folder, "data");
  mkdirSync(data);
  const port = await freePort();
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  const socket = join(folder, "socket");
  const places = [`--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(folder, "pid")}`];
  // The folder that is compiled in for files is there only where Debian's own package is installed.
  const quiet = ["--mysqlx=OFF", "--secure-file-priv=NULL", "--log-error-verbosity=1"];
  const common = ["--no-defaults", ...places, ...quiet];
  await run(join(bin, "mysqld"), [...common, "--initialize-insecure"], { env });
  const listening = [
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--plugin-load-add=clone=mysql_clone.so",
  ];
  const child = spawn(join(bin, "mysqld"), [...common, ...listening], {
    ...{ env, stdio: ["ignore", "ignore", "pipe"] },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const servers = createServers({ pool: false });
  const root: Credentials = { username: "root", password: "Test-root-1" };
  const limits = { connectTimeoutMs: 3_000, queryTimeoutMs: 60_000 };
  const session = await waitFor("the server to answer", { timeoutMs: 60_000, everyMs: 100 }, async () => {
    const credentials = { username: "root", password: "" };
    const options = { host: "here", port, socket, credentials, authority: null, attributes: {}, ...limits };
    const server = await servers.connect({ ...options, fresh: true });
    if (!server.ok && child.exitCode !== null)
      throw new Error(`mysqld ended with ${child.exitCode}: ${said}`);
    return server.ok ? server : { ok: false, saw: server.failure.message };
  });
  for (const sql of [
    "CREATE USER 'root'@'%' IDENTIFIED BY 'Test-root-1'",
    "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION",
    "CREATE USER 'ordinal_repl_0'@'%' IDENTIFIED BY 'Test-repl-1' REQUIRE SSL",
    "GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'ordinal_repl_0'@'%'",
  ]) {
    const done = await session.query(sql);
    if (!done.ok) throw new Error(`${sql}: ${done.failure.message}`);
  }
  return {
    ...{ port, root, session },
    authority: readFileSync(join(data, "ca.pem"), "utf8"),
    async stop() {
      await session.close();
      servers.close();
      process.off("exit", kill);
      kill();
      await ended;
      if (existsSync(folder)) rmSync(folder, { recursive: true });
    },
  };
}
