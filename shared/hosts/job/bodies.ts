/**
 * What a Job looks like: the cluster's own image with our program in it, brought by an init container. It keeps the
 * strictest Pod Security, has no token for the API, mounts only the keys of Secrets and the one volume that it needs, and
 * goes with its StatefulSet.
 */
import { accountsSecretName, replicationKey } from "../../access/index.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../backup/memory.ts";
import { databaseContainer, dataVolumeOf } from "../../model/data-volume.ts";
import type { EngineRules } from "../../model/engine.ts";
import type { JobOrder, Task } from "../../model/job-order.ts";
import type { StatefulSet, VolumeMount } from "../../model/kube.ts";
import { assert } from "../../model/outcome.ts";
import type { JobBodies } from "../../ports/jobs.ts";
import { FOLDERS, ORDER_VARIABLE } from "./places.ts";

type Json = Readonly<Record<string, unknown>>;

/** What the official images run as, where the StatefulSet does not say. */
const DATABASE_USER = 999;
/** Longer than this a backup may not take, so that what it leaves is told from what is under way. */
const DEADLINE_SECONDS = 24 * 3_600;
/** Its volume, which is as large as the data, goes with it. Why it failed is remembered beyond that. */
const KEPT_SECONDS = 3_600;
/** To take back what was begun. */
const GRACE_SECONDS = 60;
/** For the StatefulSet that asks for no storage; a server that was just made needs a fifth of it. */
const SCRATCH_DEFAULT = "10Gi";

/** A scratch server takes some 500 MiB, our program 128. */
const RESOURCES = {
  requests: { cpu: "250m", memory: "768Mi", "ephemeral-storage": "256Mi" },
  limits: { cpu: "2", memory: "1Gi", "ephemeral-storage": "1Gi" },
} as const;
const COPYING = {
  requests: { cpu: "50m", memory: "64Mi" },
  limits: { cpu: "1", memory: "256Mi" },
} as const;

const LOCKED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
} as const;

const TOOLS = "/tools";

/** Node and one of our programs with nothing of the image around them. */
function program(folder: string, name: string, flags: readonly string[] = []): readonly string[] {
  const loader = [`${folder}/ld.so`, "--library-path", `${folder}/lib`, `${folder}/node`];
  return [...loader, ...flags, `${folder}/${name}.mjs`];
}

type TaskOf<K extends Task["kind"]> = Extract<Task, { kind: K }>;

interface Storage {
  readonly volume: Json;
  /** What of it, and where the program finds it. */
  readonly mount: Json;
}

const mount = (name: keyof typeof FOLDERS, more: Json = {}) => ({
  ...{ name, mountPath: FOLDERS[name].path },
  ...more,
});

function secret(name: "store" | "account", source: Json): Storage {
  return {
    volume: { name, secret: { ...source, defaultMode: 0o440 } },
    mount: mount(name, { readOnly: true }),
  };
}

/** The account that may copy a member and as little else as there is. */
function sourceAccount(task: TaskOf<"backup">, set: StatefulSet): Storage {
  if (task.method === "logical") return userAccount(set);
  const items = [{ key: replicationKey(task.source), path: "password" }];
  return secret("account", { secretName: accountsSecretName(set), items });
}

function userAccount(set: StatefulSet): Storage {
  return secret("account", { secretName: set.annotations[ANNOTATION.credentials] });
}

/** As large as the volume of a member, which holds the data with room to spare, and of the same kind. */
function roomyScratch({ pods }: StatefulSet): Storage {
  const { storage } = pods;
  const spec = {
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: storage?.request ?? SCRATCH_DEFAULT } },
    ...(storage?.className != null && { storageClassName: storage.className }),
  };
  const volume = { name: "scratch", ephemeral: { volumeClaimTemplate: { spec } } };
  return { volume, mount: mount("scratch") };
}

/** For sockets and files of options. */
const SMALL_SCRATCH: Storage = {
  volume: { name: "scratch", emptyDir: { sizeLimit: "64Mi" } },
  mount: mount("scratch"),
};

/** The volume of one member, as its own pod mounts it. Whether that can be told was asked when the restore was decided on. */
function memberVolume(set: StatefulSet, ordinal: number, rules: EngineRules): Storage {
  const found = dataVolumeOf(set, rules);
  assert(found.ok, "a restore is not begun where nobody knows on which volume the data is");
  const { name, subPath }: VolumeMount = found.value;
  return {
    volume: { name: "volume", persistentVolumeClaim: { claimName: `${name}-${set.name}-${ordinal}` } },
    mount: mount("volume", subPath === null ? {} : { subPath }),
  };
}

