/** How the JSON of the API server becomes the objects of the model, whatever it leaves out. */
import { describe, expect, test } from "vitest";
import { pathOf } from "../../../shared/adapters/kube/kinds.ts";
import { SCHEMAS } from "../../../shared/adapters/kube/objects.ts";
import type { Pod } from "../../../shared/model/kube.ts";

const metadata = { namespace: "shop", name: "db", uid: "u", resourceVersion: "7" };
const meta = { ...metadata, labels: {}, annotations: {}, ownerUid: null, deleting: false };

test.each([
  ["StatefulSet", {}, "/apis/apps/v1/statefulsets"],
  ["StatefulSet", { namespace: "shop" }, "/apis/apps/v1/namespaces/shop/statefulsets"],
  ["Pod", { namespace: "shop", name: "db-0" }, "/api/v1/namespaces/shop/pods/db-0"],
  ["PersistentVolumeClaim", { namespace: "a" }, "/api/v1/namespaces/a/persistentvolumeclaims"],
  ["Secret", { namespace: "a", name: "../b?" }, "/api/v1/namespaces/a/secrets/..%2Fb%3F"],
  ["Service", { namespace: "a" }, "/api/v1/namespaces/a/services"],
  ["Job", { namespace: "a", name: "b" }, "/apis/batch/v1/namespaces/a/jobs/b"],
  ["Event", { namespace: "a" }, "/apis/events.k8s.io/v1/namespaces/a/events"],
] as const)("path of %s %j", (kind, where, path) => {
  expect(pathOf(kind, where)).toBe(path);
});

describe("owners", () => {
  const owners = [{ uid: "first" }, { uid: "controller", controller: true }];
  test.each([
    [owners, "controller"],
    [[{ uid: "first" }, { uid: "second" }], "first"],
    [[], null],
    [null, null],
  ])("%j -> %s", (ownerReferences, ownerUid) => {
    const json = { metadata: { ...metadata, ownerReferences } };
    expect(SCHEMAS.Secret.parse(json)).toMatchObject({ ownerUid });
  });
});

describe("pods", () => {
  const cases: readonly [string, unknown, Partial<Pod>][] = [
    ["without a status", undefined, { ip: null, phase: "Pending", ready: false, containers: [] }],
    ["with a fresh status", {}, { ip: null, phase: "Pending", ready: false, containers: [] }],
    [
      "ready",
      { phase: "Running", podIP: "10.0.0.1", conditions: [{ type: "Ready", status: "True" }] },
      { ip: "10.0.0.1", phase: "Running", ready: true },
    ],
    ["not ready", { conditions: [{ type: "Ready", status: "False" }] }, { ready: false }],
    ["initialised only", { conditions: [{ type: "Initialized", status: "True" }] }, { ready: false }],
    ["with a container of which nothing is known", containers({}), one({})],
    ["with a container that runs", containers({ state: { running: {} } }), one({ running: true })],
    [
      "with a container that runs again",
      containers({ restartCount: 2, state: { running: {} }, lastState: { terminated: { exitCode: 1 } } }),
      one({ running: true, restartCount: 2 }),
    ],
    [
      "with a container that waits after a crash",
      containers({
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: { terminated: { reason: "Error", exitCode: 137 } },
      }),
      one({ reason: "CrashLoopBackOff", exitCode: 137 }),
    ],
    [
      "with a container that ended",
      containers({ state: { terminated: { reason: "OOMKilled", exitCode: 137 } } }),
      one({ reason: "OOMKilled", exitCode: 137 }),
    ],
    [
      "with a container that runs again, and how long the one before it ran",
      containers({
        state: { running: {} },
        lastState: {
          terminated: { exitCode: 0, startedAt: "2026-01-01T00:00:00Z", finishedAt: "2026-01-01T00:01:00Z" },
        },
      }),
      one({
        running: true,
        ended: {
          exitCode: 0,
          startedAtMs: Date.parse("2026-01-01T00:00:00Z"),
          finishedAtMs: Date.parse("2026-01-01T00:01:00Z"),
        },
      }),
    ],
  ];

  test.each(cases)("%s", (_, status, expected) => {
    expect(SCHEMAS.Pod.parse({ metadata, ...(status !== undefined && { status }) })).toMatchObject(expected);
  });

  test("the last words of a container are kept once it has ended", () => {
    const said = (state: object) =>
      SCHEMAS.Pod.parse({ metadata, status: containers({ state }) }).containers[0]?.said;
    expect(said({ terminated: { exitCode: 1, message: "no room" } })).toBe("no room");
    expect(said({ running: {} })).toBeUndefined();
  });

  function containers(status: object): unknown {
    return { containerStatuses: [{ name: "main", restartCount: 0, ...status }] };
  }

  function one(status: object): Partial<Pod> {
    const nothing = { running: false, restartCount: 0, reason: null, exitCode: null, ended: null };
    return { containers: [{ name: "main", ...nothing, ...status }] };
  }
});

test("who wrote the replica count of a StatefulSet last is told by the owners of its fields", () => {
  const owner = (manager: string, second: number, fields: unknown) => ({
    ...{ manager, operation: "Update", time: `2026-11-24T10:00:0${second}Z` },
    fieldsV1: fields,
  });
  const replicas = { "f:spec": { "f:replicas": {} } };
  const by = (managedFields: unknown) =>
    SCHEMAS.StatefulSet.parse({
      metadata: { ...metadata, managedFields },
      spec: { selector: {}, template: { spec: {} } },
    }).replicasBy;
  expect(by([owner("kubectl", 5, replicas), owner("ordinal", 7, replicas), owner("hpa", 6, replicas)])).toBe(
    "ordinal",
  );
  const others = [owner("kubectl", 5, replicas), owner("helm", 9, { "f:spec": { "f:template": {} } })];
  expect(by(others)).toBe("kubectl");
  for (const odd of [undefined, null, [], [{}], [owner("x", 1, null)], [owner("x", 1, { "f:spec": 3 })]])
    expect(by(odd)).toBeNull();
});

