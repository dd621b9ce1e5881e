/** What bad input gets: one condition and one Event that say what to do, and nothing done to any database. */
import { describe, expect, test } from "vitest";
import { budgetProblem } from "../../../shared/annotations/budget.ts";
import { decodeState, encodeState } from "../../../shared/annotations/state.ts";
import { parseWish } from "../../../shared/annotations/wish.ts";
import type { ProblemCode } from "../../../shared/model/condition.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  accounts,
  adoptingState,
  but,
  type Change,
  CLUSTER_UID,
  config,
  facts,
  observed,
  placed,
  saying,
  server,
  set,
  spec,
  state,
  steadyState,
  wish,
} from "../../support/situation.ts";
import { deciding } from "./support.ts";

/** As the observer would have it with these annotations on the StatefulSet. */
function annotated(more: Readonly<Record<string, string>>): Change {
  return (before) => {
    const annotations = { ...before.set.annotations, ...more };
    const changed = { ...before.set, annotations };
    const text = more["ordinal.dev/state"];
    const read = text === undefined ? before.state : decodeState(text, CLUSTER_UID);
    return { ...before, set: changed, wish: parseWish(changed), state: read };
  };
}

const denied = { kind: "denied", account: "root", reason: "access denied (1045)" } as const;
const copied = encodeState(steadyState(3, { clusterUid: "another" }));

const BAD: readonly (readonly [string, ProblemCode, Change])[] = [
  ["an unknown key", "AnnotationUnknown", annotated({ "ordinal.dev/engin": "mysql" })],
  ["an engine that is none", "AnnotationInvalid", annotated({ "ordinal.dev/engine": "mysql; DROP" })],
  ["a lag that is none", "AnnotationInvalid", annotated({ "ordinal.dev/max-lag": "ten" })],
  ["a value of 200 KiB", "AnnotationInvalid", annotated({ "ordinal.dev/max-lag": "9".repeat(204_800) })],
  ["a missing Secret", "CredentialsMissing", but({ credentials: { kind: "missing" } })],
  [
    "a Secret without a password",
    "CredentialsMissing",
    but({ credentials: { kind: "malformed", reason: "it has no key password" } }),
  ],
  ["a wrong password", "CredentialsRejected", saying(1, denied)],
  ["an old version", "UnsupportedVersion", server(1, facts(1, { version: "8.0.41" }))],
  ["another engine", "EngineMismatch", server(2, facts(2, { flavor: "MariaDB" }))],
  ["settings that cannot be", "UnsupportedSettings", server(0, facts(0, { settings: { odd: "1" } }))],
  ["replicas: 0", "ReplicasZero", (before) => ({ ...set({ replicas: 0 })(before), members: [] })],
  ["more replicas than can be recorded", "ScaleRefused", set({ replicas: 34 })],
  ["no volume claim", "NoPersistentVolume", set({ claimTemplates: [] })],
  ["no governing Service", "NoGoverningService", set({ serviceName: "" })],
  ["a governing Service that cannot be", "NoGoverningService", set({ serviceName: "a.b" })],
  ["250 KiB of foreign annotations", "AnnotationsTooLarge", but({ annotationBytes: 256_000 })],
  ["a copied state", "StateForeign", annotated({ "ordinal.dev/state": copied })],
  ["a newer state", "StateTooNew", annotated({ "ordinal.dev/state": '{"v":2,"x":1}' })],
  ["a state edited by hand", "StateInvalid", annotated({ "ordinal.dev/state": "{}" })],
  ["a Secret name in use", "NameTaken", but({ accounts: { kind: "taken" } })],
  [
    "a Service name in use",
    "NameTaken",
    but({ services: { primary: { kind: "taken" }, replicas: { kind: "missing" } } }),
  ],
  ["pause", "Paused", spec({ paused: true })],
];

