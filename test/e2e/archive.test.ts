/**
 * The archive of logs on a real cluster, as a user has it: switched on by an annotation, kept by the resident host with the
 * rights that are shipped, through the death of the primary and of the host, with writes going on.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeSecret } from "../../infra/local/store-secret.ts";
import { archivedBy } from "../../shared/backup/archive/inventory.ts";
import { readArchive } from "../../shared/backup/archive/recorded.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import type { LocalHost } from "../../shared/hosts/local/start.ts";
import { recoveryWindowsSchema } from "../../shared/model/documents.ts";
import { type Managed, primaryPod, waitWhole } from "../bench/trial.ts";
import { ADOPT, allReady, conditionsOf, openScene, type Scene } from "../support/e2e.ts";
import { type Bucket, clusterFields, openBucket } from "../support/e2e-backups.ts";
import { buildPlugin, runPlugin } from "../support/e2e-plugin.ts";
import { inject } from "../support/faults.ts";
import { withServer } from "../support/servers.ts";
import { newIdentity, newIdentityText } from "../support/streams.ts";
import { noClusterReason, noImageReason, s3Variable, testCluster } from "../support/test-cluster.ts";
import { Unmet, waitFor } from "../support/wait.ts";
import { prepareTable, startWorkload, type Workload } from "../support/workload.ts";
import { ordinalOf } from "../support/world.ts";

const access = testCluster();
const image = access?.image ?? null;
const s3 = process.env[s3Variable] === undefined ? `${s3Variable} is not set` : null;
const reason = access === null ? noClusterReason : image === null ? noImageReason : s3;
const JOBS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");

describe.skipIf(reason !== null)(`the archive${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let scene: Scene;
  let managed: Managed;
  let bucket: Bucket;
  let host: LocalHost;

  beforeAll(async () => {
    scene = await openScene("e2e-archive");
    await buildPlugin();
    await scene.kubectl("apply", `--filename=${JOBS}`);
    bucket = await openBucket(scene, clusterFields("e2e-archive"));
    await putStore(bucket.fields);
    await scene.until("three plain servers", allReady);
    managed = { cluster: scene.cluster, ref: scene.ref, login: await scene.login() };
    host = await begin();
    await scene.annotate(...ADOPT, "ordinal.dev/failover-cooldown=0");
    await waitWhole(managed);
    await scene.annotate(
      ...["ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never"],
      ...["ordinal.dev/archive=true", "ordinal.dev/backup-now=logical"],
    );
  });
  afterAll(async () => {
    bucket.store.close();
    await scene.end();
  });

  const ageRecipient = newIdentity(newIdentityText()).recipient;
  async function putStore(fields: Bucket["fields"]): Promise<void> {
    const apply = ["--namespace", scene.ref.namespace, "apply", "--filename=-"];
    await scene.cluster.kubectl(apply, storeSecret("backups", { ...fields, ageRecipient }));
  }

  const begin = () => scene.host({ jobImage: image ?? "", lookEveryMs: 2_000 });

  async function archive() {
    const read = await readArchive(bucket.store, bucket.place, gtidSets);
    if (!read.ok) throw new Unmet(read.failure.message);
    return read.value;
  }

  const executed = async (): Promise<string> => {
    const { name } = await primaryPod(managed);
    return (await scene.ask(ordinalOf(name), "SELECT @@GLOBAL.gtid_executed"))[0] ?? "";
  };

  async function writer(): Promise<Workload> {
    const host = (await primaryPod(managed)).ip ?? "";
    await withServer({ ...managed.login, host }, (_server, connection) => prepareTable(connection));
    const locate = async () => (await primaryPod(managed)).ip;
    const rate = { writers: 4, perSecond: 100, secondsMax: 600, timeoutMs: 2_000 };
    return startWorkload({ ...managed.login, locate, ...rate });
  }

  const progressed = (workload: Workload, more: number) => {
    const from = workload.progress().acked;
    return waitFor("writes to go on", { timeoutMs: 120_000, everyMs: 100 }, async () => {
      const { acked, failed } = workload.progress();
      return acked >= from + more
        ? { ok: true, value: null }
        : { ok: false, saw: `${acked - from} more, ${failed} failed` };
    });
  };

  /** All that the primary has now is held, by the backup and by logs. */
  async function expectAllHeld(): Promise<void> {
    const wanted = await executed();
    await scene.until("all of it to be archived", async () => {
      const { starts, segments } = await archive();
      const held = gtidSets.union(starts[0]?.position ?? "", archivedBy(segments, gtidSets));
      return gtidSets.contains(held, wanted);
    });
  }

  /** One stretch without a gap, from the backup until just now. */
  async function expectWindow(sinceMs: number): Promise<void> {
    await scene.until("one stretch that reaches the present", async () => {
      const { ranges } = (await archive()).window;
      // A look from before the first commit of all stands alone, until the next look.
      return ranges.length === 1 && (ranges[0]?.toUs ?? 0) / 1_000 > Date.now() - 15_000;
    });
    const { window, damage } = await archive();
    expect(damage).toEqual([]);
    expect((window.ranges[0]?.fromUs ?? Number.POSITIVE_INFINITY) / 1_000).toBeLessThan(sinceMs);
  }

  const archiveProblems = async () =>
    conditionsOf(await scene.world()).filter(({ type }) => type.startsWith("Archive"));

  test("with the first backup it begins, and holds what is written from then on", async () => {
    await scene.until("a backup", ({ annotations }) => annotations["ordinal.dev/last-backup"] !== undefined);
    const workload = await writer();
    await progressed(workload, 200);
    await workload.stop();
    await expectAllHeld();
    await expectWindow(Date.now());
    await scene.until("nothing to be told of it", async () => (await archiveProblems()).length === 0);
  });

  test("a primary that is killed leaves no gap, and what the next one has is held", async () => {
    const beganMs = Date.now();
    const workload = await writer();
    await progressed(workload, 100);
    const before = await primaryPod(managed);
    await inject(scene.cluster, "kill", { ...scene.ref, pod: before.name, uid: before.uid, claim: "" });
    await scene.until("another primary", async () => (await primaryPod(managed)).name !== before.name);
    await progressed(workload, 200);
    await waitWhole(managed);
    await workload.stop();
    await expectAllHeld();
    await expectWindow(beganMs);
  });

  test("while no host runs nothing is archived, and the next one makes up for it", async () => {
    const workload = await writer();
    await progressed(workload, 50);
    await host.stop();
    await progressed(workload, 200);
    const before = archivedBy((await archive()).segments, gtidSets);
    expect(
      gtidSets.subtract(
        gtidSets.subtract(await executed(), (await archive()).starts[0]?.position ?? ""),
        before,
      ),
    ).not.toBe("");
    host = await begin();
    await progressed(workload, 50);
    await workload.stop();
    await expectAllHeld();
    await expectWindow(Date.now() - 1_000);
  });

  /** Of each server, with its logs: whether it deletes them by itself, and its oldest one. */
  const logsOf = async (ordinal: number) => {
    const [deletes] = await scene.ask(ordinal, "SELECT @@GLOBAL.binlog_expire_logs_auto_purge");
    const [oldest] = await scene.ask(ordinal, "SHOW BINARY LOGS");
    return { deletes, oldest: oldest?.split("\t")[0] };
  };
  const onEach = (sql: string) => Promise.all([0, 1, 2].map((ordinal) => scene.ask(ordinal, sql)));
  const everyServer = async (deletes: "0" | "1") =>
    (await Promise.all([0, 1, 2].map(logsOf))).every((one) => one.deletes === deletes);

  test("while the store is away servers delete none of their logs, and all is held once it is back", async () => {
    const keptSeconds = 15;
    const beganMs = Date.now();
    await onEach(`SET PERSIST binlog_expire_logs_seconds = ${keptSeconds}`);
    await host.stop();
    // As if nothing had been archived for ten minutes.
    const { annotations } = await scene.world();
    const noted = JSON.parse(annotations["ordinal.dev/backups"] ?? "{}") as { archive: object };
    const heldTo = new Date(Date.now() - 600_000).toISOString();
    const older = { ...noted, archive: { ...noted.archive, heldTo } };
    await scene.annotate(`ordinal.dev/backups=${JSON.stringify(older)}`);
    await putStore({ ...bucket.fields, secretAccessKey: "wrong" });
    host = await begin();
    await scene.until("logs to be kept", () => everyServer("0"));
    const before = await Promise.all([0, 1, 2].map(logsOf));
    const workload = await writer();
    await progressed(workload, 100);
    await workload.stop();
    await onEach("FLUSH BINARY LOGS");
    await delay((keptSeconds + 2) * 1_000);
    await onEach("FLUSH BINARY LOGS");
    expect(await Promise.all([0, 1, 2].map(logsOf))).toEqual(before);

    await putStore(bucket.fields);
    await scene.until("logs to be deleted as before", () => everyServer("1"));
    await expectAllHeld();
    await expectWindow(beganMs);
    await onEach("FLUSH BINARY LOGS");
    const after = await Promise.all([0, 1, 2].map(logsOf));
    expect(after.filter(({ oldest }, ordinal) => oldest === before[ordinal]?.oldest)).toEqual([]);
    await onEach("SET PERSIST binlog_expire_logs_seconds = 2592000");
  });

  test("the plugin says the same", async () => {
    const said = await runPlugin(access?.kubeconfig ?? "", [
      ...["window", "mysql", "--output=json", "--namespace", scene.ref.namespace],
    ]);
    expect(said.code, said.stderr).toBe(0);
    const [item] = recoveryWindowsSchema.parse(JSON.parse(said.stdout)).items;
    expect([item?.gaps, item?.damage, item?.backups]).toEqual([[], [], 1]);
    expect(Date.now() - Date.parse(item?.to ?? "")).toBeLessThan(20_000);
  });
});
