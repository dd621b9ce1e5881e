/**
 * Backups on a real cluster, as a user has them: by both methods from a replica into a real bucket, proven by restoring them,
 * by the clock, through a killed Job, a damaged object and a wrong key, and let go by the retention; with Jobs that the
 * strictest Pod Security takes, and with the rights that are shipped.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { storeSecret } from "../../infra/local/store-secret.ts";
import { ADOPT, allReady, conditionsOf, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { type Bucket, clusterFields, openBucket } from "../support/e2e-backups.ts";
import { buildPlugin, runPlugin } from "../support/e2e-plugin.ts";
import { rightsSeen } from "../support/e2e-rights.ts";
import { noClusterReason, noImageReason, s3Variable, testCluster } from "../support/test-cluster.ts";

const access = testCluster();
const image = access?.image ?? null;
const s3 = process.env[s3Variable] === undefined ? `${s3Variable} is not set` : null;
const reason = access === null ? noClusterReason : image === null ? noImageReason : s3;
const JOBS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const podsSchema = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.object({ name: z.string() }),
      status: z.looseObject({ phase: z.string().default("Pending") }),
    }),
  ),
});

const slotText = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");

describe.skipIf(reason !== null)(`backups${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let scene: Scene;
  let bucket: Bucket;

  beforeAll(async () => {
    scene = await openScene("e2e-backup");
    await buildPlugin();
    await scene.kubectl("apply", `--filename=${JOBS}`);
    // A folder that nobody has used: what an earlier run has left is of another cluster.
    bucket = await openBucket(scene, clusterFields("e2e"));
    const create = ["--namespace", scene.ref.namespace, "create", "--filename=-"];
    await scene.cluster.kubectl(create, storeSecret("backups", bucket.fields));
    await scene.until("three plain servers", allReady);
    // The servers run already; whatever is made from here on has to keep to it.
    const strict = "pod-security.kubernetes.io/enforce=restricted";
    await scene.cluster.kubectl(["label", "namespace", scene.ref.namespace, strict]);
    await scene.host({ jobImage: image ?? "", lookEveryMs: 2_000 });
    await scene.annotate(...ADOPT);
    await scene.until("Healthy", (world) => world.phase === "Healthy");
    await scene.ask(0, "CREATE DATABASE shop");
    await scene.ask(0, "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note TEXT)");
    await scene.ask(0, "INSERT INTO shop.orders (note) VALUES ('one'), ('two'), ('three')");
    await scene.annotate("ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never");
  });
  afterAll(async () => {
    bucket.store.close();
    await scene.end();
  });

  /** By somebody who may read the logs of Jobs. */
  const plugin = (...args: string[]) =>
    runPlugin(access?.kubeconfig ?? "", [...args, "--namespace", scene.ref.namespace]);
  const annotation = async (name: string) => (await scene.world()).annotations[`ordinal.dev/${name}`] ?? null;
  const told = async (code: string) =>
    (await eventsOf(scene)).filter(({ reason: given }) => given === code).map(({ note }) => note);

  async function made(method: string) {
    const asked = await plugin("backup", "mysql", "--method", method, "--wait");
    expect([asked.code, asked.stdout], asked.stderr).toEqual([0, expect.stringMatching(/is complete\.\n$/)]);
    const backup = await bucket.backup((await annotation("last-backup")) ?? "none");
    expect([backup.soundness, backup.manifest?.method]).toEqual([{ kind: "complete" }, method]);
    const [primary] = await scene.ask(0, "SELECT @@GLOBAL.server_uuid");
    expect(backup.manifest?.serverUuid).not.toBe(primary);
    return backup;
  }

  /** Slots of all backups that the store has, oldest first. */
  const slots = async () => {
    const { backups, gap } = await bucket.catalogue();
    expect(gap).toBeNull();
    return backups.map(({ slotMs }) => slotText(slotMs));
  };

  /** Its container is killed and its pod taken away, as when a node dies. */
  async function killPodOf(job: string): Promise<void> {
    const ofJob = `--selector=batch.kubernetes.io/job-name=${job}`;
    await scene.until(`a pod of ${job} to run`, async () => {
      const { items } = podsSchema.parse(
        JSON.parse(await scene.kubectl("get", "pods", ofJob, "--output=json")),
      );
      return items.some(({ status }) => status.phase === "Running");
    });
    await scene.kubectl("delete", "pods", ofJob, "--grace-period=0", "--force");
  }

  test.each(["logical", "physical"])(
    "a %s one is made at once, from a replica, and proven",
    async (method) => {
      const slot = slotText((await made(method)).slotMs);
      const proven = await plugin("prove", "mysql", "--wait");
      expect([proven.code, proven.stdout], proven.stderr).toEqual([
        0,
        expect.stringMatching(/found whole\.\n$/),
      ]);
      const { proof } = await bucket.backup(slot);
      expect(proof?.fault).toBeNull();
      const rows = proof?.checked.find(({ what }) => what === "rows")?.count ?? 0;
      expect(rows).toBeGreaterThanOrEqual(3);
      expect(await annotation("last-proven")).toBe(slot);
    },
  );

  /** Of a backup that is there, as if it had been made so many days before it. */
  async function planted(days: number) {
    const good = await bucket.backup((await annotation("last-proven")) ?? "none");
    const slot = slotText(good.slotMs - days * DAY_MS);
    await bucket.copy(good, slot);
    return { slot, backup: await bucket.backup(slot) };
  }

  let slot = "none";
  let damagedSlot = "none";

  test("one comes by the clock, and a kill of its Job is told", async () => {
    for (const days of [2, 1]) await planted(days);
    // Time enough to be seen before it comes.
    const dueMs = Math.ceil((Date.now() + 5_000) / MINUTE_MS) * MINUTE_MS;
    const due = new Date(dueMs);
    slot = slotText(dueMs);
    const cron = `${due.getUTCMinutes()} ${due.getUTCHours()} * * *`;
    await scene.annotate(`ordinal.dev/backup-schedule=${cron}`, "ordinal.dev/backup-retention=1");
    await killPodOf(`mysql-backup-${slot.replaceAll(/\D/g, "")}-1`);
    const why = String.raw`(?:its pod was taken away before it had ended|its program was killed \(\w[\w ]*\))`;
    const failed = new RegExp(
      `^Attempt 1 of the backup of ${slot} failed: ${why}; it is tried again in 1 min\\.$`,
    );
    await scene.until("the failure to be told", async () =>
      (await told("BackupAttemptFailed")).some((note) => failed.test(note)),
    );
    expect(await slots()).not.toContain(slot);
  });

  test("meanwhile a damaged one fails its proof, and is never told as proven", async () => {
    const proven = await annotation("last-proven");
    const damaged = await planted(3);
    damagedSlot = damaged.slot;
    await bucket.corrupt(damaged.backup);
    const refused = await plugin("prove", "mysql", damaged.slot, "--wait");
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    const failed = `Restoring the backup of ${damaged.slot} failed: An object of the backup cannot be used: `;
    expect(refused.stderr).toContain(failed);
    const found = conditionsOf(await scene.world()).find(({ type }) => type === "ProofFailed");
    expect(found?.message).toContain(failed);
    expect(await annotation("last-proven")).toBe(proven);
    expect((await told("BackupProven")).filter((note) => note.includes(damaged.slot))).toEqual([]);
    expect((await bucket.backup(damaged.slot)).proof?.fault).toBeTruthy();
  });

  test("the second attempt is made, and lets go what the retention does not keep, and nothing else", async () => {
    const proven = await annotation("last-proven");
    await scene.until("a second attempt", async () => (await annotation("last-backup")) === slot);
    const { manifest } = await bucket.backup(slot);
    expect([manifest?.attempt, manifest?.asked.how]).toEqual([2, "schedule"]);
    // One that is no good is left to people; the newest and the newest proven one stay.
    expect(await slots()).toEqual([damagedSlot, proven, slot]);
    expect(await annotation("last-proven")).toBe(proven);
  });

  test("a wrong key is told in one sentence, and nothing else changes", async () => {
    const [before, stored] = [await scene.world(), await slots()];
    const patch = JSON.stringify({ stringData: { accessKeyId: "nobody" } });
    await scene.kubectl("patch", "secret", "backups", `--patch=${patch}`);
    const earlier = await told("BackupAttemptFailed");
    await scene.annotate("ordinal.dev/backup-now=physical");
    await scene.until(
      "the attempt to fail",
      async () => (await told("BackupAttemptFailed")).length > earlier.length,
    );
    const [note = ""] = (await told("BackupAttemptFailed")).filter((one) => !earlier.includes(one));
    const cause =
      "Store backups: it does not know this access key; correct accessKeyId and secretAccessKey in the Secret";
    expect(note).toMatch(
      new RegExp(`^Attempt 1 of the backup of \\S+ failed: ${cause} \\(.*; it is tried again in 1 min\\.$`),
    );
    const listed = await plugin("backups", "mysql");
    expect([listed.code, listed.stdout]).toEqual([2, ""]);
    expect(listed.stderr).toMatch(new RegExp(`^${cause} .*\\n$`));
    const after = await scene.world();
    expect([after.phase, stateOf(after).epoch]).toEqual([before.phase, stateOf(before).epoch]);
    for (const name of ["last-backup", "last-proven"]) {
      expect(after.annotations[`ordinal.dev/${name}`]).toBe(before.annotations[`ordinal.dev/${name}`]);
    }
    expect(await slots()).toEqual(stored);
  });

  test("it took the rights that are shipped for it", async ({ skip }) => {
    if (access?.auditLog == null) return skip("there is no audit log");
    const { used, refused } = await rightsSeen(access.auditLog, scene, "ordinal");
    expect(used.filter((right) => right.endsWith("jobs.batch"))).toEqual([
      "create jobs.batch",
      "get jobs.batch",
      "list jobs.batch",
      "watch jobs.batch",
    ]);
    expect(refused).toEqual([]);
  });
});
