/**
 * How the JSON of each kind becomes the model's object. Only the fields that the model needs are read, all others are ignored, so
 * that a newer API server changes nothing here; and since nothing parsed is ever written back, nothing unknown can get lost.
 * It is loaded with the first answer: making these schemas takes a fifth of the time in which a function has asked.
 */
import * as z from "zod";
import type {
  ContainerStatus,
  Job,
  Kind,
  KubeEvent,
  KubeKinds,
  ObjectMeta,
  PersistentVolumeClaim,
  Pod,
  PodTraits,
  Rollout,
  Secret,
  Service,
  StatefulSet,
  Termination,
} from "../../model/kube.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import { type Subject, unreadable } from "./failures.ts";

/** The API server leaves out empty maps, and a few old objects hold null. */
const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});

function listOf<T extends z.ZodType>(item: T): z.ZodType<z.output<T>[]> {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

const metaSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.number().default(0),
  labels: texts,
  annotations: texts,
  ownerReferences: listOf(z.object({ uid: z.string(), controller: z.boolean().default(false) })),
  deletionTimestamp: z.string().nullish(),
});

function metaOf(raw: z.output<typeof metaSchema>): ObjectMeta {
  const owner = raw.ownerReferences.find((each) => each.controller) ?? raw.ownerReferences[0];
  const { namespace, name, uid, resourceVersion, labels, annotations } = raw;
  const deleting = typeof raw.deletionTimestamp === "string";
  return {
    namespace,
    name,
    uid,
    resourceVersion,
    labels,
    annotations,
    ownerUid: owner?.uid ?? null,
    deleting,
  };
}

/** Who owns which fields, as the API server keeps it. Only owners of the replica count are of interest. */
const ownersSchema = listOf(
  z
    .object({
      manager: z.string().default(""),
      time: z.string().default(""),
      fieldsV1: z.unknown().optional(),
    })
    .transform(({ manager, time, fieldsV1 }) => ({ manager, time, owns: ownsReplicas(fieldsV1) })),
);

const ownershipSchema = z.object({ "f:spec": z.object({ "f:replicas": z.unknown().nonoptional() }) });

function ownsReplicas(fields: unknown): boolean {
  return ownershipSchema.safeParse(fields).success;
}

/** Each write makes its manager an owner; the newest is the one whose number stands. */
function writerOfReplicas(owners: z.output<typeof ownersSchema>): string | null {
  const writers = owners.filter(({ owns }) => owns).toSorted((a, b) => a.time.localeCompare(b.time));
  return writers.at(-1)?.manager ?? null;
}

const claimTemplateSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z
    .object({
      storageClassName: z.string().nullish(),
      accessModes: listOf(z.string()),
      resources: z.object({ requests: texts }).default({ requests: {} }),
    })
    .optional(),
});

const securitySchema = z.object({ runAsUser: z.number().nullish(), fsGroup: z.number().nullish() }).nullish();

const mountSchema = z
  .object({
    name: z.string(),
    mountPath: z.string(),
    subPath: z.string().nullish(),
    subPathExpr: z.string().nullish(),
  })
  .transform(({ name, mountPath, subPath, subPathExpr }) => ({
    ...{ name, path: mountPath, subPath: subPath || null },
    varies: Boolean(subPathExpr),
  }));

/** Passed on as they are, and only those that the set has. */
const placementFields = {
  imagePullSecrets: z.unknown().optional(),
  nodeSelector: z.unknown().optional(),
  tolerations: z.unknown().optional(),
  priorityClassName: z.unknown().optional(),
};

const podSpecSchema = z.object({
  ...placementFields,
  securityContext: securitySchema,
  containers: listOf(
    z.object({
      name: z.string(),
      image: z.string().default(""),
      ports: listOf(z.object({ containerPort: z.number() })),
      volumeMounts: listOf(mountSchema),
      securityContext: securitySchema,
    }),
  ),
});

function traitsOf(
  pod: z.output<typeof podSpecSchema>,
  claims: readonly z.output<typeof claimTemplateSchema>[],
): PodTraits {
  const [claim] = claims;
  const request = claim?.spec?.resources.requests["storage"];
  const users = [...pod.containers, pod].map(({ securityContext }) => securityContext?.runAsUser);
  const placement = Object.keys(placementFields).map(
    (name) => [name, pod[name as keyof typeof placementFields]] as const,
  );
  return {
    // Root needs a server that gives it up by itself, and a Job has none.
    runAsUser: users.find((user) => typeof user === "number" && user !== 0) ?? null,
    fsGroup: pod.securityContext?.fsGroup ?? null,
    storage: request === undefined ? null : { request, className: claim?.spec?.storageClassName ?? null },
    placement: Object.fromEntries(placement.filter(([, value]) => value != null)),
  };
}