describe("how a Job ended", () => {
  const active = { result: "active", endedAtMs: null, failure: null };
  const lastTransitionTime = "2026-11-23T03:04:00Z";
  const endedAtMs = Date.parse(lastTransitionTime);
  const complete = { type: "Complete", status: "True", lastTransitionTime };
  const failed = {
    type: "Failed",
    status: "True",
    reason: "DeadlineExceeded",
    message: "too long",
    lastTransitionTime,
  };
  test.each([
    ["nothing is said", undefined, active],
    ["no conditions", { active: 1, conditions: null }, active],
    ["its end is only near", { conditions: [{ ...failed, type: "FailureTarget" }] }, active],
    ["it is suspended", { conditions: [{ type: "Suspended", status: "True" }] }, active],
    ["a condition that does not hold", { conditions: [{ ...complete, status: "False" }] }, active],
    ["complete", { succeeded: 1, conditions: [complete] }, { result: "succeeded", endedAtMs, failure: null }],
    ["its pod failed", { uncountedTerminatedPods: { failed: ["uid"], succeeded: null } }, active],
    [
      "its pod succeeded, and is not counted yet",
      { active: 1, uncountedTerminatedPods: { succeeded: ["uid"] } },
      { ...active, result: "succeeded" },
    ],
    [
      "failed",
      { conditions: [failed] },
      { result: "failed", endedAtMs, failure: "DeadlineExceeded: too long" },
    ],
    [
      "failed, and not told when or why",
      { conditions: [{ type: "Failed", status: "True" }] },
      { result: "failed", endedAtMs: null, failure: "" },
    ],
  ])("%s", (_, status, expected) => {
    expect(SCHEMAS.Job.parse({ metadata, ...(status !== undefined && { status }) })).toEqual({
      ...meta,
      ...expected,
    });
  });
});

test("a StatefulSet in which everything optional is missing", () => {
  const spec = {
    selector: { matchLabels: { app: "db" } },
    template: { spec: { containers: [{ name: "m" }] } },
  };
  expect(SCHEMAS.StatefulSet.parse({ metadata, spec })).toEqual({
    ...meta,
    generation: 0,
    replicas: 1,
    replicasBy: null,
    matchLabels: { app: "db" },
    serviceName: "",
    claimTemplates: [],
    keepsClaims: true,
    hasExclusiveVolumes: false,
    rollout: { strategy: null, partition: 0, revisions: null },
    pods: { runAsUser: null, fsGroup: null, storage: null, placement: {} },
    containers: [{ name: "m", image: "", ports: [], mounts: [] }],
  });
});

test("what else a pod beside those of a set needs is read from it", () => {
  const container = { name: "m", securityContext: { runAsUser: 1001 } };
  const claim = { storageClassName: "fast", resources: { requests: { storage: "5Gi" } } };
  const spec = {
    selector: { matchLabels: { app: "db" } },
    volumeClaimTemplates: [{ metadata: { name: "data" }, spec: claim }],
    template: {
      spec: {
        ...{
          containers: [container],
          securityContext: { runAsUser: 0, fsGroup: 2000 },
          serviceAccountName: "not this",
        },
        ...{ tolerations: [{ key: "db" }], nodeSelector: null },
      },
    },
  };
  expect(SCHEMAS.StatefulSet.parse({ metadata, spec }).pods).toEqual({
    runAsUser: 1001,
    fsGroup: 2000,
    storage: { request: "5Gi", className: "fast" },
    placement: { tolerations: [{ key: "db" }] },
  });
  const asRoot = {
    ...spec,
    template: { spec: { containers: [{ name: "m" }], securityContext: { runAsUser: 0 } } },
  };
  expect(SCHEMAS.StatefulSet.parse({ metadata, spec: asRoot }).pods.runAsUser).toBeNull();
});

test("which folder of a volume a container mounts is read from it", () => {
  const volumeMounts = [
    { name: "data", mountPath: "/var/lib/mysql", subPath: "mysql" },
    { name: "conf", mountPath: "/etc/mysql", readOnly: true },
    { name: "logs", mountPath: "/logs", subPathExpr: "$(POD_NAME)" },
  ];
  const template = { spec: { containers: [{ name: "m", volumeMounts }] } };
  const spec = { selector: { matchLabels: { app: "db" } }, template };
  expect(SCHEMAS.StatefulSet.parse({ metadata, spec }).containers[0]?.mounts).toEqual([
    { name: "data", path: "/var/lib/mysql", subPath: "mysql", varies: false },
    { name: "conf", path: "/etc/mysql", subPath: null, varies: false },
    { name: "logs", path: "/logs", subPath: null, varies: true },
  ]);
});

test("only what the model needs is kept", () => {
  const json = { metadata: { ...metadata, managedFields: [{}], deletionTimestamp: "2026-01-01T00:00:00Z" } };
  const secret = SCHEMAS.Secret.parse({ ...json, type: "Opaque", data: { a: "w7w=" } });
  expect(secret).toEqual({ ...meta, deleting: true, values: { a: "ü" } });
});

test("an object without a uid is none", () => {
  const { uid, ...rest } = metadata;
  expect(uid).toBe("u");
  expect(SCHEMAS.Pod.safeParse({ metadata: rest }).success).toBe(false);
});
