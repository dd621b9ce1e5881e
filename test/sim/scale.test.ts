/** More and fewer members under load, as asked and as somebody else does it: nothing lost, nothing stalled. */
import { describe, expect, test } from "vitest";
import type { Client } from "./client.ts";
import { endState, eventReasons, recordedState } from "./end-state.ts";
import { REF } from "./ref.ts";
import { established, rest, wish } from "./resizing.ts";
import type { World } from "./world.ts";

function claimOf(ordinal: number): string {
  return `storage-mysql-${ordinal}`;
}

/** Sizes and names of what is recorded. */
function shape(world: World): object {
  const { established } = recordedState(world) ?? {};
  const ackers = established?.ackers.map(({ ordinal }) => ordinal).toSorted() ?? [];
  const set = world.sim.raw("StatefulSet", REF) as { readonly spec: { readonly replicas: number } };
  return {
    replicas: set.spec.replicas,
    primary: established?.primary.ordinal,
    ackers,
    ackCount: established?.ackCount,
  };
}

async function nothingLost(world: World, client: Client, members: readonly number[]): Promise<void> {
  await world.clock.run(client.stop());
  await world.clock.pass(1_000);
  expect(client.acknowledged.length).toBeGreaterThan(10);
  for (const ordinal of members) {
    const { rows } = world.kubelet.server(ordinal).data;
    for (const row of client.acknowledged) expect(rows.has(row), `${ordinal} ${row}`).toBe(true);
  }
  expect(await endState(world)).toMatchObject({ phase: "Healthy" });
}

describe("as asked", () => {
  test("three become five and three again, with the primary on one that leaves", async () => {
    const { world, client } = await established(3);
    await wish(world, 5);
    expect(shape(world)).toEqual({ replicas: 5, primary: 0, ackers: [1, 2, 3, 4], ackCount: 2 });
    world.annotate({ "ordinal.dev/switchover-to": "mysql-4" });
    await rest(world);
    expect(shape(world)).toMatchObject({ primary: 4 });
    await wish(world, 3);
    const { primary } = shape(world) as { primary: number };
    expect(primary).toBeLessThan(3);
    const others = [0, 1, 2].filter((ordinal) => ordinal !== primary);
    expect(shape(world)).toEqual({ replicas: 3, primary, ackers: others, ackCount: 1 });
    expect(client.longestMs).toBeLessThan(1_000);
    const told = await eventReasons(world);
    for (const reason of ["ScaledUp", "ScaledDown"] as const) expect(told).toContain(reason);
    for (const ordinal of [3, 4]) {
      expect(world.sim.raw("Pod", { ...REF, name: `mysql-${ordinal}` })).toBeNull();
      const claim = world.sim.raw("PersistentVolumeClaim", { ...REF, name: claimOf(ordinal) });
      const annotations = (claim as { metadata: { annotations: Record<string, string> } }).metadata
        .annotations;
      expect(annotations["ordinal.dev/keep-until"]).toMatch(/^2\d\d\d-/);
    }
    await nothingLost(world, client, [0, 1, 2]);
  });

  test("a member that comes back goes on with its own volume, which is kept no longer", async () => {
    const { world, client } = await established(3);
    const before = world.kubelet.server(2).volume.serverUuid;
    await wish(world, 2);
    expect(shape(world)).toEqual({ replicas: 2, primary: 0, ackers: [1], ackCount: 1 });
    await wish(world, 3);
    expect(shape(world)).toEqual({ replicas: 3, primary: 0, ackers: [1, 2], ackCount: 1 });
    expect(world.kubelet.server(2).volume.serverUuid).toBe(before);
    const claim = world.sim.raw("PersistentVolumeClaim", { ...REF, name: claimOf(2) });
    expect(JSON.stringify(claim)).not.toContain("keep-until");
    await nothingLost(world, client, [0, 1, 2]);
  });

  test.each([
    [3, 1],
    [1, 3],
    [2, 5],
    [5, 2],
    [5, 1],
  ])("%i become %i", async (from, to) => {
    const { world, client } = await established(from);
    await wish(world, to);
    const ackers = Array.from({ length: to - 1 }, (_, index) => index + 1);
    expect(shape(world)).toEqual({ replicas: to, primary: 0, ackers, ackCount: Math.floor(to / 2) });
    expect(client.longestMs).toBeLessThan(1_000);
    await nothingLost(world, client, [0, ...ackers]);
  });
});

describe("as somebody else does it", () => {
  function kubectlScale(world: World, replicas: number, manager = "kubectl"): void {
    const owner = { manager, time: new Date(world.clock.now()).toISOString() };
    const managedFields = [{ ...owner, fieldsV1: { "f:spec": { "f:replicas": {} } } }];
    world.sim.put("StatefulSet", REF, { metadata: { managedFields }, spec: { replicas } });
  }

  test("members that were taken away are no longer counted on", async () => {
    const { world, client } = await established(3);
    kubectlScale(world, 2);
    await world.clock.pass(1_000);
    await rest(world);
    expect(shape(world)).toEqual({ replicas: 2, primary: 0, ackers: [1], ackCount: 1 });
    await nothingLost(world, client, [0, 1]);
  });

  test("a primary that was taken away is failed over", async () => {
    const { world, client } = await established(3);
    world.annotate({ "ordinal.dev/switchover-to": "mysql-2" });
    await rest(world);
    kubectlScale(world, 2);
    await world.clock.pass(1_000);
    await rest(world);
    expect(shape(world)).toMatchObject({ replicas: 2, ackCount: 1 });
    expect((shape(world) as { primary: number }).primary).toBeLessThan(2);
    await nothingLost(world, client, [0, 1]);
  });

  test("nobody is fought who changes the number after us", async () => {
    const { world } = await established(3);
    await wish(world, 5);
    kubectlScale(world, 4);
    await rest(world);
    expect(shape(world)).toMatchObject({ replicas: 4 });
    expect(world.annotation("ordinal.dev/conditions")).toContain(
      "replicas of mysql was set to 4 by kubectl, and",
    );
  });

  test("an autoscaler that was there first is named, and goes on deciding", async () => {
    const { world, client } = await established(3);
    kubectlScale(world, 4, "kube-controller-manager");
    await rest(world);
    expect(shape(world)).toMatchObject({ replicas: 4, ackers: [1, 2, 3] });
    await wish(world, 3);
    expect(shape(world)).toMatchObject({ replicas: 4, ackers: [1, 2, 3] });
    expect(world.annotation("ordinal.dev/conditions")).toContain("set to 4 by kube-controller-manager");
    await nothingLost(world, client, [0, 1, 2, 3]);
  });
});
