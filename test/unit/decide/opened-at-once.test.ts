/** When a new primary is opened by its election, without a look of its own (ADR 15). */
import { describe, expect, test } from "vitest";
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
import { cut, deciding, recordedBy, replica, revoking } from "./support.ts";

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

  test("promoted and followed, and looked at once more before it is opened, where they lack some of it", () => {
    const changes = [silent(0), holding(1, written(99)), cut(2)] as const;
    expect(opens(...changes)).toBe(false);
    const { tracks } = deciding(before, claimed, ...changes);
    expect(tracks.map((track) => track.map(({ kind }) => kind))).toEqual([["Promote", "Arm"], ["Follow"]]);
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
