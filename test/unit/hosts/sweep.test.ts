/** Which clusters a sweep looks at, and why. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { chooseLooks, type Seen, sightingOf } from "../../../shared/hosts/sweep.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";

const NOW_MS = Date.parse("2026-11-23T10:00:00.000Z");

const asked = { [ANNOTATION.engine]: "mysql" };

function set(changes: Partial<StatefulSet> = {}): StatefulSet {
  return {
    namespace: "shop",
    name: "mysql",
    uid: "uid-1",
    resourceVersion: "7",
    labels: { [LABEL.managed]: "true" },
    annotations: { ...asked, [ANNOTATION.phase]: "Healthy" },
    ownerUid: null,
    deleting: false,
    generation: 1,
    replicas: 3,
    replicasBy: null,
    matchLabels: { app: "mysql" },
    serviceName: "mysql",
    claimTemplates: ["data"],
    keepsClaims: true,
    hasExclusiveVolumes: false,
    pods: { runAsUser: null, fsGroup: null, storage: null, placement: {} },
    containers: [],
    ...changes,
  };
}

function annotated(more: Record<string, string>): StatefulSet {
  return set({ annotations: { ...set().annotations, ...more } });
}

function steadyState(): string {
  const fields = { epoch: 1, established: null, pending: null, op: null } as const;
  return encodeState({
    v: 1,
    seq: 1,
    clusterUid: "uid-1",
    phase: "Steady",
    ...fields,
    primaryStartedAtMs: null,
    failovers: [],
    unproven: [],
    scaledTo: null,
  });
}

function seenAs(before: StatefulSet, lookedAtMs = NOW_MS): ReadonlyMap<string, Seen> {
  return new Map([[`${before.namespace}/${before.name}`, { sighting: sightingOf(before), lookedAtMs }]]);
}

function reasons(sets: readonly StatefulSet[], seen: ReadonlyMap<string, Seen>): string[] {
  return chooseLooks(sets, { nowMs: NOW_MS, lookEveryMs: 10_000, seen }).map(({ reason }) => reason);
}

describe("a cluster that was looked at just now and is the same object still", () => {
  const phase = (word: string) => annotated({ [ANNOTATION.phase]: word });
  const state = (text: string) => annotated({ [ANNOTATION.state]: text });
  test.each<[string, StatefulSet, string[]]>([
    ["is left alone while it is healthy", state(steadyState()), []],
    ["is left alone while it is paused", phase("Paused"), []],
    ["is left alone while it is blocked", phase("Blocked"), []],
    ["is looked at while it is being adopted", phase("Adopting"), ["unsettled"]],
    ["is looked at while it is degraded", phase("Degraded"), ["unsettled"]],
    ["is looked at before its first phase", set({ annotations: asked }), ["unsettled"]],
    ["is looked at in a phase nobody knows", phase("Dancing"), ["unsettled"]],
    ["is left alone with a broken state", state("{"), []],
  ])("%s", (_name, subject, expected) => {
    expect(reasons([subject], seenAs(subject))).toEqual(expected);
  });
});

describe("a healthy cluster that was looked at just now", () => {
  const paused = annotated({ [ANNOTATION.pause]: "true" });
  const recorded = annotated({ [ANNOTATION.state]: steadyState() });
  test.each<[string, StatefulSet, string[]]>([
    ["is looked at when its replicas changed", set({ generation: 2 }), ["wish changed"]],
    ["is looked at when a wish changed", paused, ["wish changed"]],
    ["is looked at when it is another of the same name", set({ uid: "uid-2" }), ["wish changed"]],
    ["is looked at when its status changed", set(), ["object changed"]],
    ["is looked at when we wrote to it", recorded, ["object changed"]],
  ])("%s", (_name, now, expected) => {
    expect(reasons([{ ...now, resourceVersion: "8" }], seenAs(set()))).toEqual(expected);
  });
});

test("a settled cluster is looked at again after the interval, not before", () => {
  expect(reasons([set()], seenAs(set(), NOW_MS - 9_999))).toEqual([]);
  expect(reasons([set()], seenAs(set(), NOW_MS - 10_000))).toEqual(["long silent"]);
});

test("without memory, as on a stateless host, all that is managed is looked at", () => {
  const unmanaged = set({ name: "plain", labels: {}, annotations: {} });
  const releasing = set({ name: "releasing", annotations: {} });
  const fresh = set({ name: "fresh", labels: {} });
  expect(reasons([set(), unmanaged, releasing, fresh], new Map())).toEqual([
    "first look",
    "first look",
    "first look",
  ]);
});

test("the most pressing come first and each carries the object of the list", () => {
  const quiet = set({ name: "quiet" });
  const adopting = { ...annotated({ [ANNOTATION.phase]: "Adopting" }), name: "adopting" };
  const seen = new Map([...seenAs(quiet, 0), ...seenAs(adopting)]);
  const looks = chooseLooks([quiet, adopting], { nowMs: NOW_MS, lookEveryMs: 10_000, seen });
  expect(looks.map(({ ref, reason }) => `${ref.name} ${reason}`)).toEqual([
    "adopting unsettled",
    "quiet long silent",
  ]);
  expect(looks[0]?.entry).toBe(adopting);
});
