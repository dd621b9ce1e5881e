/** A primary that dies, hands over or is forgotten, with an application writing through the primary's Service. */
import { describe, expect, test } from "vitest";
import { type Client, SELDOM_MS, startClient } from "./client.ts";
import { endState, eventReasons, recordedState } from "./end-state.ts";
import { beginDeletion } from "./kube/actors.ts";
import { REF } from "./ref.ts";
import { createWorld, type World, type WorldOptions } from "./world.ts";

const WISH = { "ordinal.dev/engine": "mysql", "ordinal.dev/credentials": "mysql-root" };

async function established(
  replicas: number,
  more: Partial<WorldOptions> = {},
): Promise<{ world: World; client: Client }> {
  const orders = { tables: ["shop.orders"], rows: 10 };
  const world = createWorld({ members: [orders, ...Array(replicas - 1).fill({})], ...more });
  await world.settle();
  const client = startClient(world, "service", SELDOM_MS);
  await world.clock.pass(500);
  return { world, client };
}

/** Until all is in place again; then whatever was acknowledged is on every member. */
async function ended(world: World, client: Client): Promise<void> {
  await world.settle();
  await world.clock.pass(12_000);
  await world.settle();
  await world.clock.run(client.stop());
  await world.clock.pass(1_000);
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
  for (const server of world.kubelet.servers) {
    for (const row of client.acknowledged)
      expect(server.data.rows.has(row), `${server.name} ${row}`).toBe(true);
  }
}

/** Looks, for so long: where somebody is missing it never comes to rest. */
async function looks(world: World, ms: number): Promise<void> {
  const untilMs = world.clock.now() + ms;
  while (world.clock.now() < untilMs) {
    const { result } = world.pass();
    const { lookAgainMs } = await world.clock.run(result);
    await world.clock.pass(Math.min(lookAgainMs ?? 1_000, 5_000));
  }
}

function primaryOf(world: World): number | undefined {
  return recordedState(world)?.established?.primary.ordinal;
}

describe("a primary that is killed", () => {
  test.each([3, 5])("of %i members is replaced at once, and comes back as a replica", async (replicas) => {
    const { world, client } = await established(replicas);
    world.kubelet.kill(0);
    await ended(world, client);
    expect(recordedState(world)).toMatchObject({ epoch: 2, phase: "Steady", pending: null, op: null });
    expect(primaryOf(world)).not.toBe(0);
    expect(recordedState(world)?.established?.ackers).toHaveLength(replicas - 1);
    expect(client.acknowledged.length).toBeGreaterThan(20);
    expect(client.longestMs).toBeLessThan(1_000);
    const reasons = await eventReasons(world);
    for (const reason of ["FailoverStarted", "PrimaryElected", "FailoverCompleted"])
      expect(
        reasons.filter((one) => one === reason),
        reason,
      ).toHaveLength(1);
  });

  test("of two members is waited for, since nobody else could acknowledge", async () => {
    const { world, client } = await established(2);
    world.kubelet.kill(0);
    await ended(world, client);
    expect(recordedState(world)).toMatchObject({ epoch: 2, phase: "Steady" });
    expect(primaryOf(world)).toBe(0);
  });

  test("with one replica away before is waited for", async () => {
    const { world, client } = await established(3);
    world.fleet.cut("function", "mysql-2");
    world.kubelet.kill(0);
    await looks(world, 30_000);
    expect(primaryOf(world)).toBe(0);
    world.fleet.mend("function", "mysql-2");
    await ended(world, client);
  });
});

test("commits that nobody acknowledged are archived before the old primary is made anew", async () => {
  const { world, client } = await established(3);
  // Its replicas stop hearing from it, so what it commits now waits for ever.
  for (const replica of ["mysql-1", "mysql-2"]) world.fleet.cut("mysql-0", replica);
  await world.clock.pass(400);
  world.kubelet.kill(0);
  await looks(world, 5_000);
  for (const replica of ["mysql-1", "mysql-2"]) world.fleet.mend("mysql-0", replica);
  await ended(world, client);
  expect(primaryOf(world)).not.toBe(0);
  const reasons = await eventReasons(world);
  expect(reasons).toContain("TailArchived");
  expect(reasons).toContain("MemberRebuilding");
});

