/**
 * What quiet clusters cost: the resident host in a process of its own while nothing happens. It is counted
 * as it is by default, and once without looks, so that passes and sweeps can be told apart. Requests are
 * counted in the API server's audit log by our user agent, processor time is the kernel's account of the
 * process. It never asks the host itself, which would change what is measured.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { freemem, loadavg } from "node:os";
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
/** As docs/events.md advises for a resident host. */
const MEMORY_FLAGS = ["--min-semi-space-size=4", "--max-semi-space-size=4"];
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

/** The default, and so seldom that nobody is looked at while the bench counts. */
const LOOK_SECONDS = { usual: 10, never: 86_400 } as const;
type Looks = keyof typeof LOOK_SECONDS;
/** Until the last events of a beginning, or of the adoptions, have come to rest. */
const SETTLE_MS = 30_000;

interface Host {
  readonly pid: number;
  stop(): Promise<void>;
}

async function startHost({ status }: BenchPlace, looks: Looks): Promise<Host> {
  const options = ["--log", "json", "--look-seconds", `${LOOK_SECONDS[looks]}`];
  const child = spawn(
    process.execPath,
    [...MEMORY_FLAGS, HOST, "--kubeconfig", status.kubeconfig, ...options],
    {
      stdio: "ignore",
    },
  );
  await once(child, "spawn");
  const ended = once(child, "exit");
  const kill = () => child.kill();
  // Also when the bench is ended from outside: a host that outlives it would go on looking at clusters.
  process.once("exit", kill);
  return {
    pid: child.pid ?? 0,
    async stop() {
      process.removeListener("exit", kill);
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** What one host did and used while it was counted. */
interface Window {
  readonly audited: Audited;
  readonly seconds: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

/** Throws when the host has ended: its account at the kernel is gone then. */
async function count({ status }: BenchPlace, { pid }: Host, minutes: number): Promise<Window> {
  await sleep(SETTLE_MS);
  const { auditLog } = status;
  expectThat(auditLog !== undefined, "the cluster has no audit log");
  const [from, cpuBefore] = [new Date(), cpuMs(pid)];
  await sleep(minutes * 60_000);
  const [to, spent] = [new Date(), cpuMs(pid) - cpuBefore];
  return {
    audited: await readAudit(auditLog ?? "", { agent: AGENT, from, to }),
    seconds: (to.getTime() - from.getTime()) / 1000,
    cpuMs: spent,
    rssMb: rssMb(pid),
  };
}

interface Windows {
  /** With looks as usual, before and after the one without. */
  readonly usual: readonly [Window, Window];
  readonly never: Window;
}

/** The window without looks lies between the others, so that a machine that gets busier weighs on both alike. */
async function countAll(place: BenchPlace, refs: readonly SetRef[]): Promise<Windows> {
  const minutes = place.minutes / 2;
  const next = async (looks: Looks, prepared: () => Promise<void>): Promise<Window> => {
    const host = await startHost(place, looks);
    try {
      await prepared();
      say(`counting for ${minutes} minutes, looks: ${looks}`);
      return await count(place, host, minutes);
    } finally {
      await host.stop();
    }
  };
  const before = await next("usual", async () => {
    for (const ref of refs) await waitReplicated(place.cluster, ref, 300_000);
  });
  const never = await next("never", () => Promise.resolve());
  const after = await next("usual", () => Promise.resolve());
  return { usual: [before, after], never };
}

const hundredths = (value: number): number => Math.round(value * 100) / 100;

/**
 * What sweeps, watches and signs of life cost is known from the window without looks; what is left in the
 * others is what looks cost, rubbish collection included.
 */
function shareOut({ usual, never }: Windows): { readonly perPass: number; readonly perSweep: number } {
  const seconds = usual[0].seconds + usual[1].seconds;
  const scale = seconds / never.seconds;
  const spent = usual[0].cpuMs + usual[1].cpuMs - never.cpuMs * scale;
  const looks = usual[0].audited.looks + usual[1].audited.looks - never.audited.looks * scale;
  const perPass = spent / looks;
  const perSweep = (never.cpuMs - never.audited.looks * perPass) / never.audited.sweeps;
  return { perPass: hundredths(perPass), perSweep: hundredths(perSweep) };
}

function added(windows: readonly Window[], what: keyof Audited): number {
  return windows.reduce((sum, { audited }) => sum + audited[what], 0);
}

function judge(windows: Windows, place: BenchPlace): Awaited<ReturnType<Bench>> {
  const { usual, never } = windows;
  const all = [...usual, never];
  const [sweeps, looks, relists] = [added(usual, "sweeps"), added(usual, "looks"), added(usual, "relists")];
  const [writes, otherReads] = [added(all, "writes"), added(all, "otherReads")];
  const { perPass, perSweep } = shareOut(windows);
  const seconds = usual[0].seconds + usual[1].seconds;
  const broken = [
    ...(writes > 0 ? [`${writes} writes to the API server`] : []),
    ...(otherReads > 0
      ? [`${otherReads} reads beyond one list for each sweep and one read for each look`]
      : []),
    ...(sweeps > seconds + 2 ? [`${sweeps} lists of the fleet in ${Math.round(seconds)} seconds`] : []),
    ...(looks < place.clusters ? [`only ${looks} looks at ${place.clusters} clusters`] : []),
    // Without this the difference of two windows that are alike would be divided by next to nothing.
    ...(never.audited.looks > looks / 10 ? [`${never.audited.looks} looks where there should be none`] : []),
    ...(perPass > 0 && perPass <= CPU_MS_PER_PASS_MAX
      ? []
      : [`${perPass} ms of processor time for each pass`]),
  ];
  const fields = {
    clusters: place.clusters,
    members: countMembers(place.clusters),
    minutes: place.minutes,
    apiWrites: writes,
    apiReads: sweeps + looks + relists + added(usual, "otherReads"),
    sweeps,
    looks,
    otherReads,
    cpuMsPerPass: perPass,
    cpuMsPerSweep: perSweep,
    cpuMsPerSecond: hundredths((usual[0].cpuMs + usual[1].cpuMs) / seconds),
    rssMb: Math.max(...all.map((window) => window.rssMb)),
    loadAverage: hundredths(loadavg()[2] ?? 0),
  };
  return { ok: broken.length === 0, broken, fields };
}

export const noop: Bench = async (place) => {
  const refs = await prepare(place);
  say(`${refs.length} plain clusters are Ready; adopting them`);
  try {
    return judge(await countAll(place, refs), place);
  } finally {
    // Nobody waits for the end of twenty clusters; the next run does, if there is one on this cluster.
    await place.cluster.kubectl(["delete", "namespace", ...refs.map((ref) => ref.namespace), "--wait=false"]);
  }
};
