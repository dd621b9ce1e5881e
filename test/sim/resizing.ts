/** Clusters that are written to while their members become more or fewer. */
import { type Client, SELDOM_MS, startClient } from "./client.ts";
import { createWorld, type World } from "./world.ts";

export async function established(replicas: number): Promise<{ world: World; client: Client }> {
  const orders = { tables: ["shop.orders"], rows: 10 };
  const world = createWorld({ members: [orders, ...Array(replicas - 1).fill({})] });
  await world.settle();
  const client = startClient(world, "service", SELDOM_MS);
  await world.clock.pass(500);
  return { world, client };
}

export async function wish(world: World, replicas: number): Promise<void> {
  world.annotate({ "ordinal.dev/replicas": String(replicas) });
  await rest(world);
}

export async function rest(world: World): Promise<void> {
  await world.settle();
  await world.clock.pass(12_000);
  await world.settle();
}
