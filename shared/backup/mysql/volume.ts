/**
 * A physical copy: CLONE into a scratch server, which is then started once over what it has got, asked what that is, and
 * ended in an orderly way. Its identity, its keys and its connection to a source are no part of the backup, so that a
 * server over the restored files is one of its own.
 */
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BrokenStream, orBreak } from "../../model/broken-stream.ts";
import type { Server } from "../../ports/server.ts";
import type { Copy, Source, TableCounts } from "../copies.ts";
import { type Bytes, unusable } from "../flow.ts";
import { packFolder, unpackInto } from "../tar.ts";
import {
  authorityFile,
  dataFolder,
  emptyScratch,
  enter,
  initialise,
  LONG_MS,
  reach,
  type Scratch,
  type Shape,
  withServer,
} from "./scratch.ts";
import { countRows, executed, onlyInnodb } from "./tables.ts";

/** Nobody is asked who he is: whose account could be used is not known, and nobody else can reach it. */
export const UNGUARDED: readonly string[] = ["--skip-grant-tables"];
/** The copy is complete, and the server ends because nobody starts it again. */
const CANNOT_RESTART = 3707;

const DONOR = `SELECT @@GLOBAL.version AS version, @@GLOBAL.server_uuid AS uuid,
 @@GLOBAL.innodb_page_size AS page_size, @@GLOBAL.innodb_data_file_path AS data_file,
 @@GLOBAL.lower_case_table_names AS lower_case`;

interface Donor {
  readonly version: string;
  readonly uuid: string;
  readonly shape: Shape;
}

/** What is in the folder beside the data, for whoever starts a server over it; also as an option file. */
export const SHAPE_FILE = "backup.cnf";
const SHAPE_OPTIONS = {
  pageSize: ["innodb_page_size", /^\d{4,6}$/],
  dataFile: ["innodb_data_file_path", /^[\w.:;]{1,256}$/],
  lowerCase: ["lower_case_table_names", /^[012]$/],
} as const satisfies Readonly<Record<keyof Shape, readonly [string, RegExp]>>;

function shapeOf(given: (field: keyof Shape) => string | null | undefined): Shape {
  const checked = (field: keyof Shape): string => {
    const value = given(field) ?? "";
    const [name, form] = SHAPE_OPTIONS[field];
    if (!form.test(value)) throw unusable(`${name} is not as it should be`);
    return value;
  };
  return { pageSize: checked("pageSize"), dataFile: checked("dataFile"), lowerCase: checked("lowerCase") };
}

function shapeText(shape: Shape): string {
  const lines = (Object.keys(SHAPE_OPTIONS) as (keyof Shape)[]).map(
    (field) => `${SHAPE_OPTIONS[field][0]}=${shape[field]}`,
  );
  return ["[mysqld]", ...lines, ""].join("\n");
}

async function readShape(scratch: Scratch): Promise<Shape> {
  const text = await readFile(join(dataFolder(scratch), SHAPE_FILE), "utf8").catch((cause: unknown) => {
    throw unusable(`it has no file ${SHAPE_FILE}`, { cause });
  });
  const values = new Map(
    text.split("\n").map((line) => {
      const [name = "", given = ""] = line.split("=", 2);
      return [name, given] as const;
    }),
  );
  return shapeOf((field) => values.get(SHAPE_OPTIONS[field][0]));
}

async function askDonor(scratch: Scratch, source: Source): Promise<Donor> {
  const server = await reach(scratch, source);
  try {
    const [row] = orBreak(await server.query(DONOR));
    if (row === undefined) throw unusable("the source says nothing of itself");
    const { version, uuid, page_size: pageSize, data_file: dataFile, lower_case: lowerCase } = row;
    const fields = { pageSize, dataFile, lowerCase };
    return { version: version ?? "", uuid: uuid ?? "", shape: shapeOf((field) => fields[field]) };
  } finally {
    await server.close();
  }
}

