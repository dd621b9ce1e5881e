/** The resident host with a pass that only notes what it was asked: cheap looks, retries, stopping. */
import { beforeEach, describe, expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { backupCronEvent, changeEvent, sweepEvent } from "../../../shared/hosts/events.ts";
import { receive } from "../../../shared/hosts/functions.ts";
import { createRunner, type Runner, type RunnerOptions } from "../../../shared/hosts/local/runner.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { ListOptions } from "../../../shared/ports/kube.ts";
import type { ClusterMemory, PassRequest, PassResult } from "../../../shared/reconcile/index.ts";
import { memory } from "../../support/backups.ts";
import { createSteppedClock, type SteppedClock } from "../../support/stepped-clock.ts";
import { EVENT_FUNCTIONS } from "./functions.ts";

/** The runner never looks into it. */
const MEMORY = { opaque: true } as unknown as ClusterMemory;

function healthy(name: string, changes: Partial<StatefulSet> = {}): StatefulSet {
  return {
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    resourceVersion: "1",
    labels: { [LABEL.managed]: "true" },
    annotations: { [ANNOTATION.engine]: "mysql", [ANNOTATION.phase]: "Healthy" },
    ownerUid: null,
    deleting: false,
    generation: 1,
    replicas: 1,
    replicasBy: null,
    matchLabels: {},
    serviceName: name,
    claimTemplates: [],
    keepsClaims: true,
    hasExclusiveVolumes: false,
    rollout: { strategy: null, partition: 0, revisions: null },
    pods: { runAsUser: null, fsGroup: null, storage: null, placement: {} },
    containers: [],
    ...changes,
  };
}

let clock: SteppedClock;
let fleet: StatefulSet[];
let lists: ListOptions[];
let requests: PassRequest[];
let warnings: string[];
let results: Partial<PassResult>[];
let listing: () => Promise<Outcome<readonly StatefulSet[]>>;

beforeEach(() => {
  clock = createSteppedClock();
  fleet = [];
  lists = [];
  requests = [];
  warnings = [];
  results = [];
  listing = () => Promise.resolve(succeed(fleet));
});

function runner(changes: Partial<RunnerOptions> = {}): Runner {
  const kube = {
    list: (_kind: string, options: ListOptions) => {
      lists.push(options);
      return listing();
    },
    read: (_kind: string, { name }: { readonly name: string }) =>
      Promise.resolve(succeed(fleet.find((set) => set.name === name))),
  };
  const context = {
    kube,
    clock,
    ids: { password: () => "", fraction: () => 1 },
    log: { info: () => undefined, warn: (message: string) => void warnings.push(message) },
  } as unknown as RunnerOptions["context"];
  return createRunner({
    context,
    pass: (_context, request) => {
      requests.push(request);
      const usual = { ref: request.ref, outcome: "settled", lookAgainMs: null, phase: "Healthy" } as const;
      return Promise.resolve({
        ...usual,
        memory: MEMORY,
        silent: new Set<number>(),
        message: "",
        ...results.shift(),
      });
    },
    functions: EVENT_FUNCTIONS,
    namespaces: [],
    lookEveryMs: 10_000,
    concurrency: 8,
    ...changes,
  });
}

async function sweep(host: Runner): Promise<void> {
  host.emit(sweepEvent(clock.now()));
  await clock.settle();
}

const podDeleted = (namespace = "shop") =>
  changeEvent("delete", "Pod", { namespace, name: "a-0", uid: "p", resourceVersion: "9", labels: {} }, 0);

test("a pass is told in which trace the event was sent that woke it, and its retry is not", async () => {
  const origin = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", state: null };
  const { type, data } = podDeleted();
  const headers = {
    ...{ "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/test", "ce-type": type },
    ...{ "content-type": "application/json", traceparent: `00-${origin.traceId}-${origin.spanId}-01` },
  };
  results = [{ outcome: "failed" }];
  const host = runner();
  host.take(receive(EVENT_FUNCTIONS, { headers, body: JSON.stringify(data) }).reaction);
  await clock.settle();
  await clock.advance(5_000);
  expect(requests.map(({ cause, origins }) => [cause, origins])).toEqual([
    ["Pod a-0 delete", [origin]],
    ["retry", undefined],
  ]);
});

describe("a sweep", () => {
  test("costs one list, and the pass gets the listed object", async () => {
    fleet = [healthy("a"), healthy("b"), healthy("plain", { labels: {}, annotations: {} })];
    const host = runner();
    await sweep(host);
    expect(lists).toEqual([{}]);
    expect(requests.map(({ ref, entry, memory }) => [ref.name, entry === null, memory])).toEqual([
      ["a", false, null],
      ["b", false, null],
    ]);
    await sweep(host);
    expect(lists).toHaveLength(2);
    expect(requests).toHaveLength(2);
  });

  test("gives the memory of the last pass back until something else wakes the cluster", async () => {
    fleet = [healthy("a")];
    const host = runner();
    await sweep(host);
    await clock.advance(10_000);
    await sweep(host);
    expect(requests[1]).toMatchObject({ cause: "sweep: long silent", memory: MEMORY, entry: { name: "a" } });
    host.emit(podDeleted());
    await clock.settle();
    expect(requests[2]).toMatchObject({ cause: "Pod a-0 delete", memory: null, entry: null });
  });

  test("that meets an event of the same cluster gives neither memory nor object", async () => {
    fleet = [healthy("a")];
    const host = runner();
    await sweep(host);
    await clock.advance(10_000);
    host.emit(sweepEvent(0));
    host.emit(podDeleted());
    await clock.settle();
    expect(requests.slice(1).every(({ memory }) => memory === null)).toBe(true);
  });

  test("lists each named namespace, and events of others are ignored", async () => {
    const host = runner({ namespaces: ["shop", "lab"] });
    await sweep(host);
    expect(lists).toEqual([{ namespace: "shop" }, { namespace: "lab" }]);
    host.emit(podDeleted("kube-system"));
    await clock.settle();
    expect(requests).toEqual([]);
  });

  test("is skipped while the one before is still listing", async () => {
    let answer: (sets: Outcome<readonly StatefulSet[]>) => void = () => undefined;
    listing = () => new Promise((resolve) => (answer = resolve));
    const host = runner();
    await sweep(host);
    await sweep(host);
    expect(lists).toHaveLength(1);
    answer(succeed([]));
    await clock.settle();
    await sweep(host);
    expect(lists).toHaveLength(2);
  });

  test("that cannot list says so once, keeps what it knows, and goes on later", async () => {
    fleet = [healthy("a")];
    const host = runner();
    await sweep(host);
    listing = () => Promise.resolve(fail("transient", "connection refused"));
    await sweep(host);
    await sweep(host);
    expect(warnings).toEqual(["a sweep could not list the fleet"]);
    listing = () => Promise.resolve(succeed(fleet));
    await clock.advance(10_000);
    await sweep(host);
    expect(requests[1]).toMatchObject({ memory: MEMORY });
  });

  test("forgets a cluster that vanished", async () => {
    fleet = [healthy("a")];
    const host = runner();
    await sweep(host);
    fleet = [];
    await sweep(host);
    fleet = [healthy("a")];
    await sweep(host);
    expect(requests[1]).toMatchObject({ cause: "sweep: first look", memory: null });
  });
});

describe("a tick of the schedules", () => {
  const everyMinute = (name: string, handled: string): StatefulSet => {
    const set = healthy(name);
    const wish = {
      [ANNOTATION.credentials]: "root",
      [ANNOTATION.backupStore]: "backups",
      [ANNOTATION.backupSchedule]: "* * * * *",
    };
    const remembered = encodeBackups(memory({ clusterUid: set.uid, handled }));
    return { ...set, annotations: { ...set.annotations, ...wish, ...remembered } };
  };
  const tick = async (host: Runner) => {
    host.emit(backupCronEvent(clock.now()));
    await clock.settle();
  };

  test("wakes just the clusters of which a backup is due", async () => {
    const longAgo = "1970-01-01T00:00:00Z";
    const { [ANNOTATION.engine]: _, ...unmanaged } = everyMinute("c", longAgo).annotations;
    fleet = [
      everyMinute("a", longAgo),
      everyMinute("b", new Date(clock.now()).toISOString()),
      healthy("c", { labels: {}, annotations: unmanaged }),
      healthy("d"),
    ];
    const host = runner();
    await tick(host);
    expect(lists).toEqual([{}]);
    expect(requests.map(({ ref, cause }) => [ref.name, cause])).toEqual([["a", "a backup is due"]]);
  });

  test("lists also while a sweep does, and says once that it cannot", async () => {
    listing = () => new Promise(() => undefined);
    const host = runner();
    await sweep(host);
    listing = () => Promise.resolve(fail("transient", "connection refused"));
    await tick(host);
    await tick(host);
    expect(lists).toHaveLength(3);
    expect(warnings).toEqual(["a sweep could not list the fleet"]);
  });
});

test("a failed pass is repeated after the back-off, a changed wish at once", async () => {
  fleet = [healthy("a")];
  results = [{ outcome: "failed" }, { outcome: "failed" }];
  const host = runner();
  await sweep(host);
  await clock.advance(999);
  expect(requests).toHaveLength(1);
  await clock.advance(1);
  expect(requests.map(({ cause }) => cause)).toEqual(["sweep: first look", "retry"]);
  fleet = [healthy("a", { generation: 2, resourceVersion: "2" })];
  await sweep(host);
  expect(requests).toHaveLength(3);
});

test("a pass that wants to look again is woken at that time, unless another came between", async () => {
  fleet = [healthy("a")];
  results = [{ outcome: "waiting", lookAgainMs: 3000 }];
  const host = runner();
  await sweep(host);
  await clock.advance(3000);
  expect(requests.map(({ cause }) => cause)).toEqual(["sweep: first look", "look again"]);
  results = [{ outcome: "waiting", lookAgainMs: 3000 }];
  host.emit(podDeleted());
  await clock.advance(1000);
  host.emit(podDeleted());
  await clock.advance(9000);
  expect(requests).toHaveLength(4);
});

test("an event of a wrong form is reported and changes nothing", async () => {
  const host = runner();
  host.emit({ ...podDeleted(), data: "garbage" });
  await clock.settle();
  expect(warnings).toEqual(["an event was refused"]);
  expect(requests).toEqual([]);
});

test("stopping does not wait longer than it may for a pass that hangs", async () => {
  const host = runner({ pass: () => new Promise(() => undefined) });
  host.emit(podDeleted());
  await clock.settle();
  let stopped = false;
  void host.stop(5000).then(() => {
    stopped = true;
  });
  await clock.advance(4999);
  expect(stopped).toBe(false);
  await clock.advance(1);
  expect(stopped).toBe(true);
});

test("a pass under way is told when it is stopped: in half of the time that is left", async () => {
  const host = runner({
    pass: (_context, request) => (requests.push(request), new Promise(() => undefined)),
  });
  host.emit(podDeleted());
  await clock.settle();
  expect(requests[0]?.endsAtMs?.()).toBe(Number.POSITIVE_INFINITY);
  const stopsAtMs = clock.now();
  void host.stop(5000);
  expect(requests[0]?.endsAtMs?.()).toBe(stopsAtMs + 2500);
});

test("when a cluster was looked at last is known, and a look that failed is none", async () => {
  fleet = [healthy("a")];
  const host = runner();
  const looked = () => host.lookedAtMs({ namespace: "shop", name: "a" });
  expect(looked()).toBeNull();
  await sweep(host);
  const firstMs = clock.now();
  expect(looked()).toBe(firstMs);
  await clock.advance(10_000);
  results.push({ outcome: "failed", lookAgainMs: 60_000 });
  await sweep(host);
  expect([requests.length, looked()]).toEqual([2, firstMs]);
  await clock.advance(10_000);
  expect(looked()).toBeGreaterThan(firstMs);
});

describe("whoever wants to be told", () => {
  const seen: string[] = [];
  const announcer = {
    look: (sets: readonly StatefulSet[]) => void seen.push(sets.map(({ name }) => name).join(" ")),
    stop: () => Promise.resolve(),
  };

  test("is shown the fleet by each sweep, and a cluster by each pass that is more than a quiet look", async () => {
    fleet = [healthy("a"), healthy("b")];
    const host = runner({ announcer });
    await sweep(host);
    expect(seen.splice(0)).toEqual(["a b"]);
    host.emit(podDeleted());
    await clock.settle();
    await clock.settle();
    expect(seen).toEqual(["a"]);
  });
});
