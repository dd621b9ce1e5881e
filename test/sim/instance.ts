/**
 * One running function: the ports it was given, each call of which may be the last one it makes or may find
 * that an hour has passed meanwhile. An effect is a change of an object or a statement that changes something;
 * a killed instance does nothing more, whatever it still had in mind, and its connections are gone.
 */
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import type { Kind, StatefulSet } from "../../shared/model/kube.ts";
import type { Outcome } from "../../shared/model/outcome.ts";
import type { Engine } from "../../shared/ports/engine.ts";
import type { Kube } from "../../shared/ports/kube.ts";
import type { Server, Servers } from "../../shared/ports/server.ts";
import type { SimClock } from "./clock.ts";
import { Session } from "./mysql/session.ts";

export class Killed extends Error {}

/** What happens at an effect: `during` = the statement was sent, and nobody waits for its answer. */
export type Cut = "before" | "during" | "after";

export interface Plan {
  /** Called before each effect; throws when the world is not as it must always be. */
  readonly inspect?: () => void;
  /** Called before each effect with its number from 1; an answer ends the instance there. */
  readonly cut?: (effect: number, text: string) => Cut | null;
  /** Called before each call of a port with its number; an answer is how long it sleeps there, milliseconds. */
  readonly freeze?: (call: number) => number | null;
  /** Called before each call of a port: lets others go first, milliseconds. */
  readonly delay?: () => number;
  /** Called before each call of a port with its number; true ends the instance there. */
  readonly kill?: (call: number) => boolean;
  /** Instead of the shipped one. */
  readonly engine?: Engine;
  /** How far its clock is ahead, milliseconds. */
  readonly skewMs?: () => number;
  /** Told of each effect just before it, with what the instance knew. */
  readonly onEffect?: (effect: Effect) => void;
}

export interface Effect {
  readonly text: string;
  /** The server that is changed; null for an object. */
  readonly server: string | null;
  /** It holds the cluster's lock there, and has read the recorded intent after taking it. */
  readonly fenced: boolean;
  /** The recorded epoch that it read last. */
  readonly epoch: number | null;
}

export interface Instance {
  readonly kube: Kube;
  readonly servers: Servers;
  readonly effects: readonly string[];
  /** Effects that were begun after the instance had been frozen and had woken again. */
  readonly afterThaw: readonly { readonly text: string; readonly answer: string }[];
  readonly calls: number;
  /** Effects that were answered with success. */
  readonly achieved: readonly string[];
  readonly dead: boolean;
  readonly frozen: boolean;
}

const NOWHERE = { server: null, lockedAt: null };

function epochOf(state: string | undefined): number | null {
  const epoch = /"epoch":(\d+)/.exec(state ?? "")?.[1];
  return epoch === undefined ? null : Number(epoch);
}

const READS = /^\s*(?:SELECT|SET SESSION)\b/;

export function createInstance(kube: Kube, servers: Servers, clock: SimClock, plan: Plan): Instance {
  const effects: string[] = [];
  const afterThaw: { text: string; answer: string }[] = [];
  const sessions = new Set<Server>();
  const achieved: string[] = [];
  let calls = 0;
  let dead = false;
  let frozen = false;
  let thawed = false;
  /** The call by which the intent was read last, and its epoch. */
  let intent: { readonly call: number; readonly epoch: number | null } = { call: 0, epoch: null };

  /** A process that is killed by the world just stops; nobody in it sees an exception. */
  function gone(): Promise<never> {
    if (plan.kill === undefined) throw new Killed("the instance was killed");
    return new Promise(() => {});
  }

  function end(): Promise<never> {
    dead = true;
    for (const session of sessions) void session.close();
    return gone();
  }

  function die(): never {
    dead = true;
    for (const session of sessions) void session.close();
    throw new Killed("the instance was killed");
  }

  async function call<T>(
    effect: string | null,
    act: () => Promise<Outcome<T>>,
    on: { readonly server: string | null; readonly lockedAt: number | null } = NOWHERE,
  ): Promise<Outcome<T>> {
    if (dead) return gone();
    calls += 1;
    if (plan.kill?.(calls) === true) return end();
    const pauseMs = plan.delay?.() ?? 0;
    if (pauseMs > 0) await clock.sleep(pauseMs);
    const frozenMs = plan.freeze?.(calls) ?? null;
    if (frozenMs !== null) {
      frozen = true;
      await clock.sleep(frozenMs);
      frozen = false;
      thawed = true;
    }
    if (dead) return gone();
    if (effect === null) return act();
    plan.inspect?.();
    const fenced = on.lockedAt !== null && intent.call > on.lockedAt;
    plan.onEffect?.({ text: effect, server: on.server, fenced, epoch: intent.epoch });
    effects.push(effect);
    const cut = plan.cut?.(effects.length, effect) ?? null;
    if (cut === "before") die();
    const answering = act();
    if (cut === "during") {
      // What was sent is on its way; only the answer will find nobody.
      await clock.sleep(0.5);
      die();
    }
    const answer = await answering;
    if (cut === "after") die();
    if (answer.ok) achieved.push(effect);
    if (thawed) afterThaw.push({ text: effect, answer: answer.ok ? "ok" : answer.failure.kind });
    return dead ? gone() : answer;
  }

  function guarded(server: Server): Server {
    sessions.add(server);
    const name = server instanceof Session ? server.server.name : "a server";
    let lockedAt: number | null = null;
    return {
      authority: server.authority,
      async query(sql, values, options) {
        const effect = READS.test(sql) ? null : sql.replaceAll(/\s+/g, " ").slice(0, 100);
        const act = () => server.query(sql, values, options);
        const answer = await call(effect, act, { server: name, lockedAt });
        if (sql.startsWith("SELECT GET_LOCK(") && answer.ok && answer.value[0]?.["mine"] === "1")
          lockedAt = calls;
        if (sql.startsWith("SELECT RELEASE_ALL_LOCKS")) lockedAt = null;
        return answer;
      },
      readLog: (except, limits) => call(null, () => server.readLog(except, limits)),
      close() {
        sessions.delete(server);
        return server.close();
      },
    };
  }

  function noteIntent(kind: Kind, answer: Outcome<unknown>): void {
    if (kind !== "StatefulSet" || !answer.ok) return;
    intent = { call: calls, epoch: epochOf((answer.value as StatefulSet).annotations[ANNOTATION.state]) };
  }

  return {
    effects,
    afterThaw,
    achieved,
    get calls() {
      return calls;
    },
    get dead() {
      return dead;
    },
    get frozen() {
      return frozen;
    },
    servers: {
      async connect(options) {
        const connected = await call(null, () => servers.connect(options));
        if (!connected.ok) return connected;
        // A dead process has no connections, also none that was being opened when it died.
        if (dead) void connected.value.close();
        return { ok: true, value: guarded(connected.value) };
      },
    },
    kube: {
      async read(kind, ref) {
        const answer = await call(null, () => kube.read(kind, ref));
        noteIntent(kind, answer);
        return answer;
      },
      list: (kind, options) => call(null, () => kube.list(kind, options)),
      create: (kind, manifest) => call(`create ${kind} ${manifest.name}`, () => kube.create(kind, manifest)),
      async patch(kind, ref, patch) {
        const answer = await call(`patch ${kind} ${ref.name}`, () => kube.patch(kind, ref, patch));
        noteIntent(kind, answer);
        return answer;
      },
      remove: (kind, ref) => call(`remove ${kind} ${ref.name}`, () => kube.remove(kind, ref)),
    },
  };
}
