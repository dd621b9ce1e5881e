/** What Ordinal does to a cluster, each as a world just before it and the end that must be reached. */
import { encodeBackups } from "../../shared/annotations/backups.ts";
import { beginning } from "../../shared/decide/backup/memory.ts";
import { REF } from "./ref.ts";
import { type Beginning, createWorld, type World } from "./world.ts";

export interface Workflow {
  readonly name: string;
  /** How many effects an undisturbed run has at the least; fewer means that the sweep lost its points. */
  readonly effectsMin: number;
  /** Whoever comes minutes late finds that time has decided otherwise: only that all is well can be compared. */
  readonly hurried?: true;
  /** A settled or untouched world in which the workflow is due. */
  readonly due: (seed: number) => Promise<World>;
}

const EMPTY = {};

const beginnings = new Map<number, Beginning>();

/** Adopted once by the shipped code, then only copied. */
async function established(seed: number, replicas: number): Promise<World> {
  const members = Array(replicas).fill(EMPTY);
  if (!beginnings.has(replicas)) {
    const adopted = createWorld({ members });
    await adopted.settle();
    beginnings.set(replicas, adopted.capture());
  }
  const beginning = beginnings.get(replicas);
  const world = createWorld({ seed, members, ...(beginning && { beginning }) });
  // The copied replicas connect.
  await world.clock.pass(100);
  return world;
}

async function releasing(seed: number, services: "keep" | "remove"): Promise<World> {
  const world = await established(seed, 3);
  world.annotate({ "ordinal.dev/engine": null, "ordinal.dev/services-on-release": services });
  return world;
}

async function scaling(seed: number, from: number, to: number): Promise<World> {
  const world = await established(seed, from);
  world.annotate({ "ordinal.dev/replicas": String(to) });
  return world;
}

/** Yesterday's slot is the last that is done with, so that today's is due. */
async function backupDue(seed: number): Promise<World> {
  const world = await established(seed, 3);
  const nowMs = world.clock.now();
  const schedule = { cron: "0 0 * * *", timeZone: "UTC" };
  const set = await world.sim.kube.read("StatefulSet", REF);
  if (!set.ok) throw new Error(set.failure.message);
  const memory = { ...beginning(set.value.uid, nowMs - 26 * 3_600_000), schedule };
  world.annotate({
    "ordinal.dev/backup-store": "backups",
    "ordinal.dev/backup-schedule": schedule.cron,
    "ordinal.dev/backup-deadline": "24h",
    ...encodeBackups(memory),
  });
  return world;
}

export const WORKFLOWS: readonly Workflow[] = [
  {
    name: "adoption of three",
    effectsMin: 110,
    due: (seed) => Promise.resolve(createWorld({ seed, members: [EMPTY, EMPTY, EMPTY] })),
  },
  {
    name: "a replica that lost its volume, of three",
    effectsMin: 30,
    async due(seed) {
      const world = await established(seed, 3);
      world.kubelet.loseVolume(2);
      await world.clock.pass(3_000);
      return world;
    },
  },
  {
    name: "the only replica lost its volume",
    effectsMin: 30,
    async due(seed) {
      const world = await established(seed, 2);
      world.kubelet.loseVolume(1);
      await world.clock.pass(3_000);
      return world;
    },
  },
  {
    name: "a primary that restarted",
    effectsMin: 15,
    async due(seed) {
      const world = await established(seed, 3);
      world.kubelet.kill(0);
      await world.clock.pass(3_000);
      return world;
    },
  },
  {
    name: "a primary that died",
    effectsMin: 30,
    hurried: true,
    async due(seed) {
      const world = await established(seed, 3);
      world.kubelet.kill(0);
      return world;
    },
  },
  {
    name: "a primary that lost its volume",
    effectsMin: 40,
    async due(seed) {
      const world = await established(seed, 3);
      world.kubelet.loseVolume(0);
      return world;
    },
  },
  {
    name: "a switchover",
    effectsMin: 25,
    hurried: true,
    async due(seed) {
      const world = await established(seed, 3);
      world.annotate({ "ordinal.dev/switchover-to": "mysql-2" });
      return world;
    },
  },
  {
    name: "more members",
    effectsMin: 60,
    due: (seed) => scaling(seed, 3, 5),
  },
  {
    name: "fewer members",
    effectsMin: 15,
    due: (seed) => scaling(seed, 5, 3),
  },
  {
    name: "a lost record",
    effectsMin: 10,
    async due(seed) {
      const world = await established(seed, 3);
      world.annotate({ "ordinal.dev/state": null });
      return world;
    },
  },
  { name: "a backup that is due", effectsMin: 3, due: backupDue },
  { name: "release", effectsMin: 12, due: (seed) => releasing(seed, "keep") },
  { name: "release with its Services", effectsMin: 15, due: (seed) => releasing(seed, "remove") },
];
