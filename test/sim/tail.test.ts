/** Writes on a replica: they are kept on the primary before the replica is made anew, each time. */
import { expect, test } from "vitest";
import { createWorld, ROOT_PASSWORD, type World } from "./world.ts";

/** Somebody with all rights, and the wrong server. */
async function writeAstray(world: World, ordinal: number, row: string): Promise<void> {
  const login = world.fleet.login(world.kubelet.server(ordinal), "root", ROOT_PASSWORD);
  if (!login.ok) throw new Error(login.failure.message);
  const insert = "INSERT INTO shop.orders VALUES (?)";
  for (const sql of ["SET GLOBAL read_only = OFF", insert, "SET GLOBAL super_read_only = ON"]) {
    const done = await world.clock.run(login.value.query(sql, sql === insert ? [row] : []));
    if (!done.ok) throw new Error(done.failure.message);
  }
  await login.value.close();
}

test("a member that was made anew gives a GTID again, and both transactions are kept", async () => {
  const world = createWorld({ members: [{ tables: ["shop.orders"], rows: 10 }, {}, {}] });
  await world.settle();
  const primary = world.kubelet.server(0);
  for (const [times, row] of [
    [1, "astray"],
    [2, "astray again"],
  ] as const) {
    await writeAstray(world, 2, row);
    await world.settle();
    const { data, volume } = world.kubelet.server(2);
    expect(data.rows.has(row)).toBe(false);
    expect(data.executed.contains(primary.data.executed)).toBe(true);
    const kept = [...primary.data.tail.values()];
    expect(kept.map(({ serverUuid }) => serverUuid)).toEqual(Array(times).fill(volume.serverUuid));
    expect(new Set(kept.map(({ gtid }) => gtid)).size).toBe(1);
    expect(new Set(kept.map(({ digest }) => digest)).size).toBe(times);
  }
});