async function authorityOptions(scratch: Scratch, source: Source): Promise<readonly string[]> {
  const file = await authorityFile(scratch, source);
  return file === null ? [] : [`--loose-clone-ssl-ca=${file}`];
}

const PROGRESS = `SELECT SUM(DATA) AS done, SUM(ESTIMATE) AS expected FROM performance_schema.clone_progress`;
const TELL_MS = 5_000;

/** Until the server or the session is gone; nothing depends on it. */
async function tellProgress(scratch: Scratch): Promise<void> {
  const server = await enter(scratch);
  if (!server.ok) return;
  for (;;) {
    await sleep(TELL_MS, undefined, { ref: false });
    const rows = await server.value.query(PROGRESS, [], { timeoutMs: TELL_MS });
    if (!rows.ok) return;
    scratch.onCopying(Number(rows.value[0]?.["done"] ?? 0), Number(rows.value[0]?.["expected"] ?? 0));
  }
}

async function clone(server: Server, { host, port, username, password }: Source): Promise<void> {
  const copied = await server.query(
    "CLONE INSTANCE FROM ?@?:? IDENTIFIED BY ? REQUIRE SSL",
    [username, host, port, password],
    { timeoutMs: LONG_MS },
  );
  if (copied.ok || copied.failure.code === CANNOT_RESTART) return;
  throw new BrokenStream({
    ...copied.failure,
    message: `copying the source failed: ${copied.failure.message}`,
  });
}

/** What makes a server the one that it is: its name, and its keys. */
function isIdentity(name: string): boolean {
  return name === "auto.cnf" || name.endsWith(".pem");
}

/** Takes away that, and what `more` says. */
export async function strip(scratch: Scratch, more: (name: string) => boolean = () => false): Promise<void> {
  for (const name of await readdir(dataFolder(scratch))) {
    if (isIdentity(name) || more(name)) await rm(join(dataFolder(scratch), name), { recursive: true });
  }
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

interface Content {
  readonly position: string;
  readonly counts: TableCounts;
}

export async function copyVolume<T>(
  scratch: Scratch,
  source: Source,
  use: (copy: Copy) => Promise<T>,
): Promise<T> {
  await emptyScratch(scratch);
  const { version, uuid, shape } = await askDonor(scratch, source);
  await initialise(scratch, shape);
  const donors = `--loose-clone-valid-donor-list=${source.host}:${source.port}`;
  const trust = await authorityOptions(scratch, source);
  const options = ["--plugin-load-add=clone=mysql_clone.so", donors, ...trust];
  await withServer(scratch, { shape, options }, async (server, ended) => {
    void tellProgress(scratch);
    await clone(server, source);
    await ended;
  });
  const content = await withServer(
    scratch,
    { shape, options: UNGUARDED },
    async (server): Promise<Content> => {
      await onlyInnodb(server);
      orBreak(await server.query("RESET REPLICA ALL"));
      return { position: await executed(server), counts: await countRows(server) };
    },
  );
  await strip(scratch);
  await writeFile(join(dataFolder(scratch), SHAPE_FILE), shapeText(shape));
  return await use({
    ...{ version, serverUuid: uuid, tool: { name: "CLONE", version } },
    stream: packFolder(dataFolder(scratch)),
    bytes: await bytesIn(dataFolder(scratch)),
    position: () => content.position,
    counts: content.counts,
  });
}

/** What `look` finds in a server over what the stream holds; it asks nobody who he is. `more`: further options of it. */
export async function restoreVolume<T>(
  scratch: Scratch,
  stream: Bytes,
  look: (server: Server) => Promise<T>,
  more: readonly string[] = [],
): Promise<T> {
  await emptyScratch(scratch);
  await unpackInto(dataFolder(scratch), stream);
  const shape = await readShape(scratch);
  return await withServer(scratch, { shape, options: [...UNGUARDED, ...more] }, look);
}
