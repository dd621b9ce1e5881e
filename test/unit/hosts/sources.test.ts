/** Events of the local host from fake watches: what is reported, and that faults on the way lose no cluster. */
import { describe, expect, test, vi } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { readEvent, sweepEvent } from "../../../shared/hosts/events.ts";
import { createRunner, type Runner } from "../../../shared/hosts/local/runner.ts";
import {
  backupCronSource,
  type EventSource,
  tickSource,
  watchSource,
} from "../../../shared/hosts/local/sources.ts";
import type { Kind, StatefulSet } from "../../../shared/model/kube.ts";
import { succeed } from "../../../shared/model/outcome.ts";
import type { ListOptions, WatchEventType, Watches } from "../../../shared/ports/kube.ts";
import { cutWatch, repeated, shuffled } from "../../support/event-faults.ts";
import { createSteppedClock, type SteppedClock } from "../../support/stepped-clock.ts";
import { EVENT_FUNCTIONS } from "./functions.ts";

interface FakeWatches extends Watches {
  readonly opened: { readonly kind: Kind; readonly options: ListOptions }[];
  readonly open: () => number;
  report(kind: Kind, change: WatchEventType, object: object): void;
}

function fakeWatches(): FakeWatches {
  const opened: {
    kind: Kind;
    options: ListOptions;
    report: (change: WatchEventType, object: object) => void;
  }[] = [];
  let open = 0;
  return {
    opened,
    open: () => open,
    watch(kind, options, onEvent) {
      // The caller of `report` gives an object of the right kind.
      opened.push({ kind, options, report: onEvent as (change: WatchEventType, object: object) => void });
      open += 1;
      return {
        close() {
          open -= 1;
        },
        synced: Promise.resolve(),
      };
    },
    report(kind, change, object) {
      for (const watch of opened) if (watch.kind === kind) watch.report(change, object);
    },
  };
}

function managed(name: string): StatefulSet {
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
    pods: { runAsUser: null, fsGroup: null, storage: null, placement: {} },
    containers: [],
  };
}

const unmanaged = (name: string): StatefulSet => ({ ...managed(name), labels: {}, annotations: {} });
const podOf = (name: string) => ({
  namespace: "shop",
  name: `${name}-0`,
  uid: `pod-${name}`,
  resourceVersion: "1",
  labels: {},
});

describe("the watches", () => {
  function reported(act: (watches: FakeWatches) => void): string[] {
    const watches = fakeWatches();
    const seen: string[] = [];
    watchSource({ watches, clock: createSteppedClock(), jobs: true }, [{ namespace: "shop" }])((event) => {
      const read = readEvent(event);
      if (read.ok && read.value.kind === "change") {
        seen.push(`${read.value.change} ${read.value.object.kind} ${read.value.object.name}`);
      }
    });
    act(watches);
    return seen;
  }

  test("are three in each namespace, a fourth where Jobs are made, and all closed in the end", async () => {
    const watches = fakeWatches();
    const clock = createSteppedClock();
    const scopes = [{ namespace: "shop" }, { namespace: "lab" }];
    const source = watchSource({ watches, clock, jobs: false }, scopes);
    const subscription = source(() => undefined);
    await subscription.synced;
    expect(watches.opened.slice(0, 3).map(({ kind, options }) => [kind, options])).toEqual([
      ["StatefulSet", { namespace: "shop" }],
      ["Pod", { namespace: "shop", labels: { "ordinal.dev/managed": "true" } }],
      ["Service", { namespace: "shop", labels: { "app.kubernetes.io/managed-by": "ordinal" } }],
    ]);
    expect(watches.open()).toBe(6);
    const withJobs = watchSource({ watches, clock, jobs: true }, [{ namespace: "shop" }])(() => undefined);
    expect(watches.opened.at(-1)).toMatchObject({
      kind: "Job",
      options: { namespace: "shop", labels: { "app.kubernetes.io/managed-by": "ordinal" } },
    });
    expect(watches.open()).toBe(10);
    subscription.close();
    withJobs.close();
    expect(watches.open()).toBe(0);
  });

  test("report a set while it is managed, and once more when it no longer is", () => {
    const seen = reported((watches) => {
      watches.report("StatefulSet", "add", unmanaged("a"));
      watches.report("StatefulSet", "update", managed("a"));
      watches.report("StatefulSet", "update", unmanaged("a"));
      watches.report("StatefulSet", "update", unmanaged("a"));
      watches.report("StatefulSet", "delete", managed("b"));
      watches.report("StatefulSet", "add", unmanaged("b"));
    });
    expect(seen).toEqual(["update StatefulSet a", "update StatefulSet a", "delete StatefulSet b"]);
  });

  test("report Pods, Services and Jobs as they come", () => {
    const seen = reported((watches) => {
      watches.report("Pod", "delete", podOf("a"));
      watches.report("Job", "update", { ...podOf("a"), name: "a-backup" });
      watches.report("Service", "update", { ...podOf("a"), name: "a-primary" });
    });
    expect(seen).toEqual(["delete Pod a-0", "update Job a-backup", "update Service a-primary"]);
  });
});

