/**
 * What Knative's ApiServerSource and PingSource send, as it was recorded from the real ones: the headers and bodies are theirs with
 * other names in them, and so are what they say nothing about (objects that are there when they start, changes in a gap), the
 * order, and when they repeat what was not taken.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { createKube } from "../../shared/adapters/kube/kube.ts";
import { wayOfKubeconfig } from "../../shared/adapters/kube/kubeconfig.ts";
import { systemClock, systemIds } from "../../shared/hosts/local/platform.ts";
import type { ObjectMeta } from "../../shared/model/kube.ts";
import type { Scene } from "./e2e.ts";
import type { Message } from "./knative-revision.ts";

const RECORDED = join(import.meta.dirname, "../../../shared/data/knative-events");
export const noRecordsReason = existsSync(RECORDED) ? null : "events recorded from Knative are not kept here";

const recordSchema = z.object({
  headers: z.record(z.string(), z.string()),
  body: z.union([z.record(z.string(), z.unknown()), z.string()]),
});

function recorded(name: string): z.infer<typeof recordSchema> {
  return recordSchema.parse(JSON.parse(readFileSync(join(RECORDED, `${name}.json`), "utf8")));
}

const KINDS = {
  Pod: { apiVersion: "v1", plural: "pods", record: "reference-pod" },
  Service: { apiVersion: "v1", plural: "services", record: "reference-pod" },
  StatefulSet: { apiVersion: "apps/v1", plural: "statefulsets", record: "reference-statefulset" },
  /** Nobody recorded one: another kind of the same mode. */
  Job: { apiVersion: "batch/v1", plural: "jobs", record: "resource-statefulset" },
} as const;
type SourceKind = keyof typeof KINDS;
type Change = "add" | "update" | "delete";
type Named = Pick<ObjectMeta, "namespace" | "name" | "labels">;

/** Of the connection that was recorded. */
const HOPS = ["host", "content-length", "accept-encoding"];

function headersOf(
  record: z.infer<typeof recordSchema>,
  changes: Readonly<Record<string, string>>,
): Message["headers"] {
  const kept = Object.entries(record.headers).filter(([name]) => !HOPS.includes(name));
  return {
    ...Object.fromEntries(kept),
    "ce-id": randomUUID(),
    "ce-time": new Date().toISOString(),
    ...changes,
  };
}

function changeMessage(change: Change, kind: SourceKind, { namespace, name, labels }: Named): Message {
  const { apiVersion, plural, record } = KINDS[kind];
  const sample = recorded(`apiserversource-${record}-${change}`);
  const named = { "ce-apiversion": apiVersion, "ce-kind": kind, "ce-name": name, "ce-namespace": namespace };
  const subject = `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`;
  const headers = headersOf(sample, { ...named, "ce-subject": subject, "kn-namespace": namespace });
  const body = record.startsWith("reference")
    ? { kind, namespace, name, apiVersion }
    : { ...z.looseObject({}).parse(sample.body), apiVersion, kind, metadata: { namespace, name, labels } };
  return { headers, body: JSON.stringify(body) };
}

function pingMessage(namespace: string): Message {
  const source = `/apis/v1/namespaces/${namespace}/pingsources/ordinal-sweep`;
  const sample = recorded("pingsource-nodata-seconds-schedule");
  return { headers: headersOf(sample, { "ce-source": source, "kn-namespace": namespace }), body: "" };
}

/** Before each further attempt, as the adapters wait. */
const WAITS_MS = [100, 200, 400, 800, 1_600];
const REPEATED: ReadonlySet<number> = new Set([404, 413, 425, 429, 502, 503, 504]);

/** How one event fared: the status of its last answer, null when nobody answered. */
export interface Delivery {
  readonly type: string;
  readonly status: number | null;
  readonly attempts: number;
  readonly tookMs: number;
}

export interface Sources {
  readonly deliveries: readonly Delivery[];
  /** The adapters restart: what changes meanwhile is not told. */
  gap(ms: number): Promise<void>;
  /** The 66 events of a small cluster that was made, disturbed and taken away, in so many seconds; how each fared. */
  burst(seconds: number): Promise<readonly Delivery[]>;
  stop(): void;
}

/** Two Pods come, change and go, and their set with them: as many of each as were counted. */
const BURST: readonly (readonly [SourceKind, Change, number])[] = [
  ["StatefulSet", "add", 1],
  ["Pod", "add", 3],
  ["StatefulSet", "update", 24],
  ["Pod", "update", 34],
  ["Pod", "delete", 3],
  ["StatefulSet", "delete", 1],
];

/** More often than in infra/knative, so that a test need not wait for minutes. */
const PING_MS = 20_000;

export function startSources(scene: Scene, post: (message: Message) => Promise<number>): Sources {
  const { namespace, name } = scene.ref;
  const { kubeconfig } = scene.cluster.access;
  const log = { info() {}, warn() {} };
  const base = { userAgent: "ordinal-check", clock: systemClock, ids: systemIds, log };
  const kube = createKube({ ...base, way: wayOfKubeconfig(kubeconfig) });
  const deliveries: Delivery[] = [];
  let deaf = false;

  async function deliver(message: Message): Promise<Delivery> {
    const beganMs = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      const status = await post(message).catch(() => null);
      const wait = WAITS_MS[attempt - 1];
      if (wait === undefined || (status !== null && !REPEATED.has(status))) {
        const type = message.headers["ce-type"] ?? "";
        const delivery = { type, status, attempts: attempt, tookMs: performance.now() - beganMs };
        deliveries.push(delivery);
        return delivery;
      }
      await sleep(wait);
    }
  }

  const subscriptions = (Object.keys(KINDS) as SourceKind[]).map((kind) => {
    let synced = false;
    // One after the other within a kind: who answers late holds up what comes after.
    let last: Promise<unknown> = Promise.resolve();
    const watch = kube.watches.watch(kind, { namespace }, (change, object: Named) => {
      if (!synced || deaf || !isWatched(kind, object)) return;
      const message = changeMessage(change, kind, object);
      last = last.then(() => deliver(message));
    });
    void watch.synced.then(() => {
      synced = true;
    });
    return watch;
  });
  const ping = setInterval(() => void deliver(pingMessage(namespace)), PING_MS);

  return {
    deliveries,
    async gap(ms) {
      deaf = true;
      await sleep(ms);
      deaf = false;
    },
    async burst(seconds) {
      const events = BURST.flatMap(([kind, change, count]) =>
        Array<readonly [SourceKind, Change]>(count).fill([kind, change]),
      );
      const sent: Promise<Delivery>[] = [];
      for (const [kind, change] of events) {
        const object = { namespace, name: kind === "Pod" ? `${name}-1` : name, labels: {} };
        sent.push(deliver(changeMessage(change, kind, object)));
        await sleep((seconds * 1000) / events.length);
      }
      return Promise.all(sent);
    },
    stop() {
      clearInterval(ping);
      for (const subscription of subscriptions) subscription.close();
      kube.close();
    },
  };
}

/** The selectors of infra/knative. */
function isWatched(kind: SourceKind, { labels }: Named): boolean {
  if (kind === "Pod") return labels["ordinal.dev/managed"] === "true";
  return kind === "StatefulSet" || labels["app.kubernetes.io/managed-by"] === "ordinal";
}
