/**
 * One running function: the ports it was given, each call of which may be the last one it makes or may find
 * that an hour has passed meanwhile. An effect is a change of an object or a statement that changes something;
 * a killed instance does nothing more, whatever it still had in mind, and its connections are gone.
 */
import type { Outcome } from "../../shared/model/outcome.ts";
import type { Kube } from "../../shared/ports/kube.ts";
import type { Server, Servers } from "../../shared/ports/server.ts";
import type { SimClock } from "./clock.ts";

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
}

export interface Instance {
  readonly kube: Kube;
  readonly servers: Servers;
  readonly effects: readonly string[];
  /** Effects that were begun after the instance had been frozen and had woken again. */
  readonly afterThaw: readonly { readonly text: string; readonly answer: string }[];
  readonly calls: number;
}

const READS = /^\s*(?:SELECT|SET SESSION)\b/;

export function createInstance(kube: Kube, servers: Servers, clock: SimClock, plan: Plan): Instance {
  const effects: string[] = [];
  const afterThaw: { text: string; answer: string }[] = [];
  const sessions = new Set<Server>();
  let calls = 0;
  let dead = false;
  let thawed = false;

  function die(): never {
    dead = true;
    for (const session of sessions) void session.close();
    throw new Killed("the instance was killed");
  }

  async function call<T>(effect: string | null, act: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    if (dead) throw new Killed("the instance was killed");
    calls += 1;
    const pauseMs = plan.delay?.() ?? 0;
    if (pauseMs > 0) await clock.sleep(pauseMs);
    const frozenMs = plan.freeze?.(calls) ?? null;
    if (frozenMs !== null) {
      await clock.sleep(frozenMs);
      thawed = true;
    }
    if (dead) throw new Killed("the instance was killed");
    if (effect === null) return act();
    plan.inspect?.();
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
    if (thawed) afterThaw.push({ text: effect, answer: answer.ok ? "ok" : answer.failure.kind });
    if (dead) throw new Killed("the instance was killed");
    return answer;
  }

  function guarded(server: Server): Server {
    sessions.add(server);
    return {
      authority: server.authority,
      query: (sql, values, options) =>
        call(READS.test(sql) ? null : sql.replaceAll(/\s+/g, " ").slice(0, 100), () =>
          server.query(sql, values, options),
        ),
      readLog: (except, limits) => call(null, () => server.readLog(except, limits)),
      close() {
        sessions.delete(server);
        return server.close();
      },
    };
  }

  return {
    effects,
    afterThaw,
    get calls() {
      return calls;
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
      read: (kind, ref) => call(null, () => kube.read(kind, ref)),
      list: (kind, options) => call(null, () => kube.list(kind, options)),
      create: (kind, manifest) => call(`create ${kind} ${manifest.name}`, () => kube.create(kind, manifest)),
      patch: (kind, ref, patch) => call(`patch ${kind} ${ref.name}`, () => kube.patch(kind, ref, patch)),
      remove: (kind, ref) => call(`remove ${kind} ${ref.name}`, () => kube.remove(kind, ref)),
    },
  };
}