describe("with faults on the way", () => {
  const names = ["a", "b", "c", "d"];

  interface Bench {
    readonly clock: SteppedClock;
    readonly watches: FakeWatches;
    readonly host: Runner;
    readonly passes: Map<string, number>;
  }

  function bench(wrap: (source: EventSource, clock: SteppedClock) => EventSource): Bench {
    const clock = createSteppedClock();
    const watches = fakeWatches();
    const passes = new Map<string, number>();
    const log = { info: () => undefined, warn: () => undefined };
    const kube = { list: () => Promise.resolve(succeed(names.map(managed))) };
    const context = { kube, clock, ids: { password: () => "", fraction: () => 0.5 }, log };
    const host = createRunner({
      context: context as unknown as Parameters<typeof createRunner>[0]["context"],
      pass: async (_context, { ref }) => {
        passes.set(ref.name, (passes.get(ref.name) ?? 0) + 1);
        await clock.sleep(50);
        const usual = { outcome: "settled", lookAgainMs: null, phase: "Healthy", memory: null } as const;
        return { ref, ...usual, silent: new Set<number>(), message: "" };
      },
      functions: EVENT_FUNCTIONS,
      namespaces: [],
      lookEveryMs: 10_000,
      concurrency: 8,
    });
    wrap(watchSource({ watches, clock, jobs: true }, [{}]), clock)(host.emit);
    return { clock, watches, host, passes };
  }

  test("tripled and shuffled events are one or two passes of each cluster", async () => {
    let rank = 0;
    const ids = { password: () => "", fraction: () => (rank++ * 0.618) % 1 };
    const { clock, watches, passes } = bench((source, steps) =>
      shuffled(repeated(source), { clock: steps, ids, windowMs: 20 }),
    );
    for (const name of names) watches.report("Pod", "delete", podOf(name));
    await clock.advance(1000);
    expect([...passes.keys()].sort()).toEqual(names);
    for (const count of passes.values()) expect(count).toBeLessThanOrEqual(2);
  });

  test("what a cut watch lost is found by the sweep", async () => {
    const state = { cut: true, lost: 0 };
    const { clock, watches, host, passes } = bench((source) => cutWatch(source, state));
    for (const name of names) watches.report("Pod", "delete", podOf(name));
    await clock.advance(1000);
    expect([passes.size, state.lost]).toEqual([0, 4]);
    host.emit(sweepEvent(clock.now()));
    await clock.advance(1000);
    expect([...passes.keys()].sort()).toEqual(names);
    state.cut = false;
    watches.report("Pod", "delete", podOf("a"));
    await clock.advance(1000);
    expect(passes.get("a")).toBe(2);
  });
});

describe("the tick", () => {
  test("comes every period in UTC and stops when it is closed", async () => {
    vi.useFakeTimers({ now: Date.parse("2026-10-25T00:59:57.500Z") });
    try {
      const types: string[] = [];
      const subscription = tickSource(2, createSteppedClock())(({ type }) => types.push(type));
      // Across the hour in which clocks of Europe are set back: node-cron would stand still in local time.
      await vi.advanceTimersByTimeAsync(10_000);
      subscription.close();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(types).toEqual(Array(5).fill("dev.ordinal.sweep"));
    } finally {
      vi.useRealTimers();
    }
  });

  test("of the schedules comes a second after each full minute", async () => {
    vi.useFakeTimers({ now: Date.parse("2026-10-25T00:59:57.500Z") });
    try {
      const ticks: string[] = [];
      const clock = { now: () => Date.now(), sleep: () => Promise.resolve() };
      const subscription = backupCronSource(clock)(({ type, time }) => ticks.push(`${type} ${time}`));
      await vi.advanceTimersByTimeAsync(120_000);
      subscription.close();
      await vi.advanceTimersByTimeAsync(120_000);
      expect(ticks).toEqual([
        "dev.ordinal.backup-cron 2026-10-25T01:00:01.000Z",
        "dev.ordinal.backup-cron 2026-10-25T01:01:01.000Z",
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("refuses a period that would limp", () => {
    expect(() => tickSource(7, createSteppedClock())).toThrow("does not divide a minute");
  });
});
