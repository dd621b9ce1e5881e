/**
 * `npm run bench -- NAME [options]`: measures on the real cluster `bench`, which is brought up for it and removed
 * afterwards unless `--keep` is given. Wrong use ends with 2, a broken promise with 1.
 */
import { parseArgs } from "node:util";
import { down, up } from "../../infra/local/index.ts";
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

function read(): {
  readonly bench: string;
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
} {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { runs: count, minutes: count, clusters: count, json: flag, keep: flag },
  });
  return { bench: positionals[0] ?? "", values };
}

function numberOf(value: string | boolean | undefined, otherwise: number): number {
  const parsed = value === undefined ? otherwise : Number(value);
  if (!Number.isFinite(parsed) || parsed <= 0) throw new Unmet(`${String(value)} is not a number above 0`);
  return parsed;
}

async function main(): Promise<void> {
  const { bench: name, values } = read();
  const bench = BENCHES[name];
  if (bench === undefined) throw new Unmet(name === "" ? "no bench was named" : `there is no bench ${name}`);
  const options = {
    runs: numberOf(values["runs"], 5),
    minutes: numberOf(values["minutes"], 10),
    clusters: numberOf(values["clusters"], 20),
  };
  const status = await up({ name: CLUSTER });
  const cluster = openCluster(status);
  try {
    print(name, await bench({ status, cluster, ...options }), values["json"] === true);
  } finally {
    cluster.close();
    if (values["keep"] !== true) await down(CLUSTER);
  }
}

await main().catch((error: unknown) => {
  const wrongUse = error instanceof Unmet || (error instanceof Error && "code" in error);
  say(error instanceof Error ? error.message : String(error));
  if (wrongUse) say(`\n${usage}`);
  process.exitCode = wrongUse ? 2 : 1;
});
