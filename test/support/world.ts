/**
 * What a StatefulSet, its Pods and its Services are right now, read afresh from the API server and parsed by
 * schemas of our own. Checks look at this and at the servers, never at what a call of ours returned.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import type { Cluster } from "./cluster-access.ts";
import { Unmet } from "./wait.ts";

const texts = z.record(z.string(), z.string()).default({});
const metadata = z.object({
  name: z.string(),
  uid: z.string(),
  deletionTimestamp: z.string().optional(),
  labels: texts,
  annotations: texts,
});

const setSchema = z.object({
  metadata,
  spec: z.looseObject({
    replicas: z.number(),
    selector: z.object({ matchLabels: texts }),
    template: z.unknown(),
    updateStrategy: z.object({ type: z.string().optional() }).optional(),
  }),
});

const podSchema = z.object({
  metadata,
  spec: z.object({ containers: z.tuple([z.object({ image: z.string() })], z.unknown()) }),
  status: z.object({
    podIP: z.string().optional(),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    containerStatuses: z.array(z.object({ restartCount: z.number() })).default([]),
  }),
});

const serviceSchema = z.object({ spec: z.object({ selector: texts }) });
const conditionsSchema = z.array(z.object({ type: z.string(), reason: z.string(), message: z.string() }));
const secretSchema = z.object({ data: z.record(z.string(), z.string()) });

export interface PodSeen {
  readonly name: string;
  readonly uid: string;
  readonly ip: string | null;
  readonly ready: boolean;
  readonly restarts: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of its first container. */
  readonly image: string;
}

export interface World {
  readonly uid: string;
  readonly replicas: number;
  /** Of the spec without the partition of its update strategy, which Ordinal keeps. */
  readonly specHash: string;
  /** Of the pod template; equal hashes mean that nobody asked for other pods. */
  readonly templateHash: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly phase: string | null;
  /** Of the condition `Ready`, for people. */
  readonly readiness: string;
  /** By ordinal; pods that are being deleted are left out. */
  readonly pods: readonly PodSeen[];
}

export interface SetRef {
  readonly namespace: string;
  readonly name: string;
}

function podSeen(raw: unknown): readonly PodSeen[] {
  const { metadata: meta, spec, status } = podSchema.parse(raw);
  if (meta.deletionTimestamp !== undefined) return [];
  return [
    {
      name: meta.name,
      uid: meta.uid,
      ip: status.podIP ?? null,
      ready: status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True"),
      restarts: status.containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
      labels: meta.labels,
      annotations: meta.annotations,
      image: spec.containers[0].image,
    },
  ];
}

export function ordinalOf(podName: string): number {
  return Number(podName.slice(podName.lastIndexOf("-") + 1));
}

async function podsBy(cluster: Cluster, namespace: string, labels: Readonly<Record<string, string>>) {
  const selector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  const list = await cluster.read(
    `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`,
  );
  return z
    .object({ items: z.array(z.unknown()) })
    .parse(list)
    .items.flatMap(podSeen)
    .toSorted((a, b) => ordinalOf(a.name) - ordinalOf(b.name));
}

function readinessOf(annotations: Readonly<Record<string, string>>): string {
  const raw = annotations["ordinal.dev/conditions"];
  if (raw === undefined) return "Ordinal has not written anything yet";
  const conditions = conditionsSchema.parse(JSON.parse(raw));
  return conditions.map(({ type, reason, message }) => `${type} (${reason}): ${message}`).join("; ");
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

export async function readWorld(cluster: Cluster, { namespace, name }: SetRef): Promise<World> {
  const raw = await cluster.read(`/apis/apps/v1/namespaces/${namespace}/statefulsets/${name}`);
  if (raw === null) throw new Unmet(`the StatefulSet ${namespace}/${name} does not exist`);
  const { metadata: meta, spec } = setSchema.parse(raw);
  return {
    uid: meta.uid,
    replicas: spec.replicas,
    specHash: hashOf(spec),
    templateHash: hashOf(spec.template),
    annotations: meta.annotations,
    phase: meta.annotations["ordinal.dev/phase"] ?? null,
    readiness: readinessOf(meta.annotations),
    pods: await podsBy(cluster, namespace, spec.selector.matchLabels),
  };
}

/**
 * Ready pods behind a Service, found as kube-proxy's source finds them: by the Service's own selector. Empty
 * when there is no such Service.
 */
export async function podsBehind(cluster: Cluster, { namespace, name }: SetRef): Promise<readonly PodSeen[]> {
  const raw = await cluster.read(`/api/v1/namespaces/${namespace}/services/${name}`);
  if (raw === null) return [];
  const { selector } = serviceSchema.parse(raw).spec;
  return (await podsBy(cluster, namespace, selector)).filter(({ ready }) => ready);
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

export async function readLogin(cluster: Cluster, { namespace, name }: SetRef): Promise<Login> {
  const raw = await cluster.read(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  if (raw === null) throw new Unmet(`the Secret ${namespace}/${name} does not exist`);
  const { data } = secretSchema.parse(raw);
  const value = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("utf8");
  return { user: value("username") || "root", password: value("password") };
}
