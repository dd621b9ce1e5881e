/**
 * What benches of backups and restores share: a cluster that holds so much data, with a store, and the Jobs in its
 * namespace with what they tell of themselves.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { localName } from "../../infra/images/ordinal/image.ts";
import { storeFields, storeSecret } from "../../infra/local/store-secret.ts";
import type { Cluster } from "../support/cluster-access.ts";
import { type HostProcess, startHostProcess } from "../support/host-process.ts";
import { withServer } from "../support/servers.ts";
import { Unmet, waitFor } from "../support/wait.ts";
import { readLogin, readWorld, type SetRef } from "../support/world.ts";
import {
  annotate,
  type BenchPlace,
  createPlain,
  removeNamespace,
  waitReady,
  waitReplicated,
} from "./place.ts";
import { say } from "./report.ts";

const RIGHTS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");
export const PATIENCE_MS = 30 * 60_000;
/** Half of it shrinks as text does, half of it not at all. */
const ROW_BYTES = 1_024;
const ROWS_OF_A_BATCH = 50_000;

export function storeOf({ status }: BenchPlace) {
  if (status.s3 === undefined) throw new Unmet("this cluster has no store");
  return status.s3;
}

/** Plain servers in a namespace of their own, which may begin Jobs and have the store; nothing is adopted yet. */
export async function openPlain(place: BenchPlace, ref: SetRef): Promise<HostProcess> {
  const { cluster, status } = place;
  await removeNamespace(cluster, ref.namespace);
  await createPlain(cluster, ref, { replicas: 3, args: [] });
  const apply = (file: string, text?: string) =>
    cluster.kubectl(["--namespace", ref.namespace, "apply", `--filename=${file}`], text);
  await apply("-", readFileSync(RIGHTS, "utf8"));
  await apply("-", storeSecret("backups", storeFields(storeOf(place), "bench")));
  await waitReady(cluster, ref, PATIENCE_MS);
  return startHostProcess({
    ...{ namespace: ref.namespace, kubeconfig: status.kubeconfig, jobImage: localName },
  });
}

export interface Filled {
  readonly host: HostProcess;
  /** What the rows hold. */
  readonly bytes: number;
}

/** A replicated cluster that holds so much. */
export async function openFilled(place: BenchPlace, ref: SetRef): Promise<Filled> {
  const { cluster, gib } = place;
  const host = await openPlain(place, ref);
  say(`filling ${gib} GiB`);
  const rows = await fill(cluster, ref, gib);
  await annotate(cluster, ref, ["ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never"]);
  await waitReplicated(cluster, ref, PATIENCE_MS);
  return { host, bytes: rows * ROW_BYTES };
}

/** Address and login of the administrator. */
export async function addressOf(cluster: Cluster, ref: SetRef, ordinal: number) {
  const login = await readLogin(cluster, { ...ref, name: "mysql-root" });
  const { pods } = await readWorld(cluster, ref);
  const host = pods.find(({ name }) => name === `${ref.name}-${ordinal}`)?.ip;
  if (host === undefined || host === null) throw new Unmet(`${ref.name}-${ordinal} has no address`);
  return { ...login, host };
}

/** Before adoption, so that the other members get it as a copy. */
async function fill(cluster: Cluster, ref: SetRef, gib: number): Promise<number> {
  const batches = Math.ceil((gib * 2 ** 30) / ROW_BYTES / ROWS_OF_A_BATCH);
  await withServer(await addressOf(cluster, ref, 0), async ({ ask }) => {
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

async function logOf(cluster: Cluster, { namespace }: SetRef, job: string): Promise<readonly Line[]> {
  const said = await cluster.kubectl(["--namespace", namespace, "logs", `job/${job}`]);
  const lines = said.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => lineSchema.parse(JSON.parse(line)));
}

const jobsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({
        template: z.object({
          metadata: z.object({ labels: z.object({ "app.kubernetes.io/component": z.string() }) }),
        }),
      }),
      status: z.looseObject({ succeeded: z.number().default(0), failed: z.number().default(0) }),
    }),
  ),
});

async function jobsOf(cluster: Cluster, { namespace }: SetRef) {
  const wish = ["--namespace", namespace, "get", "jobs", "--output=json"];
  return jobsSchema.parse(JSON.parse(await cluster.kubectl(wish))).items;
}

export interface JobCost {
  readonly seconds: number;
  /** Of all its programs. */
  readonly cpuSeconds: number;
  /** Of our own process. */
  readonly peakBytes: number;
}

async function costOfJob(cluster: Cluster, ref: SetRef, job: string): Promise<JobCost> {
  const lines = await logOf(cluster, ref, job);
  const began = lines.find(({ message }) => message === "began");
  const done = doneSchema.safeParse(lines.at(-1));
  if (began === undefined || !done.success) throw new Unmet(`${job} does not say what it cost`);
  const { at, cpuSeconds, programsCpuSeconds, peakBytes } = done.data;
  const seconds = (Date.parse(at) - Date.parse(began.at)) / 1000;
  return { seconds, cpuSeconds: cpuSeconds + programsCpuSeconds, peakBytes };
}

/** The next one that `begin` leads to, to its end; of this kind, e.g. `backup` or `restore-fill`. */
export async function awaitJob(
  cluster: Cluster,
  ref: SetRef,
  kind: string,
  begin: () => Promise<unknown>,
): Promise<JobCost> {
  const known = new Set((await jobsOf(cluster, ref)).map(({ metadata }) => metadata.name));
  await begin();
  const job = await waitFor(`a Job ${kind}`, { timeoutMs: PATIENCE_MS, everyMs: 500 }, async () => {
    const made = (await jobsOf(cluster, ref)).find(
      ({ metadata: { name }, spec }) =>
        !known.has(name) && spec.template.metadata.labels["app.kubernetes.io/component"] === kind,
    );
    if (made === undefined) return { ok: false, saw: "no Job" };
    if (made.status.failed > 0) {
      const said = (await logOf(cluster, ref, made.metadata.name)).at(-1)?.said;
      throw new Unmet(`the Job ${kind} failed: ${said}`);
    }
    return made.status.succeeded > 0
      ? { ok: true, value: made.metadata.name }
      : { ok: false, saw: "it runs" };
  });
  return await costOfJob(cluster, ref, job);
}

/** `times` of the shell tells the processor time of all that it has waited for. */
export function shell(script: string, env: Readonly<Record<string, string>>): Promise<string> {
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
