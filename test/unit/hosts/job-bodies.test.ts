/** Jobs as Kubernetes gets them: nothing that Pod Security "restricted" refuses, no secret, and an order that can be read. */
import { expect, test } from "vitest";
import * as z from "zod";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import { createJobBodies } from "../../../shared/hosts/job/bodies.ts";
import { dataVolumeOf } from "../../../shared/model/data-volume.ts";
import { jobOrderSchema, type Task } from "../../../shared/model/job-order.ts";
import type { StatefulSet, VolumeMount } from "../../../shared/model/kube.ts";
import type { RestoreTask } from "../../../shared/model/restore.ts";
import { BACKUP_TASK, PROOF_TASK } from "../../support/job-work.ts";
import { observed } from "../../support/situation.ts";

const containerSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  resources: z.object({
    requests: z.record(z.string(), z.string()),
    limits: z.record(z.string(), z.string()),
  }),
  volumeMounts: z.array(
    z.object({
      ...{ name: z.string(), mountPath: z.string(), subPath: z.string().optional() },
      readOnly: z.boolean().default(false),
    }),
  ),
  securityContext: z.looseObject({}),
});
const bodySchema = z.strictObject({
  spec: z.strictObject({
    backoffLimit: z.literal(0),
    activeDeadlineSeconds: z.number().positive(),
    ttlSecondsAfterFinished: z.number().positive(),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        restartPolicy: z.literal("Never"),
        automountServiceAccountToken: z.literal(false),
        securityContext: z.looseObject({ runAsUser: z.number() }),
        volumes: z.array(z.looseObject({ name: z.string() })),
        initContainers: z.tuple([containerSchema]),
        containers: z.tuple([containerSchema]),
      }),
    }),
  }),
});

const SET: StatefulSet = observed(3).set;

function podOf(task: Task, set: Partial<StatefulSet> = {}) {
  const body = createJobBodies("registry.example.com/ordinal:1", mysql.rules)(task, { ...SET, ...set });
  const { spec } = bodySchema.parse(body).spec.template;
  const [container] = spec.containers;
  const text = container.env.find(({ name }) => name === "ORDINAL_JOB")?.value ?? "";
  return { spec, container, order: jobOrderSchema.parse(JSON.parse(text)), body };
}

const SOURCE = {
  ...{ id: "r1", store: "backups", from: null, begunAt: "2026-11-24T00:00:00.000Z" },
  target: { kind: "backup", slot: null },
} as const;
const CHECK: RestoreTask = { kind: "restore-check", ...SOURCE };
const FILL: RestoreTask = { kind: "restore-fill", ordinal: 0, ...SOURCE };
const EXCHANGE: RestoreTask = { kind: "restore-exchange", id: "r1", ordinal: 2, direction: "in" };
const FORGET: RestoreTask = { kind: "restore-forget", id: "r1", ordinal: 2 };

const LOGICAL: Task = { ...BACKUP_TASK, method: "logical", databases: ["shop"] };

test.each<[string, Task]>([
  ["a physical backup", BACKUP_TASK],
  ["a logical backup", LOGICAL],
  ["a proof", PROOF_TASK],
  ["the check of a restore", CHECK],
  ["the filling of a volume", FILL],
  ["an exchange", EXCHANGE],
  ["the deletion of what a restore has left", FORGET],
])("%s keeps to Pod Security restricted, and has limits", (_, task) => {
  const { spec, order } = podOf(task);
  expect(spec.securityContext).toEqual({
    ...{ runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999 },
    seccompProfile: { type: "RuntimeDefault" },
  });
  for (const container of [...spec.initContainers, ...spec.containers]) {
    expect(container.securityContext).toEqual({
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ["ALL"] },
    });
    expect(Object.keys(container.resources.requests)).toEqual(expect.arrayContaining(["cpu", "memory"]));
    expect(Object.keys(container.resources.limits)).toEqual(expect.arrayContaining(["cpu", "memory"]));
  }
  const kinds = spec.volumes.flatMap(({ name: _name, ...kind }) => Object.keys(kind));
  expect(
    kinds.filter((kind) => !["emptyDir", "secret", "ephemeral", "persistentVolumeClaim"].includes(kind)),
  ).toEqual([]);
  expect(order.task).toEqual(task);
  expect(order.cluster).toEqual({ namespace: "shop", name: "mysql", uid: SET.uid });
});

