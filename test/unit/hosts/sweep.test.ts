/** Which clusters a sweep looks at, and why. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { chooseLooks, type Sighting, wishOf } from "../../../shared/hosts/sweep.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";

const NOW_MS = Date.parse("2026-11-23T10:00:00.000Z");

function set(changes: Partial<StatefulSet> = {}): StatefulSet {
  return {
    namespace: "shop",
    name: "mysql",
    uid: "uid-1",
    resourceVersion: "7",
    labels: { [LABEL.managed]: "true" },
    annotations: { [ANNOTATION.engine]: "mysql", [ANNOTATION.phase]: "Healthy" },
    ownerUid: null,
    deleting: false,
    generation: 1,
    replicas: 3,
    matchLabels: { app: "mysql" },
    serviceName: "mysql",
    claimTemplates: ["data"],
    containers: [],
    ...changes,
  };
}

function annotated(more: Record<string, string>): StatefulSet {
  return set({ annotations: { ...set().annotations, ...more } });
}

function stateWith(wakeAt: string | null): string {
  const fields = { epoch: 1, established: null, pending: null, op: null, wakeAt } as const;
  return encodeState({ v: 1, seq: 1, clusterUid: "uid-1", phase: "Steady", ...fields });
}

const seenNow: Sighting = { resourceVersion: "7", wish: wishOf(set()), lookedAtMs: NOW_MS };

function reasons(sets: readonly StatefulSet[], sighting: Partial<Sighting> | null): string[] {
  const sightings = new Map<string, Sighting>();
  if (sighting !== null) {
    for (const { namespace, name } of sets)
      sightings.set(`${namespace}/${name}`, { ...seenNow, ...sighting });
  }
  return chooseLooks(sets, { nowMs: NOW_MS, lookEveryMs: 10_000, sightings }).map(({ reason }) => reason);
}

const asUsual = annotated({ [ANNOTATION.state]: stateWith(null) });

describe("a cluster that was looked at just now", () => {
  test.each<[string, StatefulSet, string[]]>([
    ["is left alone while it is healthy", asUsual, []],
    ["is left alone while it is paused", annotated({ [ANNOTATION.phase]: "Paused" }), []],
    ["is left alone while it is blocked", annotated({ [ANNOTATION.phase]: "Blocked" }), []],
    ["is looked at while it is being adopted", annotated({ [ANNOTATION.phase]: "Adopting" }), ["unsettled"]],
    ["is looked at while it is degraded", annotated({ [ANNOTATION.phase]: "Degraded" }), ["unsettled"]],
    [
      "is looked at before its first phase",
      set({ annotations: { [ANNOTATION.engine]: "mysql" } }),
      ["unsettled"],
    ],
    ["is looked at in a phase nobody knows", annotated({ [ANNOTATION.phase]: "Dancing" }), ["unsettled"]],
    [
      "is looked at when its time has come",
      annotated({ [ANNOTATION.state]: stateWith("2026-11-23T09:59:59.000Z") }),
      ["due"],
    ],
    [
      "is left alone before its time",
      annotated({ [ANNOTATION.state]: stateWith("2026-11-23T10:00:01.000Z") }),
      [],
    ],
    ["is left alone with a broken state until something changes", annotated({ [ANNOTATION.state]: "{" }), []],
    ["is looked at when its replicas change", set({ generation: 2 }), ["wish changed"]],
    ["is looked at when a wish changes", annotated({ [ANNOTATION.pause]: "true" }), ["wish changed"]],
    ["is looked at when it is another object of the same name", set({ uid: "uid-2" }), ["wish changed"]],
    ["is looked at when its status changed", set({ resourceVersion: "8" }), ["object changed"]],
  ])("%s", (_name, subject, expected) => {
    expect(reasons([subject], {})).toEqual(expected);
  });
});

test("a settled cluster is looked at again after the interval, not before", () => {
  expect(reasons([set()], { lookedAtMs: NOW_MS - 9_999 })).toEqual([]);
  expect(reasons([set()], { lookedAtMs: NOW_MS - 10_000 })).toEqual(["long silent"]);
});

test("without memory, as on a stateless host, all that is managed is looked at", () => {
  const unmanaged = set({ name: "plain", labels: {}, annotations: {} });
  const releasing = set({ name: "releasing", annotations: {} });
  const fresh = set({ name: "fresh", labels: {} });
  expect(reasons([set(), unmanaged, releasing, fresh], null)).toEqual([
    "first look",
    "first look",
    "first look",
  ]);
});

test("the most pressing come first and each carries the object of the list", () => {
  const quiet = set({ name: "quiet" });
  const adopting = { ...annotated({ [ANNOTATION.phase]: "Adopting" }), name: "adopting" };
  const sightings = new Map([
    ["shop/quiet", { ...seenNow, lookedAtMs: 0 }],
    ["shop/adopting", seenNow],
  ]);
  const looks = chooseLooks([quiet, adopting], { nowMs: NOW_MS, lookEveryMs: 10_000, sightings });
  expect(looks.map(({ ref, reason }) => `${ref.name} ${reason}`)).toEqual([
    "adopting unsettled",
    "quiet long silent",
  ]);
  expect(looks[0]?.entry).toBe(adopting);
});
