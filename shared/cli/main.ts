/** `kubectl ordinal`: the process around the program. kubectl runs any `kubectl-ordinal` on the PATH. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { createKube } from "../adapters/kube/kube.ts";
import { wayOfKubeconfig } from "../adapters/kube/kubeconfig.ts";
import { wayOfPod } from "../adapters/kube/token-way.ts";
import { createS3Store } from "../adapters/s3/store.ts";
import { createLog, systemClock, systemIds } from "../hosts/local/platform.ts";
import { PROGRAM_VERSION } from "../model/program-version.ts";
import type { Terminal } from "./command-line.ts";
import { argumentsOf, forwardedServers } from "./forward.ts";
import { followLogs, lastProgress, showLog } from "./job-log.ts";
import { run } from "./program.ts";

const { env, stdin, stdout, stderr } = process;

/**
 * As kubectl searches, but a list in KUBECONFIG is not merged: its first file that exists is taken. In a pod
 * there is none, and its service account is used.
 */
function kubeconfig(): string | undefined {
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  const found = [...listed, join(homedir(), ".kube", "config")].find((path) => existsSync(path));
  if (found === undefined && env["KUBERNETES_SERVICE_HOST"] === undefined) {
    throw new Error("none was found, set KUBECONFIG or pass --kubeconfig PATH");
  }
  return found;
}

/** The end of the input, or Ctrl-C, is a no. */
async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: stdin, output: stderr });
  const ended = once(lines, "close").then(() => "");
  const answer = await Promise.race([lines.question(`${question} [y/N] `), ended]);
  lines.close();
  return /^y(?:es)?$/i.test(answer.trim());
}

const terminal: Terminal = {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  colour: stdout.isTTY && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
  version: PROGRAM_VERSION,
  clock: systemClock,
  // Back to the beginning of the line, and away with what stood there.
  ...(stderr.isTTY && { overwrite: (text: string) => void stderr.write(`\r\u001B[K${text}`) }),
  ...(stdin.isTTY && stderr.isTTY && { confirm }),
  async connect({ kubeconfig: given, context }) {
    const path = given ?? kubeconfig();
    const way = {
      ...(path !== undefined && { kubeconfig: path }),
      ...(context !== undefined && { context }),
    };
    const [clock, ids, log] = [systemClock, systemIds, createLog("text")];
    const found = path === undefined ? await wayOfPod(env) : wayOfKubeconfig(path, context);
    const handle = createKube({ way: found, userAgent: "ordinal/cli", clock, ids, log });
    const { kube, examiner, namespace, close } = handle;
    const servers = forwardedServers(way);
    const logs = followLogs(argumentsOf(way), () => clock.now());
    return {
      ...{ kube, examiner, namespace, servers },
      openStore: (store) => createS3Store(store),
      progressOf: (job) => logs.progressOf(job),
      lastProgress: (job) => lastProgress(argumentsOf(way), job),
      showLog: (job, follow) => showLog(argumentsOf(way), job, follow),
      close() {
        logs.close();
        servers.close();
        close();
      },
    };
  },
};

// A reader that has seen enough, such as `head`, is no failure.
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await run(process.argv.slice(2), terminal);
