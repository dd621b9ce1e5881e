/** Adoption in a simulated world, undisturbed: what comes of each kind of beginning. */
import { describe, expect, test } from "vitest";
import { startClient } from "./client.ts";
import { endState, eventReasons, recordedState } from "./end-state.ts";
import { mysqlHost, replicate } from "./mysql/preset.ts";
import { createWorld, type World } from "./world.ts";

const EMPTY = {};

function rowsOf(world: World, ordinal: number): ReadonlySet<string> {
  return world.kubelet.server(ordinal).data.rows;
}

test.each([
  [1, 0],
  [2, 1],
  [3, 1],
  [5, 2],
])(
  "%i empty members become one cluster whose commits wait for %i acknowledgements",
  async (replicas, count) => {
    const world = createWorld({ members: Array(replicas).fill(EMPTY) });
    await world.settle();
    const state = recordedState(world);
    expect(state).toMatchObject({
      phase: "Steady",
      epoch: 1,
      pending: null,
      established: { ackCount: count },
    });
    expect(state?.established?.ackers).toHaveLength(replicas - 1);
    const primary = world.kubelet.server(0);
    expect(primary.variable("read_only")).toBe("OFF");
    if (count > 0) {
      expect(primary.variable("rpl_semi_sync_source_enabled")).toBe("ON");
      expect(primary.variable("rpl_semi_sync_source_wait_for_replica_count")).toBe(String(count));
    }
    expect([...primary.process.dumps].filter((dump) => dump.semiSync)).toHaveLength(replicas - 1);
    for (const server of world.kubelet.servers.slice(1)) {
      expect(server.variable("super_read_only")).toBe("ON");
      expect(server.data.channel?.host).toBe(mysqlHost(0));
      expect(server.data.channel?.user).toBe(`ordinal_repl_${server.name.slice(-1)}`);
    }
    expect(JSON.parse(world.annotation("ordinal.dev/conditions") ?? "")[0]).toMatchObject({
      type: "Ready",
      status: "True",
    });
    expect((await eventReasons(world)).filter((reason) => reason === "AdoptionCompleted")).toHaveLength(1);
  },
);

test("a primary with data takes writes all the time, and every one is on every member afterwards", async () => {
  const orders = { tables: ["shop.orders"], rows: 30 };
  const world = createWorld({ members: [EMPTY, orders, EMPTY] });
  const client = startClient(world, 1);
  await world.settle();
  await world.clock.pass(5_000);
  await world.clock.run(client.stop());
  await world.clock.pass(1_000);
  expect(recordedState(world)?.established?.primary.ordinal).toBe(1);
  expect(client.failed).toEqual([]);
  expect(client.acknowledged.length).toBeGreaterThan(100);
  expect(client.longestMs).toBeLessThan(1_000);
  for (const ordinal of [0, 1, 2]) {
    for (const row of client.acknowledged)
      expect(rowsOf(world, ordinal).has(row), `${ordinal} ${row}`).toBe(true);
  }
});

test("an existing asynchronous replication set is taken over where it stands", async () => {
  const world = createWorld({ members: [{ tables: ["shop.orders"], rows: 30 }, EMPTY, EMPTY] });
  replicate(world, 0, [1, 2]);
  const client = startClient(world, 0);
  await world.clock.pass(2_000);
  const before = world.kubelet.servers.map((server) => server.process.startedAtMs);
  await world.settle();
  await world.clock.run(client.stop());
  await world.clock.pass(1_000);
  expect(client.failed).toEqual([]);
  expect(recordedState(world)?.established?.ackers).toHaveLength(2);
  // Nobody was copied, so nobody was restarted.
  expect(world.kubelet.servers.map((server) => server.process.startedAtMs)).toEqual(before);
  for (const server of world.kubelet.servers.slice(1)) {
    expect(server.data.channel?.user).toMatch(/^ordinal_repl_/);
    for (const row of client.acknowledged) expect(server.data.rows.has(row)).toBe(true);
  }
});

test("a member with data of its own is left as it is, and the others are a cluster", async () => {
  const world = createWorld({ members: [{ tables: ["shop.orders"] }, EMPTY, EMPTY] });
  await world.settle();
  world.kubelet.loseVolume(2);
  await world.clock.pass(3_000);
  world.kubelet.server(2).data.tables.add("crm.people");
  const executed = world.kubelet.server(2).data.executed.print();
  await world.settle();
  expect(world.kubelet.server(2).data.executed.print()).toBe(executed);
  expect(await endState(world)).toMatchObject({ phase: "Degraded" });
  expect(await eventReasons(world)).toContain("ForeignData");
});

describe("afterwards nothing goes on:", () => {
  test.each([1, 3, 5])(
    "%i members, ten minutes of looks, no effect, no more than a list and a read each",
    async (n) => {
      const world = createWorld({ members: Array(n).fill(EMPTY) });
      await world.settle();
      const before = await endState(world);
      const callsBefore = world.sim.calls.length;
      const { instance, runner, passes } = world.host({ lookEveryMs: 10_000 });
      for (let second = 0; second < 600; second += 1) {
        runner.tick();
        await world.clock.pass(1_000);
      }
      expect(instance.effects).toEqual([]);
      expect(await endState(world)).toEqual(before);
      const calls = world.sim.calls
        .slice(callsBefore)
        .filter((call) => call.name === null || call.verb === "read");
      const sweeps = calls.filter((call) => call.verb === "list" && call.kind === "StatefulSet");
      expect(sweeps).toHaveLength(600);
      expect(passes()).toBeGreaterThan(50);
      // The first look is a full one; each later one lists the pods and nothing else.
      const looking = calls.length - sweeps.length - LISTS_OF_END_STATE;
      expect(looking).toBeLessThanOrEqual(2 * passes() + FULL_LOOK);
    },
  );
});

const FULL_LOOK = 6;
const LISTS_OF_END_STATE = 5;
