/**
 * Kept connections to the API server, over whichever way leads to it: a kubeconfig (kubeconfig.ts), or an address with
 * tokens (token-way.ts). The calls are our own, because the typed clients of Kubernetes' package lose fields that they
 * do not know. Nothing here may log a token, a key or what a credential plugin printed.
 */
import { Agent as PlainAgent } from "node:http";
import { Agent, type RequestOptions } from "node:https";
import { urlToHttpOptions } from "node:url";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../ports/host.ts";

/** Where the API server is and who we are to it. */
export interface Way {
  readonly server: URL;
  /** Where names without a namespace are; usually `default`. */
  readonly namespace: string;
  /** True = only the agent among the credentials knows how to get there. */
  readonly proxied: boolean;
  /** Certificates and headers, asked for anew once a minute. Throws when there are none to be had. */
  credentials(): Promise<RequestOptions>;
}

export interface Connection {
  /** Path in front of every API path, without a slash at the end; usually empty. */
  readonly prefix: string;
  readonly namespace: string;
  /** Options for a request: address, agent, headers. Throws when there are no credentials to be had. */
  access(): Promise<RequestOptions>;
  close(): void;
}

/** Tokens rotate; the old one stays valid for minutes. */
const ACCESS_AGE_MAX_MS = 60_000;
/** Watches hold one each, calls share the rest; beyond it calls wait within their own timeout. */
const SOCKETS_MAX = 64;

type Tls = Pick<RequestOptions, "ca" | "cert" | "key" | "rejectUnauthorized" | "servername">;

export function connect(way: Way, clock: Clock): Connection {
  const { protocol, hostname, port } = urlToHttpOptions(way.server);
  const address = { protocol, hostname, port };

  let held: { readonly access: RequestOptions; readonly tls: Tls; readonly at: number } | null = null;
  let refreshing: Promise<RequestOptions> | null = null;

  async function refresh(): Promise<RequestOptions> {
    const given = await way.credentials();
    const { ca, cert, key, rejectUnauthorized, servername } = given;
    const tls: Tls = { ca, cert, key, rejectUnauthorized, servername };
    // An agent owns the open connections, so it is replaced only with the certificates that it was made of.
    const agent = held && isDeepStrictEqual(held.tls, tls) ? held.access.agent : agentFor(given, tls);
    const access = { ...address, agent, auth: given.auth, headers: given.headers };
    held = { access, tls, at: clock.now() };
    return access;
  }

  function agentFor(given: RequestOptions, tls: Tls): RequestOptions["agent"] {
    if (way.proxied) return given.agent;
    const kept = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets: SOCKETS_MAX };
    return protocol === "http:" ? new PlainAgent(kept) : new Agent({ ...tls, ...kept });
  }

  async function access(): Promise<RequestOptions> {
    if (held && clock.now() - held.at < ACCESS_AGE_MAX_MS) return held.access;
    refreshing ??= refresh().finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  function close(): void {
    if (typeof held?.access.agent === "object") held.access.agent.destroy();
  }

  return { prefix: way.server.pathname.replace(/\/$/, ""), namespace: way.namespace, access, close };
}
