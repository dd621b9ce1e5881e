/** Letting go of a cluster, both ways, from every phase, and taking it back. */
import { describe, expect, test } from "vitest";
import type { Observed } from "../../../shared/model/observed.ts";
import type { State } from "../../../shared/model/state.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  adopting,
  adoptingState,
  but,
  type Change,
  config,
  observed,
  placed,
  podless,
  silent,
  state,
  steadyState,
  uuidOf,
  wish,
} from "../../support/situation.ts";
import { deciding } from "./support.ts";

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
  const again = stepsOfKind(deciding(early), "Record")[0]?.state;
  expect(again).toMatchObject({ phase: "Adopting", established: null });
});

test("managed again after the end it is adopted anew in a later epoch", () => {
  const released = steadyState(3, { phase: "Released", established: null, epoch: 3 });
  const situation = observed(3, but({ state: { kind: "valid", state: released } }));
  const [record] = stepsOfKind(deciding(situation), "Record");
  expect(record?.state).toMatchObject({ phase: "Adopting", epoch: 4, seq: 8 });
});
