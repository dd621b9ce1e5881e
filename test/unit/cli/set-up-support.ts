/**
 * The program on a simulated cluster, for whoever examines it or sets it up: all is well around it, and servers are reached
 * by the names of their pods.
 */
import { expect } from "vitest";
import { run } from "../../../shared/cli/program.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import type { Examiner } from "../../../shared/ports/examiner.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import type { Servers } from "../../../shared/ports/server.ts";
import { modelOf } from "../../sim/kube/watching.ts";
import { REF } from "../../sim/ref.ts";
import { createWorld, type World, type WorldOptions } from "../../sim/world.ts";
import { createMemoryStore, type MemoryOptions } from "../../support/memory-store.ts";
import { UID } from "./backups-support.ts";
import { NOWHERE, paper, type Ran } from "./support.ts";

/** As somebody outside of the pod network reaches them: by the names of their pods. */
export function forwarded({ fleet, kubelet }: World): Servers {
  return {
    async connect(options) {
      const server = kubelet.servers.find(({ name }) => name === options.host);
      const [address] = [...fleet.byAddress].find(([, one]) => one === server) ?? [];
      if (address === undefined) return fail("transient", "kubectl port-forward: no such pod");
      return fleet.connect({ ...options, host: address });
    },
  };
}

const EXAMINED: Examiner = {
  may: async () => succeed(true),
  template: async () => succeed({ labels: { app: "mysql" }, hooked: ["database"], spreads: true }),
  isHeadless: async () => succeed(true),
  budgets: async () => succeed([{ app: "another" }, { app: "mysql" }]),
};

const MEMBERS = [{ tables: ["shop.orders"], rows: 10 }, {}, {}];

/** No pass has been here. */
export function plain(more: Partial<WorldOptions> = {}): World {
  const world = createWorld({ members: MEMBERS, ...more });
  // The API server says so where the user says nothing.
  world.sim.put("StatefulSet", REF, { spec: { updateStrategy: { type: "RollingUpdate" } } });
  return world;
}

export async function settled(more: Partial<WorldOptions> = {}): Promise<World> {
  const world = plain(more);
  await world.settle();
  return world;
}

export interface Around {
  readonly examiner?: Partial<typeof EXAMINED>;
  readonly store?: MemoryOptions;
  /** What whoever sits there answers; absent = nobody does. */
  readonly says?: boolean;
  /** What Ordinal does meanwhile; absent = it does not run. */
  readonly served?: () => Promise<unknown>;
}

/** A folder in a bucket has the uid of a cluster in its name, as Kubernetes makes them. */
function likeUids(kube: Kube, uid: string): Kube {
  const changed = <T>(outcome: T): T => JSON.parse(JSON.stringify(outcome).replaceAll(uid, UID));
  return {
    ...kube,
    read: async (kind, ref) => changed(await kube.read(kind, ref)),
    list: async (kind, options) => changed(await kube.list(kind, options)),
    patch: async (kind, ref, patch) => changed(await kube.patch(kind, ref, { ...patch, uid })),
  };
}

export interface Told extends Ran {
  /** Kind and annotations of each change. */
  readonly changes: readonly unknown[];
  readonly asked: readonly string[];
}

export async function examining(world: World, line: string, around: Around = {}): Promise<Told> {
  const { examiner, store = {}, says, served } = around;
  const { printed, terminal } = paper();
  const changes: unknown[] = [];
  const asked: string[] = [];
  const kube = likeUids(world.sim.kube, modelOf("StatefulSet", world.sim.raw("StatefulSet", REF) ?? {}).uid);
  const noted: Kube = {
    ...kube,
    patch: (kind, ref, patch) => {
      changes.push([kind, patch.annotations]);
      return kube.patch(kind, ref, patch);
    },
  };
  const before = world.sim.calls.length;
  const running = run(line.split(" "), {
    ...terminal,
    clock: world.clock,
    timeZone: "UTC",
    ...(says !== undefined && {
      confirm: async (question: string) => {
        asked.push(question);
        return says;
      },
    }),
    connect: () => ({
      ...{ ...NOWHERE, kube: noted, servers: forwarded(world), namespace: REF.namespace, close() {} },
      examiner: { ...EXAMINED, ...examiner },
      openStore: () => createMemoryStore(store),
    }),
  });
  const serving = served && world.clock.sleep(1_000).then(served);
  const [exitCode] = await world.clock.run(Promise.all([running, serving]));
  const verbs = world.sim.calls.slice(before).map(({ verb }) => verb);
  const written = verbs.filter((verb) => verb !== "read" && verb !== "list");
  if (served === undefined) expect(written).toHaveLength(changes.length);
  return { exitCode, ...printed, changes, asked };
}
