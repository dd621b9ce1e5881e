/** The limits of a failover: the very moment at which it begins, what holds it back, and whom it needs. */
import { describe, expect, test } from "vitest";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  config,
  known,
  placed,
  primaryFacts,
  server,
  silent,
  spec,
  state,
  steadyState,
} from "../../support/situation.ts";
import {
  configOf,
  connecting,
  deciding,
  establishingState,
  instant,
  recordedBy,
  replica,
  revoking,
  serverSteps,
} from "./support.ts";

const before = settled(placed(3));
const dead: readonly Change[] = [silent(0), connecting(1, 2), known("PrimaryUnreachable", 3_000)];
const DAY_MS = 86_400_000;

function told(code: string, ...changes: readonly Change[]): string | undefined {
  return deciding(before, ...changes).problems.find((problem) => problem.code === code)?.message;
}

test("a clock that is two seconds late is not yet one that ran ahead", () => {
  const late = (ms: number) => recordedBy(deciding(before, ...dead, known("PrimaryUnreachable", -ms)));
  expect(late(2_000)).toBeNull();
  expect(late(2_001)).toMatchObject({ epoch: 2 });
});

test("a cut of our own way is looked at for five seconds, until replicas would have noticed", () => {
  const cutOff = (ms: number) => deciding(before, silent(0), known("PrimaryUnreachable", ms)).lookAgainMs;
  expect([cutOff(4_999), cutOff(5_000)]).toEqual([250, null]);
});

describe("a pause between failovers", () => {
  const failovers = (...beforeMs: readonly number[]) =>
    state(steadyState(3, { failovers: beforeMs.map(instant) }));

  test("counts those of less than a day", () => {
    const two = deciding(before, ...dead, failovers(DAY_MS, 70_000_000, 60_000_000));
    expect(recordedBy(two)).toMatchObject({ epoch: 2 });
    const three = deciding(before, ...dead, failovers(DAY_MS - 1, 70_000_000, 60_000_000));
    expect(recordedBy(three)).toBeNull();
  });

  test("that is not wanted is never kept, however many there were", () => {
    const many = failovers(3_000, 2_000, 1_000);
    expect(recordedBy(deciding(before, ...dead, many))).toBeNull();
    expect(recordedBy(deciding(before, ...dead, many, spec({ failoverCooldownMs: 0 })))).toMatchObject({
      epoch: 2,
    });
  });

  test("can be ended by a person, who is told how", () => {
    const how = "annotate ordinal.dev/approve=e2 to fail over at once";
    expect(told("FailoverHeldBack", ...dead, failovers(1_000))).toContain(`or ${how}.`);
    expect(told("FailoverHeldBack", ...dead, failovers(3_000, 2_000, 1_000))).toContain(
      `find out why, or ${how}.`,
    );
  });
});

describe("with a next primary that was never opened", () => {
  const five = settled(placed(5));
  const pending = { ...configOf(1, [2, 3], 2), open: false };
  const next = state(establishingState(false, "failover", { established: config(5), pending }));
  const gone = [silent(0), silent(1), connecting(2, 3), known("PrimaryUnreachable", 60_000)];

  test("the copies of what was opened last count, and everybody who is missing is named", () => {
    const decision = deciding(five, next, ...gone, silent(4));
    expect(decision.problems[0]).toMatchObject({
      code: "NoQuorum",
      message: expect.stringContaining(
        "2 of the 3 copies that together hold every acknowledged write are reached; bring back mysql-0 or mysql-1 or mysql-4,",
      ),
    });
    expect(recordedBy(decision)).toBeNull();
    expect(recordedBy(deciding(five, next, ...gone))).toMatchObject({ epoch: 3, established: config(5) });
  });

  test("nobody asks for those whose primary is beyond the replica count", () => {
    const shrunk = state(establishingState(false, "failover", { established: configOf(3, [1, 2]) }));
    const decision = deciding(before, shrunk, silent(1), known("PrimaryUnreachable", 60_000));
    expect(recordedBy(decision)).toMatchObject({ epoch: 3, phase: "Revoking" });
  });
});

test("an old primary that nobody needs is put out, and not restarted, whatever waits on it", () => {
  const acks = { ...primaryFacts(3).acks, waiters: 1 };
  const stuck = server(0, primaryFacts(3, { readOnly: false, offline: true, acks }));
  expect(serverSteps(deciding(before, state(revoking(3)), stuck))).toEqual([
    { kind: "Fence", ordinal: 0 },
    { kind: "StopReceiving", ordinal: 1 },
    { kind: "StopReceiving", ordinal: 2 },
  ]);
  const half = deciding(before, state(revoking(3)), stuck, replica(1, {}, { receiver: "off" }));
  expect(stepsOfKind(half, "Restart")).toEqual([]);
});
