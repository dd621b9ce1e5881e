/** Members that were away until the logs of what they lack were gone: checked first, then made anew from a copy. */
import { expect, test } from "vitest";
import { decodeConditions } from "../../shared/annotations/conditions.ts";
import type { Client } from "./client.ts";
import { endState, eventReasons, recordedState } from "./end-state.ts";
import type { Plan } from "./instance.ts";
import { established, wish } from "./resizing.ts";
import type { World } from "./world.ts";

/** Looks every second, for as long as there may be something to wait for. */
function looking(world: World, seconds: number, plan: Plan = {}): Promise<void> {
  async function looks(): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      await world.pass(plan).result;
      await world.clock.sleep(1_000);
    }
  }
  return world.clock.run(looks());
}

/** Whatever they have written so far is in no log of theirs any more. */
async function purge(world: World, ordinals: readonly number[]): Promise<void> {
  for (const ordinal of ordinals) {
    const server = world.kubelet.server(ordinal);
    await world.clock.run(server.rotate());
    server.purgeLogs();
    expect(server.data.purged.contains(server.data.executed)).toBe(true);
  }
}

function told(world: World): Readonly<Record<string, string>> {
  const conditions = decodeConditions(world.annotation("ordinal.dev/conditions"));
  return Object.fromEntries(conditions.map(({ type, message }) => [type, message]));
}

async function wholeAgain(world: World, client: Client): Promise<void> {
  await world.clock.run(client.stop());
  await world.clock.pass(1_000);
  expect(client.acknowledged.length).toBeGreaterThan(10);
  for (const { name, data } of world.kubelet.servers) {
    for (const row of client.acknowledged) expect(data.rows.has(row), `${name} ${row}`).toBe(true);
  }
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
  expect(recordedState(world)?.established?.ackers).toHaveLength(world.kubelet.servers.length - 1);
}

test("a volume that was kept for longer than the logs is checked and seeded anew", async () => {
  const { world, client } = await established(3);
  await wish(world, 2);
  await purge(world, [0, 1]);
  await world.clock.pass(2_000);
  await wish(world, 3);
  expect(world.kubelet.server(2).volume.clone?.state).toBe("Completed");
  expect(await eventReasons(world)).toContain("MemberRebuilding");
  expect(client.longestMs).toBeLessThan(1_000);
  await wholeAgain(world, client);
});

test("what only such a volume holds is kept before it is seeded anew", async () => {
  const { world, client } = await established(3);
  await wish(world, 2);
  await purge(world, [0, 1]);
  const { volume } = world.kubelet.server(2);
  const gtid = { uuid: volume.serverUuid, number: volume.data.executed.next(volume.serverUuid) };
  const effect = (data: typeof volume.data): void => void data.rows.add("astray");
  volume.data.binlog.push({ gtid, serverId: "102", effect, at: 0, mark: { row: "astray" } });
  await wish(world, 3);
  expect(volume.data.rows.has("astray")).toBe(false);
  const kept = [...world.kubelet.server(0).data.tail.values()];
  expect(kept.map(({ gtid: of }) => of)).toEqual([`${gtid.uuid}:${gtid.number}`]);
  const reasons = await eventReasons(world);
  for (const reason of ["ErrantTransactions", "TailArchived", "MemberRebuilding"] as const)
    expect(reasons).toContain(reason);
  await wholeAgain(world, client);
});

test("one that comes back alone keeps what it has until somebody can be copied from", async () => {
  const { world, client } = await established(3);
  world.kubelet.loseNode(2);
  await looking(world, 90);
  expect(recordedState(world)?.established?.ackers.map(({ ordinal }) => ordinal)).toEqual([1]);
  await purge(world, [0, 1]);
  await world.clock.pass(1_000);
  for (const ordinal of [0, 1]) world.kubelet.loseNode(ordinal);
  world.kubelet.returnNode(2);
  await looking(world, 30);
  const alone = world.kubelet.server(2);
  const rows = alone.data.rows.size;
  expect(rows).toBeGreaterThan(10);
  expect(told(world)["NoQuorum"]).toContain("bring back mysql-0 or mysql-1");
  for (const ordinal of [0, 1]) world.kubelet.returnNode(ordinal);
  await looking(world, 60);
  expect(alone.volume.clone?.state).toBe("Completed");
  await wholeAgain(world, client);
});

test("the only one that is counted on is left as it is, and a person is told what it waits for", async () => {
  const { world, client } = await established(2);
  const primary = world.kubelet.server(0);
  // Somebody lets it commit alone while its replica is away.
  world.kubelet.loseNode(1);
  primary.process.globals.set("rpl_semi_sync_source_enabled", "OFF");
  await world.clock.pass(1_000);
  await world.clock.run(client.stop());
  await purge(world, [0]);
  world.kubelet.returnNode(1);
  // What a person breaks is judged by its end.
  const plan: Plan = { inspect() {} };
  await looking(world, 30, plan);
  expect(told(world)["ReplicaOutdated"]).toContain(
    "it is counted on until enough other replicas acknowledge",
  );
  const replica = world.kubelet.server(1);
  expect(replica.data.rows.size).toBeGreaterThan(10);
  world.kubelet.loseVolume(1);
  await looking(world, 60, plan);
  for (const row of client.acknowledged) expect(world.kubelet.server(1).data.rows.has(row), row).toBe(true);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
});
