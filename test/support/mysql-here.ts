/**
 * MySQL of the local cluster's image as processes of this machine, without a cluster or a container: the programs, as a
 * folder for PATH, and a server to be copied.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
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
  /** In an orderly way. */
  end(): Promise<void>;
  /** At once; what it held is of no use any more. */
  stop(): Promise<void>;
}

export interface ServeWish {
  /** Made by a server before. */
  readonly data: string;
  readonly credentials: Credentials;
  /** Login by TCP, as everybody does; else by the socket, as whoever is on the machine does. */
  readonly overNetwork?: boolean;
}

/** A server with TLS, GTIDs and a log, as the official image starts it over its volume, on loopback. */
export async function serveHere(bin: string, wish: ServeWish): Promise<MysqlHere> {
  const { data, credentials } = wish;
  const folder = mkdtempSync(join(tmpdir(), "ordinal-db-"));
  const port = await freePort();
  const socket = join(folder, "socket");
  const listening = [
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--plugin-load-add=clone=mysql_clone.so",
  ];
  const child = spawn(join(bin, "mysqld"), [...commonOptions(data, folder), ...listening], {
    ...{ env: envOf(bin), stdio: ["ignore", "ignore", "pipe"] },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const servers = createServers({ pool: false });
  const limits = { connectTimeoutMs: 3_000, queryTimeoutMs: 60_000 };
  const session = await waitFor("the server to answer", { timeoutMs: 60_000, everyMs: 100 }, async () => {
    const where = wish.overNetwork === true ? { host: "127.0.0.1" } : { host: "here", socket };
    const options = { ...where, port, credentials, authority: null, attributes: {}, ...limits };
    const server = await servers.connect({ ...options, fresh: true });
    if (!server.ok && child.exitCode !== null)
      throw new Error(`mysqld ended with ${child.exitCode}: ${said}`);
    return server.ok ? server : { ok: false, saw: server.failure.message };
  });
  const close = async (signal: "SIGTERM" | "SIGKILL") => {
    await session.close();
    servers.close();
    process.off("exit", kill);
    child.kill(signal);
    await ended;
    if (existsSync(folder)) rmSync(folder, { recursive: true });
  };
  return {
    ...{ port, session, root: credentials },
    authority: readFileSync(join(data, "ca.pem"), "utf8"),
    end: () => close("SIGTERM"),
    stop: () => close("SIGKILL"),
  };
}

function commonOptions(data: string, folder: string): readonly string[] {
  const places = [
    `--datadir=${data}`,
    `--socket=${join(folder, "socket")}`,
    `--pid-file=${join(folder, "pid")}`,
  ];
  // The folder that is compiled in for files is there only where Debian's own package is installed.
  const quiet = ["--mysqlx=OFF", "--secure-file-priv=NULL", "--log-error-verbosity=1"];
  return ["--no-defaults", ...places, ...quiet];
}

const envOf = (bin: string) => ({ PATH: `${bin}:/usr/bin:/bin` });

/** An empty server in that folder, whose root has no password. */
export async function initialiseHere(bin: string, data: string): Promise<void> {
  const options = [...commonOptions(data, data), "--initialize-insecure"];
  await run(join(bin, "mysqld"), options, { env: envOf(bin) });
}

/** One after the other; throws at the first that the server does not take. */
export async function runEach(session: Server, statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    const done = await session.query(sql);
    if (!done.ok) throw new Error(`${sql}: ${done.failure.message}`);
  }
}

/** One to be copied: with an administrator and an account that may copy it. */
export async function startMysqlHere(bin: string): Promise<MysqlHere> {
  const data = mkdtempSync(join(tmpdir(), "ordinal-data-"));
  await initialiseHere(bin, data);
  const server = await serveHere(bin, { data, credentials: { username: "root", password: "" } });
  await runEach(server.session, [
    "CREATE USER 'root'@'%' IDENTIFIED BY 'Test-root-1'",
    "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION",
    "CREATE USER 'ordinal_repl_0'@'%' IDENTIFIED BY 'Test-repl-1' REQUIRE SSL",
    "GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'ordinal_repl_0'@'%'",
  ]);
  return {
    ...server,
    root: { username: "root", password: "Test-root-1" },
    async stop() {
      await server.stop();
      if (existsSync(data)) rmSync(data, { recursive: true });
    },
  };
}
