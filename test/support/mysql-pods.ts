/**
 * Three plain MySQL pods, as a user would have them before Ordinal comes, in a namespace of their own: a
 * StatefulSet with nothing but a password, volumes and a headless Service. For tests of the engine, which
 * talk to the servers by their pod addresses; the servers talk to each other by their DNS names.
 */
import { connect } from "../../shared/adapters/kube/connection.ts";
import { wayOfKubeconfig } from "../../shared/adapters/kube/kubeconfig.ts";
import { type Call, createTransport } from "../../shared/adapters/kube/transport.ts";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import { systemClock } from "../../shared/hosts/local/platform.ts";
import { fail, type Outcome } from "../../shared/model/outcome.ts";
import type { Credentials, Server } from "../../shared/ports/server.ts";
import { openCluster } from "./cluster-access.ts";
import { signalServer } from "./faults.ts";
import { testCluster } from "./test-cluster.ts";
import { Unmet, waitFor } from "./wait.ts";

export const ROOT: Credentials = { username: "root", password: "Test-root-1" };

export interface MysqlPods {
  /** The name by which the other servers reach this one. */
  host(ordinal: number): string;
  /** Its present address; null while it has none. */
  address(ordinal: number): Promise<string | null>;
  /** One attempt at a connection of its own. */
  tryConnect(ordinal: number, credentials: Credentials): Promise<Outcome<Server>>;
  /** A connection of its own. Waits until the server answers; throws when it does not in a minute. */
  connect(ordinal: number, credentials?: Credentials): Promise<Server>;
  /** Runs a shell script in its container; what it printed. Throws when it fails. */
  shell(ordinal: number, script: string): Promise<string>;
  /** Ends the server the way a node failure would not: cleanly. Comes back when it answers again. */
  restart(ordinal: number): Promise<void>;
  /** To the server's own process, which need not exist for long. Returns when it was sent. */
  signal(ordinal: number, signal: Parameters<typeof signalServer>[1]): Promise<void>;
  remove(): Promise<void>;
}

type Json = { readonly [key: string]: unknown };

/** Starts the server again at once: the kubelet would wait longer each time. Ends with the container. */
const SUPERVISOR =
  "trap 'kill -KILL $server; exit' TERM; while :; do docker-entrypoint.sh mysqld & server=$!; wait $server; done";

export interface PodOptions {
  readonly image?: string;
  /** Something in the container itself starts the server again. */
  readonly supervised?: boolean;
}

function objects({
  image = "mysql:9.7",
  supervised = false,
}: PodOptions): readonly (readonly [path: string, object: Json])[] {
  const labels = { app: "mysql" };
  const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
  const container = {
    name: "mysql",
    image,
    ...(supervised && { command: ["bash", "-c", SUPERVISOR] }),
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

export async function startMysqlPods(kubeconfig: string, options: PodOptions = {}): Promise<MysqlPods> {
  const connection = connect(wayOfKubeconfig(kubeconfig), systemClock);
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

  const podOf = (ordinal: number): Promise<Json | null> =>
    send("GET", `/api/v1/namespaces/${namespace}/pods/mysql-${ordinal}`).catch(() => null);

  async function address(ordinal: number): Promise<string | null> {
    const pod = await podOf(ordinal);
    return (pod?.["status"] as { podIP?: string } | undefined)?.podIP ?? null;
  }

  async function tryLogin(ordinal: number, credentials: Credentials): Promise<Outcome<Server>> {
    const host = await address(ordinal);
    if (host === null) return fail("transient", `mysql-${ordinal} has no address`);
    const limits = { connectTimeoutMs: 3_000, queryTimeoutMs: 20_000 };
    const options = { host, port: 3306, credentials, authority: null, attributes: {}, ...limits };
    return servers.connect({ ...options, fresh: true });
  }

  function login(ordinal: number, credentials: Credentials): Promise<Server> {
    return waitFor(`mysql-${ordinal} to answer`, { timeoutMs: 180_000 }, async () => {
      const server = await tryLogin(ordinal, credentials);
      return server.ok ? server : { ok: false, saw: server.failure.message };
    });
  }

  await send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  for (const [path, object] of objects(options)) await send("POST", path.replace("{}", namespace), object);

  return {
    host: (ordinal) => `mysql-${ordinal}.mysql.${namespace}.svc`,
    address,
    tryConnect: tryLogin,
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
    async signal(ordinal, signal) {
      const uid = ((await podOf(ordinal))?.["metadata"] as { uid?: string } | undefined)?.uid ?? "";
      // Between two starts there is no process, and before one its program is asked for its settings.
      await waitFor(`a process of mysql-${ordinal}`, { timeoutMs: 30_000, everyMs: 50 }, async () => {
        try {
          signalServer(uid, signal);
          return { ok: true, value: null };
        } catch (error) {
          if (error instanceof Unmet) return { ok: false, saw: error.message };
          throw error;
        }
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
