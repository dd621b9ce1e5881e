/** An established cluster while things break and people change settings, with an application writing to it. */
import { expect, test } from "vitest";
import { type Client, startClient } from "./client.ts";
import { endState, recordedState } from "./end-state.ts";
import type { Plan } from "./instance.ts";
import { withoutNewest } from "./mysql/gtids.ts";
import { createWorld, type World } from "./world.ts";

const WISH = { "ordinal.dev/engine": "mysql", "ordinal.dev/credentials": "mysql-root" };

async function established(replicas: number): Promise<{ world: World; client: Client }> {
  const orders = { tables: ["shop.orders"], rows: 10 };
  // What a restarted primary comes to is looked at here, so nobody takes its place meanwhile.
  const annotations = { ...WISH, "ordinal.dev/failover": "manual" };
  const world = createWorld({ members: [orders, ...Array(replicas - 1).fill({})], annotations });
  await world.settle();
  const client = startClient(world, 0);
  await world.clock.pass(500);
  return { world, client };
}

async function ended(world: World, client: Client, plan: Plan = {}): Promise<void> {
  await world.settle(() => plan);
  await world.clock.pass(1_000);
  await world.clock.run(client.stop());
  await world.clock.pass(1_000);
  for (const server of world.kubelet.servers) {
    for (const row of client.acknowledged)
      expect(server.data.rows.has(row), `${server.name} ${row}`).toBe(true);
  }
}

test("a primary that is killed under writes comes back with all that it acknowledged", async () => {
  const { world, client } = await established(3);
  world.kubelet.kill(0);
  await ended(world, client);
  expect(recordedState(world)).toMatchObject({ epoch: 2, phase: "Steady" });
  expect(world.kubelet.server(0).variable("rpl_semi_sync_source_enabled")).toBe("ON");
  expect(client.acknowledged.length).toBeGreaterThan(30);
});

test("a replica that loses its volume is replaced without one failed write", async () => {
  const { world, client } = await established(3);
  world.kubelet.loseVolume(2);
  await ended(world, client);
  expect(client.failed).toEqual([]);
  expect(client.longestMs).toBeLessThan(1_000);
  expect(
    recordedState(world)
      ?.established?.ackers.map((acker) => acker.ordinal)
      .sort(),
  ).toEqual([1, 2]);
});

test("the only replica of two that loses its volume makes writes wait, and none is lost", async () => {
  const { world, client } = await established(2);
  world.kubelet.loseVolume(1);
  await ended(world, client);
  expect(recordedState(world)?.established?.ackers).toHaveLength(1);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
});

test("every replica loses its volume, one after the other", async () => {
  const { world, client } = await established(3);
  for (const ordinal of [1, 2]) {
    world.kubelet.loseVolume(ordinal);
    await world.clock.pass(3_000);
    await world.settle();
  }
  await ended(world, client);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
});

test("both replicas lose their volumes at once: the primary's data makes new ones", async () => {
  const { world, client } = await established(3);
  world.kubelet.loseVolume(1);
  world.kubelet.loseVolume(2);
  await ended(world, client);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
});

test("a copy that cannot be recovered is made again", async () => {
  const { world, client } = await established(3);
  world.kubelet.loseVolume(2);
  world.kubelet.server(2).cloneFailures = 2;
  await ended(world, client);
  expect(client.failed).toEqual([]);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
});

test("settings that a person changed are put right, and nobody loses a write", async () => {
  const { world, client } = await established(3);
  const { globals } = world.kubelet.server(0).process;
  globals.set("rpl_semi_sync_source_enabled", "OFF");
  globals.set("rpl_semi_sync_source_timeout", "1");
  world.kubelet.server(1).process.globals.set("sync_relay_log", "10000");
  world.kubelet.server(2).process.globals.set("super_read_only", "OFF");
  // What a person breaks is broken until it is put right, so the inspector is sent away.
  await ended(world, client, { inspect() {} });
  expect(globals.get("rpl_semi_sync_source_enabled")).toBe("ON");
  expect(globals.get("rpl_semi_sync_source_timeout")).toBe("4294967295");
  expect(world.kubelet.server(1).variable("sync_relay_log")).toBe("1");
  expect(world.kubelet.server(2).variable("super_read_only")).toBe("ON");
});

test("a primary that lost acknowledged transactions stays closed", async () => {
  const { world, client } = await established(3);
  await world.clock.run(client.stop());
  const primary = world.kubelet.server(0);
  const { serverUuid } = primary.volume;
  world.kubelet.kill(0);
  // Its disk lied: the newest transactions are gone.
  primary.data.binlog = primary.data.binlog.slice(0, -3);
  primary.data.executed = withoutNewest(primary.data.executed, serverUuid, 3);
  await world.clock.pass(5_000);
  await world.settle();
  expect(primary.variable("read_only")).toBe("ON");
  expect(await endState(world)).toMatchObject({ phase: "Degraded" });
  expect(world.annotation("ordinal.dev/conditions")).toContain("PrimaryLostTransactions");
});

test("all members are killed at once, and again before they are ready", async () => {
  const { world, client } = await established(3);
  for (const ordinal of [0, 1, 2]) world.kubelet.kill(ordinal);
  // The kubelet waits ten seconds longer for each further restart.
  await world.clock.pass(13_000);
  for (const ordinal of [0, 1, 2]) world.kubelet.kill(ordinal);
  await ended(world, client);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
});

test("a release in the middle of a reopening leaves a primary that takes writes", async () => {
  const { world, client } = await established(3);
  world.kubelet.kill(0);
  await world.clock.pass(3_000);
  world.pass({ cut: (effect) => (effect === 6 ? "after" : null) });
  await world.clock.pass(2_000);
  world.annotate({ "ordinal.dev/engine": null });
  await world.settle();
  await world.clock.pass(2_000);
  const acknowledged = client.acknowledged.length;
  await world.clock.pass(2_000);
  await world.clock.run(client.stop());
  expect(client.acknowledged.length).toBeGreaterThan(acknowledged);
});

test("a cluster of a version with fewer tables gets the others with the rights that it has", async () => {
  const { world, client } = await established(3);
  for (const { data } of world.kubelet.servers) {
    for (const table of ["ordinal.tail", "ordinal.archive"]) data.tables.delete(table);
  }
  const instances = await world.settle();
  const changes = instances
    .flatMap(({ effects }) => effects)
    .filter((text) => /CREATE|GRANT|ALTER/.test(text));
  expect(changes.map((text) => text.split(" (")[0])).toEqual([
    "CREATE DATABASE IF NOT EXISTS ordinal",
    "CREATE TABLE IF NOT EXISTS ordinal.tail",
    "CREATE TABLE IF NOT EXISTS ordinal.archive",
  ]);
  await ended(world, client);
  for (const { data } of world.kubelet.servers) expect(data.tables.has("ordinal.archive")).toBe(true);
  expect(client.failed).toEqual([]);
});
