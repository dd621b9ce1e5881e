/**
 * How long it takes until a cluster serves again that is gone: a proven physical backup restored into a new one, from the annotation
 * to the first query; and beside it, in the same run, what people do today: a dump of the same data into an empty server.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../support/cluster-access.ts";
import { serverProcess } from "../support/faults.ts";
import { withServer } from "../support/servers.ts";
import { Unmet, waitFor } from "../support/wait.ts";
import { readLogin, readWorld, type SetRef } from "../support/world.ts";
import { addressOf, awaitJob, type Filled, openFilled, openPlain, PATIENCE_MS, shell } from "./filled.ts";
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

const named = (namespace: string): SetRef => ({ namespace, name: "mysql" });
const LOST = named("bench-restore");
const RESTORED = named("bench-restored");
const LOADED = named("bench-loaded");

const rounded = (value: number) => Math.round(value * 100) / 100;
const secondsSince = (startedAtMs: number) => rounded((performance.now() - startedAtMs) / 1_000);

/** The last row, which is there when all are. */
async function lastRow(cluster: Cluster, ref: SetRef): Promise<number> {
  return await withServer(await addressOf(cluster, ref, 0), async ({ ask }) => {
    const [row] = await ask("SELECT MAX(id) AS last FROM bench.page");
    return Number(row?.["last"]);
  });
}

async function login(cluster: Cluster, ref: SetRef, name: string) {
  const { user, password } = await readLogin(cluster, { ...ref, name: "mysql-root" });
  const { pods } = await readWorld(cluster, ref);
  const pod = pods.find((one) => one.name === name);
  if (pod === undefined) throw new Unmet(`there is no pod ${name}`);
  const inside = `nsenter --target=${serverProcess(pod.uid)} --mount --net`;
  return { inside, options: `--user=${user} --host=127.0.0.1`, env: { MYSQL_PWD: password } };
}

/** Made beforehand, and not counted: it lies on this machine. */
async function dump(cluster: Cluster, file: string): Promise<void> {
  const { inside, options, env } = await login(cluster, LOST, `${LOST.name}-0`);
  const wishes = "--single-transaction --set-gtid-purged=OFF --databases bench";
  await shell(`${inside} mysqldump ${options} ${wishes} > '${file}'`, env);
}

async function load(place: BenchPlace, file: string): Promise<number> {
  const { cluster } = place;
  await removeNamespace(cluster, LOADED.namespace);
  await createPlain(cluster, LOADED, { replicas: 1, args: [] });
  await waitReady(cluster, LOADED, PATIENCE_MS);
  const { inside, options, env } = await login(cluster, LOADED, `${LOADED.name}-0`);
  const startedAtMs = performance.now();
  await shell(`${inside} mysql ${options} < '${file}'`, env);
  return secondsSince(startedAtMs);
}

interface Restored {
  readonly firstQuery: number;
  readonly fill: number;
  readonly replicated: number;
}

/** Seconds since the annotation, but for `fill`, which is of the Job alone. */
async function restoreInto(place: BenchPlace, { uid, last }: Lost): Promise<Restored> {
  const { cluster } = place;
  const host = await openPlain(place, RESTORED);
  try {
    const wish = JSON.stringify({ cluster: uid, backup: "latest" });
    const startedAtMs = performance.now();
    const begin = () =>
      annotate(cluster, RESTORED, [
        ...["ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never"],
        `ordinal.dev/restore-from=${wish}`,
      ]);
    const filled = awaitJob(cluster, RESTORED, "restore-fill", begin);
    const queried = waitFor("the first query", { timeoutMs: PATIENCE_MS, everyMs: 200 }, async () => {
      const seen = await lastRow(cluster, RESTORED).catch((error: unknown) => String(error));
      return seen === last ? { ok: true, value: secondsSince(startedAtMs) } : { ok: false, saw: `${seen}` };
    });
    const [fill, firstQuery] = await Promise.all([filled, queried]);
    await waitReplicated(cluster, RESTORED, PATIENCE_MS);
    return { firstQuery, fill: rounded(fill.seconds), replicated: secondsSince(startedAtMs) };
  } finally {
    await host.end();
  }
}

/** What is known of a cluster that is gone. */
interface Lost {
  readonly uid: string;
  /** Of its rows. */
  readonly last: number;
}

/** Backed up and dumped; what is left of it is in the store and in the file. */
async function lose(place: BenchPlace, { host }: Filled, file: string): Promise<Lost> {
  const { cluster } = place;
  const kubectl = (...args: readonly string[]) => cluster.kubectl(["--namespace", LOST.namespace, ...args]);
  try {
    await awaitJob(cluster, LOST, "backup", () =>
      kubectl("annotate", "statefulset", LOST.name, "ordinal.dev/backup-now=physical"),
    );
    // As the newest backup of each day is, unless somebody has said never.
    await awaitJob(cluster, LOST, "proof", () =>
      kubectl("annotate", "statefulset", LOST.name, "ordinal.dev/prove-now=true"),
    );
    await dump(cluster, file);
    const uid = await kubectl("get", "statefulset", LOST.name, "--output=jsonpath={.metadata.uid}");
    return { uid, last: await lastRow(cluster, LOST) };
  } finally {
    await host.end();
    await removeNamespace(cluster, LOST.namespace);
  }
}

export const restore: Bench = async (place) => {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-bench-"));
  const file = join(folder, "dump.sql");
  try {
    const filled = await openFilled(place, LOST);
    const { bytes } = filled;
    const lost = await lose(place, filled, file);
    const restored = await restoreInto(place, lost);
    say(`restored: ${JSON.stringify(restored)}`);
    await removeNamespace(place.cluster, RESTORED.namespace);
    const loaded = await load(place, file);
    say(`mysql < dump: ${loaded} s`);
    const last = await lastRow(place.cluster, LOADED);
    const rate = (seconds: number) => rounded(bytes / 1e6 / seconds);
    return {
      ok: last === lost.last,
      broken: last === lost.last ? [] : [`the last row of the dump is ${last} in place of ${lost.last}`],
      fields: {
        ...{ gib: place.gib, bytes, dumpBytes: statSync(file).size, seconds: { ...restored, load: loaded } },
        mbPerSecond: {
          firstQuery: rate(restored.firstQuery),
          fill: rate(restored.fill),
          load: rate(loaded),
        },
        timesFaster: {
          firstQuery: rounded(loaded / restored.firstQuery),
          fill: rounded(loaded / restored.fill),
        },
      },
    };
  } finally {
    rmSync(folder, { recursive: true });
    for (const { namespace } of [RESTORED, LOADED]) await removeNamespace(place.cluster, namespace);
  }
};
