/**
 * `npm run bench -- NAME [options]`: measures on the real cluster `bench`, which is brought up for it and removed
 * afterwards, also after Ctrl-C, unless `--keep` is given. Wrong use ends with 2, a broken promise with 1.
 */
import { parseArgs } from "node:util";
import { down, LocalError, up } from "../../infra/local/index.ts";
import { openCluster } from "../support/cluster-access.ts";
import { createOutages } from "../support/outages.ts";
import { Unmet } from "../support/wait.ts";
import { adopt } from "./adopt.ts";
import { backup } from "./backup.ts";
import { blips } from "./blips.ts";
import { coldStart } from "./cold-start.ts";
import { failover } from "./failover.ts";
import { rollout, switchover } from "./handover.ts";
import { FAULTS } from "./inject.ts";
import { noop } from "./noop.ts";
import type { Bench } from "./place.ts";
import { print, say } from "./report.ts";
import { restore } from "./restore.ts";
import { scale } from "./scale.ts";

const BENCHES: Readonly<Record<string, Bench>> = {
  adopt,
  backup,
  "cold-start": coldStart,
  noop,
  restore,
  rollout,
  failover: (place) => (place.blips ? blips(place) : failover(place)),
  scale,
  switchover,
};
const CLUSTER = "bench";

const usage = `Usage: npm run bench -- NAME [options]

  adopt  --runs N               from annotation to replicated, under writes
  backup --gib N                both methods, beside a dump through gzip and through zstd
  restore --gib N               a backup into a new cluster, beside a dump into an empty server
  noop   --minutes M --clusters N  what quiet clusters cost
  cold-start --runs N           from the start of a process to its first byte to the API server, for each
                                form of host; 30 runs by default
  failover --fault F --runs N   a fault on the primary, under writes; F is one of
                                ${FAULTS.join(" ")}
  failover --blips --runs N [--seed S]  short disturbances that are no reason for a failover
  scale    --runs N             3 -> 5 -> 3 members, under writes
  rollout  --runs N             another image for all members, under writes
  switchover --runs N           a change of the primary by annotation, under writes

  --sensor on|off  of the resident host; on by default
  --json           the last line of standard output is one JSON object
  --name NAME      the local cluster to use; ${CLUSTER} by default
  --keep           leave that cluster running
`;

const text = { type: "string" } as const;
const count = text;
const flag = { type: "boolean", default: false } as const;

/** The person must change something first; the usage is shown with it. */
class WrongUse extends Error {}

type Values = Readonly<Record<string, string | boolean | undefined>>;

function numberOf(value: Values[string], otherwise: number): number {
  const parsed = value === undefined ? otherwise : Number(value);
  if (!Number.isFinite(parsed) || parsed <= 0) throw new WrongUse(`${String(value)} is not a number above 0`);
  return parsed;
}

function sensorOf(value: string | undefined): boolean {
  if (value === undefined || value === "on") return true;
  if (value !== "off") throw new WrongUse(`--sensor is on or off, not ${value}`);
  return false;
}

function faultOf(value: string | undefined): string | undefined {
  if (value === undefined || FAULTS.some((fault) => fault === value)) return value;
  throw new WrongUse(`there is no fault ${value}`);
}

function read() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        ...{ runs: count, minutes: count, clusters: count, seed: count, gib: count },
        ...{ fault: text, sensor: text, name: text },
        ...{ json: flag, keep: flag, blips: flag },
      },
    });
    const [name = ""] = positionals;
    const bench = BENCHES[name];
    if (bench === undefined)
      throw new WrongUse(name === "" ? "no bench was named" : `there is no bench ${name}`);
    return {
      ...{ name, bench, json: values.json, keep: values.keep, clusterName: values.name ?? CLUSTER },
      ...{ blips: values.blips, fault: faultOf(values.fault), sensor: sensorOf(values.sensor) },
      seed: numberOf(values.seed, 1),
      runs: numberOf(values.runs, name === "cold-start" ? 30 : 5),
      minutes: numberOf(values.minutes, 10),
      clusters: numberOf(values.clusters, 20),
      gib: numberOf(values.gib, 2),
    };
  } catch (error) {
    // parseArgs reports wrong use by throwing.
    throw error instanceof WrongUse
      ? error
      : new WrongUse(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  const { name, bench, json, keep, clusterName, ...sizes } = read();
  const status = await up({ name: clusterName });
  const cluster = openCluster(status);
  const outages = createOutages();
  const end = async () => {
    await outages.undoAll();
    cluster.close();
    if (!keep) await down(clusterName);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void end().finally(() => process.exit(130)));
  }
  try {
    print(name, await bench({ status, cluster, outages, ...sizes }), json);
  } finally {
    await end();
  }
}

await main().catch((error: unknown) => {
  const isForPeople = error instanceof WrongUse || error instanceof Unmet || error instanceof LocalError;
  say(
    isForPeople || !(error instanceof Error) ? `bench: ${sentence(error)}` : (error.stack ?? error.message),
  );
  if (error instanceof WrongUse) say(`\n${usage}`);
  process.exitCode = error instanceof WrongUse ? 2 : 1;
});

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
