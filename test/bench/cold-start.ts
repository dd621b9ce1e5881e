/**
 * How long a host takes from the start of its process to the first byte that it sends to the API server, with the event
 * that it is started for. A relay in front of the real API server notes when that byte comes, and at that moment what the
 * kernel has counted of the process. Every form of host is what we ship: bundled, and with a Pod's account or a token of EKS.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bundlePrograms } from "../../infra/images/ordinal/programs.ts";
import { SIGNATURE_HEADER, sign } from "../../shared/hosts/signature.ts";
import { IDENTITY } from "../support/eks-gate.ts";
import { freePort } from "../support/free-port.ts";
import { startLambda } from "../support/lambda-emulator.ts";
import { httpEvent } from "../support/lambda-payloads.ts";
import { expectThat } from "../support/wait.ts";
import type { Bench, BenchPlace } from "./place.ts";
import { say } from "./report.ts";

const LIMITS = { firstByteMs: 100, rssMb: 65, quarterMs: 400 };
const SECRET = "0123456789abcdef0123456789abcdef";
const PATIENCE_MS = 20_000;
/** As docs/events.md advises, and infra/ ships. */
const NODE_FLAGS = ["--max-semi-space-size=1"];
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

interface Start {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

interface Relay {
  readonly port: number;
  /** Resolves with the first byte of the next connection. */
  firstByte(child: () => ChildProcess | null): Promise<Omit<Start, "wallMs"> & { readonly atMs: number }>;
  close(): void;
}

/** Of all its threads, milliseconds (the kernel counts nanoseconds there). */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const spent = threads.map((id) => readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]);
  return spent.reduce((sum, nanoseconds) => sum + Number(nanoseconds) / 1e6, 0);
}

function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

async function openRelay(target: URL): Promise<Relay> {
  let told: ((near: number) => void) | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port || 443), target.hostname);
    near.once("data", () => told?.(performance.now()));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    firstByte: (child) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(
          () => reject(new Error("the host sent nothing to the API server")),
          PATIENCE_MS,
        );
        told = (atMs) => {
          const pid = child()?.pid;
          // A process that was killed may have left connections behind that are told now.
          if (pid === undefined) return;
          told = null;
          clearTimeout(late);
          resolve({ atMs, cpuMs: cpuMs(pid), rssMb: rssMb(pid) });
        };
      }),
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A cgroup with a quarter of a processor, of version 2 or 1; null where there is neither. */
function quarter(): { readonly procs: string; remove(): void } | null {
  const [root, isSecond] = existsSync("/sys/fs/cgroup/cgroup.controllers")
    ? (["/sys/fs/cgroup", true] as const)
    : (["/sys/fs/cgroup/cpu", false] as const);
  if (!existsSync(root)) return null;
  const folder = join(root, `ordinal-cold-start-${process.pid}`);
  if (isSecond) writeFileSync(join(root, "cgroup.subtree_control"), "+cpu");
  mkdirSync(folder);
  if (isSecond) writeFileSync(join(folder, "cpu.max"), "25000 100000");
  else {
    writeFileSync(join(folder, "cpu.cfs_period_us"), "100000");
    writeFileSync(join(folder, "cpu.cfs_quota_us"), "25000");
  }
  return { procs: join(folder, "cgroup.procs"), remove: () => rmdirSync(folder) };
}

interface Ground {
  readonly relay: Relay;
  /** With the programs of the image and a Pod's account. */
  readonly folder: string;
  readonly ca: string;
  /** Takes the process in, so that it has a quarter of a processor; null = a whole one. */
  readonly procs: string | null;
}

/** The shell says when it is done and becomes the program: what was before that is not counted. */
const AS_POD = `mount -t tmpfs none /var/run && mkdir -p ${ACCOUNT} && cp "$1"/* ${ACCOUNT} && { [ -z "$2" ] || echo $$ > "$2"; } && shift 2 && echo go && exec "$@"`;
const BARE = `{ [ -z "$1" ] || echo $$ > "$1"; } && shift 1 && echo go && exec "$@"`;

