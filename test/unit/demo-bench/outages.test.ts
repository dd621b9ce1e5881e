/** What the failover bench concludes from acknowledgements and log lines: a bench that sees nothing proves nothing. */
import { expect, test } from "vitest";
import { blipsOf } from "../../bench/blips.ts";
import { type Run, summarize } from "../../bench/failover.ts";
import { firstAfter, timelineOf } from "../../bench/timeline.ts";
import { longestPause, pausesOver } from "../../support/figures.ts";
import { dualAcks, labelledPrimary } from "../../support/traffic.ts";
import type { Ack } from "../../support/workload.ts";

/** `a100 a110 b400`: who acknowledged when, at which millisecond. */
function acksOf(text: string): readonly Ack[] {
  return text.split(" ").map((word, id) => ({ id, server: word.slice(0, 1), atMs: Number(word.slice(1)) }));
}

const dualOf = (direct: string, service = direct) =>
  dualAcks({ direct: acksOf(direct), service: acksOf(service) });

test("two primaries at once are counted, one after another is not", () => {
  expect(dualOf("a1 a2 b3 b4", "a1 b5")).toBe(0);
  expect(dualOf("a1 b3 a4 b5", "a1 b6")).toBe(1);
  expect(dualOf("a1 b3 b9", "a4 a5 b8")).toBe(2);
  // Back again after the other one had ended.
  expect(dualOf("a1 b3 a9", "b4 a10")).toBe(0);
});

test("writes go on with another server, or with the same one after a pause", () => {
  expect(firstAfter(acksOf("a100 a201 b900 b910"), 200, "a")).toBe(900);
  expect(firstAfter(acksOf("a100 a201 a210 a900 a910"), 200, "a")).toBe(900);
  // Still the old one, and no pause yet.
  expect(firstAfter(acksOf("a100 a201 a210"), 200, "a")).toBeNull();
  expect(longestPause([100, 150, 500, 510], 200)).toEqual({ ms: 350, endsAtMs: 500 });
  expect(longestPause([100, 150], 200)).toBeNull();
  expect(pausesOver([0, 100, 150, 500, 510, 900], 120, 300)).toBe(2);
});

test("the host's lines are put beside what clients saw", () => {
  const at = (ms: number) => new Date(ms).toISOString();
  const lines = [
    { at: at(900), message: "pass", tookMs: 5 },
    { at: at(1_200), message: "step", step: "recording what was decided" },
    { at: at(1_500), message: "step", step: "opening member 1 for writes in epoch 2" },
    { at: at(1_700), message: "pass", tookMs: 600 },
  ];
  const acks = { direct: acksOf("a990 b1800"), service: acksOf("a990 b2000") };
  expect(timelineOf(lines, acks, { faultAtMs: 1_000, before: "a" })).toEqual({
    detectionMs: 100,
    decisionMs: 200,
    promotionMs: 500,
    firstMs: { direct: 800, service: 1_000 },
    ...{ openedMs: 400, oursMs: 700 },
  });
});

test("of two Pods with the primary's label the later epoch counts", () => {
  const pod = (name: string, labels: Record<string, string>) => ({
    ...{ name, uid: name, ip: null, ready: true, restarts: 0, labels, annotations: {} },
  });
  const old = pod("old", { "ordinal.dev/role": "primary", "ordinal.dev/epoch": "9" });
  const now = pod("now", { "ordinal.dev/role": "primary", "ordinal.dev/epoch": "10" });
  const other = pod("other", { "ordinal.dev/role": "replica", "ordinal.dev/epoch": "11" });
  expect(labelledPrimary([old, now, other])?.name).toBe("now");
  expect(labelledPrimary([other])).toBeNull();
});

test("a seed gives the same blips again, within their lengths", () => {
  const blips = blipsOf(7, 200);
  expect(blipsOf(7, 200)).toEqual(blips);
  expect(blipsOf(8, 200)).not.toEqual(blips);
  expect(new Set(blips.map(({ kind }) => kind)).size).toBe(4);
  const cuts = blips.filter(({ kind }) => kind === "primary cut");
  expect(cuts.every(({ lastsMs }) => lastsMs >= 200 && lastsMs <= 1_500)).toBe(true);
});

test("a lost write, a second primary or a refused write that is there fails the bench", () => {
  const run: Run = {
    timeline: {
      ...{ detectionMs: 1, decisionMs: 2, promotionMs: 3, openedMs: 2, oursMs: 9 },
      firstMs: { direct: 10, service: 20 },
    },
    ...{
      toldMs: null,
      recoveredByItself: true,
      rejoinMs: 30,
      acked: 5,
      lost: 0,
      ghosts: 0,
      unknownThere: 0,
      dual: 0,
    },
    failovers: 1,
  };
  const fine = summarize([run, { ...run, failovers: 2 }], { fault: "kill" });
  expect([fine.ok, fine.fields["falseFailovers"], fine.fields["acked"]]).toEqual([true, 1, 10]);
  expect(fine.fields["serviceMs"]).toEqual({ p50: 20, p95: 20, p99: 20, worst: 20 });
  for (const wrong of [{ lost: 1 }, { dual: 1 }, { ghosts: 1 }]) {
    expect(summarize([run, { ...run, ...wrong }], {}).ok).toBe(false);
  }
});
