/** Letting go of a cluster, both ways, from every phase, and taking it back. */
import { describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { State } from "../../../shared/model/state.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  adopting,
  adoptingState,
  but,
  type Change,
  channelTo,
  config,
  observed,
  placed,
  podless,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  state,
  steadyState,
  uuidOf,
  wish,
} from "../../support/situation.ts";
import { cut, deciding, recordedBy, revoking, term } from "./support.ts";

const unmanaged: Change = wish({ managed: false, spec: null });

function releasing(of: Observed): Observed {
  return carryOut(of, deciding(of));
}

test("it is begun with a record", () => {
  const decision = deciding(unmanaged(settled(placed(3))));
  expect(decision.phase).toBe("Releasing");
  expect(stepsOf(decision).map((step) => step.kind)).toEqual(["Event", "Record"]);
  expect(stepsOfKind(decision, "Record")[0]?.state).toMatchObject({ phase: "Releasing", epoch: 1 });
});

test("it hands every member over, keeps the Services, and then records the end", () => {
  const decision = deciding(releasing(unmanaged(settled(placed(3)))));
  expect(stepsOfKind(decision, "HandOver")).toEqual([
    { kind: "HandOver", ordinal: 0, role: "primary", ackCount: 1 },
    { kind: "HandOver", ordinal: 1, role: "replica", ackCount: 1 },
    { kind: "HandOver", ordinal: 2, role: "replica", ackCount: 1 },
  ]);
  expect(decision.prelude.map((step) => step.kind).at(-1)).toBe("Record");
  const [record] = stepsOfKind(decision, "Record");
  expect(record).toMatchObject({
    managedLabel: false,
    phase: "Released",
    state: { phase: "Released", epoch: 1, established: null },
  });
  expect(stepsOfKind(decision, "DeleteService")).toEqual([]);
  expect(stepsOfKind(decision, "LabelPod")).toEqual([]);
});

test("one that was never established is handed over as it is: with or without acknowledgements", () => {
  const pending = { ...config(3), open: true };
  const letGo = (required: boolean) =>
    deciding(
      unmanaged(
        adopting(
          3,
          state(adoptingState(3, { phase: "Releasing", pending })),
          server(0, primaryFacts(3, { acks: { ...primaryFacts(3).acks, required } })),
          server(1, replicaFacts(1, { acks: { ...replicaFacts(1).acks, required: true } })),
        ),
      ),
    );
  const counts = (required: boolean) => stepsOfKind(letGo(required), "HandOver").map((step) => step.ackCount);
  expect([counts(true)[0], counts(false)[0]]).toEqual([1, 0]);
});

test("it takes Services and labels away on demand", () => {
  const removing = wish({ managed: false, spec: null, servicesOnRelease: "remove" });
  const decision = deciding(releasing(removing(settled(placed(3)))));
  expect(stepsOfKind(decision, "DeleteService").map((step) => step.name)).toEqual([
    "mysql-primary",
    "mysql-replicas",
  ]);
  expect(stepsOfKind(decision, "LabelPod").map((step) => Object.values(step.labels))).toEqual(
    Array(3).fill([null, null, null]),
  );
});

test("it takes labels away where there is a pod to bear them", () => {
  const removing = wish({ managed: false, spec: null, servicesOnRelease: "remove" });
  const decision = deciding(podless(1)(releasing(removing(settled(placed(3))))));
  expect(stepsOfKind(decision, "LabelPod").map((step) => step.pod)).toEqual(["mysql-0", "mysql-2"]);
  expect(stepsOfKind(decision, "Record")[0]?.state).toMatchObject({ phase: "Released" });
});

test("it hands nobody over when nobody ever had a place", () => {
  const placeless = steadyState(3, { phase: "Releasing", established: null });
  const decision = deciding(placed(3, state(placeless), unmanaged));
  expect(stepsOfKind(decision, "HandOver")).toEqual([]);
  expect(stepsOfKind(decision, "Record")[0]).toMatchObject({ phase: "Released", managedLabel: false });
});

test("it names the members that were not reached", () => {
  const decision = deciding(releasing(silent(2)(unmanaged(settled(placed(3))))));
  expect(stepsOfKind(decision, "HandOver").map((step) => step.ordinal)).toEqual([0, 1]);
  expect(decision.conditions[0]?.message).toContain("Not reached: mysql-2");
});

test("once released nothing is left to do", () => {
  const released = releasing(releasing(unmanaged(settled(placed(3)))));
  expect(stepsOf(deciding(released))).toEqual([]);
});