describe("before adoption", () => {
  test.each(BAD)("%s", (_, code, change) => {
    const situation = observed(3, change);
    const decision = deciding(situation);
    expect(decision.problems.map((problem) => problem.code)).toEqual([code]);
    expect(decision.problems[0]?.message.length).toBeGreaterThan(20);
    expect(stepsOf(decision).map((step) => step.kind)).toEqual(["Event", "Record"]);
    expect(stepsOfKind(decision, "Event")).toMatchObject([{ reason: code }]);
    expect(stepsOfKind(decision, "Record")[0]?.state).toBeNull();
    expect(decision.phase).toBe(code === "Paused" ? "Paused" : "Blocked");
    const ready = decision.conditions.find((condition) => condition.type === "Ready");
    expect(ready).toMatchObject({ status: code === "Paused" ? "Unknown" : "False", reason: code });
    const again = deciding(carryOut(situation, decision));
    expect(stepsOf(again)).toEqual([]);
  });

  test("everything that is wrong is said at once", () => {
    const both = observed(
      3,
      but({ credentials: { kind: "missing" } }),
      set({ claimTemplates: [], serviceName: "" }),
    );
    const codes = deciding(both).problems.map((problem) => problem.code);
    expect(codes).toEqual(["NoPersistentVolume", "NoGoverningService", "CredentialsMissing"]);
  });

  test("the limit of the annotations is the budget's", () => {
    expect(budgetProblem(256_000)?.blocks).toBe(true);
    expect(budgetProblem(100_000)).toBeNull();
  });

  test.each(BAD)("%s stops an adoption that has begun, and nothing is done to servers", (_, code, change) => {
    if (code === "CredentialsRejected" || code.startsWith("Unsupported") || code === "EngineMismatch") return;
    const decision = deciding(observed(3, accounts, state(adoptingState(3)), change));
    expect(decision.tracks).toEqual([]);
    expect(stepsOf(decision).map((step) => step.kind)).toEqual(["Event", "Record"]);
  });
});

/** What cannot be read is no obstacle where the servers themselves remember (test/unit/decide/reconstruct.test.ts). */
const REMEMBERED: ReadonlySet<ProblemCode> = new Set(["StateForeign", "StateInvalid"]);
const TOLD = BAD.filter(([, code]) => !REMEMBERED.has(code));

describe("an established cluster", () => {
  test.each(TOLD)("%s is reported and changes no role", (name, code, change) => {
    const situation = change(settled(placed(3)));
    const decision = deciding(situation);
    expect(decision.problems.map((problem) => problem.code)).toContain(code);
    expect(decision.phase).toBe(expectedPhase(name, code));
    const roles = ["Seed", "Follow", "Open", "Arm", "LockAccount", "HandOver"];
    expect(stepsOf(decision).filter((step) => roles.includes(step.kind))).toEqual([]);
    expect(stepsOfKind(decision, "Record").every((step) => step.state === null)).toBe(true);
  });

  /** Without a wish, a state or members nothing can be decided; else it serves on, with a warning. */
  function expectedPhase(name: string, code: ProblemCode): string {
    if (code === "Paused") return code;
    // The members that there are serve as before.
    if (code === "ScaleRefused") return "Healthy";
    const blind = code.startsWith("State") || code === "ReplicasZero" || name === "an engine that is none";
    return blind ? "Blocked" : "Degraded";
  }

  test("a primary beyond the replica count is named", () => {
    const moved = steadyState(3, {
      established: { ...config(3), primary: { ordinal: 4, serverUuid: "uuid-4" } },
    });
    const decision = deciding(placed(3, state(moved)));
    expect(decision.problems).toMatchObject([{ code: "PrimaryUnreachable", blocks: true }]);
    expect(decision.problems[0]?.message).toContain("at least 5");
  });
});

describe("a wish of which nothing is left", () => {
  test("does nothing to an established cluster, also when nobody says why", () => {
    const decision = deciding(settled(placed(3)), wish({ spec: null }));
    expect(decision).toMatchObject({ phase: "Blocked", problems: [], tracks: [] });
    expect(decision.conditions[0]).toMatchObject({ type: "Ready", status: "False", reason: "Blocked" });
    expect(stepsOfKind(decision, "Record")[0]?.state).toBeNull();
  });

  test("is told by what is known, though none of it stops anything by itself", () => {
    const unknown = {
      code: "AnnotationUnknown",
      message: "ordinal.dev/engin is unknown.",
      blocks: false,
    } as const;
    const decision = deciding(settled(placed(3)), wish({ spec: null, problems: [unknown] }));
    expect(decision.conditions[0]).toMatchObject({ reason: "AnnotationUnknown", message: unknown.message });
    expect(decision.why).toBe(unknown.message);
  });
});

test("a cluster that nobody asked for is left alone", () => {
  const decision = deciding(
    observed(3, (before) => ({ ...before, wish: { ...before.wish, managed: false } })),
  );
  expect(decision).toMatchObject({ prelude: [], tracks: [], problems: [] });
});
