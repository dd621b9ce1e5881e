/**
 * Planned changes of the primary under writes on two paths: how long nobody could write, and what clients got to see. Errors after which any client tries again are counted apart from all others, of which there must be none.
 */
import { loadavg } from "node:os";
import { images } from "../../infra/local/pins.ts";
import { longestPause, spreadOf } from "../support/figures.ts";
import { added, checkBooks, dualAcks } from "../support/traffic.ts";
import { waitFor } from "../support/wait.ts";
import type { Ack } from "../support/workload.ts";
import { readWorld } from "../support/world.ts";
import type { Bench } from "./place.ts";
import { brokenBooks, say } from "./report.ts";
import {
  addressOf,
  beginTraffic,
  closeTrial,
  openTrial,
  primaryPod,
  replicaPods,
  switchOver,
  type Trial,
  waitWhole,
} from "./trial.ts";

const ROLLED_MS_MAX = 300_000;

/** The connection was lost or not to be had, or the server said read-only or offline before it did anything. */
const RETRYABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "PROTOCOL_CONNECTION_LOST",
  "ER_OPTION_PREVENTS_STATEMENT",
  "ER_SERVER_OFFLINE_MODE",
]);

interface Run {
  readonly directMs: number;
  readonly serviceMs: number;
  readonly wholeMs: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly acked: number;
  readonly lost: number;
  readonly ghosts: number;
  readonly dual: number;
}

/** Those since the change was asked for: a Service that was only just made leads nowhere until its rules are written. */
function since(before: Readonly<Record<string, number>>, now: Readonly<Record<string, number>>) {
  const more = Object.entries(now).map(([kind, count]) => [kind, count - (before[kind] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

interface Change {
  readonly name: string;
  /** Writes on each path; absent = as ever. */
  readonly perSecond?: number;
  /** Asks for it, and waits for its end. */
  readonly change: (trial: Trial, index: number) => Promise<void>;
}

async function runOnce(trial: Trial, index: number, { change, perSecond }: Change): Promise<Run> {
  const traffic = await beginTraffic(trial, perSecond);
  try {
    const before = traffic.failures();
    const startedAtMs = Date.now();
    await change(trial, index);
    await traffic.waitAcks({ sinceMs: Date.now(), count: 40, timeoutMs: 60_000 });
    await waitWhole(trial);
    const wholeMs = Date.now() - startedAtMs;
    const books = await traffic.stop();
    const errors = since(before, traffic.failures());
    const verdict = await checkBooks(books, addressOf(trial, await primaryPod(trial)));
    const { direct, service } = traffic.acks;
    const pauseOf = (acks: readonly Ack[]) =>
      longestPause(
        acks.map(({ atMs }) => atMs),
        startedAtMs,
      )?.ms ?? 0;
    return {
      directMs: pauseOf(direct),
      serviceMs: pauseOf(service),
      wholeMs,
      errors,
      ...{ acked: verdict.acked, lost: verdict.lost.length, ghosts: verdict.ghosts.length },
      dual: dualAcks(traffic.acks),
    };
  } finally {
    await traffic.stop();
  }
}

const measuring =
  (planned: Change): Bench =>
  async (place) => {
    const trial = await openTrial(place, { namespace: `bench-${planned.name}`, sensor: place.sensor });
    try {
      const runs: Run[] = [];
      while (runs.length < place.runs) {
        const run = await runOnce(trial, runs.length, planned);
        runs.push(run);
        say(`run ${runs.length} of ${place.runs}: ${JSON.stringify(run)}; load ${loadavg()[0]?.toFixed(1)}`);
      }
      const sum = (pick: (run: Run) => number) => runs.reduce((total, run) => total + pick(run), 0);
      const seen = added(runs.map(({ errors }) => errors));
      const others = Object.entries(seen).filter(([kind]) => !RETRYABLE.has(kind));
      const errors = others.reduce((total, [, count]) => total + count, 0);
      const [lost, dual] = [sum((run) => run.lost), sum((run) => run.dual)];
      const broken = [
        ...brokenBooks({ lost, dual, ghosts: sum((run) => run.ghosts) }),
        ...(errors > 0
          ? [`clients saw errors that are no reason to try again: ${JSON.stringify(others)}`]
          : []),
      ];
      const fields = {
        ...{ runs: runs.length, acked: sum((run) => run.acked), lost, dual, errors },
        retryable: Object.fromEntries(Object.entries(seen).filter(([kind]) => RETRYABLE.has(kind))),
        gapDirectMs: spreadOf(runs.map(({ directMs }) => directMs)),
        gapServiceMs: spreadOf(runs.map(({ serviceMs }) => serviceMs)),
        wholeMs: spreadOf(runs.map(({ wholeMs }) => wholeMs)),
        load: loadavg()[0],
      };
      return { ok: broken.length === 0, broken, fields };
    } finally {
      await closeTrial(trial);
    }
  };

/** By annotation, to each replica in turn. */
export const switchover: Bench = measuring({
  name: "switchover",
  async change(trial, index) {
    const replicas = await replicaPods(trial);
    await switchOver(trial, replicas[index % replicas.length]?.name ?? "");
  },
});

/** All members are made anew with another image, which is the same one by another name. */
export const rollout: Bench = measuring({
  name: "rollout",
  perSecond: 100,
  async change({ cluster, ref }, index) {
    const image = images.mysql[(index + 1) % images.mysql.length] ?? "";
    const container = `mysql=${image}`;
    await cluster.kubectl([
      "--namespace",
      ref.namespace,
      "set",
      "image",
      `statefulset/${ref.name}`,
      container,
    ]);
    await waitFor("all members with the new image", { timeoutMs: ROLLED_MS_MAX }, async () => {
      const { pods, phase } = await readWorld(cluster, ref);
      const old = pods.filter((pod) => pod.image !== image || !pod.ready).map(({ name }) => name);
      return old.length === 0 && phase === "Healthy"
        ? { ok: true, value: null }
        : { ok: false, saw: `${phase}, without: ${old.join(", ")}` };
    });
  },
});