describe("in the middle of", () => {
  const open = { ...config(3), open: true };
  const phases: readonly (readonly [string, State, string[]])[] = [
    ["an adoption that has begun", adoptingState(3), ["primary", "replica", "replica"]],
    [
      "establishing for the first time",
      adoptingState(3, { phase: "Establishing", pending: open }),
      ["primary", "replica", "replica"],
    ],
  ];
  test.each(phases)("%s the members that have a place are handed over", (_, recorded, roles) => {
    const decision = deciding(releasing(placed(3, state(recorded), unmanaged)));
    expect(stepsOfKind(decision, "HandOver").map((step) => step.role)).toEqual(roles);
  });
});

test("in the middle of a change of the primary nobody is handed over before it has come to its end", () => {
  const pending = { ...config(3), primary: { ordinal: 1, serverUuid: uuidOf(1) }, open: true };
  const recorded = steadyState(3, { phase: "Establishing", epoch: 2, pending });
  const decision = deciding(placed(3, state(recorded), unmanaged));
  expect(stepsOfKind(decision, "HandOver")).toEqual([]);
  expect(stepsOfKind(decision, "Record").every((step) => step.state?.phase !== "Releasing")).toBe(true);
  expect(stepsOf(decision).length).toBeGreaterThan(0);
});

test("a primary that never required acknowledgements requires none afterwards", () => {
  const decision = deciding(releasing(adopting(3, unmanaged)));
  expect(stepsOfKind(decision, "HandOver")).toMatchObject([{ role: "primary", ackCount: 0 }]);
});

test("who gives up after bad input leaves nothing behind but the word Released", () => {
  const blocked = observed(3, but({ credentials: { kind: "missing" } }));
  const given = unmanaged(carryOut(blocked, deciding(blocked)));
  const decision = deciding(given);
  expect(stepsOfKind(decision, "Record")).toMatchObject([
    {
      state: null,
      managedLabel: false,
      phase: "Released",
      conditions: [{ type: "Ready", reason: "Released" }],
    },
  ]);
  expect(stepsOf(deciding(carryOut(given, decision)))).toEqual([]);
});

describe("before anybody is handed over", () => {
  const before = settled(placed(3));
  const closed = server(0, primaryFacts(3, { readOnly: true }));

  test("a primary that came back read-only is opened, since nobody else would do it", () => {
    const decision = deciding(before, unmanaged, closed);
    expect(recordedBy(decision)).toMatchObject({ epoch: 2, phase: "Establishing", op: { kind: "reopen" } });
    const pending = { ...config(3), open: false };
    const adoption = state(adoptingState(3, { phase: "Establishing", pending }));
    const first = deciding(before, adoption, unmanaged, closed);
    expect(recordedBy(first)?.phase).not.toBe("Releasing");
    const open = deciding(before, adoption, unmanaged);
    expect(recordedBy(open)?.phase).toBe("Releasing");
  });

  test("an epoch that is claimed has to be established", () => {
    const claimed = state(revoking(3));
    expect(recordedBy(deciding(before, claimed, unmanaged, cut(1, 2), silent(0)))?.phase).toBe(
      "Establishing",
    );
    expect(recordedBy(deciding(before, claimed, unmanaged, silent(0)))).toBeNull();
  });

  test("an older record that was put back is put together again: by it somebody else would be opened", () => {
    const later = server(0, primaryFacts(3, { terms: [term(3, 0)] }));
    for (const recorded of [revoking(3), steadyState(3)]) {
      const next = recordedBy(deciding(before, state(recorded), unmanaged, cut(1, 2), later));
      expect(next).toMatchObject({ epoch: 5, phase: "Establishing", op: { kind: "reconstruct" } });
    }
  });

  test("a primary beyond the replica count is no reason to stay", () => {
    const beyond = { ...config(3), primary: { ordinal: 4, serverUuid: "uuid-4" } };
    const decision = deciding(before, state(steadyState(3, { established: beyond })), unmanaged);
    expect(recordedBy(decision)?.phase).toBe("Releasing");
  });

  test("a slip beside a missing engine is no goodbye; what stops nothing is", () => {
    const slip = {
      code: "AnnotationUnknown",
      message: "ordinal.dev/engin is unknown.",
      blocks: true,
    } as const;
    const slipped = deciding(before, wish({ managed: false, spec: null, problems: [slip] }));
    expect(slipped).toMatchObject({ phase: "Blocked", problems: [slip], tracks: [], lookAgainMs: null });
    expect(recordedBy(slipped)).toBeNull();
    const mild = wish({ managed: false, spec: null, problems: [{ ...slip, blocks: false }] });
    expect(recordedBy(deciding(before, mild))?.phase).toBe("Releasing");
  });
});

