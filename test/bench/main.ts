/**
 * `npm run bench -- NAME [options]`: measures on the real cluster `bench`, which is brought up for it and removed
 * afterwards, also after Ctrl-C, unless `--keep` is given. Wrong use ends with 2, a broken promise with 1.
 */
import { parseArgs } from "node:util";
import { down, LocalError, up } from "../../infra/local/index.ts";
import { openCluster } from "../support/cluster-access.ts";
import { Unmet } from "../support/wait.ts";
import { adopt } from "./adopt.ts";
import { noop } from "./noop.ts";
import type { Bench } from "./place.ts";
import { print, say } from "./report.ts";

const BENCHES: Readonly<Record<string, Bench>> = { adopt, noop };
const CLUSTER = "bench";

const usage = `Usage: npm run bench -- NAME [options]

  adopt  --runs N               from annotation to replicated, under writes
  noop   --minutes M --clusters N  what quiet clusters cost

  --json   the last line of standard output is one JSON object
  --keep   leave the cluster ${CLUSTER} running
`;

const count = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;

/** The person must change something first; the usage is shown with it. */
class WrongUse extends Error {}

type Values = Readonly<Record<string, string | boolean | undefined>>;

function numberOf(value: Values[string], otherwise: number): number {
  const parsed = value === undefined ? otherwise : Number(value);
  if (!Number.isFinite(parsed) || parsed <= 0) throw new WrongUse(`${String(value)} is not a number above 0`);
  return parsed;
}

function read() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { runs: count, minutes: count, clusters: count, json: flag, keep: flag },
    });
    const [name = ""] = positionals;
    const bench = BENCHES[name];
    if (bench === undefined)
      throw new WrongUse(name === "" ? "no bench was named" : `there is no bench ${name}`);
    return {
      ...{ name, bench, json: values.json, keep: values.keep },
      runs: numberOf(values.runs, 5),
      minutes: numberOf(values.minutes, 10),
      clusters: numberOf(values.clusters, 20),
    };
  } catch (error) {
    // parseArgs reports wrong use by throwing.
    throw error instanceof WrongUse
      ? error
      : new WrongUse(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  const { name, bench, json, keep, ...sizes } = read();
  const status = await up({ name: CLUSTER });
  const cluster = openCluster(status);
  const end = async () => {
    cluster.close();
    if (!keep) await down(CLUSTER);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void end().finally(() => process.exit(130)));
  }
  try {
    print(name, await bench({ status, cluster, ...sizes }), json);
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
