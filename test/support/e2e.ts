/**
 * What end-to-end tests share: a namespace with plain servers, a host with exactly the rights of
 * infra/kustomize/role.yaml, and the world as a user sees it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { type LocalHost, type LocalHostOptions, startLocalHost } from "../../shared/hosts/local/start.ts";
import { manifestOf, type PlainSet } from "../bench/place.ts";
import { type Cluster, openCluster } from "./cluster-access.ts";
import {
  auditedRequests,
  findSecrets,
  type NamedSecret,
  secretsIn,
  watchArguments,
} from "./secret-search.ts";
import { type Address, withServer } from "./servers.ts";
import { testCluster } from "./test-cluster.ts";
import { waitFor } from "./wait.ts";
import { type Login, readLogin, readWorld, type SetRef, type World } from "./world.ts";

/** Small servers: several scenarios run on one machine. */
export const SMALL: readonly string[] = [
  "--innodb-buffer-pool-size=32M",
  "--mysqlx=OFF",
  "--max-connections=60",
];
const ROLE = join(import.meta.dirname, "../../infra/kustomize/role.yaml");
const PATIENCE_MS = 240_000;

export interface Scene {
  readonly cluster: Cluster;
  readonly ref: SetRef;
  readonly openedAt: Date;
  /** Of an account with the rights of the shipped Role, in a file that only we can read. */
  readonly kubeconfig: string;
  /** The same for another account of the namespace. */
  kubeconfigOf(account: string): Promise<string>;
  /** What hosts have logged and answered; at the end no secret may stand in it. */
  readonly lines: string[];
  kubectl(...args: string[]): Promise<string>;
  annotate(...changes: string[]): Promise<void>;
  world(): Promise<World>;
  /** Waits until it holds; what is thrown meanwhile counts as not yet. */
  until(what: string, holds: (world: World) => boolean | Promise<boolean>): Promise<World>;
  host(options?: Partial<LocalHostOptions>): Promise<LocalHost>;
  login(): Promise<Login>;
  address(ordinal: number): Promise<Address>;
  /** One value or column of a server. */
  ask(ordinal: number, sql: string): Promise<readonly string[]>;
  /** Throws when a secret of the namespace was told anywhere while the scene lasted. */
  end(): Promise<void>;
}

const contextSchema = z.object({
  clusters: z.array(z.object({ name: z.string(), cluster: z.record(z.string(), z.unknown()) })).min(1),
});

interface LimitedAccess {
  readonly path: string;
  readonly token: string;
}

