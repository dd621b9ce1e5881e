/**
 * A real API server as a subject of the contract: a namespace made for the run and deleted after it, and
 * watches that go through a link that can be cut. Also what other people's tools would do to the objects.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import type { KubeLimits } from "../../shared/adapters/kube/client.ts";
import { connect } from "../../shared/adapters/kube/connection.ts";
import { pathOf } from "../../shared/adapters/kube/kinds.ts";
import { createKube } from "../../shared/adapters/kube/kube.ts";
import { wayOfKubeconfig } from "../../shared/adapters/kube/kubeconfig.ts";
import { type Call, createTransport } from "../../shared/adapters/kube/transport.ts";
import type { Clock } from "../../shared/ports/host.ts";
import { openLink } from "./kube-link.ts";
import type { Json, Subject } from "./kube-subject.ts";

const clock: Clock = { now: () => Date.now(), sleep: (ms) => sleep(ms) };

/** Pages of two show that lists are put together; short waits keep the run short. */
const LIMITS: Partial<KubeLimits> = { pageSize: 2, backoffMinMs: 50, backoffMaxMs: 400 };

export async function openRealSubject(kubeconfig: string): Promise<Subject> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const server = new URL(config.getCurrentCluster()?.server ?? "");
  const link = await openLink({ host: server.hostname, port: Number(server.port || 443) });
  const folder = mkdtempSync(join(tmpdir(), "ordinal-contract-"));
  const throughLink = join(folder, "kubeconfig");
  writeFileSync(throughLink, linkedConfig(config, link.port), { mode: 0o600 });

  const ids = { password: () => "unused", fraction: () => 0.5 };
  const log = { info: () => undefined, warn: () => undefined };
  const base = { userAgent: "ordinal/contract", clock, ids, log };
  const [way, cutWay] = [wayOfKubeconfig(kubeconfig), wayOfKubeconfig(throughLink)];
  const direct = createKube({ ...base, way, limits: LIMITS });
  const linked = createKube({ ...base, way: cutWay, limits: LIMITS });
  const relisting = createKube({ ...base, way: cutWay, limits: { ...LIMITS, relistMs: 1 } });

  const connection = connect(way, clock);
  const others = createTransport(connection, { userAgent: "ordinal-contract-others", timeoutMs: 10_000 });
  const namespace = `ordinal-contract-${process.pid}`;

  async function send(
    method: Call["method"],
    path: string,
    body?: Json,
    contentType?: string,
  ): Promise<Json> {
    const subject = { verb: "read", kind: "Pod" } as const;
    const document = body && { contentType: contentType ?? "application/json", body };
    const answer = await others.send({ subject, method, path, ...(document && { document }) });
    if (!answer.ok) throw new Error(answer.failure.message);
    return answer.value as Json;
  }

  await send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  return {
    kube: direct.kube,
    watches: linked.watches,
    relistingWatches: relisting.watches,
    namespace,
    async change(kind, ref, json) {
      await send("PATCH", pathOf(kind, ref), json, "application/merge-patch+json");
    },
    raw: (kind, ref) => send("GET", pathOf(kind, ref)),
    cut: link.cut,
    mend: link.mend,
    startPod: () => undefined,
    settle: () => sleep(1000),
    async close() {
      for (const each of [direct, linked, relisting]) each.close();
      await send("DELETE", `/api/v1/namespaces/${namespace}`);
      connection.close();
      link.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The same credentials and certificate, another address. */
function linkedConfig(config: KubeConfig, port: number): string {
  const cluster = config.getCurrentCluster();
  const moved = new KubeConfig();
  const name = "linked";
  const user = config.getCurrentUser();
  if (!cluster || !user) throw new Error("the kubeconfig has no current cluster and user");
  const address = { server: `https://127.0.0.1:${port}`, tlsServerName: "kubernetes" };
  moved.loadFromOptions({
    clusters: [{ ...cluster, ...address, name }],
    users: [user],
    contexts: [{ name, cluster: name, user: user.name }],
    currentContext: name,
  });
  return moved.exportConfig();
}
