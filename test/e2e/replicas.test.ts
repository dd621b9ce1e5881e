/**
 * Others who write the number of replicas too: an autoscaler is told apart and not fought, the optional policy keeps
 * members from being taken away by anybody but Ordinal, and without it nothing that was acknowledged is lost.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADOPT, allReady, conditionsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { buildPlugin, runPlugin } from "../support/e2e-plugin.ts";
import { checkLedger } from "../support/ledger.ts";
import { withServer } from "../support/servers.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";
import { prepareTable, startWorkload, type Workload } from "../support/workload.ts";
import type { World } from "../support/world.ts";

const none = testCluster() === null;
const POLICY = join(import.meta.dirname, "../../infra/kustomize/admission");

describe.skipIf(none)(`others who write replicas${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-replicas");
    await buildPlugin();
    await scene.until("three plain servers", allReady);
    await scene.host();
    await scene.annotate(...ADOPT);
    await settled(3);
  });
  afterAll(async () => {
    await scene.cluster.kubectl(["delete", "--kustomize", POLICY, "--ignore-not-found"]);
    await scene.end();
  });

  const settled = (members: number) =>
    scene.until(
      `${members} members`,
      (world) => world.phase === "Healthy" && world.replicas === members && allReady(world),
    );
  const scale = (replicas: number, ...more: string[]) =>
    scene.kubectl("scale", "statefulset", "mysql", `--replicas=${replicas}`, ...more);
  const primaryOf = (world: World) => stateOf(world).established?.primary.ordinal ?? -1;

  test("with the policy nobody but Ordinal takes members away", async () => {
    await scene.cluster.kubectl(["apply", "--kustomize", POLICY]);
    await scale(2, "--dry-run=server");
    await scene.kubectl(
      "create",
      "configmap",
      "ordinal-replicas",
      "--from-literal=statefulsets=orders mysql",
    );
    const refused = (args: Promise<string>) => args.then(() => "taken", String);
    const attempts: Readonly<Record<string, () => Promise<string>>> = {
      scale: () => scale(2, "--dry-run=server"),
      none: () => scale(0, "--dry-run=server"),
      patch: () =>
        scene.kubectl("patch", "statefulset", "mysql", "--dry-run=server", '--patch={"spec":{"replicas":2}}'),
    };
    // The API server takes a moment to learn of it.
    await waitFor("the policy", { timeoutMs: 30_000 }, async () => {
      const said = await Promise.all(Object.values(attempts).map((attempt) => refused(attempt())));
      return said.includes("taken") ? { ok: false, saw: said.join("; ") } : { ok: true, value: null };
    });
    for (const attempt of Object.values(attempts))
      expect(await refused(attempt())).toMatch(/mysql keeps its 3 replicas.*ordinal\.dev\/replicas=\d/);
    await scale(4, "--dry-run=server");
    await scene.kubectl(
      "patch",
      "statefulset",
      "mysql",
      "--dry-run=server",
      '--patch={"spec":{"replicas":3}}',
    );
    await scene.annotate("ordinal.dev/replicas=2");
    await settled(2);
  });

  test("an autoscaler is named, and not fought", async () => {
    // Too few for it, so that it needs no metrics.
    await scene.kubectl("autoscale", "statefulset", "mysql", "--min=3", "--max=3");
    const world = await scene.until("ReplicasContested", (seen) =>
      conditionsOf(seen).some(({ type }) => type === "ReplicasContested"),
    );
    const told = conditionsOf(world).find(({ type }) => type === "ReplicasContested");
    expect(told?.message).toMatch(/set to 3 by kube-controller-manager.*ordinal\.dev\/replicas says 2/);
    const plugin = await runPlugin(scene.kubeconfig, ["scale", "mysql", "--replicas", "2", "--wait"]);
    expect([plugin.code, plugin.stderr]).toEqual([2, expect.stringContaining("kube-controller-manager")]);
    expect((await scene.world()).replicas).toBe(3);
    await scene.kubectl("delete", "horizontalpodautoscaler", "mysql");
    await scene.annotate("ordinal.dev/replicas-");
    await settled(3);
  });

  const writer = async (): Promise<Workload> => {
    const first = await scene.address(primaryOf(await scene.world()));
    await withServer(first, (_server, connection) => prepareTable(connection));
    const { user, password } = first;
    const locate = async () => (await scene.address(primaryOf(await scene.world()))).host;
    const rate = { writers: 2, perSecond: 50, secondsMax: 240, timeoutMs: 5_000 };
    return startWorkload({ user, password, locate, ...rate });
  };

  test("without it a scale down that takes the primary away loses nothing", async () => {
    await scene.cluster.kubectl(["delete", "--kustomize", POLICY]);
    // It is stopped in good order and will not be back: the wait for it is what is left to shorten.
    await scene.annotate("ordinal.dev/switchover-to=mysql-2", "ordinal.dev/graceful-wait=5s");
    await scene.until("mysql-2 to be the primary", (world) => primaryOf(world) === 2);
    await settled(3);
    const workload = await writer();
    const written = (more: number) => {
      const from = workload.progress().acked;
      return scene.until("writes to go on", () => workload.progress().acked >= from + more);
    };
    await written(50);
    await scene.until("nobody to stand in the way", () => scale(2).then(() => true));
    const takenAtMs = Date.now();
    await scene.until("it to be noticed", ({ phase }) => phase !== "Healthy");
    expect(Date.now() - takenAtMs).toBeLessThan(10_000);
    await scene.until("another primary", (seen) => primaryOf(seen) < 2);
    const world = await settled(2);
    await written(50);
    const ledger = await workload.stop();
    const verdict = await checkLedger(ledger, await scene.address(primaryOf(await scene.world())));
    expect([verdict.lost, verdict.ghosts, verdict.strangers]).toEqual([[], [], []]);
    expect(verdict.acked).toBeGreaterThan(100);
    expect(stateOf(world).established?.ackers.map(({ ordinal }) => ordinal)).toEqual([1 - primaryOf(world)]);
  });
});
