/**
 * Eight clients of a managed cluster: four go straight to whichever Pod bears the primary's label, four to the
 * address of the Service, through the node's own rules. With each acknowledgement it is known who gave it.
 */
import * as z from "zod";
import { createKube } from "../../shared/adapters/kube/kube.ts";
import { wayOfKubeconfig } from "../../shared/adapters/kube/kubeconfig.ts";
import { systemClock, systemIds } from "../../shared/hosts/local/platform.ts";
import type { Pod } from "../../shared/model/kube.ts";
import type { Log } from "../../shared/ports/host.ts";
import type { Cluster } from "./cluster-access.ts";
import { judge, type Verdict } from "./ledger.ts";
import { type Address, withServer } from "./servers.ts";
import { Unmet, waitFor } from "./wait.ts";
import { type Ack, type Ledger, startWorkload, type Workload, writtenIds } from "./workload.ts";
import type { Login, PodSeen, SetRef } from "./world.ts";

export type Path = "direct" | "service";

const WRITERS = 4;
/** Of each path: a pause is seen to within 20 ms, and a replica that comes back can catch up beside it. */
const PER_SECOND = 50;
/** Of a connection and of a statement: whoever hears nothing for this long tries elsewhere. */
const TIMEOUT_MS = 1_000;
const SECONDS_MAX = 1_800;
const FIRST_SERVICE_ID = 1_000_000_000;

export interface Books {
  readonly direct: Ledger;
  readonly service: Ledger;
}

export interface Traffic {
  /** In the order of their arrival. */
  readonly acks: Readonly<Record<Path, readonly Ack[]>>;
  /** Until each path has had `count` acknowledgements after `sinceMs` from whom `accept` accepts. */
  waitAcks(wish: AckWish): Promise<void>;
  /** What was not acknowledged and what was not connected so far, by its code. */
  failures(): Readonly<Record<string, number>>;
  /** Closes the books; again gives the same. */
  stop(): Promise<Books>;
}

export interface AckWish {
  readonly sinceMs: number;
  readonly count: number;
  readonly timeoutMs: number;
}

/** The Pod that is labelled as the primary; of two, the one of the later epoch. */
export function labelledPrimary<P extends Pick<PodSeen, "labels">>(pods: readonly P[]): P | null {
  const epoch = ({ labels }: P) => Number(labels["ordinal.dev/epoch"] ?? 0);
  const primaries = pods.filter(({ labels }) => labels["ordinal.dev/role"] === "primary");
  return primaries.toSorted((a, b) => epoch(b) - epoch(a))[0] ?? null;
}

/** Sums, by key. */
export function added(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of all)
    for (const [kind, count] of Object.entries(one)) sum[kind] = (sum[kind] ?? 0) + count;
  return sum;
}

const SILENT: Log = { info() {}, warn() {} };

/** Told of changes by a watch: clients that ask again and again would be a load test of the API server. */
function watchPrimary({ access }: Cluster, { namespace }: SetRef) {
  const handle = createKube({
    way: wayOfKubeconfig(access.kubeconfig, access.context),
    ...{ userAgent: "ordinal-check", clock: systemClock, ids: systemIds, log: SILENT },
  });
  const pods = new Map<string, Pod>();
  const labels = { "ordinal.dev/managed": "true" };
  const { synced } = handle.watches.watch("Pod", { namespace, labels }, (type, pod) => {
    if (type === "delete") pods.delete(pod.name);
    else pods.set(pod.name, pod);
  });
  return { synced, address: () => labelledPrimary([...pods.values()])?.ip ?? null, close: handle.close };
}

const serviceSchema = z.object({ spec: z.object({ clusterIP: z.string() }) });

async function serviceAddress(cluster: Cluster, { namespace, name }: SetRef): Promise<string> {
  const raw = await cluster.read(`/api/v1/namespaces/${namespace}/services/${name}-primary`);
  if (raw === null) throw new Unmet(`there is no Service ${name}-primary`);
  return serviceSchema.parse(raw).spec.clusterIP;
}

/** `perSecond`: writes on each path. */
export async function startTraffic(
  cluster: Cluster,
  ref: SetRef,
  login: Login,
  perSecond: number = PER_SECOND,
): Promise<Traffic> {
  const address = await serviceAddress(cluster, ref);
  const acks: Record<Path, Ack[]> = { direct: [], service: [] };
  const start = (path: Path, locate: () => Promise<string | null>, firstId: number): Workload =>
    startWorkload({
      ...{ ...login, locate, firstId, onAck: (ack) => void acks[path].push(ack) },
      ...{ writers: WRITERS, perSecond, secondsMax: SECONDS_MAX, timeoutMs: TIMEOUT_MS },
    });
  const primary = watchPrimary(cluster, ref);
  await primary.synced;
  const direct = start("direct", async () => primary.address(), 0);
  const service = start("service", async () => address, FIRST_SERVICE_ID);
  const since = (path: Path, sinceMs: number) => acks[path].filter(({ atMs }) => atMs > sinceMs).length;
  return {
    acks,
    async waitAcks({ sinceMs, count, timeoutMs }) {
      await waitFor("writes on both paths", { timeoutMs, everyMs: 50 }, async () => {
        const seen = [since("direct", sinceMs), since("service", sinceMs)];
        const saw = `${seen[0]} direct and ${seen[1]} through the Service`;
        return seen.every((one) => one >= count) ? { ok: true, value: null } : { ok: false, saw };
      });
    },
    failures: () => added([direct.progress().failures, service.progress().failures]),
    async stop() {
      const [first, second] = await Promise.all([direct.stop(), service.stop()]);
      primary.close();
      return { direct: first, service: second };
    },
  };
}

export async function checkBooks({ direct, service }: Books, primary: Address): Promise<Verdict> {
  const present = await withServer(primary, (_server, connection) => writtenIds(connection));
  const both = {
    acked: [...direct.acked, ...service.acked],
    refused: [...direct.refused, ...service.refused],
    unknown: [...direct.unknown, ...service.unknown],
  };
  return judge(both, present);
}

/**
 * Acknowledgements of a server after another one had begun to answer, and before that one ended: two primaries
 * at once. A server that is the primary again after the other one has ended is none of them.
 */
export function dualAcks(acks: Traffic["acks"]): number {
  const all = [...acks.direct, ...acks.service].toSorted((a, b) => a.atMs - b.atMs);
  const span = new Map<string, { readonly first: number; last: number }>();
  for (const [index, { server }] of all.entries()) {
    const known = span.get(server);
    if (known === undefined) span.set(server, { first: index, last: index });
    else known.last = index;
  }
  const begun = (server: string) => span.get(server)?.first ?? 0;
  return all.filter(({ server }, index) =>
    [...span].some(
      ([other, { first, last }]) =>
        other !== server && begun(server) < first && first < index && index < last,
    ),
  ).length;
}
