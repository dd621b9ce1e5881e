/**
 * Three plain MySQL pods, as a user would have them before Ordinal comes, in a namespace of their own: a
 * StatefulSet with nothing but a password, volumes and a headless Service. For tests of the engine, which
 * talk to the servers by their pod addresses; the servers talk to each other by their DNS names.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../shared/adapters/kube/connection.ts";
import { type Call, createTransport } from "../../shared/adapters/kube/transport.ts";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import type { Credentials, Server } from "../../shared/ports/server.ts";
import { openCluster } from "./cluster-access.ts";
import { testCluster } from "./test-cluster.ts";
import { waitFor } from "./wait.ts";

export const ROOT: Credentials = { username: "root", password: "Test-root-1" };

export interface MysqlPods {
  /** The name by which the other servers reach this one. */
  host(ordinal: number): string;
  /** Its present address; null while it has none. */
  address(ordinal: number): Promise<string | null>;
  /** A connection of its own. Waits until the server answers; throws when it does not in a minute. */
  connect(ordinal: number, credentials?: Credentials): Promise<Server>;
  /** Runs a shell script in its container; what it printed. Throws when it fails. */
  shell(ordinal: number, script: string): Promise<string>;
  /** Ends the server the way a node failure would not: cleanly. Comes back when it answers again. */
  restart(ordinal: number): Promise<void>;
  remove(): Promise<void>;
}

type Json = { readonly [key: string]: unknown };

function objects(image: string): readonly (readonly [path: string, object: Json])[] {
  const labels = { app: "mysql" };
  const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  const container = {
    name: "mysql",
    image,
    env: [{ name: "MYSQL_ROOT_PASSWORD", value: ROOT.password }],
    volumeMounts: [{ name: "data", mountPath: "/var/lib/mysql" }],
  };
  const set = {
    serviceName: "mysql",
    replicas: 3,
    podManagementPolicy: "Parallel",
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 5 } },
    volumeClaimTemplates: [{ metadata: { name: "data" }, spec: claim }],
  };
  // Members have to find each other before they are ready.
  const service = {
    clusterIP: "None",
    publishNotReadyAddresses: true,
    selector: labels,
    ports: [{ port: 3306 }],
  };
  return [
    ["/api/v1/namespaces/{}/services", { metadata: { name: "mysql" }, spec: service }],
    ["/apis/apps/v1/namespaces/{}/statefulsets", { metadata: { name: "mysql" }, spec: set }],
  ];
}

/** Tells one start of a server from another; null when it did not answer. */
async function startOf(server: Server): Promise<string | null> {
  const sql = `SELECT UNIX_TIMESTAMP() - VARIABLE_VALUE AS started
    FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'`;
  const rows = await server.query(sql);
  return rows.ok ? (rows.value[0]?.["started"] ?? null) : null;
}

export async function startMysqlPods(kubeconfig: string, image = "mysql:9.7"): Promise<MysqlPods> {
  const connection = connect({ kubeconfig, clock: { now: () => Date.now(), sleep: (ms) => sleep(ms) } });
  const transport = createTransport(connection, { userAgent: "ordinal-check", timeoutMs: 10_000 });
  const servers = createServers({ pool: false });
  const cluster = openCluster({ kubeconfig, kubectl: testCluster()?.kubectl });
  const namespace = `ordinal-engine-${process.pid}`;

  async function send(method: Call["method"], path: string, body?: Json): Promise<Json> {
    const subject = { verb: "read", kind: "Pod" } as const;
    const document = body && { contentType: "application/json", body };
    const answer = await transport.send({ subject, method, path, ...(document && { document }) });
    if (!answer.ok) throw new Error(answer.failure.message);
    return answer.value as Json;
  }

  async function address(ordinal: number): Promise<string | null> {
    const pod = await send("GET", `/api/v1/namespaces/${namespace}/pods/mysql-${ordinal}`).catch(() => null);
    return (pod?.["status"] as { podIP?: string } | undefined)?.podIP ?? null;
  }

  function login(ordinal: number, credentials: Credentials): Promise<Server> {
    return waitFor(`mysql-${ordinal} to answer`, { timeoutMs: 90_000 }, async () => {
      const host = await address(ordinal);
      if (host === null) return { ok: false, saw: "no address" };
      const limits = { connectTimeoutMs: 3_000, queryTimeoutMs: 20_000 };
      const options = { host, port: 3306, credentials, authority: null, attributes: {}, ...limits };
      const server = await servers.connect({ ...options, fresh: true });
      return server.ok ? server : { ok: false, saw: server.failure.message };
    });
  }

  await send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  for (const [path, object] of objects(image)) await send("POST", path.replace("{}", namespace), object);

  return {
    host: (ordinal) => `mysql-${ordinal}.mysql.${namespace}.svc`,
    address,
    connect: (ordinal, credentials = ROOT) => login(ordinal, credentials),
    shell: (ordinal, script) =>
      cluster.kubectl(["exec", "-n", namespace, `mysql-${ordinal}`, "--", "bash", "-ec", script]),
    async restart(ordinal) {
      const server = await login(ordinal, ROOT);
      const before = await startOf(server);
      await server.query("SHUTDOWN");
      await server.close();
      await waitFor(`mysql-${ordinal} to be back`, { timeoutMs: 90_000 }, async () => {
        const again = await login(ordinal, ROOT);
        const start = await startOf(again);
        await again.close();
        return start !== null && start !== before
          ? { ok: true, value: start }
          : { ok: false, saw: "no new start" };
      });
    },
    async remove() {
      await send("DELETE", `/api/v1/namespaces/${namespace}`);
      connection.close();
      cluster.close();
      servers.close();
    },
  };
}
