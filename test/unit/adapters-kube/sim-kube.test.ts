/** The simulation's own means: faults, deliveries, older lists, other actors. The contract covers the rest. */
import { expect, test } from "vitest";
import type { Failure } from "../../../shared/model/outcome.ts";
import { beginDeletion, putClaim, putPod, putStatefulSet, reportPod } from "../../sim/kube/actors.ts";
import { createSimKube } from "../../sim/kube/api-server.ts";

const DB = { namespace: "shop", name: "db" };
const POD = { namespace: "shop", name: "db-0" };
const SECRET = { namespace: "shop", name: "a" };
const LATE: Failure = { kind: "transient", message: "as a test" };

function start() {
  let now = 1000;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const sleep = (ms: number): Promise<void> =>
    new Promise((wake) => {
      sleepers.push({ at: now + ms, wake });
    });
  const sim = createSimKube({ now: () => now, sleep });
  async function pass(ms: number): Promise<void> {
    now += ms;
    for (const each of sleepers.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)) each.wake();
    await settled();
  }
  return { sim, pass };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function watched(sim: ReturnType<typeof start>["sim"]): string[] {
  const events: string[] = [];
  sim.watches.watch("Secret", {}, (type, { resourceVersion }) => events.push(`${type}@${resourceVersion}`));
  return events;
}

test("a call can fail before or after it took effect, and all are logged", async () => {
  const { sim } = start();
  sim.setFaults(({ verb, name }) => (verb === "create" ? { [name === "a" ? "before" : "after"]: LATE } : {}));
  const failed = { ok: false, failure: LATE };
  expect(await sim.kube.create("Secret", { ...SECRET, body: {} })).toEqual(failed);
  expect(await sim.kube.create("Secret", { ...SECRET, name: "b", body: {} })).toEqual(failed);
  expect(await sim.kube.list("Secret", {})).toMatchObject({ ok: true, value: [{ name: "b" }] });
  expect(sim.calls).toEqual([
    { verb: "create", kind: "Secret", ...SECRET, at: 1000 },
    { verb: "create", kind: "Secret", namespace: "shop", name: "b", at: 1000 },
    { verb: "list", kind: "Secret", namespace: null, name: null, at: 1000 },
  ]);
});

test("a call can be late, by the given clock", async () => {
  const { sim, pass } = start();
  sim.setFaults(() => ({ delayMs: 50 }));
  const created = sim.kube.create("Secret", { ...SECRET, body: {} });
  await pass(49);
  expect(sim.raw("Secret", SECRET)).toBeNull();
  await pass(1);
  expect(await created).toMatchObject({ ok: true });
  expect(sim.raw("Secret", SECRET)).toMatchObject({
    metadata: { creationTimestamp: "1970-01-01T00:00:01.050Z" },
  });
});

test("a list can be older than the last commits", async () => {
  const { sim } = start();
  sim.put("Secret", SECRET, {});
  sim.put("Secret", SECRET, { metadata: { labels: { a: "1" } } });
  sim.put("Secret", { ...SECRET, name: "b" }, {});
  sim.drop("Secret", SECRET);
  const at = async (staleBy: number): Promise<unknown> => {
    sim.setFaults(() => ({ staleBy }));
    const listed = await sim.kube.list("Secret", {});
    return listed.ok ? listed.value.map(({ name, labels }) => [name, labels]) : null;
  };
  expect(await at(0)).toEqual([["b", {}]]);
  expect(await at(1)).toEqual([
    ["a", { a: "1" }],
    ["b", {}],
  ]);
  expect(await at(3)).toEqual([["a", {}]]);
  expect(await at(99)).toEqual([]);
});

test("events can be lost, doubled and late, and a new list finds what is missing", async () => {
  const { sim, pass } = start();
  const events = watched(sim);
  await settled();
  const deliveries = [{ delayMs: 20 }, { twice: true }, { drop: true }, {}];
  sim.setDeliveries(() => deliveries.shift() ?? {});
  sim.put("Secret", SECRET, {});
  sim.put("Secret", SECRET, { data: { a: "" } });
  sim.drop("Secret", SECRET);
  sim.put("Secret", SECRET, {});
  await settled();
  expect(events).toEqual(["add@2", "update@2", "add@4"]);
  await pass(20);
  expect(events.slice(3)).toEqual(["update@1"]);
  sim.relist();
  expect(events.slice(4)).toEqual(["delete@1"]);
});

test("what a callback throws is kept for the test to see", async () => {
  const { sim } = start();
  sim.put("Secret", SECRET, {});
  const watch = sim.watches.watch("Secret", {}, () => {
    throw new Error("as a test");
  });
  await watch.synced;
  expect(sim.callbackErrors).toEqual([new Error("as a test")]);
});

test("the controller, the kubelet and the garbage collector can be played", () => {
  const { sim } = start();
  const set = putStatefulSet(sim, DB, { replicas: 1, annotations: { "ordinal.dev/engine": "mysql" } });
  expect(set).toMatchObject({ generation: 1, replicas: 1, claimTemplates: ["storage"], serviceName: "db" });
  expect(putStatefulSet(sim, DB, { replicas: 1, annotations: { "ordinal.dev/engine": null } })).toMatchObject(
    {
      uid: set.uid,
      generation: 1,
      annotations: {},
    },
  );
  expect(putStatefulSet(sim, DB, { replicas: 2 })).toMatchObject({ generation: 2 });
  expect(putPod(sim, set, 0)).toMatchObject({
    name: "db-0",
    phase: "Pending",
    ready: false,
    ownerUid: set.uid,
  });
  expect(reportPod(sim, POD, { ip: "10.0.0.1", ready: true })).toMatchObject({
    ip: "10.0.0.1",
    phase: "Running",
    ready: true,
    containers: [{ running: true, exitCode: null }],
  });
  const crashed = {
    name: "database",
    running: false,
    restartCount: 1,
    reason: "CrashLoopBackOff",
    exitCode: 1,
    ended: { exitCode: 1, startedAtMs: 1_000, finishedAtMs: 2_000 },
  };
  expect(reportPod(sim, POD, { ip: null, ready: false, containers: [crashed] })).toMatchObject({
    ip: null,
    ready: false,
    containers: [crashed],
  });
  expect(beginDeletion(sim, POD, "2026-01-01T00:00:00Z")).toMatchObject({ deleting: true });
  expect(putClaim(sim, set, "storage", 0)).toMatchObject({ name: "storage-db-0", phase: "Bound" });
  sim.collectGarbage();
  expect(sim.raw("Pod", POD)).not.toBeNull();
  sim.drop("StatefulSet", DB);
  sim.collectGarbage();
  expect(sim.raw("Pod", POD)).toBeNull();
  expect(sim.raw("PersistentVolumeClaim", { ...DB, name: "storage-db-0" })).not.toBeNull();
  expect(sim.calls).toEqual([]);
});
