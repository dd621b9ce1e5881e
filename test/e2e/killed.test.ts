/**
 * A function may be killed at any instruction. Here the host is a process that is killed after each step that
 * it reports, through a whole adoption under writes, and started anew each time.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ADOPT, allReady, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { checkLedger } from "../support/ledger.ts";
import { whyNotArmed, whyNotFollowing, withServer } from "../support/servers.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { failedWrites, prepareTable, startWorkload } from "../support/workload.ts";

const none = testCluster() === null;
const HOST = join(import.meta.dirname, "../../shared/hosts/local/main.ts");
/** Adoption has about 45 steps. */
const KILLS_MAX = 120;
const lineSchema = z.looseObject({ message: z.string(), step: z.string().optional() });
/** Long enough for what has no step of its own: a server's restart after its seeding. */
const QUIET_MS = 20_000;

describe.skipIf(none)(`killed at each step${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-killed");
    await scene.until("three plain servers", allReady);
  });
  afterAll(() => scene.end());

  /**
   * Runs a host until it reports a step that no host was killed at yet, and kills it there: the nth of its
   * kind in one run counts as a step of its own. Null when it had nothing left to do.
   */
  function untilNewStep(met: Set<string>): Promise<string | null> {
    const args = [
      HOST,
      "--namespace",
      scene.ref.namespace,
      "--kubeconfig",
      scene.kubeconfig,
      "--log",
      "json",
    ];
    const host = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    const counts = new Map<string, number>();
    return new Promise((resolve) => {
      const end = (answer: string | null) => {
        clearTimeout(timer);
        host.kill("SIGKILL");
        resolve(answer);
      };
      let timer = setTimeout(() => end(null), QUIET_MS);
      createInterface({ input: host.stderr }).on("line", (line) => {
        const { message, step } = lineSchema.parse(JSON.parse(line));
        if (message !== "step" || step === undefined) return;
        clearTimeout(timer);
        timer = setTimeout(() => end(null), QUIET_MS);
        const nth = (counts.get(step) ?? 0) + 1;
        counts.set(step, nth);
        const name = `${step} #${nth}`;
        if (met.has(name)) return;
        met.add(name);
        end(name);
      });
    });
  }

  test("the adoption ends as if nothing had happened", async () => {
    const primary = await scene.address(0);
    await withServer(primary, (_server, connection) => prepareTable(connection));
    const rate = { writers: 2, perSecond: 50, secondsMax: 600, timeoutMs: 10_000 };
    const workload = startWorkload({ ...primary, locate: async () => primary.host, ...rate });
    await scene.annotate(...ADOPT);
    const met = new Set<string>();
    while ((await untilNewStep(met)) !== null) expect(met.size).toBeLessThan(KILLS_MAX);
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
