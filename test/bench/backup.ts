/**
 * What a backup costs, by both methods, on real volumes and a real store, and what people do today beside it, in the same
 * run: a dump through gzip or zstd into the same bucket.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { localName } from "../../infra/images/ordinal/image.ts";
import { ensurePackages } from "../../infra/local/packages.ts";
import { serverProcess } from "../support/faults.ts";
import { type HostProcess, startHostProcess } from "../support/host-process.ts";
import { withServer } from "../support/servers.ts";
import { storeFields, storeSecret } from "../support/store-secret.ts";
import { Unmet, waitFor } from "../support/wait.ts";
import { readLogin, readWorld, type SetRef } from "../support/world.ts";
import {
  annotate,
  type Bench,
  type BenchPlace,
  createPlain,
  removeNamespace,
  waitReady,
  waitReplicated,
} from "./place.ts";
import { say } from "./report.ts";

const REF: SetRef = { namespace: "bench-backup", name: "mysql" };
const RIGHTS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");
const PATIENCE_MS = 30 * 60_000;
/** Half of it shrinks as text does, half of it not at all. */
const ROW_BYTES = 1_024;
const ROWS_OF_A_BATCH = 50_000;
const MIB = 2 ** 20;
const MEMORY_MAX = 128 * MIB;

interface Cost {
  readonly seconds: number;
  readonly mbPerSecond: number;
  readonly cpuSecondsPerGb: number;
  /** Of our process alone; null for the programs of others. */
  readonly peakMib: number | null;
}

function costOf(plainBytes: number, seconds: number, cpuSeconds: number, peakBytes: number | null): Cost {
  const rounded = (value: number) => Math.round(value * 100) / 100;
  return {
    seconds: rounded(seconds),
    mbPerSecond: rounded(plainBytes / 1e6 / seconds),
    cpuSecondsPerGb: rounded(cpuSeconds / (plainBytes / 1e9)),
    peakMib: peakBytes === null ? null : rounded(peakBytes / MIB),
  };
}

function storeOf({ status }: BenchPlace) {
  if (status.s3 === undefined) throw new Unmet("this cluster has no store");
  return status.s3;
}

/** Before adoption, so that the other members get it as a copy. */
async function fill(place: BenchPlace, gib: number): Promise<number> {
  const { cluster } = place;
  const login = await readLogin(cluster, { ...REF, name: "mysql-root" });
  const { pods } = await readWorld(cluster, REF);
  const host = pods.find(({ name }) => name === `${REF.name}-0`)?.ip;
  if (host === undefined || host === null) throw new Unmet(`${REF.name}-0 has no address`);
  const batches = Math.ceil((gib * 2 ** 30) / ROW_BYTES / ROWS_OF_A_BATCH);
  await withServer({ ...login, host }, async ({ ask }) => {
    await ask("SET SESSION sql_log_bin = OFF, SESSION cte_max_recursion_depth = 1000000");
    await ask("CREATE DATABASE bench");
    await ask(
      "CREATE TABLE bench.page (id BIGINT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(512), bytes VARBINARY(512))",
    );
    for (let batch = 0; batch < batches; batch += 1) {
      await ask(
        `INSERT INTO bench.page (text, bytes) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
         WHERE i < ${ROWS_OF_A_BATCH}) SELECT REPEAT(HEX(RANDOM_BYTES(8)), 32), RANDOM_BYTES(512) FROM n`,
      );
    }
  });
  return batches * ROWS_OF_A_BATCH;
}

const lineSchema = z.looseObject({
  at: z.string(),
  message: z.string(),
  bytes: z.number().optional(),
  said: z.string().optional(),
});
/** A cost that is not told is no cost of nothing. */
const doneSchema = z.looseObject({
  at: z.string(),
  message: z.literal("done"),
  cpuSeconds: z.number(),
  programsCpuSeconds: z.number(),
  peakBytes: z.number().positive(),
});
type Line = z.infer<typeof lineSchema>;

async function logOf({ cluster }: BenchPlace, job: string): Promise<readonly Line[]> {
  const said = await cluster.kubectl(["--namespace", REF.namespace, "logs", `job/${job}`]);
  const lines = said.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => lineSchema.parse(JSON.parse(line)));
}

const jobsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), creationTimestamp: z.string() }),
      status: z.looseObject({ succeeded: z.number().default(0), failed: z.number().default(0) }),
    }),
  ),
});

async function jobsOf({ cluster }: BenchPlace) {
  const wish = ["--namespace", REF.namespace, "get", "jobs", "--output=json"];
  return jobsSchema.parse(JSON.parse(await cluster.kubectl(wish))).items;
}

async function backUp(place: BenchPlace, method: "physical" | "logical", bytes: number): Promise<Cost> {
  const known = new Set((await jobsOf(place)).map(({ metadata }) => metadata.name));
  const wish = ["annotate", "statefulset", REF.name, `ordinal.dev/backup-now=${method}`];
  await place.cluster.kubectl(["--namespace", REF.namespace, ...wish]);
  const job = await waitFor(`a ${method} backup`, { timeoutMs: PATIENCE_MS, everyMs: 500 }, async () => {
    const made = (await jobsOf(place)).find(({ metadata }) => !known.has(metadata.name));
    if (made === undefined) return { ok: false, saw: "no Job" };
    if (made.status.failed > 0) {
      const said = (await logOf(place, made.metadata.name)).at(-1)?.said;
      throw new Unmet(`the ${method} backup failed: ${said}`);
    }
    return made.status.succeeded > 0
      ? { ok: true, value: made.metadata.name }
      : { ok: false, saw: "it runs" };
  });
  const lines = await logOf(place, job);
  const began = lines.find(({ message }) => message === "began");
  const done = doneSchema.safeParse(lines.at(-1));
  if (began === undefined || !done.success) throw new Unmet(`${job} does not say what it cost`);
  const { at, cpuSeconds, programsCpuSeconds, peakBytes } = done.data;
  const seconds = (Date.parse(at) - Date.parse(began.at)) / 1000;
  return costOf(bytes, seconds, cpuSeconds + programsCpuSeconds, peakBytes);
}

