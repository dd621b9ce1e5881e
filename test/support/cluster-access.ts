/**
 * A Kubernetes cluster as demo, benches and tests look at it: raw reads of our own, so that a check does not
 * believe what the product parsed, and kubectl for everything that a user would do with kubectl.
 *
 * Requests go under a user agent of their own: what Ordinal asks of the API server is counted by its name.
 */
import { attempt, lastLines } from "../../infra/local/process.ts";
import { connect } from "../../shared/adapters/kube/connection.ts";
import { wayOfKubeconfig } from "../../shared/adapters/kube/kubeconfig.ts";
import { createTransport } from "../../shared/adapters/kube/transport.ts";
import { Unmet } from "./wait.ts";

export interface ClusterAccess {
  readonly kubeconfig: string;
  readonly context?: string | undefined;
  readonly kubectl?: string | undefined;
}

export interface Cluster {
  readonly access: ClusterAccess;
  /** What the program printed. Throws `Unmet` with its complaint when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** The object or list at this API path, null when it does not exist. Throws `Unmet` when nobody answers. */
  read(path: string): Promise<unknown>;
  close(): void;
}

const TIMEOUT_MS = 10_000;

export function openCluster(access: ClusterAccess): Cluster {
  const { kubeconfig, context, kubectl = "kubectl" } = access;
  const clock = { now: () => Date.now(), sleep: () => Promise.resolve() };
  const connection = connect(wayOfKubeconfig(kubeconfig, context), clock);
  const transport = createTransport(connection, { userAgent: "ordinal-check", timeoutMs: TIMEOUT_MS });
  const where = ["--kubeconfig", kubeconfig, ...(context === undefined ? [] : ["--context", context])];
  return {
    access,
    async kubectl(args, input) {
      const ended = await attempt(kubectl, [...where, ...args], input === undefined ? {} : { input });
      if (ended.code === 0) return ended.stdout;
      throw new Unmet(`kubectl ${args.slice(0, 6).join(" ")}: ${lastLines(ended.stderr, 2)}`);
    },
    async read(path) {
      const subject = { verb: "read", kind: "Pod" } as const;
      const answer = await transport.send({ subject, method: "GET", path });
      if (answer.ok) return answer.value;
      if (answer.failure.kind === "gone") return null;
      throw new Unmet(`reading ${path}: ${answer.failure.message}`);
    },
    close: () => connection.close(),
  };
}

/** How a person reaches the same cluster. */
export function kubectlCommand({ kubeconfig, context, kubectl }: ClusterAccess): readonly string[] {
  return [
    `export KUBECONFIG=${kubeconfig}`,
    `alias kubectl='${kubectl ?? "kubectl"}${context === undefined ? "" : ` --context ${context}`}'`,
  ];
}