const strategySchema = z.object({
  type: z.enum(["RollingUpdate", "OnDelete"]).nullable().catch(null),
  rollingUpdate: z.object({ partition: z.number().default(0) }).nullish(),
});

const setStatusSchema = z.object({
  observedGeneration: z.number().default(0),
  currentRevision: z.string().default(""),
  updateRevision: z.string().default(""),
});

function rolloutOf(
  strategy: z.infer<typeof strategySchema> | undefined,
  status: z.infer<typeof setStatusSchema> | undefined,
  generation: number,
): Rollout {
  const isTold =
    status !== undefined && status.updateRevision !== "" && status.observedGeneration >= generation;
  return {
    strategy: strategy?.type ?? null,
    partition: strategy?.rollingUpdate?.partition ?? 0,
    revisions: isTold ? { current: status.currentRevision, wanted: status.updateRevision } : null,
  };
}

const statefulSetSchema: z.ZodType<StatefulSet> = z
  .object({
    metadata: metaSchema.extend({ managedFields: ownersSchema }),
    spec: z.object({
      replicas: z.number().default(1),
      selector: z.object({ matchLabels: texts }),
      serviceName: z.string().default(""),
      volumeClaimTemplates: listOf(claimTemplateSchema),
      persistentVolumeClaimRetentionPolicy: z.object({ whenScaled: z.string().optional() }).nullish(),
      template: z.object({ spec: podSpecSchema }),
      updateStrategy: strategySchema.optional(),
    }),
    status: setStatusSchema.optional(),
  })
  .transform(({ metadata, spec, status }) => ({
    ...metaOf(metadata),
    generation: metadata.generation,
    replicas: spec.replicas,
    replicasBy: writerOfReplicas(metadata.managedFields),
    matchLabels: spec.selector.matchLabels,
    serviceName: spec.serviceName,
    claimTemplates: spec.volumeClaimTemplates.map((template) => template.metadata.name),
    hasExclusiveVolumes: spec.volumeClaimTemplates.some(
      (template) => template.spec?.accessModes.includes("ReadWriteOncePod") === true,
    ),
    keepsClaims: spec.persistentVolumeClaimRetentionPolicy?.whenScaled !== "Delete",
    containers: spec.template.spec.containers.map(({ name, image, ports, volumeMounts }) => ({
      ...{ name, image, mounts: volumeMounts },
      ports: ports.map((port) => port.containerPort),
    })),
    pods: traitsOf(spec.template.spec, spec.volumeClaimTemplates),
    rollout: rolloutOf(spec.updateStrategy, status, metadata.generation),
  }));

const terminatedSchema = z.object({
  reason: z.string().optional(),
  exitCode: z.number().optional(),
  startedAt: z.string().nullish(),
  finishedAt: z.string().nullish(),
  message: z.string().optional(),
});

/** Null without all three: half of it could be taken for another process's end. */
function terminationOf(ended: z.infer<typeof terminatedSchema> | undefined): Termination | null {
  const startedAtMs = Date.parse(ended?.startedAt ?? "");
  const finishedAtMs = Date.parse(ended?.finishedAt ?? "");
  if (ended?.exitCode === undefined || Number.isNaN(startedAtMs) || Number.isNaN(finishedAtMs)) return null;
  return { exitCode: ended.exitCode, startedAtMs, finishedAtMs };
}

const containerStatusSchema = z
  .object({
    name: z.string(),
    restartCount: z.number().default(0),
    state: z
      .object({
        running: z.unknown().optional(),
        waiting: z.object({ reason: z.string().optional() }).optional(),
        terminated: terminatedSchema.optional(),
      })
      .default({}),
    lastState: z.object({ terminated: terminatedSchema.optional() }).default({}),
  })
  .transform(({ name, restartCount, state, lastState }): ContainerStatus => {
    const running = state.running !== undefined;
    // A container that waits for its next start has its exit code in the state before.
    const last = state.terminated ?? lastState.terminated;
    const reason = running ? undefined : (state.waiting ?? state.terminated)?.reason;
    return {
      name,
      running,
      restartCount,
      reason: reason ?? null,
      exitCode: running ? null : (last?.exitCode ?? null),
      ...(!running && last?.message !== undefined && { said: last.message }),
      ended: terminationOf(last),
    };
  });

