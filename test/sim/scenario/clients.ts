/**
 * Applications: each writes values that nobody else writes, over one connection for as long as it lives, to
 * whatever the Service of the primary selects when it connects, or for ever to one server. Each value is
 * acknowledged, refused (and then must be nowhere) or unknown.
 */
import type { Outcome } from "../../../shared/model/outcome.ts";
import { createChance } from "../clock.ts";
import { type Json, part } from "../kube/store.ts";
import type { SimServer } from "../mysql/server.ts";
import type { Session } from "../mysql/session.ts";
import { REF } from "../ref.ts";
import type { World } from "../world.ts";

export interface Answers {
  readonly acknowledged: Set<string>;
  readonly refused: Set<string>;
  readonly unknown: Set<string>;
}

const CONNECT_TIMEOUT_MS = 2_000;
const PORT_HOPS_MS = 1;

/** The server that a connection to the Service reaches now; null when it selects no ready pod. */
export function routed(world: World): SimServer | null {
  const service = world.sim.raw("Service", { ...REF, name: `${REF.name}-primary` });
  if (service === null) return null;
  const selector = Object.entries(part(part(service, "spec"), "selector"));
  for (const server of world.kubelet.servers) {
    const pod = world.sim.raw("Pod", { ...REF, name: server.name });
    if (pod === null || !isReady(pod)) continue;
    const labels = part(part(pod, "metadata"), "labels");
    if (selector.every(([key, value]) => labels[key] === value)) return server;
  }
  return null;
}

function isReady(pod: Json): boolean {
  const conditions = part(pod, "status")["conditions"];
  return (
    part(pod, "metadata")["deletionTimestamp"] === undefined &&
    Array.isArray(conditions) &&
    conditions.some((one: Json) => one["type"] === "Ready" && one["status"] === "True")
  );
}

async function connect(world: World, server: SimServer): Promise<Session | null> {
  const { clock, fleet } = world;
  const silent = server.stopped || !fleet.routes.isWhole("client", server.name);
  await clock.sleep(silent ? CONNECT_TIMEOUT_MS : PORT_HOPS_MS);
  if (silent || server.stopped || !server.running || server.process.ending) return null;
  const opened = fleet.login(server, "app", "app");
  return opened.ok ? opened.value : null;
}

export interface Client {
  stop(): void;
  readonly ended: Promise<void>;
}

export interface ClientOptions {
  readonly name: string;
  readonly seed: number;
  /** Asked whenever it has no connection. */
  readonly server: () => SimServer | null;
  readonly onAnswer?: (row: string, answer: Outcome<unknown>, server: SimServer) => void;
}

export function startClient(world: World, answers: Answers, options: ClientOptions): Client {
  const { clock } = world;
  const chance = createChance(options.seed);
  const everyMs = 40 + chance() * 400;
  const patienceMs = 1_500 + chance() * 20_000;
  let running = true;

  async function writing(): Promise<void> {
    let session: Session | null = null;
    for (let number = 1; running; number += 1) {
      await clock.sleep(everyMs * (0.5 + chance()));
      const server: SimServer | null = session?.server ?? options.server();
      if (server === null) continue;
      session ??= await connect(world, server);
      if (session === null || !running) continue;
      const row = `${options.name}-${number}`;
      const answer: Outcome<unknown> = await session.query("INSERT INTO shop.orders VALUES (?)", [row], {
        timeoutMs: patienceMs,
      });
      const heard = answer.ok ? "acknowledged" : answer.failure.kind === "refused" ? "refused" : "unknown";
      answers[heard].add(row);
      options.onAnswer?.(row, answer, server);
      if (heard !== "acknowledged") {
        void session.close();
        session = null;
      }
    }
    await session?.close();
  }

  const ended = writing();
  return {
    ended,
    stop() {
      running = false;
    },
  };
}
