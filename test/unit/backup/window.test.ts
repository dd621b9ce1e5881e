/** Which instants the documents of an archive promise, where logs fork and where clocks differ. */
import { describe, expect, test } from "vitest";
import type { Segment } from "../../../shared/backup/archive/inventory.ts";
import type { Look } from "../../../shared/backup/archive/look.ts";
import { stretchAt, type Window, windowOf } from "../../../shared/backup/archive/window.ts";
import { gtidSets } from "../../../shared/engines/mysql/gtid.ts";

const A = "aaaaaaaa-0000-4000-8000-000000000000";
const B = "bbbbbbbb-0000-4000-8000-000000000000";
const BACKUP = `${A}:1-2`;

function segment(after: string, position: string, [firstAtUs, lastAtUs]: readonly [number, number]): Segment {
  const transactions = Number(gtidSets.count(position));
  return {
    ...{ serverUuid: A, after: gtidSets.union(after, ""), position, transactions, firstAtUs, lastAtUs },
    parts: [],
  };
}

function windowWith(
  segments: readonly Segment[],
  more: { readonly lost?: readonly Segment[]; readonly look?: Look; readonly endedAtUs?: number } = {},
): Window {
  const starts = [{ slotMs: 0, position: BACKUP, endedAtUs: more.endedAtUs ?? Infinity }];
  return windowOf({ starts, segments, lost: more.lost ?? [], look: more.look ?? null }, gtidSets);
}

const ranges = (window: Window) => window.ranges.map(({ fromUs, toUs }) => [fromUs, toUs]);

describe("the clock of a new primary is behind", () => {
  const before = segment(BACKUP, `${B}:1-3`, [65, 85]);
  const behind = segment(`${BACKUP},${B}:1-3`, `${A}:3-4`, [60, 70]);

  test("the last instant of the one before it is out: by the other clock something may follow", () => {
    const window = windowWith([before, behind]);
    expect(stretchAt(window, 85)).toBeNull();
    expect(stretchAt(window, 84)?.segment?.position).toBe(before.position);
  });

  test("of instants that come twice the earlier state is taken", () => {
    const window = windowWith([behind, before]);
    expect(stretchAt(window, 70)?.segment?.position).toBe(before.position);
    expect(stretchAt(window, 62)?.segment?.position).toBe(behind.position);
  });
});

describe("after a backup nothing was written for a while", () => {
  const dropped = segment(BACKUP, `${A}:3`, [100, 100]);

  test("what it holds was held until the first commit beyond it", () => {
    const window = windowWith([dropped], { endedAtUs: 40 });
    expect(ranges(window)).toEqual([[40, 100]]);
    expect(stretchAt(window, 99)).toMatchObject({ state: BACKUP, segment: null });
    expect(stretchAt(window, 39)).toBeNull();
  });

  test("a look that finds it again after something was committed tells of a restore, and of no time before", () => {
    const look = { position: BACKUP, fromUs: 200, toUs: 210 };
    expect(ranges(windowWith([], { look, endedAtUs: 40 }))).toEqual([[40, 210]]);
    const abandoned = segment(BACKUP, `${A}:3`, [100, 100]);
    expect(stretchAt(windowWith([abandoned], { look, endedAtUs: 40 }), 150)).toBeNull();
  });

  test("however the manifest writes what it holds", () => {
    const both = `${A}:1-2,${B}:1`;
    const starts = [{ slotMs: 0, position: both, endedAtUs: 40 }];
    const segments = [segment(both, `${A}:3`, [100, 100])];
    expect(segments[0]?.after).not.toBe(both);
    expect(ranges(windowOf({ starts, segments, lost: [], look: null }, gtidSets))).toEqual([[40, 100]]);
  });

  test("nothing is said of that time where something else was committed then, or the log goes on from elsewhere", () => {
    const other = segment(BACKUP, `${B}:1`, [60, 70]);
    expect(ranges(windowWith([dropped, other], { endedAtUs: 40 }))).toEqual([
      [40, 70],
      [100, 100],
    ]);
    const later = segment(`${A}:1-3`, `${A}:4`, [100, 100]);
    expect(ranges(windowWith([later], { endedAtUs: 40 }))).toEqual([]);
    expect(ranges(windowWith([dropped], { endedAtUs: 101 }))).toEqual([[100, 100]]);
  });
});

describe("another log was in service in between", () => {
  const kept = segment(BACKUP, `${A}:3`, [10, 10]);
  const later = segment(`${A}:1-3`, `${A}:4`, [100, 100]);
  const other = segment(BACKUP, `${B}:1-3`, [50, 60]);

  test("what was held before is held until its first commit, and again from the next one", () => {
    expect(ranges(windowWith([kept, later]))).toEqual([[10, 100]]);
    expect(ranges(windowWith([kept, later, other]))).toEqual([
      [10, 60],
      [100, 100],
    ]);
  });

  test("so it is when that one was lost", () => {
    expect(ranges(windowWith([kept, later], { lost: [other] }))).toEqual([
      [10, 49],
      [100, 100],
    ]);
  });

  test("while the primary was looked at too", () => {
    const look = { position: `${A}:1-4`, fromUs: 100, toUs: 300 };
    expect(ranges(windowWith([kept, later], { look }))).toEqual([[10, 300]]);
    const lost = [segment(BACKUP, `${B}:1`, [200, 200])];
    expect(ranges(windowWith([kept, later], { look, lost }))).toEqual([[10, 199]]);
  });

  test("a segment that reaches around it tells nothing of the time after", () => {
    const around = segment(BACKUP, `${A}:3-4`, [10, 100]);
    expect(ranges(windowWith([around, other]))).toEqual([
      [10, 49],
      [100, 100],
    ]);
  });
});