test("our program is copied by our image and runs in that of the database, with nothing of it around", () => {
  const { spec, container } = podOf(BACKUP_TASK, {
    containers: [
      { name: "exporter", image: "exporter:1", ports: [9104], mounts: [] },
      { name: "db", image: "mysql:9.7", ports: [3306], mounts: [] },
    ],
  });
  const [copying] = spec.initContainers;
  expect(copying.image).toBe("registry.example.com/ordinal:1");
  expect(copying.command.slice(-2)).toEqual(["/ordinal/copy.mjs", "/tools"]);
  expect(container.image).toBe("mysql:9.7");
  expect(container.command[0]).toBe("/tools/ld.so");
  expect(container.command.at(-1)).toBe("/tools/job.mjs");
  expect(container.command).toContain("--max-old-space-size=48");
  const written = container.volumeMounts.filter(({ readOnly }) => !readOnly).map(({ name }) => name);
  expect(written).toEqual(["tmp", "scratch"]);
});

test("of Secrets it sees the store, and one password at most", () => {
  const secrets = (task: Task) =>
    podOf(task).spec.volumes.flatMap(({ secret }) => (secret === undefined ? [] : [secret]));
  const store = expect.objectContaining({ secretName: "backups" });
  const items = [{ key: "replication-1", path: "password" }];
  expect(secrets(BACKUP_TASK)).toEqual([
    store,
    expect.objectContaining({ secretName: "mysql-ordinal", items }),
  ]);
  expect(secrets(LOGICAL)).toEqual([store, expect.objectContaining({ secretName: "mysql-root" })]);
  expect(secrets(PROOF_TASK)).toEqual([store]);
  expect(secrets(CHECK)).toEqual([store]);
  expect(secrets(FILL)).toEqual([store, expect.objectContaining({ secretName: "mysql-root" })]);
  for (const task of [EXCHANGE, FORGET]) expect(secrets(task)).toEqual([]);
});

test("it copies the member by its own name, as an account that replicates", () => {
  const host = "mysql-1.mysql.shop.svc";
  expect(podOf(BACKUP_TASK).order.source).toEqual({ host, port: 3306, username: "ordinal_repl_1" });
  // Its name is in the Secret, beside the password.
  expect(podOf(LOGICAL).order.source).toEqual({ host, port: 3306, username: null });
  expect(podOf(PROOF_TASK).order.source).toBeNull();
});

test("it runs where the set may run, as the user that the set names, with room for its data", () => {
  const placement = { nodeSelector: { disk: "fast" }, imagePullSecrets: [{ name: "registry" }] };
  const storage = { request: "40Gi", className: "fast" };
  const { spec } = podOf(BACKUP_TASK, { pods: { runAsUser: 1001, fsGroup: null, storage, placement } });
  expect(spec).toMatchObject(placement);
  expect(spec.securityContext).toMatchObject({ runAsUser: 1001, fsGroup: 1001 });
  const claim = (of: typeof spec) => of.volumes.find(({ ephemeral }) => ephemeral !== undefined);
  expect(claim(spec)).toMatchObject({
    ephemeral: {
      volumeClaimTemplate: {
        spec: { storageClassName: "fast", resources: { requests: { storage: "40Gi" } } },
      },
    },
  });
  expect(JSON.stringify(claim(podOf(BACKUP_TASK).spec))).toContain('"storage":"10Gi"');
});

