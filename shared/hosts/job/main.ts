/**
 * The program of a Job: `job.mjs`, started in the image of the cluster's database. It takes its order from the environment
 * and its secrets from mounted files, asks nothing of the Kubernetes API, and leaves one sentence where Kubernetes looks
 * for the last words of a container. docs/backups.md says how it is started.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServers } from "../../adapters/mysql/servers.ts";
import { createS3Store } from "../../adapters/s3/store.ts";
import { oneLine } from "../../annotations/text.ts";
import { makeBackup } from "../../backup/make.ts";
import { createMysqlCopies } from "../../backup/mysql/index.ts";
import { proveBackup } from "../../backup/prove.ts";
import { parseStore } from "../../backup/store.ts";
import type { Work } from "../../backup/work.ts";
import { mysql } from "../../engines/mysql/index.ts";
import { type JobOrder, jobOrderSchema } from "../../model/job-order.ts";
import { fail, type Outcome } from "../../model/outcome.ts";
import { createLog, systemClock, systemIds } from "../local/platform.ts";
import { FOLDERS, ORDER_VARIABLE, RESULT_VARIABLE } from "./places.ts";
import { stopOnSignals } from "./stopping.ts";
import { usage } from "./usage.ts";

/** Kubernetes keeps 4096 bytes. */
const LAST_WORDS_MAX = 1_000;

/** Files of a mounted Secret; those of the mount itself begin with two dots. */
function secretIn(folder: string): Readonly<Record<string, string>> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith("..")) : [];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

async function work(order: JobOrder, log: Work["log"], signal: AbortSignal): Promise<Outcome<string>> {
  const folderOf = (name: keyof typeof FOLDERS) => process.env[FOLDERS[name].variable] ?? FOLDERS[name].path;
  const settings = parseStore(order.task.store, secretIn(folderOf("store")));
  if (!settings.ok) return settings;
  const servers = createServers({ pool: false });
  const store = createS3Store(settings.value);
  const copies = createMysqlCopies(
    {
      ...{ folder: folderOf("scratch"), servers, path: process.env["PATH"] ?? "" },
      onCopying: (bytes, bytesExpected) => log.info("copying", { bytes, bytesExpected }),
    },
    mysql.rules.positions,
  );
  const { cluster, source, task } = order;
  const common = { cluster, settings: settings.value, store, copies, log, signal };
  const ours: Work = { ...common, clock: systemClock, ids: systemIds };
  try {
    if (task.kind === "proof") return await proveBackup(ours, task);
    const { username = source?.username ?? "root", password = "" } = secretIn(folderOf("account"));
    if (source === null || password === "")
      return fail("refused", "The Job has no account for the server to copy.");
    const { host, port } = source;
    return await makeBackup(ours, task, { host, port, username, password, authority: task.authority });
  } finally {
    store.close();
    servers.close();
  }
}

async function main(): Promise<number> {
  const log = createLog("json");
  const order = jobOrderSchema.safeParse(JSON.parse(process.env[ORDER_VARIABLE] ?? "null"));
  if (!order.success) throw new Error(`${ORDER_VARIABLE} holds no order: ${order.error.message}`);
  const { task } = order.data;
  log.info("began", { task: task.kind, slot: task.slot });
  const outcome = await work(order.data, log, stopOnSignals());
  const words = outcome.ok ? outcome.value : outcome.failure.message;
  const file = process.env[RESULT_VARIABLE] ?? "/dev/termination-log";
  writeFileSync(file, oneLine(words, LAST_WORDS_MAX));
  if (outcome.ok) log.info("done", { said: words, ...usage() });
  else log.warn("failed", { said: words, kind: outcome.failure.kind, ...usage() });
  return outcome.ok ? 0 : 1;
}

process.exit(await main());
