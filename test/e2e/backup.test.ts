/**
 * Backups on a real cluster: by both methods from a replica into a real bucket, proven by restoring them, with Jobs that the
 * strictest Pod Security takes, and with the rights that are shipped.
 */
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { readCatalogue } from "../../shared/backup/holdings.ts";
import { parseStore } from "../../shared/backup/store.ts";
import { ADOPT, allReady, openScene, type Scene } from "../support/e2e.ts";
import { rightsSeen } from "../support/e2e-rights.ts";
import { noClusterReason, noImageReason, s3Variable, testCluster } from "../support/test-cluster.ts";

const access = testCluster();
const image = access?.image ?? null;
const s3 = process.env[s3Variable];
const reason =
  access === null
    ? noClusterReason
    : image === null
      ? noImageReason
      : s3 === undefined
        ? `${s3Variable} is not set`
        : null;
const JOBS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");

const accessSchema = z.looseObject({
  endpoint: z.string(),
  region: z.string(),
  bucket: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
});

const jobListSchema = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.object({ name: z.string() }),
      spec: z.looseObject({ template: z.looseObject({ spec: z.unknown() }) }),
      status: z.looseObject({ succeeded: z.number().default(0) }),
    }),
  ),
});

/**
 * The provisioner of the local cluster makes folders that only root may enter, and there is no driver that would give them
 * to a pod's group, as every real one does.
 */
function openVolumes(apiServer: number | null): () => void {
  const folder = `/proc/${apiServer}/root/tmp/hostpath_pv`;
  const timer = setInterval(() => {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) chmodSync(join(folder, name), 0o777);
  }, 100);
  return () => clearInterval(timer);
}

describe.skipIf(reason !== null)(`backups${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let scene: Scene;
  const values = {
    ...accessSchema.parse(
      JSON.parse(s3 ?? '{"endpoint":"","region":"","bucket":"","accessKeyId":"","secretAccessKey":""}'),
    ),
    ...{ prefix: "e2e", allowInternal: "true" },
  };
  const closing = openVolumes(access?.apiServer ?? null);

  beforeAll(async () => {
    scene = await openScene("e2e-backup");
    await scene.kubectl("apply", `--filename=${JOBS}`);
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "backups" }, stringData: values };
    const create = ["--namespace", scene.ref.namespace, "create", "--filename=-"];
    await scene.cluster.kubectl(create, JSON.stringify(secret));
    await scene.until("three plain servers", allReady);
    await scene.host({ jobImage: image ?? "", lookEveryMs: 2_000 });
    await scene.annotate(...ADOPT);
    await scene.until("Healthy", (world) => world.phase === "Healthy");
    await scene.ask(0, "CREATE DATABASE shop");
    await scene.ask(0, "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note TEXT)");
    await scene.ask(0, "INSERT INTO shop.orders (note) VALUES ('one'), ('two'), ('three')");
  });
  afterAll(async () => {
    closing();
    await scene.end();
  });

  async function catalogue() {
    const settings = parseStore("backups", values);
    if (!settings.ok) throw new Error(settings.failure.message);
    const store = createS3Store(settings.value);
    const uid = await scene.kubectl("get", "statefulset", "mysql", "--output=jsonpath={.metadata.uid}");
    const read = await readCatalogue(store, { prefix: settings.value.prefix, clusterUid: uid });
    store.close();
    return read;
  }

  test.each(["physical", "logical"])(
    "a %s one is made on demand, from a replica, and proven",
    async (method) => {
      const before = (await scene.world()).annotations["ordinal.dev/last-backup"];
      await scene.annotate(
        "ordinal.dev/backup-store=backups",
        "ordinal.dev/backup-proof=each",
        `ordinal.dev/backup-now=${method}`,
      );
      const made = await scene.until(`a ${method} backup`, ({ annotations }) => {
        const last = annotations["ordinal.dev/last-backup"];
        return last !== undefined && last !== before && annotations["ordinal.dev/last-proven"] === last;
      });
      const slotMs = Date.parse(made.annotations["ordinal.dev/last-backup"] ?? "");
      const { backups, gap } = await catalogue();
      const backup = backups.find((one) => one.slotMs === slotMs);
      expect([gap, backup?.soundness, backup?.manifest?.method]).toEqual([
        null,
        { kind: "complete" },
        method,
      ]);
      expect(backup?.proof?.fault).toBeNull();
      const [primary] = await scene.ask(0, "SELECT @@GLOBAL.server_uuid");
      expect(backup?.manifest?.serverUuid).not.toBe(primary);
    },
  );

  test("its Jobs are taken where Pod Security is at its strictest", async () => {
    const { items } = jobListSchema.parse(JSON.parse(await scene.kubectl("get", "jobs", "--output=json")));
    expect(items.map(({ status }) => status.succeeded)).toEqual([1, 1, 1, 1]);
    const label = "pod-security.kubernetes.io/enforce=restricted";
    await scene.cluster.kubectl(["label", "namespace", scene.ref.namespace, "--overwrite", label]);
    for (const { metadata, spec } of items) {
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `${metadata.name}-dry` },
        spec: spec.template.spec,
      };
      const args = ["--namespace", scene.ref.namespace, "create", "--dry-run=server", "--filename=-"];
      expect(await scene.cluster.kubectl(args, JSON.stringify(pod))).toContain("created (server dry run)");
    }
    await scene.cluster.kubectl([
      "label",
      "namespace",
      scene.ref.namespace,
      "pod-security.kubernetes.io/enforce-",
    ]);
  });

  test("a store that does not know its key is told of in its own words", async () => {
    const patch = JSON.stringify({ stringData: { accessKeyId: "nobody" } });
    await scene.kubectl("patch", "secret", "backups", `--patch=${patch}`);
    await scene.annotate("ordinal.dev/backup-now=physical");
    await scene.until("the attempt to fail", async () =>
      (await scene.kubectl("get", "events", "--output=json")).includes("it does not know this access key"),
    );
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
