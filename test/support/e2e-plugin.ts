/** `kubectl ordinal` as a user runs it: built, found by kubectl on the PATH, with the rights of a kubeconfig. */
import { dirname, join } from "node:path";
import { attempt, type RunOutcome, run } from "../../infra/local/process.ts";
import { testCluster } from "./test-cluster.ts";

const ROOT = join(import.meta.dirname, "../..");

export async function buildPlugin(): Promise<void> {
  await run(process.execPath, [join(ROOT, "infra/dev/build.ts")]);
}

export function runPlugin(kubeconfig: string, args: readonly string[]): Promise<RunOutcome> {
  // By its first line the plugin finds the Node that runs this test.
  const path = [join(ROOT, "dist"), dirname(process.execPath), process.env["PATH"]].join(":");
  const env = { PATH: path, KUBECONFIG: kubeconfig };
  return attempt(testCluster()?.kubectl ?? "kubectl", ["ordinal", ...args], { env });
}
