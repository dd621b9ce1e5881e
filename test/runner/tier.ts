// Runs one tier with vitest, showing its progress, and counts what its report says.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesOf, root } from "../../infra/dev/tool.ts";
import { type Counts, countsOf, nothing, type Report } from "./counts.ts";
import { reportVariable, type Tier, whyNoServers } from "./tiers.ts";

/** A terminated `npm test` must not leave a test runner behind that holds on to real servers. */
function vitest(args: readonly string[], reportPath: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(join(root, "node_modules/.bin/vitest"), args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, [reportVariable]: reportPath },
  });
  const stop = (): void => {
    child.once("exit", () => process.exit(143));
    child.kill("SIGTERM");
  };
  process.once("SIGTERM", stop);
  child.on("error", reject);
  child.on("close", (code) => {
    process.off("SIGTERM", stop);
    resolve(code ?? 1);
  });
  return promise;
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report;
  } catch {
    return undefined;
  }
}

export async function runTier({ name, needsServers }: Tier): Promise<Counts> {
  const files = filesOf(`test/${name}/**/*.test.ts`).length;
  if (files === 0) return nothing;
  const reason = needsServers ? whyNoServers() : undefined;
  if (reason !== undefined) {
    return { ...nothing, skipped: files, notes: [`${files} files not run: ${reason}`] };
  }
  const reportPath = join(root, `.reports/${name}.json`);
  mkdirSync(dirname(reportPath), { recursive: true });
  rmSync(reportPath, { force: true });
  const exitCode = await vitest(["run", "--project", name], reportPath);
  return countsOf(readReport(reportPath), exitCode, files);
}