describe("a switchover", () => {
  test("to a replica loses nothing and takes no second", async () => {
    const { world, client } = await established(3);
    world.annotate({ "ordinal.dev/switchover-to": "mysql-2" });
    await ended(world, client);
    expect(recordedState(world)).toMatchObject({ epoch: 2, phase: "Steady" });
    expect(primaryOf(world)).toBe(2);
    expect(world.annotation("ordinal.dev/switchover-to")).toBeUndefined();
    expect(client.longestMs).toBeLessThan(1_000);
    expect((await eventReasons(world)).filter((one) => one === "SwitchoverCompleted")).toHaveLength(1);
  });

  test.each([
    ["itself", "mysql-0", "it is the primary already"],
    ["nobody", "mysql-7", "it is no member"],
    ["another set's pod", "orders-1", "it is no member"],
  ])("to %s is refused and changes nothing", async (_, target, reason) => {
    const { world, client } = await established(3);
    const before = recordedState(world);
    world.annotate({ "ordinal.dev/switchover-to": target });
    await world.settle();
    expect(recordedState(world)).toEqual(before);
    expect(world.annotation("ordinal.dev/switchover-to")).toBe(target);
    expect(world.annotation("ordinal.dev/conditions")).toContain(reason);
    expect(await endState(world)).toMatchObject({ phase: "Healthy" });
    await world.clock.run(client.stop());
    expect(client.failed).toEqual([]);
  });

  test("comes before a primary whose pod is deleted with time to do so", async () => {
    const { world, client } = await established(3);
    const pod = { ...REF, name: "mysql-0" };
    beginDeletion(world.sim, pod, new Date(world.clock.now()).toISOString());
    await looks(world, 2_000);
    expect(primaryOf(world)).toBe(1);
    world.kubelet.deletePod(0);
    await ended(world, client);
    expect(recordedState(world)).toMatchObject({ epoch: 2, phase: "Steady" });
  });

  test("whose target falls silent is abandoned, and writes go on", async () => {
    const { world, client } = await established(3);
    world.annotate({ "ordinal.dev/switchover-to": "mysql-2" });
    world.fleet.cut("mysql-2", "mysql-0");
    world.pass();
    await world.clock.pass(30);
    world.fleet.cut("function", "mysql-2");
    await looks(world, 40_000);
    world.fleet.mend("function", "mysql-2");
    world.fleet.mend("mysql-2", "mysql-0");
    await ended(world, client);
    expect(client.acknowledged.length).toBeGreaterThan(20);
  });
});

describe("a failover that a person has to approve", () => {
  test("waits, and goes on with the epoch's approval", async () => {
    const annotations = { ...WISH, "ordinal.dev/failover": "manual", "ordinal.dev/approve": "e1" };
    const { world, client } = await established(3, { annotations });
    world.kubelet.freeze(0);
    await looks(world, 15_000);
    expect(primaryOf(world)).toBe(0);
    expect(world.annotation("ordinal.dev/conditions")).toContain("ordinal.dev/approve=e2");
    world.annotate({ "ordinal.dev/approve": "e2" });
    await looks(world, 15_000);
    expect(primaryOf(world)).not.toBe(0);
    world.kubelet.thaw(0);
    await ended(world, client);
  });
});

describe("too few copies of what was acknowledged are reached", () => {
  test("nobody is opened until a person accepts the loss, and that is told", async () => {
    const { world, client } = await established(3, {
      annotations: { ...WISH, "ordinal.dev/failover-cooldown": "0" },
    });
    await world.clock.run(client.stop());
    world.kubelet.loseNode(0);
    world.kubelet.loseNode(2);
    await looks(world, 90_000);
    expect(primaryOf(world)).toBe(0);
    expect(world.annotation("ordinal.dev/conditions")).toContain("ordinal.dev/accept-data-loss=e1");
    world.annotate({ "ordinal.dev/accept-data-loss": "e7" });
    await looks(world, 20_000);
    expect(primaryOf(world)).toBe(0);
    world.annotate({ "ordinal.dev/accept-data-loss": "e1" });
    await looks(world, 20_000);
    expect(recordedState(world)?.pending?.primary.ordinal).toBe(1);
    expect(await eventReasons(world)).toContain("DataLossAccepted");
    // What the lost ones have of their own is not thrown away without a person.
    expect(recordedState(world)?.unproven).toHaveLength(2);
    world.kubelet.returnNode(2);
    await looks(world, 20_000);
    expect(primaryOf(world)).toBe(1);
  });
});

describe("what was recorded is gone", () => {
  test.each([
    ["removed", null],
    ["broken", "{broken"],
    ["edited", '{"v":1,"epoch":"four"}'],
  ])("%s, the primary goes on in a later epoch", async (_, text) => {
    const { world, client } = await established(3);
    world.annotate({ "ordinal.dev/state": text });
    await ended(world, client);
    expect(recordedState(world)).toMatchObject({ phase: "Steady", epoch: 3 });
    expect(primaryOf(world)).toBe(0);
    expect(client.failed).toEqual([]);
    expect(await eventReasons(world)).toContain("StateReconstructed");
  });

  test("and put back as it was two epochs ago", async () => {
    const { world, client } = await established(3);
    const old = world.annotation("ordinal.dev/state") ?? "";
    world.annotate({ "ordinal.dev/switchover-to": "mysql-1" });
    await world.settle();
    world.annotate({ "ordinal.dev/state": old });
    await ended(world, client);
    expect(primaryOf(world)).toBe(1);
    expect(recordedState(world)?.epoch).toBeGreaterThan(2);
  });

  test("and the primary is away too: all others are asked", async () => {
    const { world, client } = await established(3);
    world.annotate({ "ordinal.dev/state": null });
    world.fleet.cut("function", "mysql-0");
    world.kubelet.kill(0);
    await looks(world, 90_000);
    expect(primaryOf(world)).not.toBe(0);
    world.fleet.mend("function", "mysql-0");
    await ended(world, client);
  });
});
