/**
 * Every scene ends with a search for its secrets (see `end` of test/support/e2e.ts). Here they are planted, on a real
 * cluster and with real passwords: a search that finds nothing says something only if it would have found these.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { ADOPT, allReady, openScene, type Scene } from "../support/e2e.ts";
import { secretsIn } from "../support/secret-search.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";

const none = testCluster() === null;

describe.skipIf(none)(`secrets that are told${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-secrets", { replicas: 1 });
    await scene.until("a plain server", allReady);
    await scene.host();
    await scene.annotate(...ADOPT);
    await scene.until("Healthy", (world) => world.phase === "Healthy");
  });

  test("are found at the end in a log and in an object, and are not told once more", async () => {
    const secrets = secretsIn(await scene.kubectl("get", "secrets", "--output=json"));
    const control = secrets.find(({ name }) => name === "control of Secret mysql-ordinal")?.value ?? "";
    const root = secrets.find(({ name }) => name === "password of Secret mysql-root")?.value ?? "";
    expect([control.length, root.length > 8]).toEqual([32, true]);
    scene.lines.push(`connecting with ${control}`);
    await scene.annotate(`example.org/note=${Buffer.from(`root:${root}`).toString("base64")}`);
    const told = await scene.end().then(
      () => "nothing",
      (error: unknown) => String(error),
    );
    expect(told).toContain("control of Secret mysql-ordinal stands in the log of a host");
    expect(told).toContain("password of Secret mysql-root stands in an object");
    expect([told.includes(control), told.includes(root)]).toEqual([false, false]);
  });
});
