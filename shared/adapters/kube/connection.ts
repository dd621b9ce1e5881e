/**
 * Where the API server is and who we are to it, from a kubeconfig or from the service account of the pod.
 * KubeConfig reads both, runs credential plugins and knows certificates; the calls are our own, because the
 * package's typed clients lose fields that they do not know. Only its config module is imported: the whole
 * package costs ten times the start-up time. Nothing here may log a token, a key or what a plugin printed.
 */
import { Agent as PlainAgent } from "node:http";
import { Agent, type RequestOptions } from "node:https";
import { urlToHttpOptions } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import type { Clock } from "../../ports/host.ts";

export interface ConnectionOptions {
  /** Path of a kubeconfig file; absent = the service account of the pod we run in. */
  readonly kubeconfig?: string;
  /** Absent = the file's current context. */
  readonly context?: string;
  readonly clock: Clock;
}

export interface Connection {
  /** Path in front of every API path, without a slash at the end; usually empty. */
  readonly prefix: string;
  /** The context's namespace, else `default`. */
  readonly namespace: string;
  /** Options for a request: address, agent, headers. Throws when there are no credentials to be had. */
  access(): Promise<RequestOptions>;
  close(): void;
}

/** Service account tokens rotate; the old one stays valid for minutes. */
const ACCESS_AGE_MAX_MS = 60_000;
/** Watches hold one each, calls share the rest; beyond it calls wait within their own timeout. */
const SOCKETS_MAX = 64;

type Tls = Pick<RequestOptions, "ca" | "cert" | "key" | "rejectUnauthorized" | "servername">;

/** Throws when the kubeconfig cannot be used: that is a mistake of whoever started us, not of the cluster. */
export function connect(options: ConnectionOptions): Connection {
  const config = load(options);
  const cluster = config.getCurrentCluster();
  if (!cluster)
    throw new Error(`the kubeconfig names no cluster for the context ${config.getCurrentContext()}`);
  if (!URL.canParse(cluster.server)) {
    const where = options.kubeconfig ?? "the environment, which is not that of a pod";
    throw new Error(`no address of an API server in ${where}`);
  }
  const server = new URL(cluster.server);
  const { protocol, hostname, port } = urlToHttpOptions(server);
  const address = { protocol, hostname, port };
  const context = config.getContextObject(config.getCurrentContext());

  let held: { readonly access: RequestOptions; readonly tls: Tls; readonly at: number } | null = null;
  let refreshing: Promise<RequestOptions> | null = null;

  async function refresh(): Promise<RequestOptions> {
    const given: RequestOptions = {};
    await config.applyToHTTPSOptions(given).catch((cause: unknown) => {
      throw new Error("no credentials, see what kubectl says with this kubeconfig and context", { cause });
    });
    const { ca, cert, key, rejectUnauthorized, servername } = given;
    const tls: Tls = { ca, cert, key, rejectUnauthorized, servername };
    // An agent owns the open connections, so it is replaced only with the certificates that it was made of.
    const agent = held && isDeepStrictEqual(held.tls, tls) ? held.access.agent : agentFor(given, tls);
    const access = { ...address, agent, auth: given.auth, headers: given.headers };
    held = { access, tls, at: options.clock.now() };
    return access;
  }

  function agentFor(given: RequestOptions, tls: Tls): RequestOptions["agent"] {
    // KubeConfig knows the way through a proxy, and has refused plain HTTP unless the file allows it.
    if (cluster?.proxyUrl) return given.agent;
    const kept = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets: SOCKETS_MAX };
    return protocol === "http:" ? new PlainAgent(kept) : new Agent({ ...tls, ...kept });
  }

  async function access(): Promise<RequestOptions> {
    if (held && options.clock.now() - held.at < ACCESS_AGE_MAX_MS) return held.access;
    refreshing ??= refresh().finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  function close(): void {
    if (typeof held?.access.agent === "object") held.access.agent.destroy();
  }

  return {
    prefix: server.pathname.replace(/\/$/, ""),
    namespace: context?.namespace ?? "default",
    access,
    close,
  };
}

function load(options: ConnectionOptions): KubeConfig {
  const config = new KubeConfig();
  if (options.kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(options.kubeconfig);
  if (options.context !== undefined) config.setCurrentContext(options.context);
  return config;
}
