/** What is written down and announced: once, in full, and not at all when there is nothing new. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { reportSteps } from "../../../shared/decide/report.ts";
import type { Phase } from "../../../shared/model/condition.ts";
import type { EventReason } from "../../../shared/model/event-reason.ts";
import type { State } from "../../../shared/model/state.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  but,
  type Change,
  channelTo,
  NOW_MS,
  observed,
  placed,
  replicaFacts,
  server,
  set,
  silent,
  spec,
  state,
  steadyState,
  wish,
} from "../../support/situation.ts";
import { changed, deciding, instant, recordedBy } from "./support.ts";

const before = settled(placed(3));

function announced(reason: EventReason, recorded: State, message = "what happened") {
  const { steps } = reportSteps({
    observed: changed(before, state(recorded)),
    nowMs: NOW_MS,
    phase: "Degraded",
    problems: [],
    ready: { status: "True", reason: "Healthy", message: "" },
    state: recorded,
    happenings: [{ reason, message }],
    managedLabel: true,
    replicas: null,
    partition: null,
    answered: [],
    backups: null,
    restore: null,
  });
  const [event] = steps.flatMap((step) => (step.kind === "Event" ? [step] : []));
  return event;
}

describe("an Event of what happened", () => {
  const ONCE = [
    ...["AdoptionStarted", "AdoptionCompleted", "PrimaryReopening", "PrimaryReopened", "FailoverStarted"],
    ...["PrimaryElected", "FailoverCompleted", "DataLossAccepted", "SwitchoverStarted"],
    ...["SwitchoverCompleted", "SwitchoverAbandoned", "StateReconstructed"],
  ] as readonly EventReason[];
  const OFTEN: readonly EventReason[] = ["MemberJoined", "MemberLeft", "AckCountChanged", "ReleaseStarted"];
  const keys = (reason: EventReason) => [
    announced(reason, steadyState(3))?.key,
    announced(reason, steadyState(3, { seq: 8 }), "the same in other words")?.key,
    announced(reason, steadyState(3, { epoch: 2 }))?.key,
  ];

  test.each(ONCE)("%s is one in its epoch, whoever tells it after how many writes", (reason) => {
    const [first, second, later] = keys(reason);
    expect(second).toBe(first);
    expect(later).not.toBe(first);
  });

  test.each(OFTEN)("%s is one for each time", (reason) => {
    expect(new Set(keys(reason)).size).toBe(3);
  });

  test("calls a person where one is needed", () => {
    const types = (["FailoverStarted", "MemberJoined"] as const).map(
      (reason) => announced(reason, steadyState(3))?.type,
    );
    expect(types).toEqual(["Warning", "Normal"]);
  });
});

describe("an Event of a problem", () => {
  const events = (...changes: readonly Change[]) => stepsOfKind(deciding(before, ...changes), "Event");

  test("is told once for each sentence, by a key that a pass killed after it finds again", () => {
    const first = events(silent(2));
    expect(first).toEqual(events(silent(2)));
    expect(first[0]).toMatchObject({ reason: "MemberUnreachable", type: "Warning" });
    expect(first[0]?.key).not.toBe(events(silent(2, "refused"))[0]?.key);
    const told = carryOut(changed(before, silent(2)), deciding(before, silent(2)));
    expect(stepsOfKind(deciding(told), "Event")).toEqual([]);
    expect(stepsOfKind(deciding(told, silent(2, "refused")), "Event")).toHaveLength(1);
  });

  test("is another one after the cluster was well in between", () => {
    const later = (of: typeof before) => ({
      ...of,
      conditions: of.conditions.map((one) => ({ ...one, lastTransitionAt: instant(1_000) })),
    });
    expect(events(later, silent(2))[0]?.key).not.toBe(events(silent(2))[0]?.key);
  });

  test("calls nobody for what is a cluster's design", () => {
    expect(stepsOfKind(deciding(placed(2)), "Event").map(({ reason, type }) => [reason, type])).toEqual([
      ["NoSpareCopy", "Normal"],
    ]);
  });
});

describe("the record", () => {
  const record = (of: typeof before, ...changes: readonly Change[]) =>
    stepsOfKind(deciding(of, ...changes), "Record")[0];

  test("counts its writes, and only those of the state", () => {
    expect(record(before, spec({ switchoverTo: "mysql-2" }))?.state?.seq).toBe(8);
    expect(record(observed(3))?.state?.seq).toBe(1);
    expect(record(before, silent(2))?.state).toBeNull();
  });

  test("is written for a phase or a label alone, and not for nothing", () => {
    const phase = set({ annotations: { ...before.set.annotations, [ANNOTATION.phase]: "Degraded" } });
    expect(record(before, phase)).toMatchObject({ phase: "Healthy", state: null, history: before.history });
    expect(record(before, set({ labels: {} }))).toMatchObject({ managedLabel: true });
    expect(record(before, set({ labels: { [LABEL.managed]: "yes" } }))).toMatchObject({ managedLabel: true });
    expect(stepsOf(deciding(before))).toEqual([]);
  });

  test("keeps what was told before, and of the new the beginning", () => {
    const old = { at: instant(5), epoch: 1, reason: "MemberJoined", why: "before", considered: [] };
    const { steps } = reportSteps({
      observed: changed(before, but({ history: [old] })),
      nowMs: NOW_MS,
      phase: "Healthy",
      problems: [],
      ready: { status: "True", reason: "Healthy", message: "" },
      state: steadyState(3, { epoch: 4 }),
      happenings: [
        { reason: "PrimaryElected", message: "w".repeat(401), considered: Array(11).fill("c".repeat(161)) },
        { reason: "MemberJoined", message: "short" },
      ],
      managedLabel: true,
      replicas: null,
      partition: null,
      answered: [],
      backups: null,
      restore: null,
    });
    const [written] = steps.flatMap((step) => (step.kind === "Record" ? [step] : []));
    expect(written?.history).toEqual([
      old,
      {
        ...{ at: instant(0), epoch: 4, reason: "PrimaryElected", why: "w".repeat(400) },
        considered: Array(10).fill("c".repeat(160)),
      },
      { at: instant(0), epoch: 4, reason: "MemberJoined", why: "short", considered: [] },
    ]);
  });
});

describe("the phase", () => {
  const unlabelled =
    (phase: string): Change =>
    (of) => {
      const annotations = { ...of.set.annotations, [ANNOTATION.phase]: phase };
      const services = { ...of.services, replicas: { kind: "missing" } as const };
      return { ...of, services, set: { ...of.set, annotations } };
    };

  test.each<[string, Phase]>([
    ["Adopting", "Adopting"],
    ["Reopening", "Reopening"],
    ["FailingOver", "FailingOver"],
    ["SwitchingOver", "SwitchingOver"],
    ["Degraded", "Degraded"],
    ["Healthy", "Healthy"],
    ["Blocked", "Healthy"],
    ["Paused", "Healthy"],
  ])("%s stays until all is in place: %s", (phase, expected) => {
    expect(deciding(before, unlabelled(phase)).phase).toBe(expected);
    const there = set({ annotations: { ...before.set.annotations, [ANNOTATION.phase]: phase } });
    expect(deciding(before, there).phase).toBe("Healthy");
  });

  test("is Degraded by what is serious alone", () => {
    expect(deciding(settled(placed(2))).phase).toBe("Healthy");
    expect(deciding(before, spec({ switchoverTo: "mysql-9" })).phase).toBe("Healthy");
    const broken = server(2, replicaFacts(2, { channel: channelTo(0, { applierError: "1032" }) }));
    const decision = deciding(before, broken);
    expect(decision.phase).toBe("Degraded");
    expect(decision.conditions[0]).toMatchObject({ status: "True", reason: "ReplicaBroken" });
  });

  test("is no word of ours for a cluster that nobody asked for", () => {
    const expected = {
      ...{ problems: [], conditions: [], phase: "Released", prelude: [], tracks: [], finale: [] },
      ...{ why: "not managed by Ordinal", lookAgainMs: null },
    };
    const unmanaged = wish({ managed: false, spec: null });
    expect(deciding(observed(3), unmanaged)).toEqual(expected);
    const labelled = set({ labels: { [LABEL.managed]: "true" } });
    const newer = but({ state: { kind: "newer", version: 2 } });
    expect(deciding(observed(3), unmanaged, labelled, newer)).toEqual(expected);
    expect(deciding(observed(3), unmanaged, labelled).why).toBe("Nothing was adopted.");
  });
});

test("what stops everything is told before what only stands beside it, and awaited members are an adoption", () => {
  const beside = { code: "AnnotationUnknown", message: "ordinal.dev/x is unknown.", blocks: false } as const;
  const waiting = deciding(observed(3), wish({ problems: [beside] }), silent(1));
  expect(waiting.conditions[0]).toMatchObject({ status: "False", reason: "WaitingForMembers" });
  expect([waiting.phase, recordedBy(waiting)]).toEqual(["Adopting", null]);
  const nothing = deciding(before, wish({ spec: null }));
  expect(nothing.conditions[0]).toMatchObject({ reason: "Blocked", message: "" });
});