async function startTimed(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly child: ChildProcess; readonly startedAtMs: number }> {
  const [program = "", ...rest] = args;
  const child = spawn(program, rest, {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  const startedAtMs = await new Promise<number>((resolve) =>
    child.stdout?.once("data", () => resolve(performance.now())),
  );
  return { child, startedAtMs };
}

type Form = (ground: Ground) => Promise<Start>;

async function timed(
  { relay }: Ground,
  args: readonly string[],
  more: { readonly env: Readonly<Record<string, string>>; readonly event?: () => Promise<void> },
): Promise<Start> {
  let child: ChildProcess | null = null;
  const byte = relay.firstByte(() => child);
  const started = await startTimed(args, more.env);
  child = started.child;
  const [seen] = await Promise.all([byte, more.event?.()]);
  child.kill("SIGKILL");
  await new Promise((resolve) => child?.once("exit", resolve));
  return { wallMs: seen.atMs - started.startedAtMs, cpuMs: seen.cpuMs, rssMb: seen.rssMb };
}

function inPod({ folder, relay, procs }: Ground, options: readonly string[]) {
  const host = [join(folder, "host/host.mjs"), "--functions", join(folder, "host/functions"), ...options];
  const shell = ["unshare", "--mount", "sh", "-c", AS_POD, "sh", join(folder, "account"), procs ?? ""];
  return {
    args: [...shell, process.execPath, ...NODE_FLAGS, ...host],
    env: { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(relay.port) },
  };
}

const POD = { kind: "Pod", namespace: "default", name: "mysql-0", apiVersion: "v1" };
const EVENT = {
  headers: {
    ...{ "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/bench", "content-type": "application/json" },
    "ce-type": "dev.knative.apiserver.ref.delete",
  },
  body: JSON.stringify(POD),
};

async function post(port: number): Promise<void> {
  for (;;) {
    const sent = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", ...EVENT }).catch(() => null);
    if (sent !== null) return expectThat(sent.status === 202, `the host answered ${sent.status}`);
    await sleep(3);
  }
}

/** What no form can be below: Node itself, and a connection by its own client. */
const BARE_REQUEST = `process.getBuiltinModule("node:https").get({ host: "127.0.0.1", port: process.env.PORT, ca: process.env.CA });`;

const FORMS: Readonly<Record<string, Form>> = {
  floor: (ground) => {
    const { relay, ca, procs } = ground;
    const args = [
      "sh",
      "-c",
      BARE,
      "sh",
      procs ?? "",
      process.execPath,
      ...NODE_FLAGS,
      "--eval",
      BARE_REQUEST,
    ];
    return timed(ground, args, { env: { PORT: String(relay.port), CA: ca } });
  },
  /** The first thing that it does is to begin its watches. */
  resident: (ground) => {
    const { args, env } = inPod(ground, ["--namespace", "default"]);
    return timed(ground, args, { env });
  },
  knative: async (ground) => {
    const port = await freePort();
    const { args, env } = inPod(ground, ["--namespace", "default", "--sources", "http", "--requests", "off"]);
    return timed(ground, args, { env: { ...env, PORT: String(port) }, event: () => post(port) });
  },
  lambda: async ({ relay, ca, procs }) => {
    const env = {
      ...{ AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId },
      ...{ AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey, AWS_SESSION_TOKEN: IDENTITY.sessionToken },
      ORDINAL_CLUSTER_ENDPOINT: `https://127.0.0.1:${relay.port}`,
      ...{ ORDINAL_CLUSTER_CA: Buffer.from(ca).toString("base64"), ORDINAL_CLUSTER_NAME: "bench" },
      ORDINAL_FORWARD_SECRET: SECRET,
    };
    const path = "/events/pod-failure";
    const signature = sign(SECRET, { path, ...EVENT }, Date.now());
    const headers = { ...EVENT.headers, [SIGNATURE_HEADER]: signature };
    let startedAtMs = 0;
    let child: ChildProcess | null = null;
    const byte = relay.firstByte(() => child);
    const shell = ["-c", BARE, "sh", procs ?? ""];
    const lambda = await startLambda({
      ...{ name: "pod-failure", env, wrap: { program: "sh", args: shell }, flags: NODE_FLAGS },
      onStart: (started) => {
        child = started;
      },
      onLine: (line) => {
        if (line.startsWith("go") && startedAtMs === 0) startedAtMs = performance.now();
      },
    });
    try {
      void lambda.invoke(httpEvent({ method: "POST", path, headers, body: EVENT.body }));
      const seen = await byte;
      return { wallMs: seen.atMs - startedAtMs, cpuMs: seen.cpuMs, rssMb: seen.rssMb };
    } finally {
      lambda.end();
    }
  },
};

async function prepare({ status, cluster }: BenchPlace): Promise<Omit<Ground, "procs"> & { close(): void }> {
  const raw = await cluster.kubectl(["config", "view", "--raw", "--minify", "--flatten", "--output=json"]);
  const { cluster: at } = (JSON.parse(raw) as { clusters: { cluster: Record<string, string> }[] })
    .clusters[0] ?? {
    cluster: {},
  };
  expectThat(at["server"] !== undefined, `${status.kubeconfig} names no API server`);
  const ca = Buffer.from(at["certificate-authority-data"] ?? "", "base64").toString("utf8");
  const folder = mkdtempSync(join(tmpdir(), "ordinal-cold-start-"));
  const token = await cluster.kubectl(["--namespace", "default", "create", "token", "default"]);
  const account = { "ca.crt": ca, namespace: "default", token };
  for (const [path, content] of [
    ...(await bundlePrograms()).files,
    ...Object.entries(account).map(([name, text]) => [`account/${name}`, text] as const),
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const relay = await openRelay(new URL(at["server"] ?? ""));
  const close = (): void => {
    relay.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { relay, folder, ca, close };
}

function median(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

function summary(starts: readonly Start[]) {
  const of = (field: keyof Start) => starts.map((start) => start[field]);
  return {
    firstByteMs: median(of("wallMs")),
    worstMs: Math.round(Math.max(...of("wallMs"))),
    cpuMs: median(of("cpuMs")),
    rssMb: median(of("rssMb")),
  };
}

export const coldStart: Bench = async (place) => {
  const { close, ...ground } = await prepare(place);
  const slow = quarter();
  const fields: Record<string, unknown> = { runs: place.runs, loadAverage: Math.round(loadavg()[2] ?? 0) };
  const broken: string[] = [];
  try {
    for (const [name, form] of Object.entries(FORMS)) {
      const measure = async (procs: string | null) => {
        const starts: Start[] = [];
        // The first one reads its files from the disk.
        await form({ ...ground, procs });
        for (let run = 0; run < place.runs; run += 1) starts.push(await form({ ...ground, procs }));
        return summary(starts);
      };
      const whole = await measure(null);
      const part = slow === null ? null : await measure(slow.procs);
      say(`${name}: ${JSON.stringify(whole)}, with a quarter of a processor ${JSON.stringify(part)}`);
      fields[name] = { whole, quarter: part };
      if (name === "floor") continue;
      const { firstByteMs, rssMb: megabytes } = whole;
      if (firstByteMs > LIMITS.firstByteMs) broken.push(`${name}: ${firstByteMs} ms to the first byte`);
      if (megabytes > LIMITS.rssMb) broken.push(`${name}: ${megabytes} MB at the first byte`);
      if (part !== null && part.firstByteMs > LIMITS.quarterMs)
        broken.push(`${name}: ${part.firstByteMs} ms with a quarter of a processor`);
    }
  } finally {
    await sleep(200);
    slow?.remove();
    close();
  }
  return { ok: broken.length === 0, broken, fields };
};
