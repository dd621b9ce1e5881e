/**
 * A whole simulated world from one seed: an API server, MySQL servers, what runs the pods, time and chance.
 * The shipped `reconcile` is run on it, never a copy; what a test changes is the world, not the code.
 */

import { createHash } from "node:crypto";
import { mysql } from "../../shared/engines/mysql/index.ts";
import { backupCronEvent, sweepEvent } from "../../shared/hosts/events.ts";
import { createRunner } from "../../shared/hosts/local/runner.ts";
import { watchSource } from "../../shared/hosts/local/sources.ts";
import type { JobTask } from "../../shared/model/backup.ts";
import type { Engine } from "../../shared/ports/engine.ts";
import type { Kube } from "../../shared/ports/kube.ts";
import { type PassResult, type ReconcileContext, reconcile } from "../../shared/reconcile/index.ts";
import { EVENT_FUNCTIONS } from "../unit/hosts/functions.ts";
import { createChance, createSimClock, type SimClock } from "./clock.ts";
import { createInstance, type Effect, type Instance, Killed, type Plan } from "./instance.ts";
import { createInspector, type Inspector } from "./invariants.ts";
import { putStatefulSet, type StatefulSetPart } from "./kube/actors.ts";
import { createSimKube, type SimKube } from "./kube/api-server.ts";
import type { Contents } from "./kube/store.ts";
import { modelOf } from "./kube/watching.ts";
import { createKubelet, type Kubelet, type RunningMember } from "./kubelet.ts";
import { createFleet, type Fleet } from "./mysql/fleet.ts";
import type { VolumePart } from "./mysql/volume.ts";
import { REF } from "./ref.ts";

// Another thread would hash while simulated time goes on: here it takes none.
Object.defineProperty(crypto.subtle, "digest", {
  value: (_: string, bytes: Uint8Array) =>
    Promise.resolve(new Uint8Array(createHash("sha256").update(bytes).digest()).buffer),
});

export const ROOT_PASSWORD = "root-password";
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");
const BUDGET_MS = 50_000;
const PASSES_MAX = 90;
const SWEEP_MS = 1_000;
/** A sweep looks at a degraded cluster each time: its member may just be starting, with any back-off. */
const DEGRADED_PASSES = 40;

/** A world at rest, from which others can begin. */
export interface Beginning {
  readonly nowMs: number;
  readonly contents: Contents;
  readonly members: readonly RunningMember[];
}

/** Parts of the shipped code in another form: a build that is broken on purpose, or whose reads are old. */
export interface Build {
  readonly engine?: Engine;
  /** Around the API server as an instance sees it. */
  readonly kube?: (kube: Kube) => Kube;
}

