/**
 * Database servers as somebody reaches them who has a kubeconfig and no way into the pod network: by `kubectl
 * port-forward`, which whoever runs a plugin of kubectl has. The host of a connection is the name of a pod, and its
 * namespace is that of the cluster in the connection's attributes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServers } from "../adapters/mysql/servers.ts";
import { oneLine } from "../annotations/text.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { Servers } from "../ports/server.ts";

const LOCALHOST = "127.0.0.1";
const OPEN_MS = 10_000;
/** Through two machines more than a pass has to go. */
const LIMITS = { connectTimeoutMs: 5_000, queryTimeoutMs: 10_000 } as const;

interface Way {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** The same cluster for kubectl. */
export function argumentsOf({ kubeconfig, context }: Way): readonly string[] {
  return [
    ...(kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig]),
    ...(context === undefined ? [] : ["--context", context]),
  ];
}

/** Resolves with the local port, which leads to the pod's for as long as the process lives. */
function open(process: ChildProcess): Promise<Outcome<number>> {
  const { promise, resolve } = Promise.withResolvers<Outcome<number>>();
  let [said, complained] = ["", ""];
  const timer = setTimeout(() => {
    resolve(fail("transient", `kubectl port-forward is not ready within ${OPEN_MS} ms`));
  }, OPEN_MS);
  process.stdout?.on("data", (bytes: Buffer) => {
    said += bytes.toString("utf8");
    const [, port] = /127\.0\.0\.1:(\d+) -> /.exec(said) ?? [];
    if (port !== undefined) resolve(succeed(Number(port)));
  });
  process.stderr?.on("data", (bytes: Buffer) => {
    complained += bytes.toString("utf8");
  });
  process.on("error", ({ message }) => resolve(fail("transient", `kubectl cannot be run: ${message}`)));
  // Its streams have come to their end by then, and whatever it complained of is here.
  process.on("close", () => {
    resolve(fail("transient", `kubectl port-forward: ${oneLine(complained.trim(), 200)}`));
  });
  return promise.finally(() => clearTimeout(timer));
}

export function forwardedServers(way: Way): Servers & { close(): void } {
  const servers = createServers({ pool: false });
  const ways = new Map<string, { readonly process: ChildProcess; readonly port: Promise<Outcome<number>> }>();

  function wayTo(namespace: string, pod: string, port: number): Promise<Outcome<number>> {
    const key = `${namespace}/${pod}`;
    const known = ways.get(key);
    if (known !== undefined) return known.port;
    const what = ["port-forward", `pod/${pod}`, `:${port}`, "--namespace", namespace, "--address", LOCALHOST];
    const process = spawn("kubectl", [...what, ...argumentsOf(way)], { stdio: ["ignore", "pipe", "pipe"] });
    const opened = open(process);
    ways.set(key, { process, port: opened });
    return opened;
  }

  return {
    async connect(options) {
      const [namespace = ""] = (options.attributes["cluster"] ?? "").split("/");
      const port = await wayTo(namespace, options.host, options.port);
      if (!port.ok) return port;
      return servers.connect({ ...options, ...LIMITS, host: LOCALHOST, port: port.value });
    },
    close() {
      for (const { process } of ways.values()) process.kill();
      servers.close();
    },
  };
}
