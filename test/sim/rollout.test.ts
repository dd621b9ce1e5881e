/** A changed pod template under load: replicas first, the old primary last, one at a time, nothing lost. */
import { describe, expect, test } from "vitest";
import { endState, eventReasons, recordedState } from "./end-state.ts";
import { established, rest } from "./resizing.ts";
import { playRollouts, type Rollouts } from "./rollouts.ts";
import type { World } from "./world.ts";

const primaryOf = (world: World): number | undefined => recordedState(world)?.established?.primary.ordinal;

async function finish(world: World): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await rest(world);
}

interface Seen {
  readonly ordinal: number;
  readonly wasPrimary: boolean;
  /** Servers that answered just then. */
  readonly running: number;
}

function watch(world: World, rollouts: Rollouts): readonly Seen[] {
  const seen: Seen[] = [];
  rollouts.onDelete = (ordinal) => {
    const running = world.kubelet.servers.filter((server) => server.running).length;
    seen.push({ ordinal, wasPrimary: primaryOf(world) === ordinal, running });
  };
  return seen;
}

async function begin(members: number, primary: number, strategy: "RollingUpdate" | "OnDelete") {
  const { world, client } = await established(members);
  const rollouts = playRollouts(world, strategy);
  await rest(world);
  if (primary > 0) world.annotate({ "ordinal.dev/switchover-to": `mysql-${primary}` });
  await rest(world);
  expect(primaryOf(world)).toBe(primary);
  return { world, client, rollouts };
}

describe.each(["RollingUpdate", "OnDelete"] as const)("with %s", (strategy) => {
  test.each([
    [3, 0],
    [3, 1],
    [3, 2],
    [5, 3],
    [2, 0],
    [2, 1],
  ])(
    "%i members with the primary on %i: each once, never the primary, never two at a time",
    async (members, primary) => {
      const { world, client, rollouts } = await begin(members, primary, strategy);
      if (strategy === "RollingUpdate") expect(rollouts.partition()).toBe(33);
      const seen = watch(world, rollouts);
      rollouts.change();
      await finish(world);

      expect(rollouts.revisions()).toEqual(Array(members).fill("r2"));
      expect(rollouts.deleted.toSorted()).toEqual(Array.from({ length: members }, (_, ordinal) => ordinal));
      expect(seen.filter(({ wasPrimary, running }) => wasPrimary || running < members)).toEqual([]);
      if (strategy === "OnDelete") expect(rollouts.deleted.at(-1)).toBe(primary);
      if (strategy === "RollingUpdate") {
        expect(rollouts.deleted.at(-1)).toBe(0);
        expect([rollouts.isComplete(), rollouts.partition()]).toEqual([true, 33]);
      }
      const told = await eventReasons(world);
      const times = (wanted: string) => told.filter((reason) => reason === wanted).length;
      expect(times("MemberReplaced")).toBe(members);
      const asked = primary > 0 ? 1 : 0;
      expect(times("SwitchoverCompleted") - asked).toBe(strategy === "RollingUpdate" && primary > 0 ? 2 : 1);

      await world.clock.run(client.stop());
      await world.clock.pass(1_000);
      expect(client.acknowledged.length).toBeGreaterThan(10);
      for (const server of world.kubelet.servers)
        for (const row of client.acknowledged) expect(server.data.rows.has(row), row).toBe(true);
      expect(await endState(world)).toMatchObject({ phase: "Healthy" });
    },
  );

  test("a single member is made anew where it stands", async () => {
    const { world, rollouts } = await begin(1, 0, strategy);
    rollouts.change();
    await finish(world);
    expect([rollouts.revisions(), rollouts.deleted]).toEqual([["r2"], [0]]);
    expect(await endState(world)).toMatchObject({ phase: "Healthy" });
  });
});
