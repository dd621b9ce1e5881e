/**
 * What quiet clusters cost: the resident host in a process of its own, with its default sweep, while nothing
 * happens. Requests are counted in the API server's audit log by our user agent, processor time is the
 * kernel's account of that process.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expectThat } from "../support/wait.ts";
import type { SetRef } from "../support/world.ts";
import { type Audited, readAudit } from "./audit.ts";
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

const HOST = join(import.meta.dirname, "../../shared/hosts/local/main.ts");
/**
 * Small servers, so that many fit: what is measured is what asking them costs, not what they do. With the
 * default table cache and statement statistics a server takes 530 MB even so, with these 275 MB.
 */
const SMALL = [
  "--innodb-buffer-pool-size=16M",
  "--innodb-log-buffer-size=1M",
  "--innodb-redo-log-capacity=16M",
  "--max-connections=40",
  "--mysqlx=OFF",
  "--performance-schema-digests-size=0",
  "--performance-schema-error-size=0",
  "--performance-schema-max-digest-length=0",
  "--performance-schema-max-sql-text-length=0",
  "--performance-schema-max-statement-classes=0",
  "--table-definition-cache=400",
  "--table-open-cache=200",
  "--temptable-max-ram=2M",
];
/** Clusters with three members; the others have one: 32 servers, 9 GB, is what 24 GiB carry beside other work. */
const THREE_MEMBERS = 6;
const SERVER_MB = 300;
/** For everybody else on the machine: a machine that swaps measures nothing, and stops other people's work. */
const SPARE_MB = 3_000;
const AGENT = "ordinal/local";
const CPU_MS_PER_PASS_MAX = 5;

/** User and system time of a process so far, milliseconds. Linux counts in hundredths of a second (proc(5)). */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function rssMb(pid: number): number {
  return Math.round(
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024,
  );
}

function membersOf(index: number): number {
  return index < THREE_MEMBERS ? 3 : 1;
}

function countMembers(clusters: number): number {
  return Array.from({ length: clusters }, (_, index) => membersOf(index)).reduce((sum, one) => sum + one, 0);
}

async function prepare({ cluster, clusters }: BenchPlace): Promise<readonly SetRef[]> {
  const neededMb = countMembers(clusters) * SERVER_MB + SPARE_MB;
  const freeMb = Math.round(freemem() / 2 ** 20);
  expectThat(freeMb >= neededMb, `${clusters} clusters need ${neededMb} MB of memory, ${freeMb} MB are free`);
  const refs = Array.from({ length: clusters }, (_, index) => ({
    namespace: `bench-noop-${index}`,
    name: "mysql",
  }));
  for (const [index, ref] of refs.entries()) {
    await removeNamespace(cluster, ref.namespace);
    await createPlain(cluster, ref, { replicas: membersOf(index), args: SMALL });
    // Four at a time: initialising a volume is work for the processors.
    if (index % 4 === 3) await waitReady(cluster, ref, 300_000);
  }
  for (const ref of refs) await waitReady(cluster, ref, 300_000);
  for (const ref of refs) await annotate(cluster, ref);
  return refs;
}

interface Window {
  readonly audited: Audited;
  readonly cpuMs: number;
  readonly rssMb: number;
}

async function watchQuiet({ status, minutes }: BenchPlace, pid: number): Promise<Window> {
  const { auditLog } = status;
  expectThat(auditLog !== undefined, "the cluster has no audit log");
  const [from, cpuBefore] = [new Date(), cpuMs(pid)];
  await sleep(minutes * 60_000);
  const spent = cpuMs(pid) - cpuBefore;
  return {
    audited: await readAudit(auditLog ?? "", { agent: AGENT, from, to: new Date() }),
    cpuMs: spent,
    rssMb: rssMb(pid),
  };
}

function judge({ audited, cpuMs: spent, rssMb: rss }: Window, place: BenchPlace): Awaited<ReturnType<Bench>> {
  const { writes, sweeps, looks, relists, otherReads } = audited;
  // Sweeping and watching included: all that the process did is counted to its looks.
  const perPass = Math.round((spent / Math.max(1, looks)) * 100) / 100;
  const broken = [
    ...(writes > 0 ? [`${writes} writes to the API server`] : []),
    ...(otherReads > 0
      ? [`${otherReads} reads beyond one list for each sweep and one read for each look`]
      : []),
    ...(sweeps > place.minutes * 60 + 2 ? [`${sweeps} lists of the fleet in ${place.minutes} minutes`] : []),
    ...(looks < place.clusters ? [`only ${looks} looks at ${place.clusters} clusters`] : []),
    ...(perPass > CPU_MS_PER_PASS_MAX ? [`${perPass} ms of processor time for each pass`] : []),
  ];
  const fields = {
    clusters: place.clusters,
    members: countMembers(place.clusters),
    minutes: place.minutes,
    apiWrites: writes,
    apiReads: sweeps + looks + relists + otherReads,
    sweeps,
    looks,
    otherReads,
    cpuMsPerPass: perPass,
    rssMb: rss,
  };
  return { ok: broken.length === 0, broken, fields };
}

export const noop: Bench = async (place) => {
  const { cluster, status } = place;
  const refs = await prepare(place);
  say(`${refs.length} plain clusters are Ready; adopting them`);
  const host = spawn(process.execPath, [HOST, "--kubeconfig", status.kubeconfig, "--log", "json"], {
    stdio: "ignore",
  });
  // Also when the bench is ended from outside: a host that outlives it would go on looking at clusters.
  process.once("exit", () => host.kill());
  try {
    for (const ref of refs) await waitReplicated(cluster, ref, 300_000);
    // The last events of the adoptions come to rest.
    await sleep(30_000);
    say(`all ${refs.length} are Healthy; counting for ${place.minutes} minutes`);
    expectThat(host.pid !== undefined && host.exitCode === null, "the host ended");
    return judge(await watchQuiet(place, host.pid ?? 0), place);
  } finally {
    host.kill("SIGTERM");
    // Nobody waits for the end of twenty clusters; the next run does, if there is one on this cluster.
    await cluster.kubectl(["delete", "namespace", ...refs.map((ref) => ref.namespace), "--wait=false"]);
  }
};