const podSchema: z.ZodType<Pod> = z
  .object({
    metadata: metaSchema,
    status: z
      .object({
        podIP: z.string().optional(),
        phase: z.string().default("Pending"),
        conditions: listOf(z.object({ type: z.string(), status: z.string() })),
        containerStatuses: listOf(containerStatusSchema),
      })
      .default({ phase: "Pending", conditions: [], containerStatuses: [] }),
  })
  .transform(({ metadata, status }) => ({
    ...metaOf(metadata),
    ip: status.podIP || null,
    phase: status.phase,
    ready: status.conditions.some((each) => each.type === "Ready" && each.status === "True"),
    containers: status.containerStatuses,
  }));

/** "Quantity" in the Kubernetes API, in the canonical forms in which the API server answers: `20Gi`, `500M`, `1073741824`. */
function bytesOf(quantity: string | undefined): number | null {
  const [, amount, prefix = "", binary] = /^(\d+(?:\.\d+)?)([kKMGTPE]?)(i?)$/.exec(quantity ?? "") ?? [];
  if (amount === undefined) return null;
  const power = prefix === "" ? 0 : "kmgtpe".indexOf(prefix.toLowerCase()) + 1;
  return Math.floor(Number(amount) * (binary === "i" ? 1024 : 1000) ** power);
}

const claimStatusSchema = z.object({
  phase: z.string().default("Pending"),
  capacity: z.object({ storage: z.string().optional() }).default({}),
});

const claimSchema: z.ZodType<PersistentVolumeClaim> = z
  .object({
    metadata: metaSchema,
    status: claimStatusSchema.default({ phase: "Pending", capacity: {} }),
  })
  .transform(({ metadata, status: { phase, capacity } }) => ({
    ...metaOf(metadata),
    phase,
    capacityBytes: bytesOf(capacity.storage),
  }));

const secretSchema: z.ZodType<Secret> = z
  .object({ metadata: metaSchema, data: texts })
  .transform(({ metadata, data }) => ({
    ...metaOf(metadata),
    values: Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
    ),
  }));

const serviceSchema: z.ZodType<Service> = z
  .object({ metadata: metaSchema, spec: z.object({ selector: texts }) })
  .transform(({ metadata, spec }) => ({ ...metaOf(metadata), selector: spec.selector }));

const jobConditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(""),
  message: z.string().default(""),
  lastTransitionTime: z.string().nullish(),
});

const jobStatusSchema = z.object({
  conditions: listOf(jobConditionSchema),
  uncountedTerminatedPods: z.object({ succeeded: listOf(z.string()) }).optional(),
});

/**
 * It has ended when one of two conditions says so; conditions that announce its end do not count. One whose only pod has
 * succeeded is waited for no longer: the controller counts pods a second or two before it says so of the Job.
 */
function endOf({
  conditions,
  uncountedTerminatedPods: uncounted,
}: z.output<typeof jobStatusSchema>): Pick<Job, "result" | "endedAtMs" | "failure"> {
  const ended = (wanted: string) =>
    conditions.find(({ type, status }) => type === wanted && status === "True");
  const [failed, complete] = [ended("Failed"), ended("Complete")];
  const condition = failed ?? complete;
  if (condition === undefined) {
    const result = (uncounted?.succeeded.length ?? 0) > 0 ? "succeeded" : "active";
    return { result, endedAtMs: null, failure: null };
  }
  const endedAtMs = Date.parse(condition.lastTransitionTime ?? "");
  return {
    result: failed === undefined ? "succeeded" : "failed",
    endedAtMs: Number.isNaN(endedAtMs) ? null : endedAtMs,
    failure:
      failed === undefined ? null : [failed.reason, failed.message].filter((text) => text !== "").join(": "),
  };
}

const jobSchema: z.ZodType<Job> = z
  .object({
    metadata: metaSchema,
    status: jobStatusSchema.default({ conditions: [] }),
  })
  .transform(({ metadata, status }) => ({ ...metaOf(metadata), ...endOf(status) }));

const eventSchema: z.ZodType<KubeEvent> = z
  .object({ metadata: metaSchema, reason: z.string().default(""), note: z.string().default("") })
  .transform(({ metadata, reason, note }) => ({ ...metaOf(metadata), reason, note }));

export const SCHEMAS: { readonly [K in Kind]: z.ZodType<KubeKinds[K]> } = {
  StatefulSet: statefulSetSchema,
  Pod: podSchema,
  PersistentVolumeClaim: claimSchema,
  Secret: secretSchema,
  Service: serviceSchema,
  Job: jobSchema,
  Event: eventSchema,
};

export function objectOf<K extends Kind>(subject: Subject, kind: K, json: unknown): Outcome<KubeKinds[K]> {
  const read = SCHEMAS[kind].safeParse(json);
  return read.success ? succeed(read.data) : { ok: false, failure: unreadable(subject, read.error) };
}
