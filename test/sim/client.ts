/** An application that writes all the time: what was answered OK must be found on every member afterwards. */
import type { Session } from "./mysql/session.ts";
import type { World } from "./world.ts";

export interface Client {
  readonly acknowledged: readonly string[];
  readonly failed: readonly string[];
  /** Longest time between two answers, milliseconds. */
  readonly longestMs: number;
  stop(): Promise<void>;
}

const EVERY_MS = 40;

/** Writes to one member, one row after the other, over one connection for as long as it lives. */
export function startClient(world: World, ordinal: number): Client {
  const acknowledged: string[] = [];
  const failed: string[] = [];
  const state = { longestMs: 0, running: true };
  let session: Session | null = null;

  async function writing(): Promise<void> {
    for (let number = 1; state.running; number += 1) {
      const beganMs = world.clock.now();
      if (session === null || session.ended) {
        const server = world.kubelet.server(ordinal);
        const opened = server.running ? world.fleet.login(server, "app", "app") : null;
        session = opened?.ok === true ? opened.value : null;
      }
      const row = `written-${number}`;
      const written = await session?.query("INSERT INTO shop.orders VALUES (?)", [row]);
      (written?.ok === true ? acknowledged : failed).push(row);
      state.longestMs = Math.max(state.longestMs, world.clock.now() - beganMs);
      await world.clock.sleep(EVERY_MS);
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
