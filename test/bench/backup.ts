/**
 * What a backup costs, by both methods, on real volumes and a real store, and what people do today beside it, in the same
 * run: a dump through gzip or zstd into the same bucket.
 */
import { ensurePackages } from "../../infra/local/packages.ts";
import { serverProcess } from "../support/faults.ts";
import { Unmet } from "../support/wait.ts";
import { readLogin, readWorld, type SetRef } from "../support/world.ts";
import { awaitJob, openFilled, shell, storeOf } from "./filled.ts";
import { type Bench, type BenchPlace, removeNamespace } from "./place.ts";
import { say } from "./report.ts";

const REF: SetRef = { namespace: "bench-backup", name: "mysql" };
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

async function backUp(place: BenchPlace, method: "physical" | "logical", bytes: number): Promise<Cost> {
  const wish = ["annotate", "statefulset", REF.name, `ordinal.dev/backup-now=${method}`];
  const begin = () => place.cluster.kubectl(["--namespace", REF.namespace, ...wish]);
  const { seconds, cpuSeconds, peakBytes } = await awaitJob(place.cluster, REF, "backup", begin);
  return costOf(bytes, seconds, cpuSeconds, peakBytes);
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

export const backup: Bench = async (place) => {
  await ensurePackages([
    ["rclone", "rclone"],
    ["zstd", "zstd"],
  ]);
  const { host, bytes } = await openFilled(place, REF);
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
