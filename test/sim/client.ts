/** An application that writes all the time: what was answered OK must be found on every member afterwards. */
import { modelOf } from "./kube/watching.ts";
import type { SimServer } from "./mysql/server.ts";
import type { Session } from "./mysql/session.ts";
import { REF } from "./ref.ts";
import type { World } from "./world.ts";

export interface Client {
  readonly acknowledged: readonly string[];
  readonly failed: readonly string[];
  /** Longest time between two answers, milliseconds. */
  readonly longestMs: number;
  stop(): Promise<void>;
}

const EVERY_MS = 40;
/** Where minutes pass: what is written is looked through at every step. */
export const SELDOM_MS = 250;

/** The server that the primary's Service leads to now; null while it leads nowhere. */
export function routedServer(world: World): SimServer | null {
  const service = world.sim.raw("Service", { ...REF, name: `${REF.name}-primary` });
  if (service === null) return null;
  const { selector } = modelOf("Service", service);
  const chosen = world.kubelet.servers.find((server) => {
    const json = world.sim.raw("Pod", { ...REF, name: server.name });
    const pod = json && modelOf("Pod", json);
    return pod?.ready === true && Object.entries(selector).every(([key, value]) => pod.labels[key] === value);
  });
  return chosen ?? null;
}

/**
 * Writes one row after the other, over one connection for as long as it lives: to one member, or to whichever
 * the primary's Service leads to when it connects.
 */
export function startClient(world: World, to: number | "service", everyMs: number = EVERY_MS): Client {
  const acknowledged: string[] = [];
  const failed: string[] = [];
  const state = { longestMs: 0, running: true };
  let session: Session | null = null;

  async function writing(): Promise<void> {
    for (let number = 1; state.running; number += 1) {
      const beganMs = world.clock.now();
      if (session === null || session.ended) {
        const server = to === "service" ? routedServer(world) : world.kubelet.server(to);
        const opened = server?.running === true ? world.fleet.login(server, "app", "app") : null;
        session = opened?.ok === true ? opened.value : null;
      }
      const row = `written-${number}`;
      const written = await session?.query("INSERT INTO shop.orders VALUES (?)", [row]);
      (written?.ok === true ? acknowledged : failed).push(row);
      state.longestMs = Math.max(state.longestMs, world.clock.now() - beganMs);
      await world.clock.sleep(everyMs);
    }
  }

  const ended = writing();
  return {
    acknowledged,
    failed,
    get longestMs() {
      return state.longestMs;
    },
    async stop() {
      state.running = false;
      await ended;
    },
  };
}
