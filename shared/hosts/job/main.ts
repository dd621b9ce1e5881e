/**
 * The program of a Job: `job.mjs`, started in the image of the cluster's database. It takes its order from the environment
 * and its secrets from mounted files, asks nothing of the Kubernetes API, and leaves one sentence where Kubernetes looks
 * for the last words of a container. docs/backups.md says how it is started.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readLogFile } from "../../adapters/mysql/log-file.ts";
import { createServers } from "../../adapters/mysql/servers.ts";
import { createS3Store } from "../../adapters/s3/store.ts";
import { oneLine } from "../../annotations/text.ts";
import type { Copies } from "../../backup/copies.ts";
import { exchange, forget } from "../../backup/exchange.ts";
import { checkRestore, fillVolume } from "../../backup/fill.ts";
import { makeBackup } from "../../backup/make.ts";
import { createMysqlCopies } from "../../backup/mysql/index.ts";
import { proveBackup } from "../../backup/prove.ts";
import { parseStore } from "../../backup/store.ts";
import type { Work } from "../../backup/work.ts";
import { isOwnAccount } from "../../engines/mysql/accounts.ts";
import { mysql } from "../../engines/mysql/index.ts";
import {
  type ExchangeTask,
  type ForgetTask,
  type JobOrder,
  jobOrderSchema,
  subjectOf,
  type Task,
} from "../../model/job-order.ts";
import { fail, type Outcome } from "../../model/outcome.ts";
import type { Log } from "../../ports/host.ts";
import type { Credentials, Servers } from "../../ports/server.ts";
import { createLog, systemClock, systemIds } from "../local/platform.ts";
import { FOLDERS, ORDER_VARIABLE, RESULT_VARIABLE } from "./places.ts";
import { stopOnSignals } from "./stopping.ts";
import { usage } from "./usage.ts";

/** Kubernetes keeps 4096 bytes. */
const LAST_WORDS_MAX = 1_000;

/** A server that does not answer within a minute is left to the next attempt, which may copy another one. */
const CONNECT_TRIES = 7;

/** Files of a mounted Secret; those of the mount itself begin with two dots. */
function secretIn(folder: string): Readonly<Record<string, string>> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith("..")) : [];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

const folderOf = (name: keyof typeof FOLDERS) => process.env[FOLDERS[name].variable] ?? FOLDERS[name].path;

/** Null when the mounted Secret has no password. */
function accountOf(username: string | null): Credentials | null {
  const { username: named = "root", password = "" } = secretIn(folderOf("account"));
  return password === "" ? null : { username: username ?? named, password };
}

/** A line for the log, and no more than one in this time. */
const TELL_MS = 5_000;

function mysqlCopies(servers: Servers, log: Log): Copies {
  const folder = folderOf("scratch");
  let toldAt = 0;
  return createMysqlCopies(
    {
      ...{ folder, disk: folder, servers, path: process.env["PATH"] ?? "" },
      patience: { clock: systemClock, ids: systemIds, tries: CONNECT_TRIES },
      onCopying: (bytes, bytesExpected) => log.info("copying", { bytes, bytesExpected }),
      onLooking(tables, tablesExpected) {
        if (systemClock.now() - toldAt < TELL_MS) return;
        toldAt = systemClock.now();
        log.info("looking", { tables, tablesExpected });
      },
    },
    { positions: mysql.rules.positions, isOwnAccount },
  );
}

type StoreTask = Exclude<Task, ExchangeTask | ForgetTask>;

async function carryOut(work: Work, task: StoreTask, source: JobOrder["source"]): Promise<Outcome<string>> {
  switch (task.kind) {
    case "proof":
      return await proveBackup(work, task);
    case "restore-check":
      return await checkRestore(work, task);
    case "restore-fill": {
      const administrator = accountOf(null);
      if (administrator === null) return fail("refused", "The Secret with the credentials has no password.");
      return await fillVolume(work, task, { volume: folderOf("volume"), administrator });
    }
    case "backup": {
      const account = accountOf(source?.username ?? null);
      if (source === null || account === null)
        return fail("refused", "The Job has no account for the server to copy.");
      const { host, port } = source;
      return await makeBackup(work, task, { host, port, ...account, authority: task.authority });
    }
  }
}

async function withStore(
  { cluster, source }: JobOrder,
  task: StoreTask,
  { log, signal }: Pick<Work, "log" | "signal">,
): Promise<Outcome<string>> {
  const settings = parseStore(task.store, secretIn(folderOf("store")));
  if (!settings.ok) return settings;
  const servers = createServers({ pool: false });
  const store = createS3Store(settings.value);
  const common = { cluster, settings: settings.value, store, log, signal };
  const logs = { positions: mysql.rules.positions, readLogFile };
  const work = { ...common, copies: mysqlCopies(servers, log), logs, clock: systemClock, ids: systemIds };
  try {
    return await carryOut(work, task, source);
  } finally {
    store.close();
    servers.close();
  }
}

/** Work on a volume alone needs neither a store nor a server. */
async function work(order: JobOrder, log: Log, signal: AbortSignal): Promise<Outcome<string>> {
  const { task } = order;
  if (task.kind === "restore-exchange") return await exchange(folderOf("volume"), task);
  if (task.kind === "restore-forget") return await forget(folderOf("volume"), task);
  return await withStore(order, task, { log, signal });
}

async function main(): Promise<number> {
  const log = createLog("json");
  const order = jobOrderSchema.safeParse(JSON.parse(process.env[ORDER_VARIABLE] ?? "null"));
  if (!order.success) throw new Error(`${ORDER_VARIABLE} holds no order: ${order.error.message}`);
  const { task } = order.data;
  log.info("began", { task: task.kind, of: subjectOf(task) });
  const outcome = await work(order.data, log, stopOnSignals());
  const words = outcome.ok ? outcome.value : outcome.failure.message;
  const file = process.env[RESULT_VARIABLE] ?? "/dev/termination-log";
  writeFileSync(file, oneLine(words, LAST_WORDS_MAX));
  if (outcome.ok) log.info("done", { said: words, ...usage() });
  else log.warn("failed", { said: words, kind: outcome.failure.kind, ...usage() });
  return outcome.ok ? 0 : 1;
}

process.exit(await main());
