// The real cluster that contract, integration and e2e tests share: brought up once for a whole `npm test`, or
// for a single vitest run, and removed by whoever brought it up. A cluster that somebody else provides in
// ORDINAL_TEST_KUBECONFIG is used as it is and never removed.

import { createHash } from "node:crypto";
import { root } from "../../infra/dev/tool.ts";
import { localName } from "../../infra/images/ordinal/image.ts";
import { down, up } from "../../infra/local/index.ts";
import { ensurePackages } from "../../infra/local/packages.ts";
import { whyNoServers } from "../runner/tiers.ts";

/** Of this checkout: tests of another one on the same machine must not take its cluster away. */
const clusterName = `test-${createHash("sha256").update(root).digest("hex").slice(0, 6)}`;
const variables = {
  kubeconfig: "ORDINAL_TEST_KUBECONFIG",
  /** Program to call; `kubectl` on the PATH when it is not set. */
  kubectl: "ORDINAL_TEST_KUBECTL",
  /** The API server's audit log, for tests that count requests. */
  auditLog: "ORDINAL_TEST_AUDIT_LOG",
} as const;
/** The API server's process, for tests that stop it for a while. */
const apiServerVariable = "ORDINAL_TEST_API_SERVER_PID";

/** Where the S3 server is and how to log in to it, as JSON. */
export const s3Variable = "ORDINAL_TEST_S3";

/** Ordinal's image of this tree, which is on the nodes already. */
const imageVariable = "ORDINAL_TEST_IMAGE";

/** What a person would read a backup with, what makes a certificate, and Prometheus' own tool. */
const programsOfTests = [
  ["age", "age"],
  ["zstd", "zstd"],
  ["openssl", "openssl"],
  ["promtool", "prometheus"],
] as const;

/** Returns what undoes it. Where real servers cannot run nothing is set, and the tests say why they skip. */
export async function openTestCluster(): Promise<() => Promise<void>> {
  if (process.env[variables.kubeconfig] !== undefined || whyNoServers() !== undefined) return async () => {};
  await ensurePackages(programsOfTests);
  const cluster = await up({ name: clusterName });
  for (const [field, variable] of Object.entries(variables)) {
    process.env[variable] = cluster[field as keyof typeof variables];
  }
  process.env[imageVariable] = localName;
  process.env[s3Variable] = JSON.stringify(cluster.s3);
  process.env[apiServerVariable] = String(cluster.components?.["kube-apiserver"] ?? "");
  return async () => {
    delete process.env[imageVariable];
    delete process.env[s3Variable];
    delete process.env[apiServerVariable];
    for (const variable of Object.values(variables)) delete process.env[variable];
    if (process.env["ORDINAL_TEST_KEEP"] === undefined) await down(clusterName);
  };
}

export interface TestCluster {
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly auditLog: string | null;
  /** Process id of the API server where it runs on this machine. */
  readonly apiServer: number | null;
  /** Ordinal's image, null where nobody has brought it there. */
  readonly image: string | null;
}

/** Null when there is no real cluster to test on. */
export function testCluster(): TestCluster | null {
  const kubeconfig = process.env[variables.kubeconfig];
  if (kubeconfig === undefined) return null;
  const kubectl = process.env[variables.kubectl] ?? "kubectl";
  const apiServer = Number(process.env[apiServerVariable] ?? "") || null;
  const image = process.env[imageVariable] ?? null;
  return { kubeconfig, kubectl, auditLog: process.env[variables.auditLog] ?? null, apiServer, image };
}

export const noImageReason = `${imageVariable} names no image of Ordinal on the cluster's nodes`;
export const noClusterReason = `${variables.kubeconfig} names no cluster`;
