/**
 * Restores on a real cluster, as a user has them: the data that is in service is set aside and that of a backup put in its
 * place, undone, and forgotten; a new cluster is made of another's backup; a host and Jobs are killed in the middle.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeSecret } from "../../infra/local/store-secret.ts";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import { decodeRestore } from "../../shared/annotations/restores.ts";
import { RESTORE_PHASES } from "../../shared/model/restore.ts";
import { ADOPT, allReady, conditionsOf, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { type Bucket, clusterFields, openBucket } from "../support/e2e-backups.ts";
import { buildPlugin, runPlugin } from "../support/e2e-plugin.ts";
import { rightsSeen } from "../support/e2e-rights.ts";
import { type HostProcess, startHostProcess } from "../support/host-process.ts";
import { noClusterReason, noImageReason, s3Variable, testCluster } from "../support/test-cluster.ts";

const access = testCluster();
const image = access?.image ?? null;
const s3 = process.env[s3Variable] === undefined ? `${s3Variable} is not set` : null;
const reason = access === null ? noClusterReason : image === null ? noImageReason : s3;
const JOBS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");

describe.skipIf(reason !== null)(`restores${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let scene: Scene;
  let bucket: Bucket;
  let host: HostProcess | null = null;

  /** In a process of its own, which can be killed. */
  const drive = (of: Scene): HostProcess =>
    startHostProcess({
      ...{ namespace: of.ref.namespace, kubeconfig: of.kubeconfig, jobImage: image ?? "" },
      onLine: (line) => void of.lines.push(JSON.stringify(line)),
    });

  async function prepare(namespace: string): Promise<Scene> {
    const opened = await openScene(namespace);
    await opened.kubectl("apply", `--filename=${JOBS}`);
    return opened;
  }

  beforeAll(async () => {
    await buildPlugin();
    scene = await prepare("e2e-restore");
    bucket = await openBucket(scene, clusterFields("e2e-restore"));
    const create = ["--namespace", scene.ref.namespace, "create", "--filename=-"];
    await scene.cluster.kubectl(create, storeSecret("backups", bucket.fields));
    await scene.until("three plain servers", allReady);
    host = drive(scene);
    await scene.annotate(...ADOPT, "ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never");
    await scene.until("Healthy", (world) => world.phase === "Healthy");
    await scene.ask(0, "CREATE DATABASE shop");
    await scene.ask(0, "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(64))");
    await scene.ask(0, "INSERT INTO shop.orders (note) VALUES ('one'), ('two'), ('three')");
  });
  afterAll(async () => {
    bucket.store.close();
    await host?.end();
    await scene.end();
  });

  const plugin = (...args: string[]) =>
    runPlugin(access?.kubeconfig ?? "", [...args, "--namespace", scene.ref.namespace]);

  const notes = async (of: Scene, ordinal: number) =>
    (await of.ask(ordinal, "SELECT note FROM shop.orders ORDER BY id")).map(String);
  /** On every member: whoever reads anywhere finds the same. */
  async function everywhere(of: Scene, wanted: readonly string[]): Promise<void> {
    for (const ordinal of [0, 1, 2]) {
      await of.until(`${wanted.length} orders on mysql-${ordinal}`, async () => {
        expect(await notes(of, ordinal)).toEqual(wanted);
        return true;
      });
    }
  }
  const memory = async (of: Scene) => {
    const { annotations, uid } = await of.world();
    const read = decodeRestore(annotations[ANNOTATION.restore], uid);
    return read.kind === "valid" ? read.memory : null;
  };
  const wellAgain = (of: Scene) =>
    of.until(
      "Healthy again",
      async ({ phase }) => phase === "Healthy" && (await memory(of))?.running === null,
    );
  const primaryOf = async (of: Scene) => stateOf(await of.world()).established?.primary.ordinal ?? 0;

  const BACKED_UP = ["one", "two", "three"];
  const LATER = [...BACKED_UP, "four"];

  test.each(["logical", "physical"])("in place to a %s backup, and undone", async (method) => {
    const made = await plugin("backup", "mysql", "--method", method, "--wait");
    expect(made.code, made.stderr).toBe(0);
    await scene.ask(await primaryOf(scene), "INSERT INTO shop.orders (note) VALUES ('four')");
    const before = stateOf(await scene.world());
    const refused = await plugin("restore", "mysql", "--backup", "latest", "--wait");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("holds data already")]);
    const restored = await plugin("restore", "mysql", "--backup", "latest", "--in-place", "--wait");
    expect([restored.code, restored.stdout], restored.stderr).toEqual([
      0,
      expect.stringMatching(/^Done in /),
    ]);
    await everywhere(scene, BACKED_UP);
    const between = stateOf(await scene.world());
    expect(between.epoch).toBeGreaterThan(before.epoch);
    expect(between.established?.ackers).toHaveLength(2);
    await scene.ask(await primaryOf(scene), "INSERT INTO shop.orders (note) VALUES ('of the restored one')");
    const undone = await plugin("restore", "undo", "mysql", "--wait");
    expect([undone.code, undone.stdout], undone.stderr).toEqual([0, expect.stringMatching(/^Done in /)]);
    await everywhere(scene, LATER);
    const after = stateOf(await scene.world());
    expect(after.epoch).toBeGreaterThan(between.epoch);
    expect(after.established?.ackers).toHaveLength(2);
    const forgotten = await plugin("restore", "forget", "mysql", "--wait");
    expect([forgotten.code, forgotten.stdout], forgotten.stderr).toEqual([
      0,
      expect.stringMatching(/^Done in /),
    ]);
    const left = await scene.kubectl("exec", "mysql-0", "--", "ls", "-A", "/var/lib/mysql");
    expect(left).not.toContain(".ordinal");
    await scene.ask(await primaryOf(scene), "DELETE FROM shop.orders WHERE note = 'four'");
  });

  test("what cannot be restored is told, and the cluster stays in service all the while", async () => {
    const before = stateOf(await scene.world());
    const missing = await plugin(
      "restore",
      "mysql",
      "--backup",
      "2001-01-01T00:00:00Z",
      "--in-place",
      "--wait",
    );
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/data is as it was: .*2001-01-01/),
    ]);
    const { phase, annotations } = await scene.world();
    expect([stateOf(await scene.world()).epoch, phase]).toEqual([before.epoch, "Healthy"]);
    expect(conditionsOf(await scene.world()).map(({ type }) => type)).toContain("RestoreFailed");
    expect(annotations["ordinal.dev/restore-from"]).toContain("2001-01-01");
    await scene.annotate("ordinal.dev/restore-from-");
    await everywhere(scene, BACKED_UP);
  });

  test("a host that is killed in each phase, and a Job too, change nothing about the end", async () => {
    await scene.ask(await primaryOf(scene), "INSERT INTO shop.orders (note) VALUES ('four')");
    const asked = await plugin("restore", "mysql", "--backup", "latest", "--in-place");
    expect(asked.code, asked.stderr).toBe(0);
    for (const phase of RESTORE_PHASES) {
      await scene.until(phase, async ({ replicas }) => {
        const running = (await memory(scene))?.running;
        // Applications go on until the data is there.
        if (running?.phase === "Filling") expect(replicas).toBe(3);
        const at = RESTORE_PHASES.indexOf(running?.phase ?? "Exchanging");
        return running === null || at >= RESTORE_PHASES.indexOf(phase);
      });
      await host?.end();
      if (phase === "Filling" || phase === "Exchanging") {
        const ofJobs = ["--selector=batch.kubernetes.io/job-name", "--field-selector=status.phase=Running"];
        await scene.kubectl("delete", "pods", ...ofJobs, "--grace-period=0", "--force");
      }
      host = drive(scene);
    }
    await wellAgain(scene);
    await everywhere(scene, BACKED_UP);
    const told = (await eventsOf(scene)).filter(({ reason: given }) => given === "RestoreCompleted");
    expect(told).toHaveLength(3);
  });

  test("a new cluster is made of the backup of another one, once, with its own password", async () => {
    const copy = await prepare("e2e-restored");
    let driver: HostProcess | null = null;
    try {
      const create = ["--namespace", copy.ref.namespace, "create", "--filename=-"];
      await copy.cluster.kubectl(create, storeSecret("backups", bucket.fields));
      driver = drive(copy);
      const wish = JSON.stringify({ cluster: `${scene.ref.namespace}/mysql`, backup: "latest" });
      await copy.annotate(...ADOPT, "ordinal.dev/backup-store=backups", `ordinal.dev/restore-from=${wish}`);
      await copy.until(
        "Healthy",
        async ({ phase }) => phase === "Healthy" && (await memory(copy))?.last?.fault === null,
      );
      await everywhere(copy, BACKED_UP);
      await copy.ask(await primaryOf(copy), "INSERT INTO shop.orders (note) VALUES ('of the copy')");
      // The manifest is applied again, with the annotation in it.
      await copy.annotate(`ordinal.dev/restore-from=${wish}`, "example.com/changed=yes");
      await copy.until("a look", (world) => world.annotations["example.com/changed"] === "yes");
      await everywhere(copy, [...BACKED_UP, "of the copy"]);
      await everywhere(scene, BACKED_UP);
    } finally {
      await driver?.end();
      await copy.end();
    }
  });

  test("it took the rights that are shipped for it", async ({ skip }) => {
    if (access?.auditLog == null) return skip("there is no audit log");
    const { refused } = await rightsSeen(access.auditLog, scene, "ordinal");
    expect(refused).toEqual([]);
  });
});
