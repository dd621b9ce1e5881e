/**
 * What the rest of Kubernetes does to the objects that Ordinal looks at, played by a test: the user who
 * applies a StatefulSet, its controller that makes pods and claims, the kubelet that reports on them.
 */
import type {
  ContainerStatus,
  ObjectRef,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from "../../../shared/model/kube.ts";
import type { SimKube } from "./api-server.ts";
import type { Json } from "./store.ts";

export interface StatefulSetPart {
  readonly replicas: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Null takes a key away. */
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly serviceName?: string;
  readonly claimTemplates?: readonly string[];
  readonly containers?: StatefulSet["containers"];
}

/** Applies a StatefulSet; applied again it changes what is named. */
export function putStatefulSet(sim: SimKube, ref: ObjectRef, wanted: StatefulSetPart): StatefulSet {
  const { replicas, labels = {}, annotations = {}, serviceName = ref.name } = wanted;
  const { matchLabels = { app: ref.name }, claimTemplates = ["storage"] } = wanted;
  const mounts = claimTemplates
    .slice(0, 1)
    .map((name) => ({ name, path: "/var/lib/mysql", subPath: null, varies: false }));
  const { containers = [{ name: "database", image: "mysql:9.7", ports: [3306], mounts }] } = wanted;
  return sim.put("StatefulSet", ref, {
    metadata: { labels, annotations },
    spec: {
      replicas,
      serviceName,
      selector: { matchLabels },
      volumeClaimTemplates: claimTemplates.map((name) => ({ metadata: { name } })),
      template: {
        metadata: { labels: matchLabels },
        spec: {
          containers: containers.map((container) => ({
            ...{ name: container.name, image: container.image },
            ports: container.ports.map((containerPort) => ({ containerPort })),
            volumeMounts: container.mounts.map(({ name, path, subPath }) => ({
              name,
              mountPath: path,
              subPath,
            })),
          })),
        },
      },
    },
  });
}

/** The controller's pod of this ordinal, not running yet. */
export function putPod(sim: SimKube, set: StatefulSet, ordinal: number): Pod {
  const name = `${set.name}-${ordinal}`;
  const labels = { ...set.matchLabels, "statefulset.kubernetes.io/pod-name": name };
  const ref = { namespace: set.namespace, name };
  return sim.put("Pod", ref, {
    metadata: { labels, ownerReferences: ownedBy(set) },
    status: { phase: "Pending" },
  });
}

/** The claim of a template for this ordinal, bound. Like the real ones it outlives its pod. */
export function putClaim(
  sim: SimKube,
  set: StatefulSet,
  template: string,
  ordinal: number,
): PersistentVolumeClaim {
  const ref = { namespace: set.namespace, name: `${template}-${set.name}-${ordinal}` };
  return sim.put("PersistentVolumeClaim", ref, {
    metadata: { labels: set.matchLabels },
    status: { phase: "Bound", capacity: { storage: "10Gi" } },
  });
}

export interface PodReport {
  readonly ip: string | null;
  readonly ready: boolean;
  readonly phase?: string;
  readonly containers?: readonly ContainerStatus[];
}

/** The kubelet reports; without `containers` the one container runs and was never restarted. */
export function reportPod(sim: SimKube, ref: ObjectRef, report: PodReport): Pod {
  const { ip, ready, phase = "Running", containers = [RUNNING] } = report;
  return sim.put("Pod", ref, {
    status: {
      phase,
      podIP: ip,
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: containers.map(containerJson),
    },
  });
}

/** Somebody asked for the pod's deletion, and it has its grace period. */
export function beginDeletion(sim: SimKube, ref: ObjectRef, at: string): Pod {
  return sim.put("Pod", ref, { metadata: { deletionTimestamp: at } });
}

const RUNNING: ContainerStatus = {
  name: "database",
  running: true,
  restartCount: 0,
  reason: null,
  exitCode: null,
  ended: null,
};

function containerJson({ name, running, restartCount, reason, ended }: ContainerStatus): Json {
  const instant = (ms: number): string => new Date(ms).toISOString();
  const lastState =
    ended === null
      ? {}
      : {
          terminated: {
            exitCode: ended.exitCode,
            startedAt: instant(ended.startedAtMs),
            finishedAt: instant(ended.finishedAtMs),
          },
        };
  const state = running ? { running: {} } : { waiting: reason === null ? {} : { reason } };
  return { name, restartCount, state, lastState };
}

function ownedBy(set: StatefulSet): readonly Json[] {
  return [{ apiVersion: "apps/v1", kind: "StatefulSet", name: set.name, uid: set.uid, controller: true }];
}
