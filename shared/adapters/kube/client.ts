/**
 * The ports `Kube` and `Reviewer` on a real API server: puts the parts of this folder together, but for the watches, which a
 * function does without (kube.ts). It holds one set of connections until `close`, and no memory of objects.
 */
import type { Clock, Ids, Log } from "../../ports/host.ts";
import type { Kube } from "../../ports/kube.ts";
import type { Reviewer } from "../../ports/reviewer.ts";
import { createCalls } from "./calls.ts";
import { connect, type Way } from "./connection.ts";
import { createLister, type Lister } from "./lists.ts";
import { createReviewer } from "./reviews.ts";
import { createTransport, type Transport } from "./transport.ts";
import type { WatchLimits } from "./watch.ts";

export interface KubeOptions {
  readonly way: Way;
  /** Names the component to the API server and its audit log, e.g. `ordinal/sweep`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits?: Partial<KubeLimits>;
  /** Called whenever a request has gone out, over a connection that stands. */
  readonly onSent?: () => void;
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

/** What watches are made of as well. */
export interface ClientParts {
  readonly limits: KubeLimits;
  readonly transport: Transport;
  readonly lister: Lister;
  readonly client: KubeClient;
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

export function clientParts(options: KubeOptions): ClientParts {
  const { way, userAgent, clock, onSent } = options;
  const limits = { ...LIMITS, ...options.limits };
  const connection = connect(way, clock);
  const transport = createTransport(connection, {
    ...{ userAgent, timeoutMs: limits.requestTimeoutMs },
    ...(onSent !== undefined && { onSent }),
  });
  const lister = createLister(transport, limits.pageSize);
  const [kube, reviewer] = [createCalls(transport, lister), createReviewer(transport)];
  const client: KubeClient = { kube, reviewer, namespace: connection.namespace, close: connection.close };
  return { limits, transport, lister, client };
}

export function createKubeClient(options: KubeOptions): KubeClient {
  return clientParts(options).client;
}
