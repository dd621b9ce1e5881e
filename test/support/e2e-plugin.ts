/** `kubectl ordinal` as a user runs it: built, found by kubectl on the PATH, with the rights of a kubeconfig. */
import { dirname, join } from "node:path";
import { attempt, type RunOutcome, run } from "../../infra/local/process.ts";
import { testCluster } from "./test-cluster.ts";

const ROOT = join(import.meta.dirname, "../..");

export async function buildPlugin(): Promise<void> {
  await run(process.execPath, [join(ROOT, "infra/dev/build.ts")]);
}

export function runPlugin(kubeconfig: string, args: readonly string[]): Promise<RunOutcome> {
  const kubectl = testCluster()?.kubectl ?? "kubectl";
  // By its first line the plugin finds the Node that runs this test, and itself finds kubectl, to reach servers by it.
  const path = [join(ROOT, "dist"), dirname(process.execPath), dirname(kubectl), process.env["PATH"]].join(
    ":",
  );
  return attempt(kubectl, ["ordinal", ...args], { env: { PATH: path, KUBECONFIG: kubeconfig } });
}