/** What a task needs and nothing beyond it. */
function storagesOf(task: Task, set: StatefulSet, rules: EngineRules): readonly Storage[] {
  const store = (name: string) => secret("store", { secretName: name });
  switch (task.kind) {
    case "backup":
      return [store(task.store), sourceAccount(task, set), roomyScratch(set)];
    case "proof":
      return [store(task.store), roomyScratch(set)];
    case "restore-check":
      return [store(task.store)];
    case "restore-fill": {
      const volume = memberVolume(set, task.ordinal, rules);
      return [store(task.store), userAccount(set), SMALL_SCRATCH, volume];
    }
    case "restore-exchange":
    case "restore-forget":
      return [memberVolume(set, task.ordinal, rules)];
  }
}

/** A volume that one machine at a time can have is had where the member's pod has it. While one is filled there may be no pod. */
function affinityOf(task: Task, set: StatefulSet): Json {
  if (task.kind !== "restore-forget" && task.kind !== "restore-fill") return {};
  const term = {
    topologyKey: "kubernetes.io/hostname",
    labelSelector: {
      matchLabels: { "statefulset.kubernetes.io/pod-name": `${set.name}-${task.ordinal}` },
    },
  };
  const podAffinity =
    task.kind === "restore-forget"
      ? { requiredDuringSchedulingIgnoredDuringExecution: [term] }
      : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] };
  return { affinity: { podAffinity } };
}

function orderOf(task: Task, set: StatefulSet, rules: EngineRules): JobOrder {
  const { namespace, name, uid, serviceName } = set;
  const cluster = { namespace, name, uid };
  if (task.kind !== "backup") return { v: 1, cluster, task, source: null };
  const username = task.method === "physical" ? rules.replicationAccount(task.source) : null;
  const host = `${name}-${task.source}.${serviceName}.${namespace}.svc`;
  return { v: 1, cluster, task, source: { host, port: rules.port, username } };
}

function copyContainer(image: string): Json {
  return {
    ...{ name: "tools", image, resources: COPYING, securityContext: LOCKED },
    command: [...program("/ordinal", "copy"), TOOLS],
    volumeMounts: [{ name: "tools", mountPath: TOOLS }],
  };
}

function jobContainer(task: Task, set: StatefulSet, rules: EngineRules, storages: readonly Storage[]): Json {
  const order = JSON.stringify(orderOf(task, set, rules));
  const env = Object.entries({ ...NODE_ENVIRONMENT, [ORDER_VARIABLE]: order });
  return {
    ...{
      name: "job",
      image: databaseContainer(set, rules)?.image ?? "",
      resources: RESOURCES,
      securityContext: LOCKED,
    },
    command: program(TOOLS, "job", NODE_FLAGS),
    env: env.map(([name, value]) => ({ name, value })),
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: "tools", mountPath: TOOLS, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
      ...storages.map(({ mount: mounted }) => mounted),
    ],
  };
}

function securityOf({ pods }: StatefulSet): Json {
  const user = pods.runAsUser ?? DATABASE_USER;
  return {
    ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: pods.fsGroup ?? user },
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** `image`: Ordinal's own, from which the program is copied. */
export function createJobBodies(image: string, rules: EngineRules): JobBodies {
  return (task, set) => {
    const storages = storagesOf(task, set, rules);
    const pod = {
      ...set.pods.placement,
      ...affinityOf(task, set),
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      securityContext: securityOf(set),
      volumes: [
        { name: "tools", emptyDir: { sizeLimit: "256Mi" } },
        { name: "tmp", emptyDir: { sizeLimit: "256Mi" } },
        ...storages.map(({ volume }) => volume),
      ],
      initContainers: [copyContainer(image)],
      containers: [jobContainer(task, set, rules, storages)],
    };
    const labels = {
      "app.kubernetes.io/managed-by": "ordinal",
      "app.kubernetes.io/component": task.kind,
    };
    return {
      spec: {
        backoffLimit: 0,
        activeDeadlineSeconds: DEADLINE_SECONDS,
        ttlSecondsAfterFinished: KEPT_SECONDS,
        template: { metadata: { labels }, spec: pod },
      },
    };
  };
}