/** A kubeconfig for a ServiceAccount, made from the administrator's. JSON is YAML. */
async function limitedKubeconfig(
  cluster: Cluster,
  { namespace, name }: SetRef,
  folder: string,
): Promise<LimitedAccess> {
  const token = (await cluster.kubectl(["--namespace", namespace, "create", "token", name])).trim();
  const raw = await cluster.kubectl(["config", "view", "--raw", "--minify", "--flatten", "--output=json"]);
  const { clusters } = contextSchema.parse(JSON.parse(raw));
  const path = join(folder, `kubeconfig-${name}`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters,
    users: [{ name, user: { token } }],
    contexts: [{ name: "test", context: { cluster: clusters[0]?.name, user: name, namespace } }],
    "current-context": "test",
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return { path, token };
}

/** What every Secret of the namespace holds, looked for in all that was told while a scene lasted. */
async function secretsTold(
  scene: Pick<Scene, "kubectl" | "lines" | "ref">,
  also: readonly NamedSecret[],
  argv: ReturnType<typeof watchArguments>,
): Promise<readonly string[]> {
  const { kubectl, lines, ref } = scene;
  const auditLog = testCluster()?.auditLog ?? null;
  const secrets = secretsIn(await kubectl("get", "secrets", "--output=json"));
  const objects = "statefulsets,pods,services,persistentvolumeclaims,events,jobs";
  const ofJobs = [
    "--selector=batch.kubernetes.io/job-name",
    "--all-containers",
    "--tail=-1",
    "--max-log-requests=50",
  ];
  return findSecrets(
    [...secrets, ...also],
    [
      ...argv.stop(),
      ...(auditLog === null ? [] : await auditedRequests(auditLog, ref.namespace)),
      { where: "the log of a host", text: lines.join("\n") },
      { where: "an object", text: await kubectl("get", objects, "--output=json") },
      // A pod that is being taken away has no log any more.
      { where: "the log of a Job", text: await kubectl("logs", ...ofJobs, "--ignore-errors") },
    ],
  );
}

/** Plain servers in a namespace of their own. `change` edits the manifest as a text. */
export async function openScene(
  namespace: string,
  set: Partial<PlainSet> = {},
  change: (manifest: string) => string = (manifest) => manifest,
): Promise<Scene> {
  const access = testCluster();
  if (access === null) throw new Error("there is no cluster");
  const cluster = openCluster(access);
  const ref: SetRef = { namespace, name: "mysql" };
  const openedAt = new Date();
  const inNamespace = (...args: string[]) => cluster.kubectl(["--namespace", namespace, ...args]);
  await cluster.kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s"]);
  await cluster.kubectl(["create", "namespace", namespace]);
  await inNamespace("apply", `--filename=${ROLE}`);
  await cluster.kubectl(
    ["--namespace", namespace, "apply", "--filename=-"],
    change(manifestOf({ replicas: 3, args: SMALL, ...set })),
  );
  const argv = watchArguments();
  const folder = mkdtempSync(join(tmpdir(), "ordinal-e2e-"));
  const tokens: string[] = [];
  const kubeconfigOf = async (name: string): Promise<string> => {
    const { path, token } = await limitedKubeconfig(cluster, { namespace, name }, folder);
    tokens.push(token);
    return path;
  };
  const kubeconfig = await kubeconfigOf("ordinal");
  const lines: string[] = [];
  const hosts: LocalHost[] = [];
  const world = () => readWorld(cluster, ref);
  const login = () => readLogin(cluster, { namespace, name: "mysql-root" });
  const address = async (ordinal: number): Promise<Address> => {
    const pod = (await world()).pods.find(({ name }) => name === `mysql-${ordinal}`);
    return { ...(await login()), host: pod?.ip ?? "none" };
  };
  const note = (message: string, fields: object = {}) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  /** What a person would look at next: why a pod is not Ready, and what the host did last. */
  const evidence = async (): Promise<string> => {
    const sick = (await world()).pods.filter((pod) => !pod.ready).map(({ name }) => name);
    const logs = sick.flatMap((name) =>
      [[], ["--previous"]].map((more) => inNamespace("logs", name, "--tail=15", ...more).catch(String)),
    );
    return [...(await Promise.all(logs)), ...lines.slice(-12)].join("\n");
  };
  return {
    cluster,
    ref,
    openedAt,
    kubeconfig,
    kubeconfigOf,
    lines,
    kubectl: inNamespace,
    async annotate(...changes) {
      await inNamespace("annotate", "--overwrite", "statefulset", "mysql", ...changes);
    },
    world,
    async until(what, holds) {
      const wait = waitFor(what, { timeoutMs: PATIENCE_MS, everyMs: 300 }, async () => {
        const seen = await world();
        const held = await Promise.resolve(holds(seen)).catch((error: unknown) => String(error));
        const saw = `${String(held)}; phase ${seen.phase}; ${seen.readiness}`;
        return held === true ? { ok: true, value: seen } : { ok: false, saw };
      });
      return await wait.catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await evidence()}`, { cause: error });
      });
    },
    async host(options = {}) {
      const log = { info: note, warn: note };
      const host = await startLocalHost({ namespaces: [namespace], kubeconfig, log, ...options });
      hosts.push(host);
      return host;
    },
    login,
    address,
    async ask(ordinal, sql) {
      return withServer(await address(ordinal), async (server) => {
        const rows: unknown = await server.ask(sql);
        // A statement that selects nothing is answered with a summary and no rows.
        if (!Array.isArray(rows)) return [];
        return (rows as readonly Readonly<Record<string, unknown>>[]).map((row) =>
          Object.values(row).join("\t"),
        );
      });
    },
    async end() {
      for (const host of hosts) await host.stop();
      const also = tokens.map((value) => ({ name: "a token of an account", value }));
      const told = await secretsTold({ kubectl: inNamespace, lines, ref }, also, argv).catch(
        (error: unknown) => [`it is not known, for the search failed: ${String(error)}`],
      );
      rmSync(folder, { recursive: true, force: true });
      await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]);
      cluster.close();
      if (told.length > 0) throw new Error(`secrets were told: ${told.join("; ")}`);
    },
  };
}

export function allReady(world: World): boolean {
  return world.pods.length === world.replicas && world.pods.every((pod) => pod.ready);
}

export const ADOPT = ["ordinal.dev/engine=mysql", "ordinal.dev/credentials=mysql-root"] as const;

const stateSchema = z.looseObject({
  seq: z.number(),
  epoch: z.number(),
  phase: z.string(),
  established: z
    .object({
      primary: z.object({ ordinal: z.number(), serverUuid: z.string() }),
      ackers: z.array(z.object({ ordinal: z.number(), serverUuid: z.string() })),
      ackCount: z.number(),
    })
    .nullable(),
});

export function stateOf(world: World): z.infer<typeof stateSchema> {
  return stateSchema.parse(JSON.parse(world.annotations["ordinal.dev/state"] ?? "{}"));
}

export function conditionsOf(world: World): readonly { readonly type: string; readonly message: string }[] {
  return JSON.parse(world.annotations["ordinal.dev/conditions"] ?? "[]");
}

const eventsSchema = z.object({
  items: z.array(
    z.object({ reason: z.string().nullish(), message: z.string().nullish(), note: z.string().nullish() }),
  ),
});

/** Events about the StatefulSet that Ordinal made, as `reason: message`. */
export async function eventsOf({
  kubectl,
}: Scene): Promise<readonly { readonly reason: string; readonly note: string }[]> {
  const raw = await kubectl(
    "get",
    "events.events.k8s.io",
    "--field-selector=reportingController=ordinal.dev/ordinal",
    "--output=json",
  ).catch(() => kubectl("get", "events.events.k8s.io", "--output=json"));
  const all = z
    .object({ items: z.array(z.looseObject({ reportingController: z.string().nullish() })) })
    .parse(JSON.parse(raw));
  const ours = all.items.filter((item) => item.reportingController === "ordinal.dev/ordinal");
  return eventsSchema
    .parse({ items: ours })
    .items.map(({ reason, note }) => ({ reason: reason ?? "", note: note ?? "" }));
}