test("people are told that it ends, what stays and what does not, and who was not reached", () => {
  const begun = deciding(unmanaged(settled(placed(3))));
  expect(begun.conditions[0]).toMatchObject({
    ...{ status: "Unknown", reason: "Releasing" },
    message: "ordinal.dev/engine was removed; handing the cluster over.",
  });
  expect(stepsOfKind(begun, "Event").map(({ reason }) => reason)).toEqual(["ReleaseStarted"]);
  expect(recordedBy(begun)?.op).toMatchObject({
    id: "release-1",
    kind: "release",
    step: "HandOver",
    target: null,
  });
  expect(begun.lookAgainMs).toBe(0);
  const told = (...changes: readonly Change[]) =>
    deciding(releasing(changes.reduce((of, change) => change(of), settled(placed(3)))));
  const kept = told(unmanaged);
  expect(kept.why).toBe("ordinal.dev/engine was removed; handing the cluster over.");
  expect(kept.conditions[0]).toMatchObject({
    ...{ status: "Unknown", reason: "Released" },
    message: "Ordinal no longer manages mysql; replication goes on, Services and labels stay.",
  });
  expect(stepsOfKind(kept, "Event").map(({ reason }) => reason)).toEqual(["Released"]);
  const removing = wish({ managed: false, spec: null, servicesOnRelease: "remove" });
  expect(told(removing, silent(1), silent(2)).conditions[0]?.message).toBe(
    "Ordinal no longer manages mysql; replication goes on, Services and labels are removed. Not reached: mysql-1, mysql-2, whose persisted settings stay as they were.",
  );
});

test("only who follows the primary, or is counted on, is handed over; what is not there is not deleted", () => {
  const one = config(3, { ackers: config(3).ackers.slice(0, 1) });
  const phase = "Releasing";
  const leaving = (...changes: readonly Change[]) =>
    deciding(placed(3, state(steadyState(3, { phase, established: one })), unmanaged, ...changes));
  const handed = (...changes: readonly Change[]) =>
    stepsOfKind(leaving(...changes), "HandOver").map(({ ordinal }) => ordinal);
  expect(handed()).toEqual([0, 1, 2]);
  const stranger = server(2, replicaFacts(2, { channel: channelTo(1) }));
  expect(handed(stranger)).toEqual([0, 1]);
  expect(handed(stranger, server(1, replicaFacts(1, { channel: null })))).toEqual([0, 1]);
  const removing = wish({ managed: false, spec: null, servicesOnRelease: "remove" });
  const decision = leaving(removing);
  expect(stepsOfKind(decision, "DeleteService")).toEqual([]);
  expect(stepsOfKind(decision, "LabelPod")[0]).toMatchObject({
    ...{ pod: "mysql-0", annotations: { [ANNOTATION.member]: null } },
    seen: { uid: "uid-pod-0", resourceVersion: "5" },
  });
});

test("managed again before the end it goes on where it was", () => {
  const back = deciding(
    wish({ managed: true })(carryOut(settled(placed(3)), deciding(unmanaged(settled(placed(3)))))),
  );
  expect(stepsOfKind(back, "Record")[0]?.state).toMatchObject({
    phase: "Steady",
    established: config(3),
    op: null,
  });
  const early = carryOut(
    placed(3, state(adoptingState(3))),
    deciding(placed(3, state(adoptingState(3)), unmanaged)),
  );
  expect(back).toMatchObject({ phase: "Degraded", why: "Managed again before the release was finished." });
  expect([back.conditions[0]?.status, back.lookAgainMs]).toEqual(["Unknown", 0]);
  const halfway = steadyState(3, { phase: "Releasing", pending: { ...config(3), open: true } });
  expect(recordedBy(deciding(placed(3, state(halfway))))?.phase).toBe("Establishing");
  const again = stepsOfKind(deciding(early), "Record")[0]?.state;
  expect(again).toMatchObject({ phase: "Adopting", established: null });
});

test("managed again after the end it is adopted anew in a later epoch", () => {
  const released = steadyState(3, { phase: "Released", established: null, epoch: 3 });
  const situation = observed(3, but({ state: { kind: "valid", state: released } }));
  const [record] = stepsOfKind(deciding(situation), "Record");
  expect(record?.state).toMatchObject({ phase: "Adopting", epoch: 4, seq: 8 });
});
