// The real cluster that contract, integration and e2e tests share: brought up once for a whole `npm test`, or
// for a single vitest run, and removed by whoever brought it up. A cluster that somebody else provides in
// ORDINAL_TEST_KUBECONFIG is used as it is and never removed.

import { down, status, up } from "../../infra/local/index.ts";
import { whyNoServers } from "../runner/tiers.ts";

export const kubeconfigVariable = "ORDINAL_TEST_KUBECONFIG";
const clusterName = "test";

/** Returns what undoes it. Where real servers cannot run nothing is set, and the tests say why they skip. */
export async function openTestCluster(): Promise<() => Promise<void>> {
  if (process.env[kubeconfigVariable] !== undefined || whyNoServers() !== undefined) return async () => {};
  const cluster = await up({ name: clusterName });
  process.env[kubeconfigVariable] = cluster.kubeconfig;
  return async () => {
    delete process.env[kubeconfigVariable];
    if (process.env["ORDINAL_TEST_KEEP"] === undefined) await down(clusterName);
  };
}

/** What the tests' own cluster offers beyond a kubeconfig (audit log, S3, kubectl); null for a provided one. */
export async function testClusterFacts(): Promise<Awaited<ReturnType<typeof status>> | null> {
  const facts = await status(clusterName);
  return facts.running && facts.kubeconfig === process.env[kubeconfigVariable] ? facts : null;
}