test("its pods are no members: the set's own labels are not on them", () => {
  const { labels } = bodySchema.parse(podOf(BACKUP_TASK).body).spec.template.metadata;
  expect(Object.keys(SET.matchLabels).filter((key) => labels[key] === SET.matchLabels[key])).toEqual([]);
});

test("of volumes it sees that of its member, in the folder that the member has", () => {
  const mount: VolumeMount = { name: "data", path: "/var/lib/mysql", subPath: "mysql", varies: false };
  const containers = [{ name: "mysql", image: "mysql:9.7", ports: [3306], mounts: [mount] }];
  const claims = (task: Task) =>
    podOf(task, { containers }).spec.volumes.flatMap(({ persistentVolumeClaim: claim }) => claim ?? []);
  for (const task of [BACKUP_TASK, LOGICAL, PROOF_TASK, CHECK]) expect(claims(task)).toEqual([]);
  expect(claims(FILL)).toEqual([{ claimName: "data-mysql-0" }]);
  for (const task of [EXCHANGE, FORGET]) {
    expect(claims(task)).toEqual([{ claimName: "data-mysql-2" }]);
    expect(podOf(task, { containers }).container.volumeMounts.slice(2)).toEqual([
      { name: "volume", mountPath: "/ordinal/volume", subPath: "mysql", readOnly: false },
    ]);
  }
});

test("what is done beside a server that runs is done on its machine", () => {
  const term = (ordinal: number) => ({
    topologyKey: "kubernetes.io/hostname",
    labelSelector: { matchLabels: { "statefulset.kubernetes.io/pod-name": `mysql-${ordinal}` } },
  });
  expect(podOf(FORGET).spec["affinity"]).toEqual({
    podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(2)] },
  });
  // Where none runs any more, it is done all the same.
  expect(podOf(FILL).spec["affinity"]).toMatchObject({
    podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ podAffinityTerm: term(0) }] },
  });
  expect(podOf(EXCHANGE).spec["affinity"]).toBeUndefined();
});

test("the group of the set's volumes is kept", () => {
  const pods = { ...SET.pods, runAsUser: 1001, fsGroup: 2000 };
  expect(podOf(EXCHANGE, { pods }).spec.securityContext).toMatchObject({ runAsUser: 1001, fsGroup: 2000 });
});

const data: VolumeMount = { name: "data", path: "/var/lib/mysql", subPath: null, varies: false };
test.each<[string, readonly string[], readonly VolumeMount[], RegExp]>([
  ["no volume of its own", [], [data], /^mysql has no volume claim template, so /],
  ["a template that is not mounted", ["data"], [], /does not mount data where the database is served/],
  ["another template mounted", ["logs", "data"], [data], /does not mount logs/],
  ["two volumes", ["data", "logs"], [data, { ...data, name: "logs" }], /on several volumes \(data, logs\)/],
  ["two folders", ["data"], [data, { ...data, path: "/x" }], /mounts several folders of data/],
  ["a folder by the pod's name", ["data"], [{ ...data, varies: true }], /mounts data with a subPathExpr/],
])("with %s nobody knows where a restore would work", (_, claimTemplates, mounts, why) => {
  const containers = [{ name: "mysql", image: "mysql:9.7", ports: [3306], mounts }];
  const found = dataVolumeOf({ ...SET, claimTemplates, containers }, mysql.rules);
  expect(found).toMatchObject({
    ok: false,
    failure: { kind: "refused", message: expect.stringMatching(why) },
  });
});

test("volumes of others beside it do not matter", () => {
  const mounts = [{ ...data, name: "config", path: "/etc/mysql" }, data];
  const containers = [
    { name: "exporter", image: "exporter:1", ports: [9104], mounts: [{ ...data, path: "/x" }] },
    { name: "mysql", image: "mysql:9.7", ports: [3306], mounts },
  ];
  expect(dataVolumeOf({ ...SET, containers }, mysql.rules)).toEqual({ ok: true, value: data });
});
