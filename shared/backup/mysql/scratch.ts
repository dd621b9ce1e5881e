/**
 * A server that is thrown away: the cluster's own mysqld over a folder of ours, reached by a socket in that folder and by
 * nobody else, which logs nothing, replicates nothing and runs no events.
 */
import { X509Certificate } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BrokenStream, orBreak } from "../../model/broken-stream.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Server, Servers } from "../../ports/server.ts";
import type { Source } from "../copies.ts";
import { type Patience, patiently } from "../patience.ts";
import { launch, type Program, runToEnd } from "../program.ts";

export interface Scratch {
  /** There, and ours alone. A socket's path has at most 107 characters, so it must be short. */
  readonly folder: string;
  /** There, and ours alone: holds its data, and what it needs much room for. May be the same. */
  readonly disk: string;
  readonly servers: Servers;
  /** Where programs are looked for. */
  readonly path: string;
  /** For the first connection to the source, whose name may not be known yet or at this moment. */
  readonly patience: Patience;
  /** How far CLONE is, every few seconds; both in bytes. */
  readonly onCopying: (bytes: number, expected: number) => void;
  /** How many tables were looked into so far. */
  readonly onLooking: (tables: number, expected: number) => void;
}

/** What a volume was made with, and any server over it has to be started with. */
export interface Shape {
  readonly pageSize: string;
  readonly dataFile: string;
  readonly lowerCase: string;
}

const SETTINGS: readonly string[] = [
  ...["--skip-networking", "--loose-mysqlx=OFF", "--secure-file-priv=NULL", "--log-error-verbosity=1"],
  ...["--skip-log-bin", "--skip-replica-start", "--event-scheduler=OFF"],
  ...["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--max-allowed-packet=1G"],
  // Whatever it holds when it fails is made anew; what it holds when it has ended in an orderly way is all on the disk.
  ...["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF"],
  // Keys of its own would lie in its folder, and go into the backup.
  ...["--loose-auto-generate-certs=OFF", "--loose-caching-sha2-password-auto-generate-rsa-keys=OFF"],
];

/** Of crash recovery and of an upgrade of the data, both of which may take long. */
const START_MS_MAX = 30 * 60_000;
const KNOCK_MS = 100;
/** Counting the rows of a table, checking it, copying a server. */
export const LONG_MS: number = 24 * 3_600_000;

export const dataFolder = ({ disk }: Scratch): string => join(disk, "data");
export const socketOf = ({ folder }: Scratch): string => join(folder, "socket");

function mysqld(scratch: Scratch, shape: Shape | null, more: readonly string[]): Program {
  const { folder, disk, path } = scratch;
  const shaped =
    shape === null
      ? []
      : [
          `--innodb-page-size=${shape.pageSize}`,
          `--innodb-data-file-path=${shape.dataFile}`,
          `--lower-case-table-names=${shape.lowerCase}`,
        ];
  const places = [
    `--datadir=${dataFolder(scratch)}`,
    `--socket=${socketOf(scratch)}`,
    `--pid-file=${join(folder, "pid")}`,
    `--tmpdir=${join(disk, "tmp")}`,
  ];
  const args = ["--no-defaults", ...places, ...SETTINGS, ...shaped, ...more];
  return { program: "mysqld", args, env: { PATH: path } };
}

/** What an earlier run of this container has left is gone then. */
export async function emptyScratch({ folder, disk }: Scratch): Promise<void> {
  for (const place of new Set([folder, disk])) {
    for (const name of await readdir(place)) {
      // A volume's own folder, which is root's.
      if (name !== "lost+found") await rm(join(place, name), { recursive: true });
    }
  }
  for (const name of ["data", "tmp"]) await mkdir(join(disk, name), { mode: 0o700 });
}

/**
 * The pinned authority as a file; null without one. A certificate that is no authority cannot be checked as one by other
 * programs; the source was recognised by it on a connection of ours a moment before.
 */
export async function authorityFile({ folder }: Scratch, { authority }: Source): Promise<string | null> {
  if (authority === null || !new X509Certificate(authority).ca) return null;
  const file = join(folder, "authority.pem");
  await writeFile(file, authority);
  return file;
}

/** An empty server whose root has no password; it stands in a folder that nobody else can enter. */
export async function initialise(scratch: Scratch, shape: Shape | null): Promise<void> {
  await runToEnd(mysqld(scratch, shape, ["--initialize-insecure"]));
}

export interface StartWish {
  readonly shape: Shape | null;
  /** Further options. */
  readonly options: readonly string[];
}

/**
 * Starts it, gives a session of root to `use`, and ends it in an orderly way, unless it has ended meanwhile. `ended` of
 * `use` resolves then.
 */
export async function withServer<T>(
  scratch: Scratch,
  { shape, options }: StartWish,
  use: (server: Server, ended: Promise<unknown>) => Promise<T>,
): Promise<T> {
  const { child, fate } = launch(mysqld(scratch, shape, options));
  let over = false;
  void fate.then(() => {
    over = true;
  });
  try {
    const server = await knock(scratch, () => over, fate);
    const value = await use(server, fate);
    await server.close();
    const byItself = over;
    child.kill("SIGTERM");
    const ended = await fate;
    if (ended !== null && !byItself) throw new BrokenStream({ kind: "transient", message: ended });
    return value;
  } finally {
    child.kill("SIGKILL");
    await fate;
  }
}

/** A session on the server that is copied, whose account and authority are checked by it before anything is begun. */
export function reach(
  { servers, patience }: Scratch,
  { host, port, username, password, authority }: Source,
): Promise<Server> {
  return patiently(patience, () =>
    servers.connect({
      ...{ host, port, credentials: { username, password }, authority, attributes: {}, fresh: true },
      ...{ connectTimeoutMs: 10_000, queryTimeoutMs: 30_000 },
    }),
  );
}

/** A session of root, which fails like any other connection. */
export function enter(scratch: Scratch): Promise<Outcome<Server>> {
  return scratch.servers.connect({
    ...{ host: "scratch", port: 0, socket: socketOf(scratch), authority: null, attributes: {}, fresh: true },
    credentials: { username: "root", password: "" },
    ...{ connectTimeoutMs: 5_000, queryTimeoutMs: LONG_MS },
  });
}

async function knock(scratch: Scratch, isOver: () => boolean, fate: Promise<string | null>): Promise<Server> {
  for (let waited = 0; waited < START_MS_MAX; waited += KNOCK_MS) {
    const server = await enter(scratch);
    if (server.ok) return server.value;
    if (isOver()) {
      const message = (await fate) ?? "mysqld ended as soon as it was started";
      throw new BrokenStream({ kind: "refused", message });
    }
    if (server.failure.kind !== "transient") return orBreak(server);
    await sleep(KNOCK_MS);
  }
  throw new BrokenStream({ kind: "transient", message: "mysqld did not come up in half an hour" });
}
