/**
 * A volume that was kept for longer than anybody keeps binary logs: it comes back with its member, is checked, and
 * is seeded anew, while applications go on writing.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADOPT, allReady, conditionsOf, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { checkLedger } from "../support/ledger.ts";
import { compareServers, whyNotArmed, whyNotFollowing, withServer } from "../support/servers.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";
import { failedWrites, prepareTable, startWorkload } from "../support/workload.ts";

const none = testCluster() === null;

describe.skipIf(none)(`a kept volume${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-outdated");
    await scene.until("three plain servers", allReady);
    await scene.host();
    await scene.annotate(...ADOPT);
    await healthy(3);
  });
  afterAll(() => scene.end());

  const healthy = (members: number) =>
    scene.until(
      `${members} members, Healthy`,
      (world) =>
        world.phase === "Healthy" &&
        world.pods.length === members &&
        stateOf(world).established?.ackers.length === members - 1,
    );

  /** All but the newest file, as whoever runs out of room does it, once nobody is sent the older ones any more. */
  async function purgeLogs(ordinal: number): Promise<void> {
    await scene.ask(ordinal, "FLUSH BINARY LOGS");
    const files = (await scene.ask(ordinal, "SHOW BINARY LOGS")).map((row) => row.split("\t")[0] ?? "");
    const newest = files.at(-1);
    await waitFor("the old logs to be gone", { timeoutMs: 30_000, everyMs: 300 }, async () => {
      await scene.ask(ordinal, `PURGE BINARY LOGS TO '${newest}'`);
      const left = await scene.ask(ordinal, "SHOW BINARY LOGS");
      return left[0]?.startsWith(`${newest}\t`)
        ? { ok: true, value: null }
        : { ok: false, saw: `${left.length} files` };
    });
  }

  test("that is older than the binary logs is checked and seeded anew under writes", async () => {
    const primary = await scene.address(0);
    await withServer(primary, (_server, connection) => prepareTable(connection));
    const rate = { writers: 2, perSecond: 50, secondsMax: 360, timeoutMs: 10_000 };
    const workload = startWorkload({ ...primary, locate: async () => primary.host, ...rate });
    const [uuid] = await scene.ask(2, "SELECT @@server_uuid");
    await scene.annotate("ordinal.dev/replicas=2");
    await healthy(2);
    const written = workload.progress().acked;
    await scene.until("writes without it", () => workload.progress().acked > written + 100);
    for (const ordinal of [0, 1]) await purgeLogs(ordinal);
    await scene.annotate("ordinal.dev/replicas=3");
    const world = await healthy(3);
    expect(conditionsOf(world).map(({ type }) => type)).not.toContain("ReplicaOutdated");
    expect(await scene.ask(2, "SELECT @@server_uuid")).toEqual([uuid]);
    expect(await scene.ask(2, "SELECT STATE FROM performance_schema.clone_status")).toEqual(["Completed"]);
    const told = (await eventsOf(scene)).filter(({ note }) => note.startsWith("mysql-2 "));
    expect(told.find(({ reason }) => reason === "ReplicaOutdated")?.note).toContain(
      "whose logs mysql-0 no longer",
    );
    expect(told.find(({ reason }) => reason === "MemberRebuilding")?.note).toContain(
      "mysql-0 has all that it had",
    );
    expect(told.map(({ reason }) => reason)).not.toContain("TailArchived");
    const ledger = await workload.stop();
    expect([failedWrites(ledger), ledger.failures]).toEqual([0, {}]);
    expect((await checkLedger(ledger, primary)).lost).toEqual([]);
    expect(await whyNotArmed(primary, 2)).toBeNull();
    const replicas = await Promise.all([1, 2].map(scene.address));
    for (const replica of replicas) expect(await whyNotFollowing(replica)).toBeNull();
    const compared = await compareServers(primary, replicas, { except: [], timeoutMs: 30_000 });
    expect(compared).toMatchObject({ servers: 3, differences: [] });
    expect(compared.tables).toBeGreaterThan(3);
    console.log(`${ledger.acked.length} writes, longest pause ${Math.round(ledger.longestGapMs)} ms`);
  });
});
