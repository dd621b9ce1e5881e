/** When a new primary is opened by its election, without a look of its own (ADR 15). */
import { describe, expect, test } from "vitest";
import type { RecordStep } from "../../../shared/model/step.ts";
import { settled } from "../../support/carry-out.ts";
import {
  type Change,
  placed,
  primaryFacts,
  server,
  silent,
  state,
  written,
} from "../../support/situation.ts";
import { configOf, cut, deciding, recordedBy, replica, revoking } from "./support.ts";

const before = settled(placed(3));
const claimed = state(revoking(3));

function holding(ordinal: number, received: string): Change {
  return replica(ordinal, { received, executed: received }, { receiver: "off" });
}

function opens(...changes: readonly Change[]): boolean | undefined {
  return recordedBy(deciding(before, claimed, ...changes))?.pending?.open;
}

describe("the elected is", () => {
  test("promoted, opened, routed to and followed at once where enough of its ackers hold all of it", () => {
    const { tracks } = deciding(before, claimed, silent(0), cut(1, 2));
    expect(tracks).toEqual([
      [
        { kind: "Promote", ordinal: 1, timeoutMs: 2_500 },
        { kind: "Arm", ordinal: 1, ackCount: 1 },
        { kind: "Open", ordinal: 1, epoch: 2, ackCount: 1, timeoutMs: 3_000 },
        expect.objectContaining({ kind: "LabelPod", pod: "mysql-1" }),
        expect.objectContaining({ kind: "EnsureService", role: "primary" }),
      ],
      [{ kind: "Follow", ordinal: 2, source: 1, how: "full" }],
    ]);
    expect(opens(silent(0), cut(1, 2))).toBe(true);
  });

  /** The last write is on mysql-2 alone. */
  const uneven = [silent(0), holding(1, written(99)), cut(2)] as const;

  test("promoted and followed, and recorded as open once they have received what they lack", () => {
    expect(opens(...uneven)).toBe(false);
    const { prelude, tracks, finale } = deciding(before, claimed, ...uneven);
    expect(tracks.map((track) => track.map(({ kind }) => kind))).toEqual([["Promote", "Arm"], ["Follow"]]);
    const [elected] = prelude.filter(({ kind }) => kind === "Record") as RecordStep[];
    const { state: closed } = elected ?? {};
    const pending = { ...configOf(2, [1]), open: true };
    expect(finale).toEqual([
      {
        kind: "Confirm",
        members: [
          { ordinal: 2, closed: true, stopped: true, atMost: written(100), atLeast: null },
          { ordinal: 1, closed: false, stopped: false, atMost: null, atLeast: written(100) },
        ],
        timeoutMs: 500,
      },
      { ...elected, state: { ...closed, seq: (closed?.seq ?? 0) + 1, pending } },
      { kind: "Open", ordinal: 2, epoch: 2, ackCount: 1, timeoutMs: 3_000 },
      expect.objectContaining({ kind: "LabelPod", pod: "mysql-2" }),
      expect.objectContaining({ kind: "EnsureService", role: "primary" }),
    ]);
  });

  test("looked at once more where nobody is sure to receive what they lack", () => {
    const seeding = replica(1, {
      received: written(99),
      seeding: { kind: "running", bytes: 5, bytesExpected: 100, error: null },
    });
    const old = server(0, primaryFacts(3, { readOnly: true }));
    const offline = replica(2, { offline: true }, { receiver: "off" });
    const byHand = replica(2, { readOnly: false }, { receiver: "off" });
    const lacking = [silent(0), holding(1, written(99))] as const;
    expect(deciding(before, claimed, ...lacking, offline).finale).toEqual([]);
    expect(deciding(before, claimed, ...lacking, byHand).finale).toEqual([]);
    expect(deciding(before, claimed, silent(0), seeding, cut(2)).finale).toEqual([]);
    expect(deciding(before, claimed, old, holding(1, written(99)), holding(2, written(99))).finale).toEqual(
      [],
    );
    expect(deciding(before, claimed, silent(0), cut(1, 2)).finale).toEqual([]);
  });

  test("opened by the copies that are there already, before those that have yet to come", () => {
    const five = settled(placed(5));
    const stands = [1, 2, 3, 4].map((ordinal) => holding(ordinal, written(ordinal > 2 ? 100 : 99)));
    const { finale } = deciding(five, state(revoking(5)), silent(0), ...stands);
    const [confirm] = finale;
    expect(confirm?.kind === "Confirm" && confirm.members.map(({ ordinal }) => ordinal)).toEqual([3, 4, 1]);
  });

  test("opened without another look only with as many holders as its commits wait for", () => {
    const five = settled(placed(5));
    const opensWithout = (...lacking: readonly number[]) => {
      const stands = [1, 2, 3, 4].map((ordinal) =>
        holding(ordinal, written(lacking.includes(ordinal) ? 99 : 100)),
      );
      return recordedBy(deciding(five, state(revoking(5)), silent(0), ...stands))?.pending?.open;
    };
    expect(opensWithout()).toBe(true);
    expect(opensWithout(4)).toBe(true);
    expect(opensWithout(3, 4)).toBe(false);
  });

  test("not opened in the same breath while it lets nobody in", () => {
    const old = server(0, primaryFacts(3, { readOnly: true, offline: true }));
    const { tracks } = deciding(before, claimed, old, cut(1, 2));
    expect(opens(old, cut(1, 2))).toBe(true);
    expect(tracks.flat().filter(({ kind }) => kind === "Open")).toEqual([]);
  });
});