export interface WorldOptions {
  readonly seed?: number;
  readonly build?: Build;
  /** Of the kubelet; absent = as it has it. */
  readonly backoffStepMs?: number;
  /** Begins there; `members` only says how many there are. */
  readonly beginning?: Beginning;
  /** One entry for each member. */
  readonly members: readonly Partial<VolumePart>[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly set?: Partial<StatefulSetPart>;
  readonly secret?: Readonly<Record<string, string>> | null;
}

export interface World {
  readonly clock: SimClock;
  readonly sim: SimKube;
  readonly fleet: Fleet;
  readonly kubelet: Kubelet;
  readonly chance: () => number;
  /** Passwords made so far: a second Secret for one would be seen here. */
  readonly passwords: { made: number };
  /** Texts that a person has put in the place of the state; undefined = took it away. */
  readonly tampered: Set<string | undefined>;
  /** Changes annotations, as `kubectl annotate` does. */
  annotate(annotations: Readonly<Record<string, string | null>>): void;
  /** One pass, by an instance of its own. */
  pass(plan?: Plan): { readonly instance: Instance; readonly result: Promise<PassResult> };
  /** A function that has started, with what a host of it needs. */
  start(plan: Plan): { readonly instance: Instance; readonly context: ReconcileContext };
  /** Passes as a sweep makes them, each by another instance, until nothing happens; each may meet another fate. */
  settle(plan?: (pass: number) => Plan): Promise<readonly Instance[]>;
  /** The same for a caller who lets time pass by itself, beside others. */
  settling(plan?: (pass: number) => Plan): Promise<readonly Instance[]>;
  /** A resident host: the shipped queue, functions and sweep around the shipped pass. */
  host(options: HostOptions): Host;
  /** What stands in the annotation. */
  annotation(key: string): string | undefined;
  readonly inspector: Inspector;
  /** Told of each effect of any instance, in the order of their births. */
  onEffect: ((instance: string, effect: string) => void) | null;
  /** Everything as it is, to begin other worlds with. */
  capture(): Beginning;
}

export interface HostOptions {
  readonly lookEveryMs: number;
  readonly plan?: Plan;
  readonly onPass?: (result: PassResult) => void;
  /** What becomes of each event of the watches on its way to the queue; absent = nothing is watched. */
  readonly deliver?: (emit: () => void) => void;
}

export interface Host {
  readonly instance: Instance;
  readonly runner: {
    tick(): void;
    /** Of the schedules of backups. */
    backupTick(): void;
    idle(): Promise<void>;
    stop(): Promise<void>;
  };
  /** Passes so far. */
  passes(): number;
}

export function createWorld(options: WorldOptions): World {
  const chance = createChance(options.seed ?? 1);
  const { beginning } = options;
  const clock = createSimClock(beginning?.nowMs ?? START_MS);
  const sim = createSimKube(clock, beginning?.contents);
  const passwords = { made: 0 };
  const wish = { "ordinal.dev/engine": "mysql", "ordinal.dev/credentials": "mysql-root" };
  const annotations = options.annotations ?? wish;
  const replicas = options.members.length;
  const set = putStatefulSet(sim, REF, { replicas, annotations, ...options.set });
  const given = options.secret === undefined ? { password: ROOT_PASSWORD } : options.secret;
  const secret = beginning === undefined ? given : null;
  if (secret !== null) {
    const encoded = Object.entries(secret).map(([key, value]) => [
      key,
      Buffer.from(value).toString("base64"),
    ]);
    sim.put("Secret", { ...REF, name: "mysql-root" }, { data: Object.fromEntries(encoded) });
  }
  const fleet = createFleet(clock, (server, exitCode) => kubelet.exited(server, exitCode));
  const volumes = options.members.map((part) => ({ rootPassword: ROOT_PASSWORD, ...part }));
  const running = beginning && { running: beginning.members };
  const { backoffStepMs } = options;
  const kubelet = createKubelet({ clock, sim, set, fleet: () => fleet, volumes, backoffStepMs, ...running });
  void kubelet.servers;

  let born = 0;
  function start(plan: Plan): { readonly instance: Instance; readonly context: ReconcileContext } {
    born += 1;
    const name = `instance ${born}`;
    const onEffect = (effect: Effect): void => {
      inspect.effect(effect);
      world.onEffect?.(name, `${effect.server ?? "API"}: ${effect.text}`);
    };
    const instance = createInstance(sim.kube, fleet, clock, { inspect, onEffect, ...plan });
    const { skewMs } = plan;
    const ownClock = skewMs === undefined ? clock : { sleep: clock.sleep, now: () => clock.now() + skewMs() };
    const ids = {
      password() {
        passwords.made += 1;
        return `password${passwords.made}`.padEnd(32, "x");
      },
      fraction: chance,
    };
    const log = { info() {}, warn() {} };
    const { servers } = instance;
    const kube = options.build?.kube?.(instance.kube) ?? instance.kube;
    const engines = { mysql: plan.engine ?? options.build?.engine ?? mysql };
    const component = "simulation";
    // Nobody runs them here: what becomes of them says the test.
    const jobs = (task: JobTask) => ({ spec: { task } });
    const context = {
      kube,
      servers,
      engines,
      clock: ownClock,
      ids,
      log,
      component,
      jobs,
      budgetMs: BUDGET_MS,
    };
    return { instance, context };
  }

  function pass(plan: Plan = {}): ReturnType<World["pass"]> {
    const { instance, context } = start(plan);
    const result = reconcile(context, { ref: REF, cause: "test", entry: null, memory: null });
    result.catch(() => {});
    return { instance, result };
  }

  function host({ lookEveryMs, plan = {}, deliver, onPass }: HostOptions): Host {
    const { instance, context } = start(plan);
    let passes = 0;
    const runner = createRunner({
      context,
      pass: reconcile,
      functions: EVENT_FUNCTIONS,
      namespaces: [],
      lookEveryMs,
      concurrency: 8,
      onPass: (result) => {
        passes += 1;
        onPass?.(result);
      },
    });
    const subscription =
      deliver &&
      watchSource({ watches: sim.watches, clock, jobs: true }, [{}])((event) =>
        deliver(() => runner.emit(event)),
      );
    return {
      instance,
      passes: () => passes,
      runner: {
        tick: () => runner.emit(sweepEvent(clock.now())),
        backupTick: () => runner.emit(backupCronEvent(clock.now())),
        idle: runner.idle,
        async stop() {
          subscription?.close();
          await runner.stop(0);
        },
      },
    };
  }

  async function settling(plan: (pass: number) => Plan = () => ({})): Promise<readonly Instance[]> {
    const instances: Instance[] = [];
    let lastEnd: PassResult | null = null;
    let quietPasses = 0;
    for (let passes = 1; passes <= PASSES_MAX; passes += 1) {
      const { instance, result } = pass(plan(passes));
      instances.push(instance);
      const end = await result.catch((error: unknown) => {
        if (error instanceof Killed) return null;
        throw error;
      });
      lastEnd = end;
      const quiet = end !== null && end.lookAgainMs === null && instance.effects.length === 0;
      quietPasses = quiet ? quietPasses + 1 : 0;
      if (quietPasses >= (end?.phase === "Degraded" ? DEGRADED_PASSES : 1)) return instances;
      await clock.sleep(end?.lookAgainMs ?? SWEEP_MS);
    }
    const said = JSON.stringify([instances.at(-1)?.effects, lastEnd?.message]);
    throw new Error(`not settled after ${PASSES_MAX} passes, the last of which did ${said}`);
  }

  const world: Omit<World, "inspector"> = {
    clock,
    sim,
    fleet,
    kubelet,
    chance,
    passwords,
    tampered: new Set(),
    annotate(changes) {
      const text = changes["ordinal.dev/state"];
      if (text !== undefined) world.tampered.add(text ?? undefined);
      sim.put("StatefulSet", REF, { metadata: { annotations: changes } });
    },
    pass,
    start,
    host,
    onEffect: null,
    settling,
    settle: (plan) => clock.run(settling(plan)),
    capture: () => ({ nowMs: clock.now(), contents: sim.contents(), members: kubelet.capture() }),
    annotation: (key) => modelOf("StatefulSet", sim.raw("StatefulSet", REF) ?? {}).annotations[key],
  };
  const inspect = createInspector(world);
  return Object.assign(world, { inspector: inspect });
}
