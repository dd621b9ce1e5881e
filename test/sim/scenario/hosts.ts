/**
 * Who runs the shipped code in a scenario: resident hosts with their queue and memory, and platforms that start
 * a function for every event and every sweep, several at once. While functions are at fault each may be killed
 * or frozen at any of its calls.
 */

import { readEvent } from "../../../shared/hosts/events.ts";
import { react } from "../../../shared/hosts/functions.ts";
import { watchSource } from "../../../shared/hosts/local/sources.ts";
import { reconcile } from "../../../shared/reconcile/index.ts";
import { EVENT_FUNCTIONS } from "../../unit/hosts/functions.ts";
import { createChance } from "../clock.ts";
import { type Instance, Killed, type Plan } from "../instance.ts";
import { REF } from "../ref.ts";
import type { World } from "../world.ts";
import type { HostPart } from "./model.ts";
import type { Stage } from "./stage.ts";

export interface Hosts {
  /** Looks this often from now on. */
  sweepEvery(ms: number): void;
  stop(): void;
  /** Effects that had success from now until the answer is called, of all instances. */
  watch(): () => readonly string[];
  /** When the last frozen function has woken, milliseconds since 1970. */
  readonly frozenUntilMs: number;
  /** Nobody is there who could do anything: every host is a process that stands still. */
  frozen(): boolean;
  /** Rejections that are no deaths: bugs of the code under test. */
  readonly errors: readonly unknown[];
  onPass(listen: (who: string, message: string) => void): void;
}

const COPIES_MAX = 8;
/** Of each platform, while nothing is at fault: more would only wait for each other. */
const COPIES_USUAL = 2;
const CALLS_OF_A_PASS = 60;
const REBIRTH_MS = 1_500;
const FUNCTION_MAX_MS = 60_000;

interface Crowd {
  readonly stage: Stage;
  readonly world: World;
  readonly chance: () => number;
  readonly instances: Instance[];
  /** Of each resident host the process of now. */
  readonly residents: (() => Instance)[];
  readonly errors: unknown[];
  frozenUntilMs: number;
  stopped: boolean;
  sweepMs: number | null;
  told: (who: string, message: string) => void;
}

/** At any of its calls a function may be killed or frozen, as the faults of that moment have it. */
function fateOf(crowd: Crowd, skewMs: () => number): Plan {
  const { stage, chance, world } = crowd;
  return {
    skewMs,
    kill: () => stage.functions !== null && chance() < stage.functions.killShare / CALLS_OF_A_PASS,
    freeze() {
      if (stage.functions === null) return null;
      const { freezeShare, freezeMs } = stage.functions;
      if (chance() >= freezeShare / CALLS_OF_A_PASS) return null;
      crowd.frozenUntilMs = Math.max(crowd.frozenUntilMs, world.clock.now() + freezeMs);
      return freezeMs;
    },
    delay: () => (stage.functions === null ? 0 : chance() * stage.functions.slowMs),
  };
}

interface Platform {
  readonly name: string;
  readonly part: HostPart;
  readonly skewMs: () => number;
}

/** A function for every wake, as long as the platform has room. */
function startPlatform(crowd: Crowd, { name, part, skewMs }: Platform): void {
  const { world, stage } = crowd;
  const running = new Set<Instance>();
  let started = 0;

  /** Of those that are at work: a killed function never answers, and a frozen one takes no share of the machine. */
  function places(): number {
    return [...running].filter(({ dead, frozen }) => !dead && !frozen).length;
  }

  function launch(cause: string): void {
    const copies = stage.functions?.copies ?? 1;
    const room = stage.functions === null ? COPIES_USUAL : COPIES_MAX;
    for (let copy = 0; copy < copies && places() < room; copy += 1) {
      started += 1;
      const who = `${name}.${started}`;
      const { instance, context } = world.start({ ...fateOf(crowd, skewMs) });
      crowd.instances.push(instance);
      running.add(instance);
      // A platform ends its functions in time.
      world.clock.after(FUNCTION_MAX_MS, () => running.delete(instance));
      reconcile(context, { ref: REF, cause, entry: null, memory: null })
        .then((result) => crowd.told(who, `${result.outcome}: ${result.message}`))
        .catch((error: unknown) => {
          if (error instanceof Killed) crowd.told(who, "killed");
          else crowd.errors.push(error);
        })
        .finally(() => running.delete(instance));
    }
  }

  if (part.watches) {
    watchSource({ watches: world.sim.watches, clock: world.clock, jobs: true }, [{}])((event) => {
      const read = readEvent(event);
      if (crowd.stopped || !read.ok || react(EVENT_FUNCTIONS, [read.value]).wakes.length === 0) return;
      world.clock.after(5, () => launch("event"));
    });
  }
  repeat(crowd, part.sweepMs, () => launch("sweep"));
}