/** `times` of the shell tells the processor time of all that it has waited for. */
function shell(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { PATH: process.env["PATH"] ?? "", ...env } };
    const child = spawn("bash", ["-euo", "pipefail", "-c", script], { ...options, stdio: "pipe" });
    let [said, complaint] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-1_000);
    });
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(said) : reject(new Unmet(complaint))));
  });
}

/** The last line of `times`, `0m1.234s 0m0.567s`: user and system time of children. */
function secondsOf(times: string): number {
  const told = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(times);
  if (told === null) throw new Unmet("the shell does not say what the pipeline cost");
  const [, ...found] = told;
  const [userMinutes = 0, user = 0, systemMinutes = 0, system = 0] = found.map(Number);
  return 60 * (userMinutes + systemMinutes) + user + system;
}

/** The dump of a replica, by the program of the server's own image, through one that packs it, into the same bucket. */
async function pipeline(place: BenchPlace, packer: string, bytes: number): Promise<Cost> {
  const s3 = storeOf(place);
  const login = await readLogin(place.cluster, { ...REF, name: "mysql-root" });
  const { pods } = await readWorld(place.cluster, REF);
  const replica = pods.find(({ labels }) => labels["ordinal.dev/role"] === "replica");
  if (replica === undefined) throw new Unmet("there is no replica");
  const inside = `nsenter --target=${serverProcess(replica.uid)} --mount --net`;
  const wishes = "--single-transaction --routines --events --triggers --all-databases --set-gtid-purged=ON";
  const dump = `${inside} mysqldump --user=${login.user} --host=127.0.0.1 ${wishes}`;
  const script = `${dump} | ${packer} | rclone rcat bench:${s3.bucket}/bench/dump; times`;
  const startedAtMs = performance.now();
  const times = await shell(script, {
    ...{ MYSQL_PWD: login.password, RCLONE_CONFIG: "/dev/null", RCLONE_CONFIG_BENCH_TYPE: "s3" },
    ...{
      RCLONE_CONFIG_BENCH_PROVIDER: "Other",
      RCLONE_CONFIG_BENCH_NO_CHECK_BUCKET: "true",
      RCLONE_CONFIG_BENCH_ENDPOINT: s3.endpoint,
    },
    ...{ RCLONE_CONFIG_BENCH_REGION: s3.region, RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: s3.accessKeyId },
    RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: s3.secretAccessKey,
  });
  return costOf(bytes, (performance.now() - startedAtMs) / 1000, secondsOf(times), null);
}

async function open(place: BenchPlace, gib: number): Promise<{ host: HostProcess; bytes: number }> {
  const { cluster, status } = place;
  await removeNamespace(cluster, REF.namespace);
  await createPlain(cluster, REF, { replicas: 3, args: [] });
  const apply = (file: string, text?: string) =>
    cluster.kubectl(["--namespace", REF.namespace, "apply", `--filename=${file}`], text);
  await apply("-", readFileSync(RIGHTS, "utf8"));
  await apply("-", storeSecret("backups", storeFields(storeOf(place), "bench")));
  await waitReady(cluster, REF, PATIENCE_MS);
  say(`filling ${gib} GiB`);
  const rows = await fill(place, gib);
  const host = startHostProcess({
    ...{ namespace: REF.namespace, kubeconfig: status.kubeconfig, jobImage: localName },
  });
  const settings = ["ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never"];
  await annotate(cluster, REF, settings);
  await waitReplicated(cluster, REF, PATIENCE_MS);
  return { host, bytes: rows * ROW_BYTES };
}

export const backup: Bench = async (place) => {
  await ensurePackages([
    ["rclone", "rclone"],
    ["zstd", "zstd"],
  ]);
  const { host, bytes } = await open(place, place.gib);
  try {
    const costs: Record<string, Cost> = {};
    const told = async (name: string, work: () => Promise<Cost>): Promise<Cost> => {
      const cost = await work();
      costs[name] = cost;
      say(`${name}: ${JSON.stringify(cost)}`);
      return cost;
    };
    const physical = await told("physical", () => backUp(place, "physical", bytes));
    const logical = await told("logical", () => backUp(place, "logical", bytes));
    const gzip = await told("mysqldump | gzip", () => pipeline(place, "gzip", bytes));
    const zstd = await told("mysqldump | zstd", () => pipeline(place, "zstd -3 --quiet", bytes));
    const broken = [physical, logical]
      .filter(({ peakMib }) => (peakMib ?? 0) * MIB > MEMORY_MAX)
      .map(({ peakMib }) => `a backup took ${peakMib} MiB of memory, more than 128`);
    return {
      ok: broken.length === 0,
      broken,
      fields: {
        ...{ gib: place.gib, bytes, costs },
        cpuOfGzip: logical.cpuSecondsPerGb / gzip.cpuSecondsPerGb,
        timeOfZstd: logical.seconds / zstd.seconds,
      },
    };
  } finally {
    await host.end();
    await removeNamespace(place.cluster, REF.namespace);
  }
};
