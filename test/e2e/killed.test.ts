/**
 * A function may be killed at any instruction. Here the host is a process that is killed after each step that
 * it reports, through a whole adoption under writes, and started anew each time.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADOPT, allReady, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import type { HostLine } from "../support/host-process.ts";
import { checkLedger } from "../support/ledger.ts";
import { whyNotArmed, whyNotFollowing, withServer } from "../support/servers.ts";
import { untilNewStep } from "../support/stepwise.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { failedWrites, prepareTable, startWorkload } from "../support/workload.ts";

const none = testCluster() === null;
/** Adoption has about 45 steps. */
const KILLS_MAX = 120;

describe.skipIf(none)(`killed at each step${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-killed");
    await scene.until("three plain servers", allReady);
  });
  afterAll(() => scene.end());

  test("the adoption ends as if nothing had happened", async () => {
    const primary = await scene.address(0);
    await withServer(primary, (_server, connection) => prepareTable(connection));
    const rate = { writers: 2, perSecond: 50, secondsMax: 600, timeoutMs: 10_000 };
    const workload = startWorkload({ ...primary, locate: async () => primary.host, ...rate });
    await scene.annotate(...ADOPT);
    const met = new Set<string>();
    const onLine = (line: HostLine) => void scene.lines.push(JSON.stringify(line));
    const host = { namespace: scene.ref.namespace, kubeconfig: scene.kubeconfig, eachOfAKind: true, onLine };
    while ((await untilNewStep(host, met)) !== null) expect(met.size).toBeLessThan(KILLS_MAX);
    expect(met.size).toBeGreaterThan(20);
    const world = await scene.world();
    expect(world.phase).toBe("Healthy");
    expect(stateOf(world)).toMatchObject({ epoch: 1, phase: "Steady" });
    expect(await whyNotArmed(primary, 2)).toBeNull();
    for (const ordinal of [1, 2]) expect(await whyNotFollowing(await scene.address(ordinal))).toBeNull();
    const ledger = await workload.stop();
    expect([failedWrites(ledger), ledger.failures]).toEqual([0, {}]);
    expect((await checkLedger(ledger, primary)).lost).toEqual([]);
    const reasons = (await eventsOf(scene)).map(({ reason }) => reason);
    for (const once of ["AdoptionStarted", "AdoptionCompleted"]) {
      expect(reasons.filter((reason) => reason === once)).toEqual([once]);
    }
  });
});