/** A process that is started again when it dies. */
function startResident(crowd: Crowd, { name, part, skewMs }: Platform): void {
  const { world, chance } = crowd;
  let host = begin();
  crowd.residents.push(() => host.instance);

  function begin(): ReturnType<World["host"]> {
    const born = world.host({
      lookEveryMs: 10_000,
      plan: fateOf(crowd, skewMs),
      onPass: (result) => crowd.told(name, `${result.outcome}: ${result.message}`),
      ...(part.watches && { deliver: (emit: () => void) => void world.clock.after(1 + chance() * 20, emit) }),
    });
    crowd.instances.push(born.instance);
    return born;
  }

  let dying = false;
  repeat(crowd, Math.min(part.sweepMs, 2_000), () => {
    if (host.instance.dead && !dying) {
      dying = true;
      void host.runner.stop();
      crowd.told(name, "killed");
      world.clock.after(REBIRTH_MS, () => {
        dying = false;
        host = begin();
      });
    }
    if (!dying) host.runner.tick();
  });
}

function repeat(crowd: Crowd, everyMs: number, act: () => void): void {
  const again = (): void => {
    if (crowd.stopped) return;
    act();
    crowd.world.clock.after(crowd.sweepMs ?? everyMs, again);
  };
  crowd.world.clock.after(everyMs * crowd.chance(), again);
}

export function startHosts(stage: Stage, seed: number, parts: readonly HostPart[]): Hosts {
  const crowd: Crowd = {
    stage,
    world: stage.world,
    chance: createChance(seed ^ 0xca57),
    instances: [],
    residents: [],
    errors: [],
    frozenUntilMs: 0,
    stopped: false,
    sweepMs: null,
    told: () => {},
  };
  for (const [number, part] of parts.entries()) {
    const skewMs = (): number => part.skewMs + (stage.jumpsMs[number] ?? 0);
    const platform = { name: `host-${number}`, part, skewMs };
    if (part.resident) startResident(crowd, platform);
    else startPlatform(crowd, platform);
  }
  return {
    sweepEvery(ms) {
      crowd.sweepMs = ms;
    },
    stop() {
      crowd.stopped = true;
    },
    watch() {
      const before = new Map(crowd.instances.map((instance) => [instance, instance.achieved.length]));
      const earlier = new Set(crowd.instances.flatMap(({ achieved }) => achieved));
      // Whoever wakes up may do once more what another one has done meanwhile: that changes nothing.
      const repeats = ({ afterThaw }: Instance, text: string): boolean =>
        earlier.has(text) && afterThaw.some((done) => done.text === text);
      return () =>
        crowd.instances.flatMap((instance) =>
          instance.achieved.slice(before.get(instance) ?? 0).filter((text) => !repeats(instance, text)),
        );
    },
    get frozenUntilMs() {
      return crowd.frozenUntilMs;
    },
    errors: crowd.errors,
    frozen: () =>
      crowd.residents.length === parts.length && crowd.residents.every((resident) => resident().frozen),
    onPass(listen) {
      crowd.told = listen;
    },
  };
}
