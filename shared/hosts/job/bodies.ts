/**
 * What a Job for a backup or a proof looks like: the cluster's own image with our program in it, brought by an init
 * container. It keeps the strictest Pod Security, has no token for the API, mounts only the keys of Secrets that it
 * needs, and goes with its StatefulSet.
 */
import { accountsSecretName, replicationKey } from "../../access/index.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../backup/memory.ts";
import type { JobTask } from "../../model/backup.ts";
import type { EngineRules } from "../../model/engine.ts";
import type { JobOrder } from "../../model/job-order.ts";
import type { StatefulSet } from "../../model/kube.ts";
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

/** The account that may do what the task takes and as little else as there is. */
function accountVolume(task: JobTask, set: StatefulSet): Json | null {
  if (task.kind === "proof") return null;
  const secret =
    task.method === "physical"
      ? {
          secretName: accountsSecretName(set),
          items: [{ key: replicationKey(task.source), path: "password" }],
        }
      : { secretName: set.annotations[ANNOTATION.credentials] };
  return { name: "account", secret: { ...secret, defaultMode: 0o440 } };
}

/** As large as the volume of a member, which holds the data with room to spare, and of the same kind. */
function scratchVolume({ pods }: StatefulSet): Json {
  const { storage } = pods;
  const spec = {
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: storage?.request ?? SCRATCH_DEFAULT } },
    ...(storage?.className != null && { storageClassName: storage.className }),
  };
  return { name: "scratch", ephemeral: { volumeClaimTemplate: { spec } } };
}

function orderOf(task: JobTask, set: StatefulSet, rules: EngineRules): JobOrder {
  const { namespace, name, uid, serviceName } = set;
  const cluster = { namespace, name, uid };
  if (task.kind === "proof") return { v: 1, cluster, task, source: null };
  const username = task.method === "physical" ? rules.replicationAccount(task.source) : null;
  const host = `${name}-${task.source}.${serviceName}.${namespace}.svc`;
  return { v: 1, cluster, task, source: { host, port: rules.port, username } };
}

/** The one that serves the database; others beside it do something else. */
function databaseImage({ containers }: StatefulSet, { port, name }: EngineRules): string {
  const serving = containers.find(({ ports }) => ports.includes(port));
  const named = containers.find((container) => container.name === name);
  return (serving ?? named ?? containers[0])?.image ?? "";
}

const mount = (name: keyof typeof FOLDERS, more: Json) => ({ name, mountPath: FOLDERS[name].path, ...more });

function copyContainer(image: string): Json {
  return {
    ...{ name: "tools", image, resources: COPYING, securityContext: LOCKED },
    command: [...program("/ordinal", "copy"), TOOLS],
    volumeMounts: [{ name: "tools", mountPath: TOOLS }],
  };
}

function jobContainer(task: JobTask, set: StatefulSet, rules: EngineRules): Json {
  const order = JSON.stringify(orderOf(task, set, rules));
  const env = Object.entries({ ...NODE_ENVIRONMENT, [ORDER_VARIABLE]: order });
  return {
    ...{ name: "job", image: databaseImage(set, rules), resources: RESOURCES, securityContext: LOCKED },
    command: program(TOOLS, "job", NODE_FLAGS),
    env: env.map(([name, value]) => ({ name, value })),
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [
      { name: "tools", mountPath: TOOLS, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
      mount("store", { readOnly: true }),
      ...(task.kind === "proof" ? [] : [mount("account", { readOnly: true })]),
      mount("scratch", {}),
    ],
  };
}

function securityOf({ pods }: StatefulSet): Json {
  const user = pods.runAsUser ?? DATABASE_USER;
  return {
    ...{ runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user },
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** `image`: Ordinal's own, from which the program is copied. */
export function createJobBodies(image: string, rules: EngineRules): JobBodies {
  return (task, set) => {
    const account = accountVolume(task, set);
    const pod = {
      ...set.pods.placement,
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      securityContext: securityOf(set),
      volumes: [
        { name: "tools", emptyDir: { sizeLimit: "256Mi" } },
        { name: "tmp", emptyDir: { sizeLimit: "256Mi" } },
        { name: "store", secret: { secretName: task.store, defaultMode: 0o440 } },
        ...(account === null ? [] : [account]),
        scratchVolume(set),
      ],
      initContainers: [copyContainer(image)],
      containers: [jobContainer(task, set, rules)],
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
