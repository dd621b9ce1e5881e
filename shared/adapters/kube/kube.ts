/**
 * The ports `Kube`, `Watches` and `Reviewer` on a real API server: puts the parts of this folder together. It holds one
 * set of connections until `close`, and no memory of objects except what the watches need to compare.
 */
import type { Clock, Ids, Log } from "../../ports/host.ts";
import type { Kube, Watches } from "../../ports/kube.ts";
import type { Reviewer } from "../../ports/reviewer.ts";
import { createCalls } from "./calls.ts";
import { connect, type Way } from "./connection.ts";
import { createLister } from "./lists.ts";
import { createReviewer } from "./reviews.ts";
import { createTransport } from "./transport.ts";
import { createWatches, type WatchLimits } from "./watch.ts";

export interface KubeOptions {
  readonly way: Way;
  /** Names the component to the API server and its audit log, e.g. `ordinal/sweep`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits?: Partial<KubeLimits>;
}

export interface KubeLimits extends WatchLimits {
  /** For a whole answer. */
  readonly requestTimeoutMs: number;
  readonly pageSize: number;
}

/** For who asks and is not told. */
export interface KubeClient {
  readonly kube: Kube;
  readonly reviewer: Reviewer;
  /** Where names without a namespace are. */
  readonly namespace: string;
  /** Ends all watches and connections. */
  close(): void;
}

export interface KubeHandle extends KubeClient {
  readonly watches: Watches;
}

const LIMITS: KubeLimits = {
  requestTimeoutMs: 10_000,
  pageSize: 500,
  relistMs: 600_000,
  watchMs: 290_000,
  silenceMs: 100_000,
  backoffMinMs: 250,
  backoffMaxMs: 30_000,
};

function clientParts(options: KubeOptions) {
  const { way, userAgent, clock } = options;
  const limits = { ...LIMITS, ...options.limits };
  const connection = connect(way, clock);
  const transport = createTransport(connection, { userAgent, timeoutMs: limits.requestTimeoutMs });
  const lister = createLister(transport, limits.pageSize);
  const [kube, reviewer] = [createCalls(transport, lister), createReviewer(transport)];
  const client: KubeClient = { kube, reviewer, namespace: connection.namespace, close: connection.close };
  return { limits, transport, lister, client };
}

export function createKubeClient(options: KubeOptions): KubeClient {
  return clientParts(options).client;
}

export function createKube(options: KubeOptions): KubeHandle {
  const { clock, ids, log } = options;
  const { limits, transport, lister, client } = clientParts(options);
  const closing = new AbortController();
  const watches = createWatches({ transport, lister, clock, ids, log, limits, closing: closing.signal });
  function close(): void {
    closing.abort();
    client.close();
  }
  return { ...client, watches, close };
}
