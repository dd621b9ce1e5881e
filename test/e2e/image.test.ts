/**
 * Ordinal's image on a real node, under the strictest rules that a namespace can have: the resident host serves from it,
 * and what an init container copies out of it runs in MySQL's own image.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { nodeIn, userId } from "../../infra/images/ordinal/runtime.ts";
import { loadFunctions, SOURCE_FOLDER } from "../../shared/hosts/local/function-folder.ts";
import { makeServerCertificate } from "../support/certificates.ts";
import { type Cluster, openCluster } from "../support/cluster-access.ts";
import { noClusterReason, noImageReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";

const access = testCluster();
const image = access?.image ?? null;
const reason = access === null ? noClusterReason : image === null ? noImageReason : null;
const NAMESPACE = "e2e-image";
const ROLE = join(import.meta.dirname, "../../infra/kustomize/role.yaml");
const PORT = 8443;

/** MySQL's own, as the official image has it. */
const MYSQL_ID = 999;

const podSchema = z.looseObject({
  status: z.looseObject({
    phase: z.string().default("Pending"),
    containerStatuses: z.array(z.looseObject({ ready: z.boolean() })).default([]),
  }),
});
type Pod = z.infer<typeof podSchema>;

const locked = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
} as const;

const asUser = (id: number) => ({
  runAsNonRoot: true,
  runAsUser: id,
  runAsGroup: id,
  seccompProfile: { type: "RuntimeDefault" },
});

describe.skipIf(reason !== null)(`Ordinal's image${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-image-"));
  let cluster: Cluster;

  const kubectl = (args: readonly string[], object?: object) =>
    cluster.kubectl(["--namespace", NAMESPACE, ...args], object && JSON.stringify(object));

  beforeAll(async () => {
    if (access === null) return;
    cluster = openCluster(access);
    await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s"]);
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } };
    await cluster.kubectl(["create", "--filename=-"], JSON.stringify(namespace));
    await kubectl(["apply", `--filename=${ROLE}`]);
  });
  afterAll(async () => {
    await cluster.kubectl(["delete", "namespace", NAMESPACE, "--wait=false"]);
    cluster.close();
    rmSync(folder, { recursive: true });
  });

  async function start(name: string, spec: object): Promise<void> {
    await kubectl(["create", "--filename=-"], { apiVersion: "v1", kind: "Pod", metadata: { name }, spec });
  }

  function until(name: string, what: string, holds: (pod: Pod) => boolean): Promise<Pod> {
    return waitFor(`${name} to be ${what}`, { timeoutMs: 90_000 }, async () => {
      const pod = podSchema.parse(await cluster.read(`/api/v1/namespaces/${NAMESPACE}/pods/${name}`));
      return holds(pod) ? { ok: true, value: pod } : { ok: false, saw: JSON.stringify(pod.status) };
    });
  }

  test("the host serves from it as nobody, with a root that it cannot write to, and stops when asked", async () => {
    const { certFile, keyFile } = await makeServerCertificate(folder);
    const stringData = {
      "tls.crt": readFileSync(certFile, "utf8"),
      "tls.key": readFileSync(keyFile, "utf8"),
    };
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "tls" }, stringData };
    await kubectl(["create", "--filename=-"], secret);
    const probe = { httpGet: { path: "/healthz", port: PORT, scheme: "HTTPS" }, periodSeconds: 1 };
    const serving = ["--http-port", `${PORT}`, "--http-address", "0.0.0.0"];
    const certificate = ["--tls-cert", "/tls/tls.crt", "--tls-key", "/tls/tls.key"];
    await start("host", {
      serviceAccountName: "ordinal",
      securityContext: { ...asUser(userId), fsGroup: userId },
      volumes: [{ name: "tls", secret: { secretName: "tls", defaultMode: 0o440 } }],
      containers: [
        {
          name: "host",
          image,
          args: ["--namespace", NAMESPACE, ...serving, ...certificate],
          securityContext: locked,
          readinessProbe: probe,
          volumeMounts: [{ name: "tls", mountPath: "/tls", readOnly: true }],
        },
      ],
    });
    await until("host", "Ready", ({ status }) => status.containerStatuses.some(({ ready }) => ready));
    const { events, requests } = await loadFunctions(SOURCE_FOLDER);
    const log = await kubectl(["logs", "host"]);
    expect(log).toContain(
      `serving functions="${[...events, ...requests].map(({ name }) => name).join(" ")}"`,
    );
    expect(log).not.toContain(" WARN ");
    const stoppedAt = performance.now();
    await kubectl(["delete", "pod", "host", "--wait=true"]);
    // Not the kubelet's patience of 30 s: it has ended by itself.
    expect(performance.now() - stoppedAt).toBeLessThan(15_000);
  });

  test("what an init container copies runs in MySQL's image: it knows DNS, starts MySQL's programs, writes to a volume", async () => {
    const mounts = [{ name: "tools", mountPath: "/tools" }];
    const script = `
      const { address } = await require("node:dns/promises").lookup("kubernetes.default.svc.cluster.local");
      const mysqld = require("node:child_process").execFileSync("mysqld", ["--version"], { encoding: "utf8" });
      require("node:fs").writeFileSync("/volume/file", "written");
      console.log(JSON.stringify({ node: process.versions.node, uid: process.getuid(), address, mysqld }));`;
    const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "16Mi" } } };
    await start("mysql", {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { ...asUser(MYSQL_ID), fsGroup: MYSQL_ID },
      volumes: [
        { name: "tools", emptyDir: { sizeLimit: "200Mi" } },
        { name: "volume", ephemeral: { volumeClaimTemplate: { spec: claim } } },
      ],
      initContainers: [
        {
          name: "tools",
          image,
          command: [...nodeIn("/ordinal"), "/ordinal/copy.mjs", "/tools"],
          securityContext: { ...locked, runAsUser: userId },
          volumeMounts: mounts,
        },
      ],
      containers: [
        {
          name: "mysql",
          image: "mysql:9.7",
          command: [...nodeIn("/tools"), "--eval", `(async () => {${script}})()`],
          securityContext: locked,
          volumeMounts: [
            { ...mounts[0], readOnly: true },
            { name: "volume", mountPath: "/volume" },
          ],
        },
      ],
    });
    const { status } = await until("mysql", "at its end", (pod) =>
      ["Succeeded", "Failed"].includes(pod.status.phase),
    );
    const log = await kubectl(["logs", "mysql"]);
    expect(status.phase, log).toBe("Succeeded");
    expect(JSON.parse(log)).toEqual({
      node: expect.stringMatching(/^24\./),
      uid: MYSQL_ID,
      address: expect.stringMatching(/^10\./),
      mysqld: expect.stringContaining("Ver 9.7"),
    });
  });
});
