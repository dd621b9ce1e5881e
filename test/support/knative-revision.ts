/**
 * A revision as Knative Serving runs it, as far as its container can tell: PORT, probes, no more requests at a time than
 * containerConcurrency, an end to each after timeoutSeconds, no pod while nothing comes, a request that waits for the pod that it
 * starts, and SIGTERM with timeoutSeconds to end in. Written after Knative's runtime contract; Serving itself cannot run here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import type { Scene } from "./e2e.ts";
import { waitFor } from "./wait.ts";

const serviceSchema = z.looseObject({
  spec: z.object({
    template: z.object({
      metadata: z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
      }),
      spec: z.looseObject({
        timeoutSeconds: z.number(),
        containerConcurrency: z.number(),
        serviceAccountName: z.string(),
        containers: z.tuple([
          z.looseObject({
            env: z.array(z.looseObject({ name: z.string() })),
            ports: z.tuple([z.object({ containerPort: z.number() })]),
            readinessProbe: z.object({ httpGet: z.object({ path: z.string() }) }),
            livenessProbe: z.looseObject({ httpGet: z.object({ path: z.string() }) }),
          }),
        ]),
      }),
    }),
  }),
});
export type Service = z.infer<typeof serviceSchema>;

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/** The Service `ordinal`, and what a cluster without Knative knows of the rest. */
export function readManifests(text: string): {
  readonly service: Service;
  readonly others: readonly object[];
} {
  const objects = parseAllDocuments(text).map((document) => objectSchema.parse(document.toJS()));
  const isService = ({ apiVersion, metadata }: z.infer<typeof objectSchema>) =>
    apiVersion.startsWith("serving.knative.dev/") && metadata.name === "ordinal";
  return {
    service: serviceSchema.parse(objects.find(isService)),
    others: objects.filter(({ apiVersion }) => !/\.knative\.dev\//.test(apiVersion)),
  };
}

/** The pods of the revision; nothing else in the namespace has this name. */
function deploymentOf({ spec: { template } }: Service): object {
  const { timeoutSeconds, serviceAccountName, containers } = template.spec;
  const [{ env, ports, readinessProbe, livenessProbe, ...container }] = containers;
  const [{ containerPort: port }] = ports;
  const contract = {
    PORT: `${port}`,
    K_SERVICE: "ordinal",
    K_CONFIGURATION: "ordinal",
    K_REVISION: "ordinal-00001",
  };
  const { labels } = template.metadata;
  const own = {
    ...container,
    ports,
    env: [...env, ...Object.entries(contract).map(([name, value]) => ({ name, value }))],
    readinessProbe: { httpGet: { ...readinessProbe.httpGet, port }, periodSeconds: 1 },
    livenessProbe: { ...livenessProbe, httpGet: { ...livenessProbe.httpGet, port } },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "ordinal-00001" },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { serviceAccountName, terminationGracePeriodSeconds: timeoutSeconds, containers: [own] },
      },
    },
  };
}

/** Shorter than the 60 s of infra/knative, so that a test sees it often. */
const WINDOW_MS = 15_000;
const TICK_MS = 1_000;

const podsSchema = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ deletionTimestamp: z.string().optional() }),
      status: z.looseObject({
        podIP: z.string().optional(),
        conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
      }),
    }),
  ),
});

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Revision {
  /** Status of the answer; throws as a connection does. */
  post(message: Message): Promise<number>;
  pods(): Promise<number>;
  readonly coldStarts: readonly number[];
  stop(): Promise<void>;
}

/** Takes one when it is free; in the order of asking. */
function createPlaces(count: number): () => Promise<() => void> {
  let free = count;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return release;
  };
}

export async function startRevision(scene: Scene, service: Service): Promise<Revision> {
  const { containerConcurrency, timeoutSeconds, containers } = service.spec.template.spec;
  const port = containers[0].ports[0].containerPort;
  const { namespace } = scene.ref;
  const create = ["--namespace", namespace, "create", "--filename=-"];
  await scene.cluster.kubectl(create, JSON.stringify(deploymentOf(service)));
  const place = createPlaces(containerConcurrency);
  const coldStarts: number[] = [];
  let address: Promise<string> | null = null;
  let lastMs = performance.now();
  let [open, stopped] = [0, false];

  const scale = (count: number) => scene.kubectl("scale", "deployment/ordinal-00001", `--replicas=${count}`);
  const read = async () => {
    const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=app.kubernetes.io/name=ordinal`;
    return podsSchema.parse(await scene.cluster.read(path)).items;
  };
  async function raise(): Promise<string> {
    const beganMs = performance.now();
    await scale(1);
    const ip = await waitFor("a pod of the revision", { timeoutMs: 60_000, everyMs: 100 }, async () => {
      const ready = (await read()).find(
        ({ metadata, status }) =>
          metadata.deletionTimestamp === undefined &&
          status.conditions.some(({ type, status: state }) => type === "Ready" && state === "True"),
      );
      return ready?.status.podIP === undefined
        ? { ok: false, saw: "none that is Ready" }
        : { ok: true, value: ready.status.podIP };
    });
    coldStarts.push(performance.now() - beganMs);
    return ip;
  }
  async function lower(): Promise<void> {
    address = null;
    // Its log would go with it.
    scene.lines.push(await scene.kubectl("logs", "deployment/ordinal-00001", "--tail=-1").catch(() => ""));
    await scale(0);
  }
  const watching = (async () => {
    while (!stopped) {
      await sleep(TICK_MS);
      if (address !== null && open === 0 && performance.now() - lastMs > WINDOW_MS) await lower();
    }
  })();

  return {
    coldStarts,
    pods: async () => (await read()).length,
    async post({ headers, body }) {
      open += 1;
      const leave = await place();
      try {
        address ??= raise();
        const url = `http://${await address}:${port}/`;
        const signal = AbortSignal.timeout(timeoutSeconds * 1000);
        const answer = await fetch(url, { method: "POST", headers, body, signal });
        await answer.text();
        return answer.status;
      } finally {
        leave();
        open -= 1;
        lastMs = performance.now();
      }
    },
    async stop() {
      stopped = true;
      await watching;
      await lower();
    },
  };
}
