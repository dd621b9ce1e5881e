/**
 * The demo before Ordinal: a cluster, a StatefulSet as a tutorial writes it, rows in one of its servers, and
 * a writer. Nothing here knows of Ordinal.
 */
import { connect } from "node:net";
import { join } from "node:path";
import { type Cluster, openCluster } from "../../test/support/cluster-access.ts";
import { withServer } from "../../test/support/servers.ts";
import { loadShop, shopRows } from "../../test/support/shop.ts";
import { expectThat, Unmet, waitFor } from "../../test/support/wait.ts";
import { type Ack, prepareTable, startWorkload, type Workload } from "../../test/support/workload.ts";
import { podsBehind, readLogin, type World } from "../../test/support/world.ts";
import { type ClusterStatus, up } from "../local/index.ts";
import { addressOf, look, PLACE, RESTORED, type Stage } from "./stage.ts";
import { seconds } from "./tale.ts";

type Found = (sentence: string) => void;

const EXAMPLES = join(import.meta.dirname, "..", "examples");
const LOCAL_NAME = "demo";
const WRITER = { writers: 4, perSecond: 200, secondsMax: 900, timeoutMs: 10_000 } as const;

export interface Raised {
  readonly status: ClusterStatus;
  readonly cluster: Cluster;
}

export async function raiseCluster(context: string | undefined, found: Found): Promise<Raised> {
  const status = await up(context === undefined ? { name: LOCAL_NAME } : { context });
  const cluster = openCluster(status);
  const nodes = (await cluster.kubectl(["get", "nodes", "--output=name"])).trim().split("\n").length;
  const version = status.versions["kubernetes"] ?? "of unknown version";
  found(`Kubernetes ${version} answers, ${nodes} node${nodes === 1 ? "" : "s"} (${status.kubeconfig})`);
  return { status, cluster };
}

type Opening = Omit<Stage, "login">;

/** Three ordinary servers, each empty and each on its own: what many people run today. */
export async function deployPlainSet(stage: Opening, found: Found): Promise<Stage> {
  const { cluster, signal, tale } = stage;
  const { namespace, name } = PLACE;
  for (const fresh of [namespace, RESTORED.namespace]) {
    await cluster.kubectl(["delete", "namespace", fresh, "--ignore-not-found", "--timeout=120s"]);
    await cluster.kubectl(["create", "namespace", fresh]);
  }
  const files = ["mysql.yaml", "client.yaml"].map((file) => `--filename=${join(EXAMPLES, file)}`);
  await cluster.kubectl(["--namespace", namespace, "apply", ...files]);
  tale.say("demo", `applied ${files.length} files to the namespace ${namespace}; waiting for the servers`);
  const pods = await waitFor("three Ready Pods", { timeoutMs: 240_000, signal }, async () => {
    const world = await look(stage);
    const ready = world.pods.filter((pod) => pod.ready);
    if (ready.length === world.replicas) return { ok: true, value: ready };
    const states = world.pods.map((pod) => `${pod.name} ${pod.ready ? "Ready" : "not Ready"}`);
    return { ok: false, saw: states.join(", ") || "no Pod" };
  });
  await cluster.kubectl([
    "--namespace",
    namespace,
    "wait",
    "pod/client",
    "--for=condition=Ready",
    "--timeout=120s",
  ]);
  await Promise.all(pods.map((pod) => expectReachable(pod.name, pod.ip ?? "")));
  const login = await readLogin(cluster, { namespace, name: `${name}-root` });
  found(`${pods.length} of ${pods.length} Pods Ready, their servers know nothing of each other`);
  return { ...stage, login };
}

/** The runner and the writer talk to the servers by their Pods' addresses. */
async function expectReachable(pod: string, host: string): Promise<void> {
  const reached = await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port: 3306, timeout: 5_000 });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("timeout", () => settle(false));
  });
  if (reached) return;
  throw new Unmet(
    `${pod} (${host}) cannot be reached from this machine: run the demo where the Pod network is routed, ` +
      "or without --context on a cluster of its own",
  );
}

export async function loadRows(stage: Stage, found: Found): Promise<World> {
  const world = await look(stage);
  const startedAt = performance.now();
  const rows = await withServer(addressOf(stage, world.pods[0]), async ({ ask }, connection) => {
    const loaded = await loadShop(connection, shopRows());
    await prepareTable(connection);
    const [counted] = await ask(
      `SELECT (SELECT COUNT(*) FROM shop.customers) + (SELECT COUNT(*) FROM shop.products)
            + (SELECT COUNT(*) FROM shop.orders) + (SELECT COUNT(*) FROM shop.order_lines) AS n`,
    );
    expectThat(Number(counted?.["n"]) === loaded, `${counted?.["n"]} of ${loaded} rows are there`);
    return loaded;
  });
  const took = seconds(performance.now() - startedAt);
  found(`${rows.toLocaleString("en")} rows in 4 tables on ${PLACE.name}-0 (loaded in ${took})`);
  return world;
}

export interface Writer {
  readonly workload: Workload;
  /** What was acknowledged, when and by whom, in order. */
  readonly acks: readonly Ack[];
}

/** Writes to whoever is the primary: behind the Service once there is one, before that the first server. */
export async function startWriter(stage: Stage, found: Found): Promise<Writer> {
  const { cluster, login, signal } = stage;
  const locate = async () => {
    const [primary] = await podsBehind(cluster, { ...PLACE, name: `${PLACE.name}-primary` });
    return (primary ?? (await look(stage)).pods[0])?.ip ?? null;
  };
  const acks: Ack[] = [];
  const onAck = (ack: Ack) => void acks.push(ack);
  const workload = startWorkload({ ...login, locate, onAck, ...WRITER });
  const { acked } = await waitFor("the first 200 writes", { timeoutMs: 30_000, signal }, async () => {
    const progress = workload.progress();
    return progress.acked >= 200
      ? { ok: true, value: progress }
      : { ok: false, saw: `${progress.acked} acknowledged, ${progress.failed} failed` };
  });
  found(
    `${WRITER.writers} connections insert ${WRITER.perSecond} rows a second, ${acked} acknowledged so far`,
  );
  return { workload, acks };
}
