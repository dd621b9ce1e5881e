/**
 * Events are only wake-up calls: with none of them, and with each of them three times in any order, a cluster
 * ends in the same state, and extra events cause no extra writes.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemIds } from "../../shared/hosts/local/platform.ts";
import { readAudit } from "../bench/audit.ts";
import { ADOPT, allReady, conditionsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { cutWatch, repeated, shuffled } from "../support/event-faults.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";

const none = testCluster() === null;

/** Everything that must be the same, without what differs from one server to the next. */
async function ending(scene: Scene): Promise<unknown> {
  const world = await scene.world();
  const { epoch, phase, established } = stateOf(world);
  const services = JSON.parse(await scene.kubectl("get", "services", "--output=json")) as {
    items: { metadata: { name: string }; spec: { selector: unknown } }[];
  };
  return {
    state: {
      epoch,
      phase,
      primary: established?.primary.ordinal,
      ackers: established?.ackers.map(({ ordinal }) => ordinal).toSorted(),
    },
    phase: world.phase,
    conditions: conditionsOf(world).map(({ type, message }) => [type, message]),
    labels: world.pods.map(({ labels }) => [
      labels["ordinal.dev/role"],
      labels["ordinal.dev/epoch"],
      labels["ordinal.dev/managed"],
    ]),
    services: services.items.map(({ metadata, spec }) => [metadata.name, spec.selector]),
    settings: await Promise.all(
      [0, 1, 2].map((ordinal) =>
        scene.ask(
          ordinal,
          "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.persisted_variables ORDER BY 1",
        ),
      ),
    ),
  };
}

/** A settled cluster answers noise by looking, and writes nothing. */
async function expectNoWrites(scene: Scene): Promise<void> {
  const auditLog = testCluster()?.auditLog ?? null;
  const from = new Date();
  await scene.kubectl("label", "pods", "--all", "noise=1", "--overwrite");
  await scene.kubectl("label", "statefulset", "mysql", "noise=1", "--overwrite");
  await systemClock.sleep(5_000);
  // A cluster that somebody else provides may keep no audit log that we can read.
  if (auditLog === null) return;
  const { namespace } = scene.ref;
  const { looks, writes } = await readAudit(auditLog, {
    agent: "ordinal/local",
    from,
    to: new Date(),
    namespace,
  });
  expect(looks).toBeGreaterThan(0);
  expect(writes).toBe(0);
}

describe.skipIf(none)(
  `events lost, doubled and shuffled${none ? ` (skipped: ${noClusterReason})` : ""}`,
  () => {
    let scenes: Scene[] = [];

    beforeAll(async () => {
      scenes = await Promise.all(
        ["e2e-events", "e2e-no-events", "e2e-many-events"].map((name) => openScene(name)),
      );
      for (const scene of scenes) await scene.until("three plain servers", allReady);
    });
    afterAll(async () => {
      for (const scene of scenes) await scene.end();
    });

    test("all three end alike", async () => {
      const [ordinary, silent, noisy] = scenes as [Scene, Scene, Scene];
      await ordinary.host();
      await silent.host({ wrapWatch: (source) => cutWatch(source, { cut: true, lost: 0 }) });
      const chance = { clock: systemClock, ids: systemIds, windowMs: 200 };
      await noisy.host({ wrapWatch: (source) => shuffled(repeated(source), chance) });
      for (const scene of scenes) {
        await scene.annotate(...ADOPT);
        await scene.until("Healthy", (world) => world.phase === "Healthy");
      }
      const expected = await ending(ordinary);
      expect(expected).toMatchObject({ state: { phase: "Steady", primary: 0, ackers: [1, 2] } });
      expect(await ending(silent)).toEqual(expected);
      expect(await ending(noisy)).toEqual(expected);
      await expectNoWrites(noisy);
    });
  },
);
